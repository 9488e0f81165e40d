"""The training loop of a phase: find a learning rate, then fit one cycle."""

from __future__ import annotations

import logging
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch
from fastai.callback.schedule import valley  # and adds fit_one_cycle to Learner
from fastai.callback.training import BnFreeze, GradientClip
from fastai.data.core import DataLoaders
from fastai.learner import Learner
from fastai.torch_core import set_seed
from fastai.vision.core import PILImage

from guitar_kedro.errors import UserError
from guitar_kedro.learning.data.loaders import data_loaders
from guitar_kedro.learning.networks.architectures import body_state, check_layer_decay, layer_groups
from guitar_kedro.learning.networks.checkpoint import Checkpoint
from guitar_kedro.learning.networks.device import choose_device, choose_precision, set_precision
from guitar_kedro.learning.networks.learner import build_learner, quiet, state_on_cpu
from guitar_kedro.learning.networks.pretrained import PretrainedWeights
from guitar_kedro.learning.training.callbacks import (
    FEWEST_STEPS,
    LEFT_OUT_AT_END,
    EpochTable,
    FiniteLoss,
    RateFinder,
)
from guitar_kedro.learning.training.data_parallel import DataParallelSteps, OverlappedSteps, rank_and_world_size
from guitar_kedro.learning.training.depthwise import speed_up_small_maps
from guitar_kedro.learning.training.frozen_views import train_on_features
from guitar_kedro.learning.training.phase import Phase
from guitar_kedro.learning.training.rates import check_rates, rates_of_layers
from guitar_kedro.learning.training.resume import ExactResume
from guitar_kedro.learning.training.state import TrainingState
from guitar_kedro.learning.training.weights import (
    AccumulatedGradients,
    AveragedWeights,
    BestEpoch,
    FixedBatchNorm,
    StopEarly,
)
from guitar_kedro.memory import keep_freed_memory
from guitar_kedro.sizes import size_in_words
from guitar_kedro.splits import TRAIN

logger = logging.getLogger(__name__)

PICTURES_OF_BATCH = 16
RATES_TO_TRY = 1e-7, 10


