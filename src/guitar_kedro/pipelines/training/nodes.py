"""Nodes of training, made for a phase of a stage."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import lazy_loader as lazy

from guitar_kedro import images, learning, reporting
from guitar_kedro.learning.recipe import StageOptions, TrainingOptions

pd = lazy.load("pandas")


def learning_rate_finder(stage_name: str, phase: str) -> Callable[..., Any]:
    """Makes the node that looks for a learning rate before a phase of a stage."""

    def find_learning_rate(
        splits: pd.DataFrame,
        prepared_images: images.PreparedImages,
        start: learning.Checkpoint | learning.PretrainedWeights,
        stage: StageOptions,
        training: TrainingOptions,
        display_names: dict[str, str],
        seed: int,
    ) -> tuple[pd.DataFrame, dict[str, Any], reporting.Figure]:
        """Tries learning rates, growing from step to step.

        Returns:
            The curve (learning rate, loss), the suggested and the used rate, and the figure of both.
        """
        table = with_paths(splits, prepared_images)
        what = learning.Phase(stage_name, phase, stage, training, start, table, display_names, seed)
        curve, rate = learning.find_learning_rate(what)
        figure = reporting.learning_rate_curve(curve, rate["suggested"], tuple(rate["used"]), f"{stage_name}, {phase}")
        return curve, rate, figure

    return find_learning_rate


def phase_trainer(stage_name: str, phase: str) -> Callable[..., Any]:
    """Makes the node that trains a phase of a stage."""

    def train(
        splits: pd.DataFrame,
        prepared_images: images.PreparedImages,
        start: learning.Checkpoint | learning.PretrainedWeights,
        stage: StageOptions,
        training: TrainingOptions,
        display_names: dict[str, str],
        seed: int,
        learning_rate: dict[str, Any],
    ) -> tuple[learning.Checkpoint, pd.DataFrame, reporting.Figure, reporting.Figure]:
        """Trains one cycle.

        Returns:
            The checkpoint, the history (a row per epoch) and its figure, and a sheet of an augmented training batch.
        """
        table = with_paths(splits, prepared_images)
        what = learning.Phase(stage_name, phase, stage, training, start, table, display_names, seed)
        checkpoint, history, batch = learning.train_phase(what, tuple(learning_rate["used"]))
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


def publish_model(checkpoint: learning.Checkpoint) -> learning.Checkpoint:
    """Makes the last stage's checkpoint the model."""
    return checkpoint


def with_paths(splits: pd.DataFrame, prepared_images: images.PreparedImages) -> pd.DataFrame:
    """Adds where each picture lies, as the column ``path``."""
    return splits.assign(path=[str(prepared_images.path(image_id)) for image_id in splits["image_id"]])
