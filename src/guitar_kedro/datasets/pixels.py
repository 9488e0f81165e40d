"""Decoded pictures."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from pathlib import Path

from guitar_kedro.datasets.folders import IndexedFolder
from guitar_kedro.learning.data.pixels import INDEX_FILE, DecodedPictures, Pixels

logger = logging.getLogger(__name__)


class PixelsDataset(IndexedFolder):
    """Decoded pictures in a folder. What is there already, decoded from the same pictures in the same way, stays.

    They are a cache: if they are removed, they are decoded again when training needs them.
    """

    is_cache = True
    INDEX = INDEX_FILE

    def save(self, data: DecodedPictures) -> None:
        """Store the pictures as they are decoded; none is where they are there already."""
        if self.fingerprint() == data.key:
            logger.info("%d pictures are decoded already", len(data.table))
        else:
            Pixels.save(data, self.folder)

    def load(self) -> Pixels:
        """Load the index; the pictures stay on disk."""
        return Pixels(self.folder)

    def fingerprint(self) -> str | None:
        """Say from which pictures they were decoded, and how; ``None`` if they are not there whole."""
        if not self._exists():
            return None
        pixels = self.load()
        return pixels.key if pixels.is_whole() else None

    def unneeded(self) -> Iterator[Path]:
        """List files of pixels that are not those of the index: a process that died left them."""
        key = self.load().key if self._exists() else None
        return (path for path in sorted(self.folder.glob("*.bin")) if path.stem != key)


def holds_pixels_alone(folder: Path) -> bool:
    """Tell whether there is a folder with decoded pictures, and nothing else in it."""
    return folder.is_dir() and all(path.suffix == ".bin" or path.name.endswith(INDEX_FILE) for path in folder.iterdir())
