"""Where in a picture a network sees a class: class activation maps (Grad-CAM)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from captum.attr import LayerAttribution, LayerGradCam
from PIL import Image

from guitar_kedro.errors import UserError
from guitar_kedro.learning.checkpoint import Checkpoint
from guitar_kedro.learning.learner import learner_for_inference, quiet
from guitar_kedro.progress import track

_MAPS_AT_ONCE = 16


class NoFeatureMaps(UserError):
    """The body of a network does not end in feature maps, so that there is nothing to lay over a picture."""


def class_activation_maps(
    checkpoint: Checkpoint, table: pd.DataFrame, classes: Sequence[Sequence[str]], title: str
) -> list[np.ndarray]:
    """Computes how much each place of an image speaks for a class.

    Grad-CAM of Selvaraju et al. (2017), "Grad-CAM: Visual explanations from deep networks via gradient-based
    localization", ICCV: the feature maps that leave the network's body, weighted with the mean gradient of the class's
    logit, summed, and cut off at zero. Explained are logits before they are divided by the checkpoint's temperature.

    Args:
        checkpoint: The model.
        table: A row per image with ``path``.
        classes: For each image, the labels to explain.
        title: What is done, for the progress bar.

    Returns:
        For each image, float32 of (its labels, size, size) at the network's input size, 0 or more. Units are those of
        the logit, not scaled map by map: the maps of an image can be compared.

    Raises:
        NoFeatureMaps: If the body of the network does not end in feature maps.
        ValueError: If a label is no class of the checkpoint, or ``classes`` is not as long as the table.
    """
    targets = [[checkpoint.spec.classes.index(label) for label in labels] for labels in classes]
    if len(targets) != len(table):
        raise ValueError(f"there are classes for {len(targets)} images, but the table has {len(table)}")
    if not targets:
        return []
    learner = quiet(learner_for_inference(checkpoint))
    # Gradients are wanted from the feature maps on: without those of the weights, the body needs little memory.
    model = learner.model.requires_grad_(False)
    device = next(model.parameters()).device
    loader = learner.dls.test_dl(table, bs=1, num_workers=0)
    _refuse_without_feature_maps(model[0], checkpoint, device)
    batches = track(loader, len(targets), title)
    return [
        _maps_of_image(model, image.as_subclass(torch.Tensor).to(device), labels)
        for (image,), labels in zip(batches, targets, strict=True)
    ]


def pictures_as_seen(checkpoint: Checkpoint, table: pd.DataFrame) -> list[Image.Image]:
    """Gives pictures as they enter the network, apart from normalisation: the maps lie over these.

    Args:
        checkpoint: The model, which gives size and method of resizing.
        table: A row per image with ``path``.

    Returns:
        RGB pictures of the network's input size.
    """
    if table.empty:
        return []
    loader = learner_for_inference(checkpoint).dls.test_dl(table, num_workers=0)
    loader.before_iter()  # fastai tells the transforms here that this is not training
    items = (loader.do_item(number)[0] for number in range(len(table)))
    return [Image.fromarray(item.permute(1, 2, 0).numpy()) for item in items]


def _maps_of_image(model: torch.nn.Sequential, image: torch.Tensor, targets: Sequence[int]) -> np.ndarray:
    """Explains one image, of shape (1, 3, size, size)."""
    size = tuple(image.shape[-2:])
    gradcam = LayerGradCam(model, model[0])
    maps = [np.zeros((0, *size), np.float32)]
    for some in torch.tensor(targets, dtype=torch.int64, device=image.device).split(_MAPS_AT_ONCE):
        if not len(some):
            continue
        copies = image.expand(len(some), -1, -1, -1)
        coarse = gradcam.attribute(copies, target=some, relu_attributions=True)
        fine = LayerAttribution.interpolate(coarse, size, "bilinear")
        maps.append(fine[:, 0].detach().float().cpu().numpy())
    return np.concatenate(maps)


def _refuse_without_feature_maps(body: torch.nn.Module, checkpoint: Checkpoint, device: torch.device) -> None:
    size = checkpoint.spec.image_size
    with torch.inference_mode():
        shape = body(torch.zeros(1, 3, size, size, device=device)).shape
    # Square pictures give square maps; some transformers (Swin, for one) keep their channels last.
    if len(shape) != 4 or shape[2] != shape[3]:
        raise NoFeatureMaps(
            f"architecture: {checkpoint.spec.architecture} has no class activation maps, because its body does not "
            "end in feature maps (channels x height x width); they exist for convolutional networks, "
            "for example resnet34."
        )
