"""Networks by name, and how they are cut into body and head."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

import timm
import torch
import torchvision
from fastai.layers import AdaptiveConcatPool2d
from fastai.vision.learner import add_head, create_body, create_vision_model, has_pool_type, model_meta
from torchvision.models import SwinTransformer
from torchvision.models.vision_transformer import VisionTransformer

from guitar_kedro.errors import UserError
from guitar_kedro.learning.networks.bodies import TimmBody, VisionTransformerBody, are_maps, config_of_timm
from guitar_kedro.sizes import ImageSize, height_width, size_in_words

_LARGE = 512  # pixels; what does not go with these does not go at all
Builder = Callable[..., torch.nn.Module]


@dataclass(frozen=True)
class Preprocessing:
    """How a network wants its pictures.

    Attributes:
        mean: Of each channel of RGB scaled to 0..1, subtracted before ...
        std: ... dividing by this.
        interpolation: How pictures are resized: bilinear, bicubic or lanczos.
    """

    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)
    interpolation: str = "bilinear"


def is_of_torchvision(name: str) -> bool:
    """Return whether a network is one of torchvision; a network that both libraries know by a name is."""
    return name in torchvision.models.list_models(module=torchvision.models)


def check_architecture(name: str) -> None:
    """Check that there is a network of a name.

    Args:
        name: Of torchvision or timm; one of timm may carry the tag of its weights (``convnext_tiny.in12k_ft_in1k``).

    Raises:
        UserError: If neither library knows it, or timm does not know the tag.
    """
    if is_of_torchvision(name):
        return
    plain, _, tag = name.partition(".")
    if timm.is_model(plain):
        if tag and tag not in (tags := tags_of(plain)):
            raise UserError(
                f"architecture: {name} is no network of timm: the tags of {plain} are {', '.join(tags) or 'none'}."
            )
        return
    known = {*torchvision.models.list_models(module=torchvision.models), *timm.list_models()}
    close = difflib.get_close_matches(name, sorted(known), n=3)
    hint = f" Did you mean {' or '.join(close)}?" if close else ""
    raise UserError(f"architecture: {name} is no network of torchvision or timm.{hint}")


def tags_of(name: str) -> list[str]:
    """List the sets of weights that timm knows for one of its networks, by their tags."""
    return [full.partition(".")[2] for full in timm.models.get_arch_pretrained_cfgs(name.partition(".")[0])]


def weights_of_torchvision(name: str) -> Mapping[str, Any]:
    """List the sets of weights that torchvision has for a network, by what a stage's ``weights`` may call them."""
    try:
        sets: Any = torchvision.models.get_model_weights(name)
    except ValueError:  # there are none
        return {}
    # the first is of the first training recipe: the one of the article
    return {"default": sets.DEFAULT, "imagenet": next(iter(sets)), **{one.name: one for one in sets}}


def preprocessing(name: str, weights: str | None) -> Preprocessing:
    """Return how a network wants its pictures, as those who trained its weights say.

    Args:
        name: The architecture.
        weights: What the stage starts from, see ``NetworkOptions``.
    """
    if is_of_torchvision(name):
        found = weights_of_torchvision(name).get(weights or "")
        if found is None:  # none, and files, of which nothing is known
            return Preprocessing()
        how = found.transforms()
        return Preprocessing(tuple(how.mean), tuple(how.std), how.interpolation.value)
    config = config_of_timm(f"{name.partition('.')[0]}.{weights}" if weights in tags_of(name) else name)
    return Preprocessing(tuple(config.mean), tuple(config.std), config.interpolation)


def build_network(
    name: str, image_size: ImageSize, classes: int, head: str = "fastai"
) -> tuple[torch.nn.Sequential, Callable[..., Any]]:
    """Build a network without weights: a body and a head.

    Args:
        name: The architecture.
        image_size: Of its pictures.
        classes: How many outputs it has.
        head: As of ``ModelSpec``.

    Returns:
        Body and head, and the function that splits the parameters into layer groups: stem and first half of the body,
        second half, head; or body and head, where nothing finer is known.

    Raises:
        UserError: If the network cannot be cut into body and head.
    """
    check_architecture(name)
    if builder := _builder(name):
        network, split = create_vision_model(builder, classes, pretrained=False), model_meta[builder]["split"]
    else:
        channels = _maps(name, image_size).shape[1]
        network, split = add_head(build_body(name, image_size), channels, classes), _halves
    if head == "linear":
        layers: Any = network[1]
        inputs = next(layer.num_features for layer in layers if isinstance(layer, torch.nn.BatchNorm1d))
        network[1] = linear_head(inputs, classes)
    return network, split


