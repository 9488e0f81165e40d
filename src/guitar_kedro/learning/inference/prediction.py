"""Predictions of a checkpoint for a table of images."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import Any, TypeVar, cast

import numpy as np
import pandas as pd
import torch
from fastcore.basics import chunked

from guitar_kedro.errors import UserError
from guitar_kedro.files import sha256_of_lines
from guitar_kedro.images.probing import UnreadableImage
from guitar_kedro.images.raw import RawImage
from guitar_kedro.learning.data.read_ahead import read_ahead
from guitar_kedro.learning.inference.chunk import Chunk, predictor_key
from guitar_kedro.learning.inference.decision import decide
from guitar_kedro.learning.inference.predictor import Predictor
from guitar_kedro.learning.networks.checkpoint import Checkpoint, ModelSpec
from guitar_kedro.metrics.predictions import PROBABILITY, probabilities, probability_of
from guitar_kedro.progress import track

CHUNK, BATCH = 512, 64  # pictures that are lost when a run is killed, and that are looked at together
# a worker of a cluster may have several threads; but a network takes all cores, and torch's random numbers are global
_ONE_AT_A_TIME = threading.Lock()

Item = TypeVar("Item")
Result = TypeVar("Result")


def predict(checkpoint: Checkpoint, table: pd.DataFrame, title: str, device: str = "auto") -> pd.DataFrame:
    """Predict the class of each image.

    Args:
        checkpoint: The model.
        table: A row per image with ``path`` and, where it is known, ``label``; further columns are kept, ``path`` is
            not.
        title: What is predicted, for the progress bar.
        device: Where: see ``choose_device``.

    Returns:
        The table with ``predicted``, ``loss`` (negative log of the label's probability, in nats, at most 708; only with
        labels), ``energy`` (see ``Predictions``) and a column ``probability_<class>`` for each class.

    Raises:
        UserError: If an image cannot be read.
    """
    predictor = Predictor(checkpoint, device)
    batches = track(_batches(predictor.read, list(table["path"])), -(-len(table) // BATCH), title, "batches")
    predicted = [predictor.predict(np.stack(pictures)) for pictures in batches]
    of_class = pd.DataFrame(
        np.concatenate([batch.probabilities for batch in predicted]), columns=checkpoint.spec.classes
    )
    result = table.drop(columns="path").reset_index(drop=True)
    result["predicted"] = of_class.columns[of_class.to_numpy().argmax(axis=1)]
    if "label" in table:
        result["loss"] = _losses(of_class, table["label"])
    result["energy"] = np.concatenate([batch.energies for batch in predicted])
    return pd.concat([result, of_class.add_prefix(PROBABILITY)], axis=1)


def with_labels(predictions: pd.DataFrame, labels: pd.Series) -> pd.DataFrame:
    """Add to predictions that were made without labels what they are and what they cost.

    Args:
        predictions: From ``predict``, with ``image_id``.
        labels: By ``image_id``.

    Returns:
        The table with ``label`` before ``predicted`` and ``loss`` after it, as ``predict`` gives it with labels.
    """
    found = labels.loc[predictions["image_id"]]
    result, place = predictions.copy(), predictions.columns.get_loc("predicted")
    result.insert(place + 1, "loss", _losses(probabilities(predictions), found))
    result.insert(place, "label", found.to_numpy())
    return result


def _losses(of_class: pd.DataFrame, labels: pd.Series) -> np.ndarray:
    of_labels = torch.from_numpy(probability_of(of_class, labels))
    # a probability too small for float64 is 0, whose logarithm is no number that a report could add up
    return -of_labels.clamp(min=torch.finfo(of_labels.dtype).tiny).log().numpy()


def predict_in_chunks(
    checkpoint: Checkpoint, files: Iterable[RawImage], device: str = "auto", title: str = "Predicting"
) -> Iterator[Chunk]:
    """Predict any number of files, in memory that does not grow with it.

    Args:
        checkpoint: The model.
        files: What is to be predicted; of what cannot be read, the reason is told.
        device: Where: see ``choose_device``.
        title: What is predicted, for the progress bar.

    Yields:
        Chunks in the order of the files. Their tables have a row per file: ``file``, ``label`` (the name of its folder,
        where that is a class), ``predicted``, ``probability``, ``second_guess``, ``decision``, ``energy``, ``reason``
        and ``error`` (empty for what could be read), ``note`` (what was not followed of what a file says of its
        colours) and ``probability_<class>``.
    """
    predictor = Predictor(checkpoint, device)
    model = predictor_key(checkpoint.spec)
    for some in chunked(track(files, sum(1 for _ in files), title), CHUNK):
        key = f"{model}-{sha256_of_lines(file.state for file in some)}"
        yield Chunk(key, partial(_predict_files, some), predictor)


def _predict_files(files: Sequence[RawImage], predictor: Predictor) -> pd.DataFrame:
    """Predict files, with a row for each, as ``predict_in_chunks`` describes it."""
    batches = _batches(partial(_read_or_reason, predictor), files)
    outcomes = [outcome for batch in batches for outcome in _predict_batch(predictor, batch)]
    return pd.DataFrame([_row(predictor.spec, *both) for both in zip(files, outcomes, strict=True)])


def _read_or_reason(predictor: Predictor, file: RawImage) -> tuple[np.ndarray, str] | UnreadableImage:
    try:
        content = file.read()
    except UnreadableImage as error:
        return error
    try:
        return predictor.read_with_note(content)
    except UserError as error:
        return cast(UnreadableImage, error.__cause__)


def _predict_batch(
    predictor: Predictor, batch: list[tuple[np.ndarray, str] | UnreadableImage]
) -> Iterator[tuple[list[float], float, str] | UnreadableImage]:
    """Return for each picture its probabilities, its energy and a note, or why it cannot be read."""
    readable = [outcome[0] for outcome in batch if isinstance(outcome, tuple)]
    predicted: Iterator[tuple[list[float], float]] = iter(())
    if readable:
        with _ONE_AT_A_TIME:
            found = predictor.predict(np.stack(readable))
        predicted = zip(found.probabilities.tolist(), found.energies.tolist(), strict=True)
    return ((*next(predicted), outcome[1]) if isinstance(outcome, tuple) else outcome for outcome in batch)


def _row(spec: ModelSpec, file: RawImage, outcome: tuple[list[float], float, str] | UnreadableImage) -> dict[str, Any]:
    known = {"file": file.file, "label": file.label if file.label in spec.classes else ""}
    seen: dict[str, Any]
    if isinstance(outcome, UnreadableImage):
        shares = dict.fromkeys(spec.classes, np.nan)
        seen = {"predicted": "", "probability": np.nan, "second_guess": "", "decision": "", "energy": np.nan}
        wrong = {"reason": outcome.reason, "error": outcome.detail, "note": ""}
    else:
        numbers, energy, note = outcome
        shares = dict(zip(spec.classes, numbers, strict=True))
        first, *others = sorted(shares, key=shares.__getitem__, reverse=True)
        seen = {"predicted": first, "probability": shares[first], "second_guess": next(iter(others), "")}
        seen |= {"decision": decide(spec, shares[first], energy).value, "energy": energy}
        wrong = {"reason": "", "error": "", "note": note}
    return {**known, **seen, **wrong, **{f"{PROBABILITY}{name}": value for name, value in shares.items()}}


def _batches(read: Callable[[Item], Result], items: Sequence[Item]) -> Iterator[list[Result]]:
    """Read in threads, at most two batches ahead of the network."""
    return chunked(read_ahead(read, items, 2 * BATCH, os.cpu_count()), BATCH)