def find_learning_rate(phase: Phase, iterations: int) -> tuple[pd.DataFrame, float]:
    """Try learning rates from 1e-7 to 10, growing from step to step (Smith 2015, fastai's ``lr_find``).

    Where the phase trains on features, so does the search: its steps take next to no time once these are computed.

    Args:
        phase: Before which to look.
        iterations: Steps.

    Returns:
        The curve (``learning_rate``, ``loss``, ``smoothed_loss``), and the rate that it suggests (fastai's valley).

    Raises:
        UserError: If the loss is not finite from the start, or the GPU has too little memory.
    """
    learner = prepared_learner(phase)
    if phase.on_features:
        train_on_features(learner, phase)
    lowest, highest = (rates_of_layers(learner, rate, phase.training.layer_decay) for rate in RATES_TO_TRY)
    finder = RateFinder(lowest, highest, iterations)
    logger.info("%s: looking for a learning rate in %d steps", phase.title, iterations)
    epochs = iterations // len(learner.dls.train) + 1
    with _enough_memory(phase):
        learner.fit(epochs, cbs=finder)
    curve = pd.DataFrame(
        {
            "learning_rate": learner.recorder.lrs,
            "loss": torch.stack(finder.losses).tolist(),
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
    phase: Phase,
    rates: tuple[float, ...],
    state: TrainingState | None = None,
    report: Callable[[dict[str, Any]], None] | None = None,
) -> tuple[Checkpoint, pd.DataFrame]:
    """Train one phase with the one-cycle policy (Smith 2018).

    Args:
        phase: What to train.
        rates: Highest learning rate, or those of the first and the last layer group.
        state: Where training records where it is, and goes on if it was interrupted; ``None`` records nothing.
        report: Takes the row of each epoch as it ends; what it raises ends the training.

    Returns:
        The checkpoint, and the history with a row per epoch.

    Raises:
        UserError: If the loss becomes infinite or not a number, the GPU has too little memory, or the phase cannot be
            set up.
    """
    check_rates(f"stages.{phase.stage_name}.{phase.name}", rates, phase.training.layer_decay)
    learner = prepared_learner(phase)
    network = learner.model
    if phase.on_features:
        train_on_features(learner, phase)
    history = fit_phase(learner, phase, rates, state, report)
    learner.model = network
    _check_weights(learner, phase)
    return Checkpoint.of(state_on_cpu(learner), phase.spec(phase.provenance(rates, history))), history


def fit_phase(
    learner: Learner,
    phase: Phase,
    rates: tuple[float, ...],
    state: TrainingState | None = None,
    report: Callable[[dict[str, Any]], None] | None = None,
) -> pd.DataFrame:
    """Fit the Learner of a phase; the weights that are kept end in its network.

    Args:
        learner: From ``prepared_learner``.
        phase: As of ``train_phase``.
        rates: As of ``train_phase``.
        state: As of ``train_phase``.
        report: As of ``train_phase``.

    Returns:
        The history with a row per epoch.

    Raises:
        UserError: If the loss becomes infinite or not a number, or the GPU has too little memory.
    """
    training, table = phase.training, EpochTable(phase.title, phase.training.best_epoch, report)
    learner.add_cbs([table, FiniteLoss(phase.title)])
    if training.ema:
        learner.add_cb(AveragedWeights(training.ema))
    if training.best_epoch:
        learner.add_cb(BestEpoch(table))
    if training.stop_after:
        learner.add_cb(StopEarly(table, training.stop_after))
    if state:
        learner.add_cb(ExactResume(state, table))
    single = rates_of_layers(learner, rates[-1], training.layer_decay)
    highest = single if len(set(rates)) == 1 else slice(rates[0], rates[-1])
    try:
        with _enough_memory(phase):
            learner.fit_one_cycle(phase.epochs, highest)
    finally:
        table.bar.stop()
    return table.history


def training_batch(phase: Phase) -> list[tuple[PILImage, str]]:
    """Return pictures and labels of an augmented training batch, as the network sees it.

    Args:
        phase: What would be trained.

    Returns:
        At most 16 RGB pictures of the network's input size, each with its label; that of a mixed one is the label of
        which it has most.
    """
    if phase.training.balance == "class_weights":  # labels are to be told from their shares
        phase = replace(phase, training=phase.training.model_copy(update={"balance": "none"}))
    set_seed(phase.seed)
    spec, loaders = phase.spec(), _loaders(phase, torch.device("cpu"))
    images, targets = loaders.train.one_batch()
    mean, std = (torch.tensor(stat)[:, None, None] for stat in (spec.mean, spec.std))
    pixels = ((images[:PICTURES_OF_BATCH] * std + mean).clamp(0, 1) * 255).round().byte().permute(0, 2, 3, 1).numpy()
    numbers = targets.argmax(dim=1) if targets.is_floating_point() else targets
    labels = [loaders.vocab[number] for number in numbers]
    return [(PILImage.create(pixel), label) for pixel, label in zip(pixels, labels, strict=False)]


@contextmanager
def _enough_memory(phase: Phase) -> Iterator[None]:
    try:
        yield
    except torch.OutOfMemoryError as error:
        stage = phase.stage
        raise UserError(
            f"{phase.title}: the GPU has too little memory to train {stage.architecture} on {stage.batch_size} images "
            f"of {size_in_words(stage.image_size)} px at a time; lower batch_size or image_size of this stage."
        ) from error


def prepared_learner(phase: Phase) -> Learner:
    """Build the Learner of a phase, ready to fit: seeded, with its weights, on its device, in its precision.

    Args:
        phase: What to train.

    Raises:
        UserError: If the phase cannot be set up.
    """
    check_classes(phase)
    keep_freed_memory()
    # each phase has random numbers of its own, whatever ran before it
    seed = phase.seed ^ zlib.crc32(phase.title.encode())
    set_seed(seed, reproducible=True)
    device = choose_device(phase.device)
    learner = quiet(build_learner(_loaders(phase, device), phase.spec()))
    precision = choose_precision(phase.training.precision, device, trained=learner.model)
    learner.opt_func = partial(learner.opt_func, decay=phase.training.weight_decay)
    if phase.training.layer_decay < 1:
        check_layer_decay(phase.stage.architecture)
        learner.splitter = layer_groups
    if phase.training.accumulate > 1:
        learner.add_cb(AccumulatedGradients(phase.training.accumulate))
    if phase.training.clip:
        learner.add_cb(GradientClip(phase.training.clip))
    if phase.name == "unfrozen" and phase.training.batch_norm == "eval" and not phase.from_scratch:
        # the statistics of a probe's head are those of all images
        learner.add_cb(FixedBatchNorm(learner.model if phase.spec().head == "linear" else learner.model[0]))
    _, world_size = rank_and_world_size()
    if world_size > 1:
        learner.add_cb((OverlappedSteps if device.type == "cuda" else DataParallelSteps)(seed))
    load_start(learner.model, phase)
    learner.model.to(device, memory_format=torch.channels_last)
    if device.type == "cpu" and precision is torch.float32:
        speed_up_small_maps(learner.model)
    set_precision(learner.model, precision, device)
    processes = f", {world_size} processes" if world_size > 1 else ""
    logger.info("%s: on %s in %s%s", phase.title, device, str(precision).removeprefix("torch."), processes)
    if phase.name == "frozen":
        learner.freeze()
    elif phase.training.freeze_to:
        learner.train_bn = False  # else fastai trains the norms of frozen layers, and gradients go through all of them
        learner.add_cb(BnFreeze)
        # a group for each layer, and the head
        decays = phase.training.layer_decay < 1
        learner.freeze_to((len(learner.splitter(learner.model)) - 1) // 2 if decays else phase.training.freeze_to)
    else:
        learner.unfreeze()
    return learner


def _loaders(phase: Phase, device: torch.device) -> DataLoaders:
    assert phase.pixels is not None
    return data_loaders(
        phase.table,
        phase.pixels,
        phase.spec(),
        phase.stage.batch_size,
        phase.training,
        device,
        *rank_and_world_size(),
    )


def load_start(network: torch.nn.Sequential, phase: Phase) -> None:
    """Load what a phase starts from into its network.

    Args:
        network: As ``phase.spec()`` describes it.
        phase: To be trained.

    Raises:
        UserError: If the weights do not fit.
    """
    weights = phase.stage.weights
    match phase.start:
        case Checkpoint(spec=spec):
            if spec.architecture != phase.stage.architecture:
                raise UserError(
                    f"stages.{phase.stage_name}.architecture is {phase.stage.architecture}, but what it starts from "
                    f"is a {spec.architecture}; a stage goes on with the same network."
                )
            if list(spec.classes) != list(phase.classes):
                raise UserError(
                    f"{phase.title}: it starts from a network of other classes; train that stage again first."
                )
            network.load_state_dict(phase.start.weights)
        case PretrainedWeights() if weights and weights != "none":
            state = phase.start.load(phase.stage.architecture, weights)
            network[0].load_state_dict(body_state(phase.stage.architecture, phase.stage.image_size, state, weights))


def check_classes(phase: Phase) -> None:
    """Check that each class has images in the training part.

    Raises:
        UserError: If one has none.
    """
    training = set(phase.table.loc[phase.table["split"] == TRAIN, "label"])
    if missing := [label for label in phase.classes if label not in training]:
        raise UserError(
            f"{phase.title}: class {missing[0]} has no images in the training part; split the images again."
        )


def _check_weights(learner: Learner, phase: Phase) -> None:
    for name, tensor in learner.model.state_dict().items():
        if tensor.is_floating_point() and not torch.isfinite(tensor).all():
            raise UserError(f"{phase.title}: {name} is not finite after training; lower learning_rate of this phase.")
