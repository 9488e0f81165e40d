"""Grad-CAM: where in a picture a network sees a class."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import torch
from PIL import Image

from guitar_kedro.learning.data.pictures import read_resized
from guitar_kedro.learning.inference.backend import NoFeatureMaps
from guitar_kedro.learning.inference.learner import learner_for_inference
from guitar_kedro.learning.networks.bodies import are_maps
from guitar_kedro.learning.networks.checkpoint import Checkpoint, ModelSpec
from guitar_kedro.learning.networks.learner import quiet
from guitar_kedro.progress import track


def grad_cam_maps(
    checkpoint: Checkpoint, table: pd.DataFrame, classes: Sequence[Sequence[str]], title: str, device: str = "auto"
) -> list[np.ndarray]:
    """Compute how much each place of an image speaks for a class.

    Grad-CAM of Selvaraju et al. (2017), "Grad-CAM: Visual explanations from deep networks via gradient-based
    localization", ICCV: the feature maps that leave the network's body, weighted with the mean gradient of the class's
    logit, summed, and cut off at zero. Explained are logits before they are divided by the checkpoint's temperature.

    Args:
        checkpoint: The model.
        table: A row per image with ``path``.
        classes: For each image, the labels to explain.
        title: What is done, for the progress bar.
        device: Where: see ``choose_device``.

    Returns:
        For each image, float32 of (its labels, height, width) at the network's input size, 0 or more. Units are those
        of the logit, not scaled map by map: the maps of an image can be compared.

    Raises:
        NoFeatureMaps: If the body of the network does not end in feature maps.
        ValueError: If a label is no class of the checkpoint, or ``classes`` is not as long as the table.
    """
    targets = [[checkpoint.spec.classes.index(label) for label in labels] for labels in classes]
    if len(targets) != len(table):
        raise ValueError(f"there are classes for {len(targets)} images, but the table has {len(table)}")
    if not targets:
        return []
    learner = quiet(learner_for_inference(checkpoint, device))
    # Gradients are wanted from the feature maps on: without those of the weights, the body needs little memory.
    model = learner.model.requires_grad_(False)
    loader = learner.dls.test_dl(table, bs=1, num_workers=0)
    batches = track(loader, len(targets), title)
    return [
        _maps_of_image(model, checkpoint.spec, image.as_subclass(torch.Tensor).to(learner.dls.device), labels)
        for (image,), labels in zip(batches, targets, strict=True)
    ]


def pictures_as_seen(checkpoint: Checkpoint, table: pd.DataFrame) -> list[Image.Image]:
    """Return pictures as they enter the network, apart from normalisation: the maps lie over these.

    Args:
        checkpoint: The model, which gives size and method of resizing.
        table: A row per image with ``path``.

    Returns:
        RGB pictures of the network's input size.
    """
    spec = checkpoint.spec
    return [read_resized(path, spec.image_size, spec.resize_method, spec.interpolation) for path in table["path"]]


def coarse_maps(
    model: torch.nn.Sequential, spec: ModelSpec, image: torch.Tensor, targets: Sequence[int]
) -> torch.Tensor:
    """Explain one image, at the resolution of the feature maps; the body of the network runs once for all classes.

    Args:
        model: Body and head.
        spec: What the network is.
        image: As it enters the network, of shape (1, 3, height, width).
        targets: Numbers of the classes to explain.

    Returns:
        Float32 of (targets, rows, columns), 0 or more, as in ``grad_cam_maps``.

    Raises:
        NoFeatureMaps: If the body of the network does not end in feature maps.
    """
    with torch.no_grad():
        features = model[0](image)
    if not are_maps(features, image.shape[2:]):
        raise NoFeatureMaps(
            f"architecture: {spec.architecture} has no class activation maps, because its body does not "
            "end in feature maps (channels x height x width); they exist for convolutional networks, "
            "for example resnet34."
        )
    with torch.enable_grad():
        features.requires_grad_()
        logits = model[1](features.clone())[0]  # layers of the head may overwrite what they get
        gradients = [torch.autograd.grad(logits[target], features, retain_graph=True)[0] for target in targets]
    maps = [(gradient.mean((2, 3), keepdim=True) * features).sum(1) for gradient in gradients]
    return torch.cat([torch.zeros_like(features[:0, 0]), *maps]).detach().relu()


def _maps_of_image(
    model: torch.nn.Sequential, spec: ModelSpec, image: torch.Tensor, targets: Sequence[int]
) -> np.ndarray:
    coarse = coarse_maps(model, spec, image, targets)
    fine = torch.nn.functional.interpolate(coarse[:, None], image.shape[-2:], mode="bilinear")
    return fine[:, 0].float().cpu().numpy()