def linear_head(inputs: int, classes: int) -> torch.nn.Sequential:
    """Build the head that is linear in the pooled feature maps: their maxima, then their means, standardised.

    BatchNorm standardises them, so that training that goes on from such a head takes steps of a sensible size.

    Args:
        inputs: Features: two for each channel of the maps.
        classes: Outputs.
    """
    layers = torch.nn.BatchNorm1d(inputs), torch.nn.Linear(inputs, classes)
    return torch.nn.Sequential(AdaptiveConcatPool2d(), torch.nn.Flatten(), *layers)


@cache
def _maps(name: str, image_size: ImageSize) -> torch.Tensor:
    """Give the shape of a body's feature maps: a run builds the same network for each stage and each prediction."""
    body = _on_no_device(lambda: build_body(name, image_size))
    with torch.inference_mode():
        return body.eval()(torch.zeros(2, 3, *height_width(image_size), device="meta"))


def build_body(name: str, image_size: ImageSize) -> Any:
    """Build the body of a network, without weights.

    Args:
        name: The architecture.
        image_size: Of its pictures.

    Raises:
        UserError: If the network cannot be cut into body and head.
    """
    if builder := _builder(name):
        return create_body(builder(weights=None), pretrained=False, cut=model_meta[builder]["cut"])
    if is_of_torchvision(name):
        return VisionTransformerBody(torchvision.models.get_model_builder(name), image_size)
    return TimmBody(name, image_size)


def check_layer_decay(architecture: str) -> None:
    """Check that ``layer_decay`` can be used with a network: ``layer_groups`` asks how its layers follow each other.

    Raises:
        UserError: If nobody says so.
    """
    if _builder(architecture):
        raise UserError(
            f"training.layer_decay is for networks of timm and for transformers, not for {architecture}; set it to 1."
        )


def layer_groups(network: torch.nn.Sequential) -> list[list[torch.nn.Parameter]]:
    """Return the parameters of a network of ``build_network`` layer by layer: the stem first, the head last."""
    return [*network[0].layers(), list(network[1].parameters())]  # type: ignore[operator]


def has_batch_norm(name: str, image_size: ImageSize) -> bool:
    """Return whether the body of a network normalises by the statistics of its batches.

    Args:
        name: The architecture.
        image_size: Of its pictures.
    """
    body = _on_no_device(lambda: build_body(name, image_size))
    return any(isinstance(layer, torch.nn.BatchNorm2d) for layer in body.modules())


