"""Tables in which people name the class of each picture: CSV, JSON lines and Parquet."""

from __future__ import annotations

import difflib
import io
import json
import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from guitar_kedro.datasets.handwritten import read_rows, read_text
from guitar_kedro.errors import UserError, listed
from guitar_kedro.files import composed, in_one_line
from guitar_kedro.images.labels import LabelRow, LabelTable
from guitar_kedro.images.parts import part_called
from guitar_kedro.images.probing import UnreadableImage
from guitar_kedro.images.raw import RawImage

logger = logging.getLogger(__name__)

COLUMNS = {  # what people call them; the first name counts where there are several
    "file": ("file", "file_name", "filename", "image_path", "filepath", "path", "image", "img", "image_id", "id"),
    "label": ("label", "labels", "class", "class_name", "category", "target", "species", "breed"),
    "split": ("split", "set", "subset", "partition"),
    "group": ("group", "group_id"),
}
METADATA = ("metadata.csv", "metadata.jsonl", "metadata.parquet")  # as Hugging Face's imagefolder calls them
_NEEDED = ("file", "label")
_NUMBERS = {"id", "image_id"}  # often of rows: they name files only where nothing else does
_LONGEST_LABEL = 255  # as a folder's name may be
_SHOWN = 60  # letters of a wrong value in a sentence


