"""What datasets have in common that keep no versions and no checksums."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from kedro.io import AbstractDataset

from guitar_kedro.errors import UserError


class DescribedDataset(AbstractDataset[Any, Any]):
    """A dataset that is described by the places and numbers that it was given."""

    def _describe(self) -> dict[str, Any]:
        found = {name.strip("_"): value for name, value in vars(self).items() if isinstance(value, (str, Path, int))}
        # kedro-viz shows what is called so
        return {"filepath" if name in ("folder", "place") else name: value for name, value in found.items()}


class ReadOnlyDataset(DescribedDataset):
    """A dataset that is only read; there is always something to load, be it empty, unless a subclass says otherwise."""

    REFUSAL: ClassVar[str]  # why nothing is saved; the dataset stands in for {0}

    def save(self, data: None) -> None:
        """Refuse.

        Raises:
            UserError: Always.
        """
        raise UserError(self.REFUSAL.format(self))

    def _exists(self) -> bool:
        return True


class IndexedFolder(DescribedDataset):
    """One local folder that is filled bit by bit; without its index, which is written last, nothing counts as there."""

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