def _halves(network: torch.nn.Sequential) -> list[list[torch.nn.Parameter]]:
    if hasattr(network[0], "layers"):
        *layers, head = layer_groups(network)
    else:  # of torchvision: what its parts consist of
        parts = [
            list(part.children()) if isinstance(part, torch.nn.Sequential) else [part] for part in network[0].children()
        ]
        layers = [list(layer.parameters()) for part in parts for layer in part]
        head = list(network[1].parameters())
    groups = [layers[: len(layers) // 2], layers[len(layers) // 2 :], [head]]
    return [[weights for layer in group for weights in layer] for group in groups]


def _builder(name: str) -> Builder | None:
    """Find torchvision's function that builds a network, and tell fastai where to cut it.

    Returns:
        ``None`` for networks of timm and for transformers, which are not cut: they have bodies of their own.
    """
    builder = torchvision.models.get_model_builder(name) if is_of_torchvision(name) else None
    if builder is None or builder.__annotations__.get("return") in (VisionTransformer, "VisionTransformer"):
        return None
    if builder not in model_meta:
        model_meta[builder] = {"cut": _cut(name, builder), "split": _halves, "weights": "DEFAULT"}
    return builder


def _cut(name: str, builder: Builder) -> Callable[[Any], torch.nn.Module] | None:
    """Return how fastai cuts the body off a network of torchvision.

    Networks that pool in ``forward`` have their body in ``features`` (MobileNetV2) or before a linear layer.
    """
    model: Any = _on_no_device(lambda: builder(weights=None))
    children = list(model.children())
    pools = [place for place, child in enumerate(children) if has_pool_type(child)]
    if isinstance(model, SwinTransformer):  # channels come last until it permutes them
        return lambda network: torch.nn.Sequential(network.features, network.norm, network.permute)
    if hasattr(model, "features"):
        return lambda network: torch.nn.Sequential(network.features)
    if pools and not any(_has_convolution(child) for child in children[pools[-1] :]):
        return None  # fastai cuts before the last pooling layer
    if pools and isinstance(children[-1], torch.nn.Linear):
        return lambda network: torch.nn.Sequential(*list(network.children())[:-1])
    raise _uncut(name)


def _has_convolution(module: torch.nn.Module) -> bool:
    return any(isinstance(layer, torch.nn.Conv2d) for layer in module.modules())


def _uncut(name: str) -> UserError:
    return UserError(
        f"architecture: {name} cannot be cut into a body that ends in feature maps and a head; choose another network, "
        "for example resnet34 or convnext_tiny."
    )


def check_size(name: str, image_size: ImageSize) -> None:
    """Check that there is a network, that it can be cut into body and head, and that its body takes pictures of a size.

    Args:
        name: The architecture.
        image_size: Of its pictures.

    Raises:
        UserError: If not.
    """
    check_architecture(name)
    if _gives_maps(name, image_size):
        return
    own = None if is_of_torchvision(name) else config_of_timm(name).input_size[-1]
    size, (height, width) = size_in_words(image_size), height_width(image_size)
    if own and own != image_size and _gives_maps(name, own):
        raise UserError(f"image_size is {size}, which {name} does not take; give a multiple of 32, or {own}.")
    if not own and _gives_maps(name, (_LARGE * height // min(height, width), _LARGE * width // min(height, width))):
        raise UserError(f"image_size is {size}, and {name} needs larger pictures: its layers leave nothing of them.")
    if _gives_maps(name, max(height, width)):
        raise UserError(f"image_size is {size}, and {name} takes squares only: give one number.")
    raise _uncut(name)


def _gives_maps(name: str, size: ImageSize) -> bool:
    try:
        maps = _maps(name, size)
    # whatever a library says of shapes
    except (RuntimeError, ValueError, TypeError, AssertionError, IndexError, AttributeError):
        return False
    return isinstance(maps, torch.Tensor) and are_maps(maps, height_width(size))


def _on_no_device(build: Callable[[], torch.nn.Module]) -> torch.nn.Module:
    """Build a network without weights: it takes no memory, and leaves no trace in the random numbers."""
    with torch.random.fork_rng(devices=[]):
        try:
            with torch.device("meta"):
                return build()
        except NotImplementedError:  # some compute their widths with tensors
            return build().to("meta")


def body_state(
    name: str, image_size: ImageSize, state: dict[str, torch.Tensor], origin: str
) -> dict[str, torch.Tensor]:
    """Take the weights of the body from those of a whole network.

    Args:
        name: The architecture.
        image_size: Of its pictures.
        state: State dict of the network as its library builds it, with a classifier of any number of classes.
        origin: Where the weights are from, for the message.

    Returns:
        State dict of the body.

    Raises:
        UserError: If weights of the body are missing or have other shapes.
    """
    state = dict(state)
    if builder := _builder(name):
        whole = builder(weights=None)
        body = create_body(whole, pretrained=False, cut=model_meta[builder]["cut"])
    else:
        whole = body = build_body(name, image_size)
        try:
            state = body.adapt(state)
        except (RuntimeError, ValueError, KeyError, IndexError, AttributeError) as error:
            raise UserError(
                f"weights: {origin} does not fit {name} ({error}). Give the weights of that network."
            ) from None
    in_body = {id(tensor) for tensor in body.state_dict(keep_vars=True).values()}
    expected = {key: value for key, value in whole.state_dict(keep_vars=True).items() if id(value) in in_body}
    for key, value in expected.items():
        if key.endswith("num_batches_tracked"):  # a count that nothing is computed from, which older files lack
            state.setdefault(key, value)
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