def read_label_table(path: Path) -> LabelTable:
    """Read a table of labels.

    Args:
        path: A CSV file as ``read_handwritten_table`` reads it, a file of JSON lines (``.jsonl``) or of Parquet
            (``.parquet``).

    Raises:
        UserError: If it cannot be read, or a column is missing or may be meant otherwise.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UserError(
            f"--params=labels={path} cannot be read ({error.strerror}): give the path of a table with the columns file "
            "and label, as CSV, JSON lines or Parquet."
        ) from None
    return parsed_label_table(str(path), content)


def parsed_label_table(name: str, content: bytes, folder: str = "") -> LabelTable:
    """Read a table of labels from the content of its file.

    Args:
        name: Of the file, for messages; its ending tells what it is.
        content: Of the file.
        folder: From which on it names files.

    Raises:
        UserError: As of ``read_label_table``.
    """
    reader = _READERS.get(Path(name).suffix.lower())
    if reader is None:
        raise UserError(
            f"{name} is no table of labels by its name: save it as CSV (.csv, .tsv, .txt), JSON lines (.jsonl) or "
            "Parquet (.parquet)."
        )
    columns, rows = reader(name, content)
    roles = _roles(name, columns)
    return LabelTable(name, [_row(line, row, roles) for line, row in rows], folder)


def tables_among(files: list[RawImage], place: Path | str) -> Iterator[tuple[str, LabelTable]]:
    """Find the tables that Hugging Face's imagefolder calls metadata, as far as they name classes.

    Args:
        files: Among which they lie.
        place: Of the files, for messages.

    Yields:
        The name of the file of each, and what it says.

    Raises:
        UserError: If one cannot be read.
    """
    for file in files:
        folder, _, name = file.file.rpartition("/")
        if name in METADATA and not file.problem:
            try:
                content = file.read()
            except UnreadableImage as error:
                raise UserError(f"{file.file} in {place} cannot be read: {error.detail}") from None
            columns, _ = _READERS[Path(name).suffix](file.file, content)
            if "file_name" in columns and any(label in columns for label in COLUMNS["label"]):  # and is no other note
                yield file.file, parsed_label_table(file.file, content, folder)


_Rows = Iterator[tuple[str, Mapping[str, Any]]]


def _csv(name: str, content: bytes) -> tuple[list[str], _Rows]:
    rows = read_rows(name, content)
    _, header = next(rows, (1, []))
    header = [column.strip() for column in header]

    def named() -> _Rows:
        for number, fields in rows:
            if len(fields) != len(header):
                raise UserError(
                    f"{name}, line {number}: it has {len(fields)} fields, and the first line names {len(header)}: put "
                    'a name with a comma, semicolon or tab into quotation marks, "like, this.jpg", and leave out none.'
                )
            yield f"{name}, line {number}", dict(zip(header, fields, strict=True))

    return header, named()


def _json_lines(name: str, content: bytes) -> tuple[list[str], _Rows]:
    rows: list[tuple[str, Mapping[str, Any]]] = []
    columns: dict[str, None] = {}
    for number, line in enumerate(read_text(name, content).split("\n"), 1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise UserError(f"{name}, line {number}: it is no JSON ({error}); each line holds one object.") from None
        if not isinstance(row, dict):
            raise UserError(f'{name}, line {number}: it is no object; write {{"file_name": ..., "label": ...}}.')
        rows.append((f"{name}, line {number}", row))
        columns.update(dict.fromkeys(row))
    return list(columns), iter(rows)


def _parquet(name: str, content: bytes) -> tuple[list[str], _Rows]:
    from pyarrow import ArrowException
    from pyarrow.parquet import ParquetFile

    try:
        file = ParquetFile(io.BytesIO(content))
        columns = file.schema_arrow.names
        known = [column for column in columns if any(column.lower() in names for names in COLUMNS.values())]
        rows = file.read(known).to_pylist()
    except (ArrowException, OSError, ValueError) as error:
        raise UserError(f"{name} cannot be read as Parquet ({' '.join(str(error).split())}): write it anew.") from None
    return columns, ((f"{name}, row {number}", row) for number, row in enumerate(rows, 1))


_READERS = {
    **dict.fromkeys(("", ".csv", ".tsv", ".txt"), _csv),
    **dict.fromkeys((".jsonl", ".ndjson"), _json_lines),
    ".parquet": _parquet,
}


def _roles(name: str, columns: Sequence[str]) -> dict[str, str]:
    """Find which column says what.

    Raises:
        UserError: If one that is needed is missing, stands twice or may be one of several, or is misspelt.
    """
    known = {each for names in COLUMNS.values() for each in names}
    spelt = [column.lower() if column.lower() in known else column for column in columns]
    if twice := [column for column in spelt if column and spelt.count(column) > 1]:
        raise UserError(f"{name}: the column {twice[0]} stands in the first line twice; leave one of them.")
    lower = {column.lower(): column for column in columns if column}
    roles = {}
    for role, names in COLUMNS.items():
        found = [lower[each] for each in names if each in lower]
        found = [each for each in found if each.lower() not in _NUMBERS] or found[:1]
        if len(found) > 1 and found[0].lower() != role:
            raise UserError(
                f"{name}: the columns {listed(found)} may each be the {role}: call the one that is meant {role}."
            )
        if found:
            roles[role] = found[0]
        elif role in _NEEDED:
            shown = f"its columns are {listed(list(map(in_one_line, columns)), 10)}" if columns else "it is empty"
            what = "file names" if role == "file" else "classes"
            raise UserError(
                f"{name} has no column {role} (nor {', '.join(names[1:])}): {shown}. Call the column of the {what} "
                f"{role}; in a CSV file, the first line names the columns."
            )
    others = [column for column in columns if column and column not in roles.values()]
    for column in others:
        if close := difflib.get_close_matches(column.lower(), [role for role in COLUMNS if role not in roles], n=1):
            raise UserError(
                f"{name} has a column {column!r}: is it the {close[0]}? Call it that, or call it otherwise."
            )
    if others:
        logger.info("%s: what stands in %s is not used", name, listed(others, 10))
    return roles


def _row(line: str, row: Mapping[str, Any], roles: Mapping[str, str]) -> LabelRow:
    said = {role: _text(f"{line}: the {role}", row.get(column)) for role, column in roles.items()}
    if not said["file"]:
        raise UserError(f"{line}: the name of the file is missing.")
    if len(said["label"]) > _LONGEST_LABEL:
        raise UserError(f"{line}: the label has {len(said['label']):,} letters; a class may have {_LONGEST_LABEL}.")
    if split := said.get("split", ""):
        part = part_called(split)
        if part is None:
            raise UserError(f"{line}: the part {split!r} of the split is none of train, validation and test.")
        said["split"] = part
    said["label"] = in_one_line(said["label"])
    return LabelRow(line, **said)


def _text(what: str, value: Any) -> str:
    if isinstance(value, bytes):  # as some programs write text into Parquet
        try:
            value = value.decode()
        except UnicodeDecodeError:
            raise UserError(f"{what} is no text: write it as text in UTF-8.") from None
    if isinstance(value, (list, dict)):
        shown = str(value)
        shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}\N{HORIZONTAL ELLIPSIS}"
        role = what.rpartition(" ")[2]
        raise UserError(f"{what} is {in_one_line(shown)}; a picture has one {role} here, so write one text.")
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    if isinstance(value, float) and value.is_integer():  # whole numbers, where some are missing
        value = int(value)
    return composed(str(value).strip())
