"""A file that is to become a picture, before anything is known of it."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from guitar_kedro.files import composed
from guitar_kedro.images.downloads import reaching
from guitar_kedro.images.probing import Limits, UnreadableImage


@dataclass(frozen=True)
class RawImage:
    """A file that is to become a picture of a class.

    Attributes:
        file: its name for tables: the path in the source, or the archive member's name, with slashes, in one line;
            unique.
        label: its class, the name of the folder it lies in, in Unicode's normal form C.
        path: where it is read from; an address, as a string, on storage that fsspec reads.
        problem: reason and sentence why it cannot be read, for what was given but is no file of a class, or None.
        split: the part of the split that it was given for; empty where none was.
        group: what it has in common with images that stay on its side of the split; empty for nothing.
    """

    file: str
    label: str
    path: Path | str
    problem: tuple[str, str] | None = None
    split: str = ""
    group: str = ""

    @property
    def state(self) -> str:
        """A line that changes when the file does: its name, size, time and whether it may be read, or its problem."""
        return f"{self.file} {self.stamp}"

    @property
    def stamp(self) -> str:
        """What of ``state`` moves with the file to another name: all but the name."""
        if self.problem:
            return self.problem[0]
        if isinstance(self.path, str):
            with reaching(self.path) as (storage, path):
                return str(storage.ukey(path))
        try:
            found = self.path.stat()
        except OSError as error:
            return str(error.strerror)
        right = "" if os.access(self.path, os.R_OK) else " unreadable"  # which changes neither size nor time
        return f"{found.st_size} {found.st_mtime_ns}{right}"

    def read(self, limits: Limits | None = None) -> bytes:
        """Read the whole file.

        Args:
            limits: of which that of bytes holds here; `None` stands for the usual ones.

        Returns:
            The content.

        Raises:
            UnreadableImage: it is too large, cannot be read, or has a problem.
            UserError: its storage cannot be reached.
        """
        limits = limits or Limits()
        if self.problem:
            raise UnreadableImage(*self.problem)
        try:
            if isinstance(self.path, str):
                return _stored(self.path, limits)
            found = self.path.stat()
            if not stat.S_ISREG(found.st_mode):
                raise UnreadableImage("not_a_regular_file", "It is not a regular file.")
            limits.check_bytes(found.st_size)
            return self.path.read_bytes()
        except OSError as error:
            raise UnreadableImage("file_not_readable", f"It could not be read: {error.strerror or error}.") from error


def _stored(address: str, limits: Limits) -> bytes:
    with reaching(address) as (storage, path):
        try:
            limits.check_bytes(storage.size(path))
            return storage.cat_file(path)
        except FileNotFoundError as error:
            raise UnreadableImage("file_not_readable", "It is not there any more.") from error


def label_of(file: str) -> str:
    """Return the name of the folder that a file lies in, in Unicode's normal form C; empty at the top."""
    return composed(PurePosixPath(file).parent.name)
