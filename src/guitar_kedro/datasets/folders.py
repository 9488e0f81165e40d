"""Folders that a dataset fills bit by bit, and an index that is written last."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from kedro.io import AbstractDataset


class IndexedFolder(AbstractDataset[Any, Any]):
    """A dataset of one local folder; without its index, nothing counts as there."""

    INDEX: ClassVar[str]  # how the file is called

    def __init__(self, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Take note of the folder.

        Args:
            filepath: The folder.
            metadata: For Kedro's plugins.
        """
        self.folder = Path(filepath)
        self._index = self.folder / self.INDEX
        self.metadata = metadata

    def _exists(self) -> bool:
        return self._index.exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self.folder}
