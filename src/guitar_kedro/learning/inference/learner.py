"""fastai Learners that only predict, from a checkpoint."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from fastai.data.block import CategoryBlock, DataBlock, TransformBlock
from fastai.data.core import DataLoaders
from fastai.data.transforms import ColReader, ColSplitter, IntToFloatTensor, Normalize
from fastai.learner import Learner
from fastai.losses import CrossEntropyLossFlat
from fastai.vision.core import PILImage
from PIL import Image

from guitar_kedro.learning.data.pictures import read_resized
from guitar_kedro.learning.networks.checkpoint import Checkpoint, ModelSpec
from guitar_kedro.learning.networks.device import choose_device
from guitar_kedro.learning.networks.learner import build_learner

_CPU = torch.device("cpu")


class CalibratedCrossEntropy(CrossEntropyLossFlat):
    """Cross-entropy at a temperature: fastai takes from it what it shows as probabilities and losses."""

    def __init__(self, temperature: float) -> None:
        """Take the temperature, by which logits are divided."""
        super().__init__()
        self.temperature = temperature

    def __call__(self, inp: torch.Tensor, targ: torch.Tensor, **kwargs: Any) -> torch.Tensor:
        """Compute the loss of logits (batch x classes) for targets (int64 of batch)."""
        return super().__call__(inp / self.temperature, targ, **kwargs)

    def activation(self, x: torch.Tensor) -> torch.Tensor:
        """Turn logits (batch x classes) into probabilities."""
        return super().activation(x / self.temperature)


def learner_for_inference(checkpoint: Checkpoint, device: str = "auto") -> Learner:
    """Rebuild a Learner that is ready to predict.

    Args:
        checkpoint: The model.
        device: Where it predicts: see ``choose_device``.

    Returns:
        A Learner in evaluation mode: ``learner.predict(path)``, ``learner.dls.test_dl(...)``,
        ``ClassificationInterpretation`` work on it; its probabilities are those at the checkpoint's temperature, in
        float32.
    """
    where = choose_device(device)
    learner = build_learner(inference_loaders(checkpoint.spec, where), checkpoint.spec)
    learner.model.load_state_dict(checkpoint.weights)
    learner.model.to(where).eval()
    learner.loss_func = CalibratedCrossEntropy(checkpoint.spec.temperature)
    return learner


def inference_loaders(spec: ModelSpec, device: torch.device = _CPU) -> DataLoaders:
    """Build loaders of one blank picture, from which ``learner.predict`` and ``test_dl`` take their preprocessing.

    Args:
        spec: Gives classes, size, resize method and normalisation.
        device: Where batches go.
    """

    def read(source: str | Path | bytes | np.ndarray | Image.Image) -> PILImage:  # fastai reads the hint
        return PILImage.create(read_resized(source, spec.image_size, spec.resize_method, spec.interpolation))

    blank_picture = PILImage.create(np.zeros((8, 8, 3), np.uint8))
    blank = pd.DataFrame({"path": [blank_picture, blank_picture], "label": spec.classes[0], "is_valid": [False, True]})
    block = DataBlock(
        blocks=(
            TransformBlock(type_tfms=read, batch_tfms=IntToFloatTensor),
            CategoryBlock(vocab=list(spec.classes), sort=False),
        ),
        get_x=ColReader("path"),
        get_y=ColReader("label"),
        splitter=ColSplitter("is_valid"),
        batch_tfms=Normalize.from_stats(spec.mean, spec.std),
    )
    return block.dataloaders(blank, bs=1, num_workers=0, path=".", device=device)
