"""Nodes of training; the pipeline tells each its stage and its phase."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from itertools import islice
from typing import Any, Literal, cast

from guitar_kedro import images, learning, metrics, plots
from guitar_kedro.display_names import distinct_names
from guitar_kedro.lazy import pd
from guitar_kedro.learning.data.options import BatchOptions
from guitar_kedro.learning.distributed.options import processes_of
from guitar_kedro.learning.training.recipe import PhaseOptions, ProbeOptions
from guitar_kedro.pipelines.training.plan import PROBE
from guitar_kedro.project import models_folder
from guitar_kedro.sizes import ImageSize
from guitar_kedro.splits import TEST, VALIDATION

logger = logging.getLogger(__name__)

# of the parameters that training goes by, those that decide what a batch looks like
OF_BATCHES = ("architecture", "image_size", "batch_size", *BatchOptions.model_fields, "seed")

# and those that a search for a learning rate does not go by
OF_EPOCHS = ("ema", "best_epoch", "stop_after")


def decode_images(
    splits: pd.DataFrame,
    prepared_images: images.PreparedImages,
    image_size: ImageSize,
    presize: float,
    resize_method: str,
    architecture: str,
    weights: str,
) -> learning.DecodedPictures:
    """Decode the pictures of the training and the validation part for the stages of a size.

    Returns:
        A stream, which begins only where they are not there already: memory does not grow with the number of images.
    """
    table = with_paths(splits[splits["split"] != TEST], prepared_images)
    interpolation = learning.preprocessing(architecture, weights).interpolation
    sizes = learning.pixel_sizes(image_size, presize, resize_method, interpolation)
    return learning.decode_pictures(table[["image_id", "path", "split"]], sizes)


def compute_features(
    splits: pd.DataFrame,
    prepared_images: images.PreparedImages,
    start: learning.Checkpoint | learning.PretrainedWeights,
    *,
    stage_name: str,
    **recipe: Any,
) -> learning.FeatureStream:
    """Compute what the body of a stage makes of the training and the validation part, as validation sees a picture.

    Returns:
        A stream, which leaves out what is there already.
    """
    phase = make_phase(stage_name, PROBE, start, splits, None, recipe)
    table = with_paths(splits[splits["split"] != TEST], prepared_images)
    body, title = learning.build_start(phase), f"{stage_name}: features"
    return learning.compute_features(body, phase.spec(), table, title, phase.training.precision, phase.device)


def fit_probe(
    splits: pd.DataFrame,
    features: learning.Features,
    start: learning.Checkpoint | learning.PretrainedWeights,
    options: ProbeOptions,
    *,
    stage_name: str,
    **recipe: Any,
) -> tuple[learning.Checkpoint, learning.ModelSpec, pd.DataFrame]:
    """Fit a linear head to the features of a stage, and put it on the body.

    Returns:
        The checkpoint, its spec, and the history (one row).
    """
    what = make_phase(stage_name, PROBE, start, splits, None, recipe, 1)
    checkpoint, history = learning.fit_probe(what, features, options)
    warn_of_guessing(f"{stage_name}, {PROBE}", history, splits)
    return checkpoint, checkpoint.spec, history


def find_learning_rate(
    splits: pd.DataFrame,
    pixels: learning.Pixels,
    start: learning.Checkpoint | learning.PretrainedWeights,
    iterations: int,
    *,
    stage_name: str,
    phase: str,
    **recipe: Any,
) -> tuple[pd.DataFrame, dict[str, float]]:
    """Try learning rates before a phase of a stage, growing from step to step; each machine by itself.

    Returns:
        The curve (learning rate, loss), and the ``suggested`` rate.
    """
    what = make_phase(stage_name, phase, start, splits, pixels, recipe)
    here = _processes(recipe).here
    curve, suggested = learning.train_distributed(here, learning.find_learning_rate, what, iterations)
    return curve, {"suggested": suggested}


def train(
    splits: pd.DataFrame,
    pixels: learning.Pixels,
    start: learning.Checkpoint | learning.PretrainedWeights,
    options: PhaseOptions,
    suggestion: dict[str, float] | None = None,
    probe_history: pd.DataFrame | None = None,
    state: Any = None,  # Kedro takes a parameter for it, which it would check by a better hint
    report: Any = None,
    *,
    stage_name: str,
    phase: str,
    **recipe: Any,
) -> tuple[learning.Checkpoint, learning.ModelSpec, pd.DataFrame]:
    """Train a phase of a stage, and record how far it is in ``state``, the ``TrainingState`` that the runner gives.

    A trial of a search gives ``report``, which takes the row of each epoch.

    Returns:
        The checkpoint, its spec, and the history (a row per epoch).
    """
    what = make_phase(stage_name, phase, start, splits, pixels, recipe, options.epochs)
    rates = rates_of(options.learning_rate, suggestion, what)
    checkpoint, history = learning.train_distributed(
        _processes(recipe), learning.train_phase, what, rates, state, report
    )
    warn_of_guessing(f"{stage_name}, {phase}", history, splits)
    if probe_history is not None:
        warn_of_probe(f"{stage_name}, {phase}", history, probe_history, splits)
    return checkpoint, checkpoint.spec, history


def show_phase(
    splits: pd.DataFrame,
    pixels: learning.Pixels,
    spec: learning.ModelSpec,
    history: pd.DataFrame,
    display_names: dict[str, str],
    curve: pd.DataFrame | None = None,
    suggestion: dict[str, float] | None = None,
    *,
    stage_name: str,
    phase: str,
    **recipe: Any,
) -> tuple[plots.Figure, ...]:
    """Draw of a phase the learning-rate curve where there is one, the history, and an augmented training batch."""
    title = f"{stage_name}, {phase}"
    trained = learning.Checkpoint({}, spec)  # its spec says how pictures were resized and normalised
    batch = learning.training_batch(make_phase(stage_name, phase, trained, splits, pixels, recipe))
    names_of = distinct_names(splits["label"], display_names)
    names = [names_of[label] for _, label in batch]
    sheet = f"{title}: a training batch as the network sees it"
    rates = tuple(spec.provenance["learning_rates"])
    return (
        *([plots.learning_rate_curve(curve, suggestion["suggested"], rates, title)] if suggestion else []),
        plots.history_plot(history, title),
        plots.training_batch([picture for picture, _ in batch], names, sheet),
    )


def make_phase(
    stage_name: str,
    phase: str,
    start: learning.Checkpoint | learning.PretrainedWeights | None,
    splits: pd.DataFrame,
    pixels: learning.Pixels | None,
    recipe: dict[str, Any],
    epochs: int = 0,
) -> learning.Phase:
    """Put together what is trained.

    Args:
        stage_name: Of the stage.
        phase: probe, frozen or unfrozen.
        start: What the network starts from.
        splits: A row per image: ``image_id``, ``label``, ``split``.
        pixels: The pictures, decoded; ``None`` for a probe.
        recipe: Values of the parameters that ``recipe_inputs`` names.
        epochs: How long it is trained.
    """
    network, loop = (
        options(**{name: recipe[name] for name in options.model_fields if name in recipe})
        for options in cast(tuple[Any, ...], (learning.NetworkOptions, learning.LoopOptions))
    )
    name = cast(Literal["probe", "frozen", "unfrozen"], phase)
    return learning.Phase(
        stage_name, name, network, loop, start, splits, pixels, recipe["seed"], epochs, recipe.get("device", "auto")
    )


def _processes(recipe: dict[str, Any]) -> learning.Processes:
    return processes_of(recipe, models_folder(recipe["workspace"]) / "processes")


def rates_of(
    learning_rate: float | Sequence[float] | str, suggestion: dict[str, float] | None, what: learning.Phase
) -> tuple[float, ...]:
    """Return the highest learning rate of a phase, or those of its first and last layers.

    Args:
        learning_rate: As it is configured: ``PhaseOptions.learning_rate``.
        suggestion: From the finder; looked at where ``suggested`` is configured.
        what: The phase; looked at where ``auto`` is configured.
    """
    match learning_rate:
        case "auto":
            return learning.suitable_rates(what)
        case "suggested":
            assert suggestion is not None
            return (suggestion["suggested"],)
        case list() | tuple():
            return tuple(learning_rate)
        case _:
            return (cast(float, learning_rate),)


def warn_of_guessing(title: str, history: pd.DataFrame, splits: pd.DataFrame) -> None:
    """Warn of a phase that ended worse than guessing.

    Args:
        title: Of the phase.
        history: A row per epoch.
        splits: A row per image that it was trained or measured on.
    """
    advice = (
        "Give it other values of C, weights that know more, or more photos."
        if title.endswith(PROBE)
        else "Lower learning_rate of this phase, or train for more epochs."
    )
    kept = history[history["kept"]].iloc[0]
    sentence = metrics.worse_than_guessing(kept["valid_loss"], kept["error_rate"], metrics.guess(splits))
    if sentence:
        logger.warning("%s: %s %s", title, sentence, advice)


def warn_of_probe(title: str, history: pd.DataFrame, probe_history: pd.DataFrame, splits: pd.DataFrame) -> None:
    """Warn of a phase that ended worse than the probe of its stage.

    Args:
        title: Of the phase.
        history: A row per epoch.
        probe_history: The row of the probe.
        splits: As of ``warn_of_guessing``.
    """
    error_rate, of_probe = (each.loc[each["kept"], "error_rate"].iloc[0] for each in (history, probe_history))
    sentence = metrics.worse_than_probe(error_rate, of_probe, int((splits["split"] == VALIDATION).sum()))
    if sentence:
        logger.warning(
            "%s: %s Where it stays so, give this phase another learning_rate, or leave it out.", title, sentence
        )


def show_training(*results: Any, results_per_phase: Sequence[int]) -> plots.Figure:
    """Put what was drawn of all phases on one sheet, a row per phase.

    Args:
        *results: Of each phase the plot of the history, the batch, and where there is one, the learning-rate curve as
            a plot and as a table.
        results_per_phase: How many there are of each.
    """
    left = iter(results)
    return plots.training_sheet([list(islice(left, count))[:3] for count in results_per_phase])


def with_paths(splits: pd.DataFrame, prepared_images: images.PreparedImages) -> pd.DataFrame:
    """Add where each picture lies, as the column ``path``."""
    return splits.assign(path=[str(prepared_images.path(image_id)) for image_id in splits["image_id"]])
