"""Tables that people write, with whatever program they have."""

from __future__ import annotations

import codecs
import csv
import io
import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import pandas as pd

from guitar_kedro.errors import UserError

_LINE_END = re.compile(r"\r\n|\r|\n")
_SEPARATORS = ",;\t"
_SAVE_AS = "save it as UTF-8 (in Excel: CSV UTF-8; elsewhere: choose it as the encoding)"


def read_handwritten_table(path: Path, columns: Sequence[str], optional: Sequence[str] = ()) -> pd.DataFrame:
    """Read a table that a person wrote: what is not exactly right is refused, since nobody sees what was guessed.

    Args:
        path: A file in UTF-8, with or without byte order mark, or in UTF-16; between its fields stand commas,
            semicolons or tabs, as programs of different countries write.
        columns: All that there may be, in any order.
        optional: Those of them that may be left out; they are empty then.

    Returns:
        A row per line that is not blank, all text, under ``columns``; the index is the number of the line, from 1. An
        empty file has no rows.

    Raises:
        UserError: If it is no text, lacks a column or has an unknown one, or a line has more or fewer fields than the
            first one; it names the file, the line, and what to do.
    """
    rows = read_rows(str(path), _content(path))
    _, header = next(rows, (1, list(columns)))
    header = [name.strip() for name in header]
    for name in filter(None, header):  # spreadsheets fill lines up with empty fields
        if name not in columns:
            raise UserError(f"{path}: there is no column {name!r}; the first line can name {', '.join(columns)}.")
        if header.count(name) > 1:
            raise UserError(f"{path}: the column {name} stands in the first line twice; leave one of them.")
    if missing := [name for name in columns if name not in header and name not in optional]:
        raise UserError(f"{path}: the column {missing[0]} is missing; the first line is to be {','.join(columns)}.")
    lines: dict[int, dict[str, str]] = {}
    for number, fields in rows:
        named = list(zip(header, fields, strict=False))
        if len(fields) != len(header) or any(field.strip() for name, field in named if not name):
            raise UserError(
                f"{path}, line {number}: it has {len(fields)} fields, and the first line names "
                f"{len(list(filter(None, header)))}: put a name with a comma, semicolon or tab into quotation marks, "
                '"like, this.jpg", and leave no field out.'
            )
        lines[number] = {**dict.fromkeys(columns, ""), **{name: field for name, field in named if name}}
    return pd.DataFrame.from_dict(lines, orient="index", columns=list(columns), dtype="str")


def read_rows(name: str, content: bytes) -> Iterator[tuple[int, list[str]]]:
    """Go through the lines that are not blank: their numbers, of one with line breaks in it the last, and fields.

    Args:
        name: Of the file, for messages.
        content: Of the file, as for ``read_handwritten_table``.

    Raises:
        UserError: If it is no text, or a quotation mark has no other.
    """
    text = read_text(name, content)
    separator = _separator(text)
    lines = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    try:
        for fields in lines:
            if any(field.strip() for field in fields):
                yield lines.line_num, fields
    except csv.Error as error:
        raise UserError(
            f"{name}, line {lines.line_num}: it cannot be read ({error}); is there a quotation mark without another?"
        ) from None


def separator_of(path: Path) -> str:
    """Return what stands between the fields of such a table: the comma, the semicolon or the tab."""
    return _separator(read_text(str(path), _content(path)))


def _separator(text: str) -> str:
    first = next(filter(str.strip, _LINE_END.split(text)), "")
    return max(_SEPARATORS, key=first.count)


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from None


def read_text(name: str, content: bytes) -> str:
    """Decode UTF-8, with or without byte order mark, or UTF-16.

    Raises:
        UserError: If it is neither; it names the line, and what to do.
    """
    encoding = "utf-16" if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) else "utf-8-sig"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        line = len(_LINE_END.split(content[: error.start].decode(encoding, "replace")))
        raise UserError(
            f"{name}, line {line}: byte {error.start + 1} of the file, 0x{content[error.start]:02x}, is no "
            f"{'UTF-16' if encoding == 'utf-16' else 'UTF-8'}: {_SAVE_AS}."
        ) from None
    if "\0" in text:
        line = len(_LINE_END.split(text[: text.index("\0")]))
        raise UserError(f"{name}, line {line}: it has a zero byte, and so is no text in UTF-8: {_SAVE_AS}.")
    return text
