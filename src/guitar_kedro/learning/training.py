"""Phases of training: find a learning rate, then fit one cycle."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch
from fastai.callback.schedule import valley  # and adds fit_one_cycle to Learner
from fastai.learner import Learner
from fastai.torch_core import set_seed
from fastai.vision.core import PILImage

from guitar_kedro.errors import UserError
from guitar_kedro.learning.architectures import IMAGENET_MEAN, IMAGENET_STD, body_state
from guitar_kedro.learning.callbacks import (
    FEWEST_STEPS,
    LEFT_OUT_AT_END,
    EpochTable,
    FiniteLoss,
    RateFinder,
    StepLosses,
)
from guitar_kedro.learning.checkpoint import Checkpoint, ModelSpec
from guitar_kedro.learning.data import data_loaders
from guitar_kedro.learning.device import choose_device, choose_precision, set_precision
from guitar_kedro.learning.distributed import Together, process_count
from guitar_kedro.learning.epoch_state import EpochState
from guitar_kedro.learning.learner import build_learner, quiet, state_on_cpu
from guitar_kedro.learning.pixels import Pixels
from guitar_kedro.learning.pretrained import PretrainedWeights
from guitar_kedro.learning.recipe import LoopOptions, NetworkOptions
from guitar_kedro.learning.resume import ExactResume
from guitar_kedro.memory import keep_freed_memory

logger = logging.getLogger(__name__)

LIBRARIES = ("torch", "torchvision", "fastai")
PICTURES_OF_BATCH = 16


@dataclass(frozen=True)
class Phase:
    """What is trained, where from, and on what.

    Attributes:
        stage_name: Of the stage.
        name: Of the phase.
        stage: What the network is, and what it is shown.
        training: What the training of every phase shares.
        start: Where the network comes from: an earlier phase or stage, or pretrained weights; ``None`` where it is not
            looked at.
        table: A row per image: ``image_id``, ``label``, ``split``.
        pixels: The pictures of the training and the validation part, decoded.
        seed: Decides weights, order and augmentation.
        epochs: How long it is trained; a search for a learning rate does not ask.
        device: Where: see ``choose_device``.
    """

    stage_name: str
    name: Literal["frozen", "unfrozen"]
    stage: NetworkOptions
    training: LoopOptions
    start: Checkpoint | PretrainedWeights | None
    table: pd.DataFrame
    pixels: Pixels
    seed: int
    epochs: int = 0
    device: str = "auto"

    @property
    def title(self) -> str:
        """How it is called in messages."""
        return f"{self.stage_name}, {self.name}"


def find_learning_rate(phase: Phase, iterations: int) -> tuple[pd.DataFrame, float]:
    """Tries learning rates from 1e-7 to 10, growing from step to step (Smith 2015, fastai's ``lr_find``).

    Args:
        phase: Before which to look.
        iterations: Steps.

    Returns:
        The curve (``learning_rate``, ``loss``, ``smoothed_loss``), and the rate that it suggests (fastai's valley).

    Raises:
        UserError: If the loss is not finite from the start, or the GPU has too little memory.
    """
    learner = prepared_learner(phase)
    steps = StepLosses()
    logger.info("%s: looking for a learning rate in %d steps", phase.title, iterations)
    epochs = iterations // len(learner.dls.train) + 1
    with _enough_memory(phase):
        learner.fit(epochs, cbs=[steps, RateFinder(num_it=iterations)])
    curve = pd.DataFrame(
        {
            "learning_rate": learner.recorder.lrs,
            "loss": torch.stack(steps.losses).tolist(),
            "smoothed_loss": torch.stack(learner.recorder.losses).tolist(),
        }
    )
    curve = curve[np.minimum.accumulate(np.isfinite(curve).all(axis=1))]
    # fastai's lr_find leaves out the beginning, where the smoothed loss settles, and the end, where it explodes
    looked_at = curve.iloc[iterations // 10 : -LEFT_OUT_AT_END]
    if len(looked_at) < FEWEST_STEPS:
        raise UserError(f"{phase.title}: the loss is not finite from the first step on; check the weights.")
    suggested, _ = valley(looked_at["learning_rate"].tolist(), looked_at["smoothed_loss"].tolist(), iterations)
    return curve, suggested


def train_phase(
    phase: Phase, rates: tuple[float, ...], state: EpochState | None = None
) -> tuple[Checkpoint, pd.DataFrame]:
    """Trains one phase with the one-cycle policy (Smith 2018).

    Args:
        phase: What to train.
        rates: Highest learning rate, or those of the first and the last layer group.
        state: Where training records where it is, and goes on if it was interrupted; ``None`` records nothing.

    Returns:
        The checkpoint, and the history with a row per epoch.

    Raises:
        UserError: If the loss becomes infinite or not a number, the GPU has too little memory, or the phase cannot be
            set up.
    """
    learner = prepared_learner(phase)
    table = EpochTable(phase.title)
    learner.add_cbs([table, FiniteLoss(phase.title), *([ExactResume(state, table)] if state else [])])
    highest = rates[0] if len(set(rates)) == 1 else slice(rates[0], rates[-1])
    try:
        with _enough_memory(phase):
            learner.fit_one_cycle(phase.epochs, highest)
    finally:
        table.bar.stop()
    _check_weights(learner, phase)
    return Checkpoint.of(state_on_cpu(learner), _spec(phase, _provenance(phase, rates))), table.history


def training_batch(phase: Phase) -> list[tuple[PILImage, str]]:
    """Makes pictures and labels of an augmented training batch, as the network sees it."""
    device = torch.device("cpu")
    set_seed(phase.seed)
    loaders = data_loaders(phase.table, phase.pixels, _spec(phase, {}), phase.stage.batch_size, phase.training, device)
    images, targets = loaders.train.one_batch()
    mean, std = (torch.tensor(stat)[:, None, None] for stat in (IMAGENET_MEAN, IMAGENET_STD))
    pixels = ((images[:PICTURES_OF_BATCH] * std + mean).clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).numpy()
    labels = [loaders.vocab[target] for target in targets]
    return [(PILImage.create(pixel), label) for pixel, label in zip(pixels, labels, strict=False)]


@contextmanager
def _enough_memory(phase: Phase) -> Iterator[None]:
    try:
        yield
    except torch.OutOfMemoryError as error:
        stage = phase.stage
        raise UserError(
            f"{phase.title}: the GPU has too little memory to train {stage.architecture} on {stage.batch_size} images "
            f"of {stage.image_size} px at a time; lower batch_size or image_size of this stage."
        ) from error


def prepared_learner(phase: Phase) -> Learner:
    """Builds the Learner of a phase, ready to fit: seeded, with its weights, on its device, in its precision.

    Raises:
        UserError: If the phase cannot be set up.
    """
    _check_classes(phase)
    keep_freed_memory()
    # each phase has random numbers of its own, whatever ran before it
    seed = phase.seed ^ zlib.crc32(phase.title.encode())
    set_seed(seed, reproducible=True)
    spec = _spec(phase, {})
    device = choose_device(phase.device)
    precision = choose_precision(phase.training.precision, device)
    loaders = data_loaders(phase.table, phase.pixels, spec, phase.stage.batch_size, phase.training, device)
    learner = quiet(build_learner(loaders, spec))
    if process_count() > 1:
        learner.add_cb(Together(seed))
    _load_start(learner, phase)
    learner.model.to(device, memory_format=torch.channels_last)
    set_precision(learner.model, precision, device)
    together = f", {process_count()} processes" if process_count() > 1 else ""
    logger.info("%s: on %s in %s%s", phase.title, device, str(precision).removeprefix("torch."), together)
    if phase.name == "frozen":
        learner.freeze()
    else:
        learner.unfreeze()
    return learner


def _load_start(learner: Learner, phase: Phase) -> None:
    match phase.start:
        case Checkpoint(weights=weights, spec=spec):
            if spec.architecture != phase.stage.architecture:
                raise UserError(
                    f"stages.{phase.stage_name}.architecture is {phase.stage.architecture}, but what it starts from "
                    f"is a {spec.architecture}; a stage goes on with the same network."
                )
            if list(spec.classes) != list(learner.dls.vocab):
                raise UserError(
                    f"{phase.title}: it starts from a network of other classes; train that stage again first."
                )
            learner.model.load_state_dict(weights)
        case PretrainedWeights() if phase.stage.weights != "none":
            state = phase.start.load(phase.stage.architecture, phase.stage.weights)
            learner.model[0].load_state_dict(body_state(phase.stage.architecture, state, phase.stage.weights))


def _classes(table: pd.DataFrame) -> tuple[str, ...]:
    return tuple(sorted(table["label"].unique()))


def _check_classes(phase: Phase) -> None:
    training = set(phase.table.loc[phase.table["split"] == "train", "label"])
    if missing := [label for label in _classes(phase.table) if label not in training]:
        raise UserError(
            f"{phase.title}: class {missing[0]} has no images in the training part; split the images again."
        )


def _spec(phase: Phase, provenance: dict[str, Any]) -> ModelSpec:
    return ModelSpec(
        architecture=phase.stage.architecture,
        classes=_classes(phase.table),
        image_size=phase.stage.image_size,
        resize_method=phase.training.resize_method,
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        provenance=provenance,
    )


def _provenance(phase: Phase, rates: tuple[float, ...]) -> dict[str, Any]:
    started_from = phase.stage.weights
    if isinstance(phase.start, Checkpoint):
        before = phase.start.spec.provenance
        started_from = f"{before['stage']}, {before['phase']}"
    return {
        "stage": phase.stage_name,
        "phase": phase.name,
        "started_from": started_from,
        "epochs": phase.epochs,
        "learning_rates": list(rates),
        "batch_size": phase.stage.batch_size,
        "seed": phase.seed,
        "training_images": int((phase.table["split"] == "train").sum()),
        "versions": {library: version(library) for library in LIBRARIES},
    }


def _check_weights(learner: Learner, phase: Phase) -> None:
    for name, tensor in learner.model.state_dict().items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise UserError(f"{phase.title}: {name} is not finite after training; lower learning_rate of this phase.")
