"""Predictions of a checkpoint for a table of images."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice

import pandas as pd
import torch

from guitar_kedro.learning.checkpoint import Checkpoint
from guitar_kedro.learning.predictor import Predictor
from guitar_kedro.progress import track

PROBABILITY = "probability_"


def predict(checkpoint: Checkpoint, table: pd.DataFrame, batch_size: int, title: str) -> pd.DataFrame:
    """Predicts the class of each image.

    Args:
        checkpoint: The model.
        table: A row per image with ``path`` and, where it is known, ``label``; further columns are kept, ``path`` is
            not.
        batch_size: Images that are looked at together.
        title: What is predicted, for the progress bar.

    Returns:
        The table with ``predicted``, ``loss`` (negative log of the label's probability, in nats; only with labels),
        ``energy`` (see ``Answers``) and a column ``probability_<class>`` for each class.

    Raises:
        UserError: If an image cannot be read.
    """
    predictor = Predictor(checkpoint)
    answers = [predictor.answer(pixels) for pixels in _batches(predictor, list(table["path"]), batch_size, title)]
    probabilities = torch.cat([answer.probabilities for answer in answers])
    classes = list(checkpoint.spec.classes)
    result = table.drop(columns="path").reset_index(drop=True)
    result["predicted"] = [classes[index] for index in probabilities.argmax(dim=1).tolist()]
    if "label" in table:
        target = torch.tensor([classes.index(label) for label in table["label"]])
        result["loss"] = -probabilities.gather(1, target[:, None])[:, 0].log().numpy()
    result["energy"] = torch.cat([answer.energies for answer in answers]).numpy()
    columns = [f"{PROBABILITY}{name}" for name in classes]
    return pd.concat([result, pd.DataFrame(probabilities.numpy(), columns=columns)], axis=1)


def _batches(predictor: Predictor, paths: list[str], size: int, title: str) -> Iterator[torch.Tensor]:
    """Reads pictures in threads, at most two batches ahead of the network."""
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        ahead = deque(threads.submit(predictor.read, path) for path in paths[: 2 * size])
        later = iter(paths[2 * size :])
        for _ in track(range(-(-len(paths) // size)), -(-len(paths) // size), title, "batches"):
            pictures = [ahead.popleft().result() for _ in range(min(size, len(ahead)))]
            ahead.extend(threads.submit(predictor.read, path) for path in islice(later, size))
            yield torch.stack(pictures)
