"""Nodes of training, made for a phase of a stage."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import lazy_loader as lazy

from guitar_kedro import images, learning, reporting
from guitar_kedro.learning.recipe import StageOptions, TrainingOptions
from guitar_kedro.pipelines.training.options import CalibrationOptions

np = lazy.load("numpy")
pd = lazy.load("pandas")
logger = logging.getLogger(__name__)

BATCH_SIZE = 64


def decode_images(
    splits: pd.DataFrame, prepared_images: images.PreparedImages, stage: StageOptions, training: TrainingOptions
) -> learning.Decoding:
    """Says which pictures are decoded for the stages of a size: those of the training and the validation part.

    Returns:
        What the dataset decodes when it saves, picture by picture, unless it has them already.
    """
    table = with_paths(splits[splits["split"] != "test"], prepared_images).rename(columns={"split": "part"})
    return learning.Decoding(table[["image_id", "path", "part"]], learning.pixel_sizes(stage.image_size, training))


def learning_rate_finder(stage_name: str, phase: str) -> Callable[..., Any]:
    """Makes the node that looks for a learning rate before a phase of a stage."""

    def find_learning_rate(
        splits: pd.DataFrame,
        pixels: learning.Pixels,
        start: learning.Checkpoint | learning.PretrainedWeights,
        stage: StageOptions,
        training: TrainingOptions,
        display_names: dict[str, str],
        seed: int,
        processes: learning.Processes,
    ) -> tuple[pd.DataFrame, dict[str, Any], reporting.Figure]:
        """Tries learning rates, growing from step to step; each machine by itself.

        Returns:
            The curve (learning rate, loss), the suggested and the used rate, and the figure of both.
        """
        what = learning.Phase(stage_name, phase, stage, training, start, splits, pixels, display_names, seed)
        curve, rate = learning.train_together(processes.here, learning.find_learning_rate, what)
        figure = reporting.learning_rate_curve(curve, rate["suggested"], tuple(rate["used"]), f"{stage_name}, {phase}")
        return curve, rate, figure

    return find_learning_rate


def phase_trainer(stage_name: str, phase: str) -> Callable[..., Any]:
    """Makes the node that trains a phase of a stage."""

    def train(
        splits: pd.DataFrame,
        pixels: learning.Pixels,
        start: learning.Checkpoint | learning.PretrainedWeights,
        stage: StageOptions,
        training: TrainingOptions,
        display_names: dict[str, str],
        seed: int,
        processes: learning.Processes,
        learning_rate: dict[str, Any],
        epoch_states: learning.EpochState,
    ) -> tuple[learning.Checkpoint, pd.DataFrame, reporting.Figure, reporting.Figure]:
        """Trains one cycle.

        Returns:
            The checkpoint, the history (a row per epoch) and its figure, and a sheet of an augmented training batch.
        """
        what = learning.Phase(stage_name, phase, stage, training, start, splits, pixels, display_names, seed)
        rates = tuple(learning_rate["used"])
        checkpoint, history, batch = learning.train_together(processes, learning.train_phase, what, rates, epoch_states)
        names = [checkpoint.spec.display_names[label] for _, label in batch]
        title = f"{stage_name}, {phase}"
        sheet = reporting.training_batch(
            [picture for picture, _ in batch], names, f"{title}: a training batch as the network sees it"
        )
        return checkpoint, history, reporting.history_plot(history, title), sheet

    return train


def training_reporter(phases: list[str]) -> Callable[..., reporting.Figure]:
    """Makes the node that puts what was drawn of all phases on one sheet."""

    def show_training(*results: Any) -> reporting.Figure:
        """Draws a row per phase.

        Args:
            *results: Of each phase the learning-rate curve, its plot, the plot of the history, and the batch. The curve
                is in its plot already; it is asked for because kedro-viz folds into a group what the group uses up.
        """
        count = len(results) // len(phases)
        of_phase = [results[start + 1 : start + count] for start in range(0, len(results), count)]
        return reporting.training_sheet(dict(zip(phases, of_phase, strict=True)))

    return show_training


def calibrate_model(
    checkpoint: learning.Checkpoint,
    splits: pd.DataFrame,
    prepared_images: images.PreparedImages,
    options: CalibrationOptions,
    training: TrainingOptions,
) -> learning.Checkpoint:
    """Makes the last stage's checkpoint the model: with the temperature and thresholds that validation gives it.

    Returns:
        The same weights; ``temperature``, ``sure_threshold``, ``known_threshold``, the precision and the augmented
        views stand in the spec.
    """
    how = {"precision": options.precision, "augmented_views": options.augmented_views}
    if options.augmented_views:
        how["augmentation"] = training.augmentation.model_dump()
    checkpoint = learning.Checkpoint(checkpoint.weights, checkpoint.spec.model_copy(update=how))
    validation = with_paths(splits[splits["split"] == "validation"], prepared_images)
    predictions = learning.predict(checkpoint, validation, BATCH_SIZE, "Calibrating")
    probabilities = predictions.filter(like=learning.PROBABILITY).to_numpy()
    classes = list(checkpoint.spec.classes)
    targets = np.array([classes.index(label) for label in predictions["label"]])
    temperature = reporting.fit_temperature(probabilities, targets)
    calibrated = reporting.tempered(probabilities, temperature)
    right = calibrated.argmax(axis=1) == targets
    spec = checkpoint.spec.model_copy(
        update={
            "temperature": temperature,
            "sure_threshold": reporting.sure_threshold(calibrated.max(axis=1), right, options.sure_accuracy),
            "known_threshold": reporting.known_threshold(predictions["energy"].to_numpy(), options.known_share),
        }
    )
    logger.info("Temperature %.3g, sure from a probability of %s on", temperature, spec.sure_threshold)
    return learning.Checkpoint(checkpoint.weights, spec)


def with_paths(splits: pd.DataFrame, prepared_images: images.PreparedImages) -> pd.DataFrame:
    """Adds where each picture lies, as the column ``path``."""
    return splits.assign(path=[str(prepared_images.path(image_id)) for image_id in splits["image_id"]])
