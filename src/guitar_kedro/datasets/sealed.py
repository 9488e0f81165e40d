"""The labels of the sealed test part: whoever gets them has left a line in the log before."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import BaseModel

from guitar_kedro.datasets.bases import ReadOnlyDataset
from guitar_kedro.datasets.tables import LogDataset, TableDataset
from guitar_kedro.errors import UserError
from guitar_kedro.splits import TEST


class OpeningRow(BaseModel):
    """An opening of the sealed test part.

    Attributes:
        model_version: Beginning of the checksum of the model that had predicted it.
        stage: The last stage of that model.
        images: Of the test part.
        errors: Images that were predicted wrong.
        accuracy: Share of those that were predicted right, from 0 to 1.
        time: When, in UTC (ISO 8601).
    """

    model_version: str
    stage: str
    images: int
    errors: int
    accuracy: float
    time: str


class SealedLabels:
    """The labels of the test part, in exchange for predictions of it."""

    def __init__(self, labels: pd.Series, note: Callable[[pd.DataFrame], None]) -> None:
        """Seal the labels.

        Args:
            labels: By ``image_id``.
            note: Adds rows to the log of openings.
        """
        self._labels, self._note = labels, note

    def open(self, predictions: pd.DataFrame, model_version: str, stage: str) -> pd.Series:
        """Note in the log what was predicted and how much of it is right, and only then return the labels.

        So no prediction of the test part is ever judged without a line, however the run was started and wherever it is
        killed.

        Args:
            predictions: ``image_id`` and ``predicted`` of each image of the test part.
            model_version: Beginning of the checksum of the model that predicted.
            stage: The last stage of that model.

        Returns:
            The labels by ``image_id``.

        Raises:
            UserError: If the predictions are not of these very images.
            DatasetError: If the log cannot be written; the labels stay sealed.
        """
        if set(predictions["image_id"]) != set(self._labels.index):
            raise UserError(
                "The predictions are not of the images of the test part: run `kedro run --pipeline=splitting` first."
            )
        labels = self._labels.loc[predictions["image_id"]]
        images, errors = len(labels), int((labels.to_numpy() != predictions["predicted"].to_numpy()).sum())
        line = {"model_version": model_version, "stage": stage, "images": images, "errors": errors}
        self._note(pd.DataFrame([{**line, "accuracy": 1 - errors / images}]))
        return self._labels


class SealedLabelsDataset(ReadOnlyDataset):
    """The labels of the test part as ``SealedLabels``; they are only read."""

    REFUSAL = "{0._filepath} is saved as splits only."

    def __init__(
        self, filepath: str, log: str, schema: str | type[BaseModel], metadata: dict[str, Any] | None = None
    ) -> None:
        """Take note of the files.

        Args:
            filepath: Of the split, whose labels of the test part these are.
            log: Of the table to which each opening adds a line.
            schema: Of the split, as ``TableDataset`` takes it.
            metadata: For Kedro's plugins.
        """
        self._filepath = Path(filepath)
        self._splits = TableDataset(filepath=filepath, schema=schema)
        self._log = LogDataset(filepath=log, schema=OpeningRow)
        self.metadata = metadata

    def load(self) -> SealedLabels:
        """Load the labels, still sealed."""
        splits = self._splits.load()
        test = splits[splits["split"] == TEST]
        return SealedLabels(test.set_index("image_id")["label"], self._log.save)

    def fingerprint(self) -> str | None:
        """Return a checksum of the split, or ``None`` if there is none."""
        return self._splits.fingerprint()

    def _exists(self) -> bool:
        return self._splits.exists()
