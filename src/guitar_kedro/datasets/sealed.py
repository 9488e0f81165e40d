"""The labels of the sealed test part."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset

from guitar_kedro.datasets.tables import LogDataset, TableDataset
from guitar_kedro.errors import UserError
from guitar_kedro.runs.sealed import SealedLabels


class SealedLabelsDataset(AbstractDataset[None, SealedLabels]):
    """The labels of the test part as ``SealedLabels``; they are only read."""

    def __init__(self, filepath: str, log: str, metadata: dict[str, Any] | None = None) -> None:
        """Takes note of the files.

        Args:
            filepath: Of the split, whose labels of the test part these are.
            log: Of the table to which each opening adds a line.
            metadata: For Kedro's plugins.
        """
        self._splits, self._log = TableDataset(filepath=filepath), LogDataset(filepath=log)
        self._filepath = Path(filepath)
        self.metadata = metadata

    def load(self) -> SealedLabels:
        """Loads the labels, still sealed."""
        splits = self._splits.load()
        test = splits[splits["split"] == "test"]
        return SealedLabels(test.set_index("image_id")["label"], self._log.save)

    def save(self, data: None) -> None:
        """Refuses.

        Raises:
            UserError: Always.
        """
        raise UserError(f"{self._filepath} is saved as splits only.")

    def fingerprint(self) -> str | None:
        """Gives a checksum of the split, or ``None`` if there is none."""
        return self._splits.fingerprint()

    def _exists(self) -> bool:
        return self._splits.exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath, "log": self._log._filepath}
