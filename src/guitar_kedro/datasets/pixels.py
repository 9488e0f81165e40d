"""Decoded pictures."""

from __future__ import annotations

import logging
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from guitar_kedro.datasets.bases import IndexedFolder
from guitar_kedro.errors import UserError
from guitar_kedro.learning.data.pixels import INDEX_FILE, DecodedPictures, Pixels

logger = logging.getLogger(__name__)

_FOR_REPORTS = 0.1  # of the decoded pictures' bytes are left for checkpoints and reports


class PixelsDataset(IndexedFolder):
    """Decoded pictures in a folder. What is there already, decoded from the same pictures in the same way, stays.

    They are a cache: if they are removed, they are decoded again when training needs them. Where they are streamed, or
    there is no room for them, only their list is stored, and training decodes each picture each time it needs it.
    """

    is_cache = True
    INDEX = INDEX_FILE

    def __init__(self, filepath: str, stream: bool = False, metadata: dict[str, Any] | None = None) -> None:
        """Take note of the folder.

        Args:
            filepath: The folder.
            stream: Store the list alone.
            metadata: For Kedro's plugins.

        Raises:
            UserError: If ``stream`` is neither true nor false.
        """
        super().__init__(filepath, metadata)
        if type(stream) is not bool:
            raise UserError(f"--params=stream={stream}: pictures are streamed (true) or stored (false).")
        self._stream = stream

    def save(self, data: DecodedPictures) -> None:
        """Store the pictures as they are decoded; none is where they are there already."""
        is_there = self.fingerprint() == data.key
        is_stored = is_there and not self.load().streamed
        stream = not is_stored and (self._stream or self._lacks_room_for(data))
        if is_stored or (is_there and stream):
            logger.info("%d pictures are decoded already", len(data.table))
        else:
            Pixels.save(data, self.folder, stream)

    def _lacks_room_for(self, data: DecodedPictures) -> bool:
        self.folder.mkdir(parents=True, exist_ok=True)
        need, free = data.size_on_disk * (1 + _FOR_REPORTS), shutil.disk_usage(self.folder).free
        if need > free:
            logger.warning(
                "%s: %d decoded pictures need %.1f GB with what a run writes besides, and %.1f GB are free. Training "
                "decodes each of them anew each time that it needs it, which is slower; the results are the same.",
                self.folder,
                len(data.table),
                need / 1e9,
                free / 1e9,
            )
        return need > free

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
