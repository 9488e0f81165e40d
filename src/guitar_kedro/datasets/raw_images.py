"""Raw pictures: what all their datasets have in common."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from guitar_kedro.datasets.bases import ReadOnlyDataset
from guitar_kedro.files import local_path, sha256_of_lines
from guitar_kedro.images.downloads import is_address
from guitar_kedro.images.raw import RawImage
from guitar_kedro.images.sources import address_state, spare_archives


class RawImagesDataset(ReadOnlyDataset):
    """Raw pictures; they are only read."""

    REFUSAL = "Raw images are only read: put new ones where they come from."
    _folder: Path  # where drawn pictures, unpacked archives and the like lie
    _names_encoding: str | None = None

    def fingerprint(self) -> str | None:
        """Return a checksum of what is there by name, size and time of each file, or ``None`` if nothing is there.

        Contents are not read, so that nobody waits for millions of pictures; no picture is drawn or fetched.
        """
        state = self._state()
        return f"{state} {self._names_encoding}" if state and self._names_encoding else state

    def _state(self) -> str | None:
        source = self._source()
        if source is None:
            return None
        if is_address(source):
            return sha256_of_lines(address_state(source, self._folder))
        local = local_path(source)
        if not local.exists():
            return sha256_of_lines([source])
        files = local.rglob("*") if local.is_dir() else [local]
        raw = (RawImage(str(path.relative_to(local)), "", path) for path in files if not os.path.isdir(path))
        return sha256_of_lines(image.state for image in raw)

    def unneeded(self) -> Iterator[Path]:
        """List archives that were unpacked here, are not looked at any more, and can be unpacked again."""
        return spare_archives(self._folder, self._source())

    def _source(self) -> str | None:
        """Path or address of the pictures, if it is known and there whole."""
        raise NotImplementedError
