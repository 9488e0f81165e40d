"""What all parts need of files."""

from __future__ import annotations

import hashlib
import json
import math
import os
import unicodedata
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path, PurePath
from typing import Any

from guitar_kedro.errors import UserError

_ENDS_A_LINE_OR_CONTROLS = {"Cc", "Cs", "Zl", "Zp"}  # Unicode's general categories
_TURNS_THE_WRITING = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}  # and its bidirectional classes


def sha256_of_file(path: Path) -> str:
    """Compute the SHA-256 of a file, in hexadecimal, without holding the file in memory.

    A dozen nodes load the model, each through a dataset that checks it: its file is read once, unless it changes.
    """
    found = path.stat()
    return _sha256(path, found.st_ino, found.st_size, found.st_mtime_ns)


@cache
def _sha256(path: Path, *_state: int) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return digest.hexdigest()


def sha256_of_lines(lines: Iterable[str]) -> str:
    """Compute the checksum of lines, whatever their order; they may hold names of files that are no UTF-8."""
    return hashlib.sha256("\n".join(sorted(lines)).encode("utf-8", "surrogateescape")).hexdigest()


def named_files(value: Any) -> dict[str, Path]:
    """Find the files that parameters name: what they say, and where that is."""
    match value:
        case dict():
            return named_files(list(value.values()))
        case list():
            return {name: path for part in value for name, path in named_files(part).items()}
        case str():
            for text in (value, value.partition(":")[2]):  # the second is of weights, as ARCHITECTURE:FILE
                # Path.is_file raises for a text that is too long for a name
                if os.path.isfile(path := os.path.expanduser(text)):
                    return {value: Path(path)}
    return {}


def printable(path: PurePath | str) -> str:
    """Return a path as text in one line that any table takes, with slashes; other paths give other texts.

    Escaped as in Python are bytes that are no UTF-8, what ``in_one_line`` escapes, and the backslash itself.
    """
    text = path.as_posix() if isinstance(path, PurePath) else path
    with suppress(UnicodeError):  # text that this system could not use as a name
        text = os.fsencode(text).decode("utf-8", "surrogateescape")  # not all systems decode names as UTF-8
    return in_one_line(text.replace("\\", "\\\\"))


def in_one_line(text: str) -> str:
    """Escape, as Python does, what ends a line, controls, turns the direction of writing, or is no character."""
    return text if text.isprintable() else "".join(map(_escaped, text))


def _escaped(character: str) -> str:
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # stands for a byte that is no UTF-8 (PEP 383)
        return f"\\x{code - 0xDC00:02x}"
    category, direction = unicodedata.category(character), unicodedata.bidirectional(character)
    if category not in _ENDS_A_LINE_OR_CONTROLS and direction not in _TURNS_THE_WRITING:
        return character
    return character.encode("unicode_escape").decode("ascii") if code < 0x80 else f"\\u{code:04x}"


def composed(text: str) -> str:
    """Return text in Unicode's normal form C: an e with an accent may be one character or two, and is one here."""
    return unicodedata.normalize("NFC", text)


def one_spelling(text: str) -> str:
    """Return text in one line, in which an accent is written in one way."""
    return composed(in_one_line(text))


def local_path(text: str) -> Path:
    """Return the path that a person typed; ``~`` stands for their home folder.

    Raises:
        UserError: If there is no such home folder, or the system cannot look at the path: a name in it is too long, a
            link leads to itself, or the right is missing. That nothing is there is no error.
    """
    try:
        path = Path(text).expanduser()
    except RuntimeError:
        raise UserError(
            f"{text} begins with a home folder that there is not: give the whole path, or ./{text} if something here "
            "is called so."
        ) from None
    try:
        path.stat()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except (OSError, ValueError) as error:  # of a zero byte in it, Python says ValueError
        reason = error.strerror if isinstance(error, OSError) else error
        raise UserError(f"{text} cannot be looked at ({reason}); give the path of what you can open.") from None
    return path


def real_path(path: Path) -> Path:
    """Follow all links of a path; where one leads to itself, ``Path.resolve`` would raise."""
    return Path(os.path.realpath(path))


def strict_json(data: Any, **options: Any) -> str:
    """Write data as JSON that every program reads (RFC 8259): a number that is infinite or none becomes ``null``.

    Python's ``json`` would write ``Infinity`` and ``NaN``, at which other programs refuse the whole file.

    Args:
        data: Of dictionaries, lists, texts and numbers.
        **options: As of ``json.dumps``.
    """
    return json.dumps(_without_nan(data), allow_nan=False, **options)


def _without_nan(data: Any) -> Any:
    match data:
        case dict():
            return {name: _without_nan(value) for name, value in data.items()}
        case list() | tuple():
            return [_without_nan(value) for value in data]
        case float() if not math.isfinite(data):
            return None
    return data


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """Yield a name beside a file, to write to; what is there in the end is on disk before it takes the file's place.

    A process that dies meanwhile leaves the file as it was. One process at a time may write.
    """
    beside = path.with_name(f".{path.name}.part")  # .NAME may be a file of somebody else: .env beside env
    try:
        yield beside
        with beside.open("rb+") as file:  # Windows syncs only what is open for writing
            os.fsync(file.fileno())
        os.replace(beside, path)
    except Exception as error:
        # of a write that fails, the system says no name, nor does safetensors
        error.filename = path  # type: ignore[attr-defined]
        raise
    finally:
        beside.unlink(missing_ok=True)  # there was no room for it, say
