"""Decoded pictures."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset

from guitar_kedro.learning.pixels import INDEX_FILE, Decoding, Pixels

logger = logging.getLogger(__name__)


class PixelsDataset(AbstractDataset[Decoding, Pixels]):
    """Decoded pictures in a folder. What is there already, decoded from the same pictures in the same way, stays."""

    def __init__(self, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Takes note of the folder.

        Args:
            filepath: The folder.
            metadata: For Kedro's plugins.
        """
        self._folder = Path(filepath)
        self.metadata = metadata

    def save(self, data: Decoding) -> None:
        """Decodes the pictures, unless they are there."""
        if self.fingerprint() == data.key:
            logger.info("%d pictures are decoded already", len(data.table))
        else:
            Pixels.save(data, self._folder)

    def load(self) -> Pixels:
        """Loads the index; the pictures stay on disk."""
        return Pixels(self._folder)

    def fingerprint(self) -> str | None:
        """Says from which pictures they were decoded, and how; ``None`` if they are not there whole."""
        if not self._exists():
            return None
        pixels = self.load()
        return pixels.key if pixels.is_whole() else None

    def _exists(self) -> bool:
        return (self._folder / INDEX_FILE).exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._folder}
