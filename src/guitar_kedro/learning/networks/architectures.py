"""Networks by name, and how fastai cuts them into body and head."""

from __future__ import annotations

import difflib
import importlib.util
from collections.abc import Callable
from typing import Any

import torch
import torchvision
from fastai.vision.learner import create_body, create_timm_model, default_split, has_pool_type, model_meta

from guitar_kedro.errors import UserError

_LARGE = 512  # pixels; what does not go with these does not go at all
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def architecture(name: str) -> Callable[..., torch.nn.Module] | str:
    """Find a network by its name, and tell fastai where to cut it.

    Returns:
        torchvision's function that builds it; for a network of timm its name, which fastai takes as it is.

    Raises:
        UserError: If neither library knows the name, or the network cannot be cut into body and head.
    """
    known = torchvision.models.list_models(module=torchvision.models)
    if name in known:
        builder = torchvision.models.get_model_builder(name)
        if builder not in model_meta:
            model_meta[builder] = {"cut": _cut(name, builder), "split": default_split, "weights": "DEFAULT"}
        return builder
    if importlib.util.find_spec("timm"):
        import timm

        if timm.is_model(name):
            return name
        known += timm.list_models()
        more = ""
    else:
        more = " For networks of timm, install the extra: pip install -e '.[timm]'."
    close = difflib.get_close_matches(name, sorted(set(known)), n=3)
    hint = f" Did you mean {' or '.join(close)}?" if close else ""
    raise UserError(f"architecture: {name} is no network of torchvision.{hint}{more}")


def _cut(name: str, builder: Callable[..., torch.nn.Module]) -> Callable[[Any], torch.nn.Module] | None:
    """Return how fastai cuts the body off a network.

    Networks that pool in ``forward`` have their body in ``features`` (MobileNetV2) or before a linear layer.
    """
    model: Any = _shape_of(lambda: builder(weights=None))
    children = list(model.children())
    pools = [place for place, child in enumerate(children) if has_pool_type(child)]
    if hasattr(model, "features"):
        if _gives_feature_maps(model.features):
            return lambda network: torch.nn.Sequential(network.features)
    elif pools and not any(_has_convolution(child) for child in children[pools[-1] :]):
        return None  # fastai cuts before the last pooling layer
    elif pools and isinstance(children[-1], torch.nn.Linear):
        return lambda network: torch.nn.Sequential(*list(network.children())[:-1])
    raise UserError(f"architecture: {name} cannot be cut into a body and a head; choose a convolutional network.")


def _has_convolution(module: torch.nn.Module) -> bool:
    return any(isinstance(layer, torch.nn.Conv2d) for layer in module.modules())


def _gives_feature_maps(body: torch.nn.Module) -> bool:
    """Return whether a square picture gives square maps: some transformers (Swin, for one) keep their channels last."""
    with torch.inference_mode():
        _, _, height, width = body.eval()(torch.zeros(1, 3, 64, 64, device="meta")).shape
    return height == width


def check_size(name: str, image_size: int) -> None:
    """Check that a network can be cut into body and head, and that its body takes pictures of a size.

    Args:
        name: The architecture.
        image_size: Side of the square, in pixels.

    Raises:
        UserError: If it cannot, or the pictures are too small for its pooling layers.
    """
    builder = architecture(name)
    body = _shape_of(lambda: _untrained_body(builder))
    if _takes(body, image_size):
        return
    if _takes(body, max(image_size, _LARGE)):
        raise UserError(
            f"image_size is {image_size}, and {name} needs larger pictures: its layers leave nothing of them."
        )
    raise UserError(f"architecture: {name} cannot be cut into a body and a head; choose a convolutional network.")


def _untrained_body(builder: Callable[..., torch.nn.Module] | str) -> torch.nn.Module:
    if isinstance(builder, str):
        return create_timm_model(builder, 2, pretrained=False)[0][0]
    return create_body(builder(weights=None), pretrained=False, cut=model_meta[builder]["cut"])


def _shape_of(build: Callable[[], torch.nn.Module]) -> torch.nn.Module:
    """Build a network without weights: it takes no memory, and leaves no trace in the random numbers."""
    with torch.random.fork_rng(devices=[]):
        try:
            with torch.device("meta"):
                return build()
        except NotImplementedError:  # some compute their widths with tensors
            return build().to("meta")


def _takes(body: torch.nn.Module, size: int) -> bool:
    try:
        with torch.inference_mode():
            body.eval()(torch.zeros(2, 3, size, size, device="meta"))
    except (RuntimeError, ValueError, TypeError, AssertionError):  # whatever a library says of shapes
        return False
    return True


def body_state(name: str, state: dict[str, torch.Tensor], origin: str) -> dict[str, torch.Tensor]:
    """Take the weights of the body, as fastai cuts it, from those of a whole network.

    Args:
        name: The architecture.
        state: State dict of the network as its library builds it, with a classifier of any number of classes.
        origin: Where the weights are from, for the message.

    Returns:
        State dict of the body.

    Raises:
        UserError: If weights of the body are missing or have other shapes.
    """
    builder = architecture(name)
    if isinstance(builder, str):
        body = create_timm_model(builder, 2, pretrained=False)[0][0]
        whole = body.model
    else:
        whole = builder(weights=None)
        body = create_body(whole, pretrained=False, cut=model_meta[builder]["cut"])
    in_body = {id(tensor) for tensor in body.state_dict(keep_vars=True).values()}
    expected = {key: value for key, value in whole.state_dict(keep_vars=True).items() if id(value) in in_body}
    for key, value in expected.items():
        _check_fit(name, origin, key, state.get(key), value)
    with torch.no_grad():
        for key, value in expected.items():
            value.copy_(state[key])
    return body.state_dict()


def _check_fit(name: str, origin: str, key: str, given: torch.Tensor | None, wanted: torch.Tensor) -> None:
    if given is None:
        wrong = f"it has no {key}"
    elif given.shape != wanted.shape:
        wrong = f"its {key} is {tuple(given.shape)}, not {tuple(wanted.shape)}"
    else:
        return
    raise UserError(f"weights: {origin} does not fit {name}: {wrong}. Give the weights of that network.")
