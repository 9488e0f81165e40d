"""What all parts need of files."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePath


def sha256_of_file(path: Path) -> str:
    """Computes the SHA-256 of a file, in hexadecimal, without holding the file in memory."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def sha256_of_lines(lines: Iterable[str]) -> str:
    """Computes the checksum of lines, whatever their order; they may hold names of files that are no UTF-8."""
    return hashlib.sha256("\n".join(sorted(lines)).encode("utf-8", "surrogateescape")).hexdigest()


def printable(path: PurePath | str) -> str:
    """Gives a path as text that any table takes: of one that is no UTF-8, the bytes that are none are escaped."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Gives a name beside a file, to write to; what is there in the end is on disk before it takes the file's place.

    A process that dies meanwhile leaves the file as it was. One process at a time may write.
    """
    beside = path.with_name(f".{path.name}")
    try:
        yield beside
        with beside.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(beside, path)
    except Exception as error:
        error.filename = path  # of a write that fails, the system says no name, nor does safetensors
        raise
    finally:
        beside.unlink(missing_ok=True)  # there was no room for it, say
