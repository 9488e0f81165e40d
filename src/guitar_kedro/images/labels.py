"""Files that a table gives their classes, and perhaps the part of the split and the group."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path, PurePosixPath

from guitar_kedro.errors import UserError, listed
from guitar_kedro.files import composed, printable, real_path
from guitar_kedro.images.parts import are_a_split, check_parts, part_of, parts_beside
from guitar_kedro.images.raw import RawImage

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LabelRow:
    """What a table says of a file.

    Attributes:
        line: Where: ``labels.csv, line 2``.
        file: Name of the file, as it stands there.
        label: Its class; empty where none is given.
        split: Part of the split; empty where none is given.
        group: What keeps it on one side of the split with others; empty for nothing.
    """

    line: str
    file: str
    label: str
    split: str = ""
    group: str = ""


@dataclass(frozen=True)
class LabelTable:
    """A table of labels.

    Attributes:
        name: For messages.
        rows: What it says.
        folder: From which on it names files: its path in the source, empty for the top.
    """

    name: str
    rows: Sequence[LabelRow]
    folder: str = ""


def labelled(images: list[RawImage], tables: Sequence[LabelTable], source: Path | str) -> list[RawImage]:
    """Give files the classes that tables say.

    A file may be named by its path, by the end of its path, without its ending, and in capitals or small letters, as
    long as that means one file.
    Folders called train, val and test are the parts of the split where the tables name none.

    Args:
        images: All files of the source, but the tables.
        tables: What is said of them.
        source: Where the files are, for messages.

    Returns:
        The images, sorted by name. What no table names, what has no label, and what is named and not there, has a
        problem.

    Raises:
        UserError: If no file that is named is there, a name means several files, a file has two labels, or classes or
            parts cannot be used.
    """
    said: dict[str, LabelRow] = {}
    missing: dict[str, LabelRow] = {}
    finder = _Finder(images, source)
    for table in tables:
        for row in table.rows:
            path = PurePosixPath(table.folder, printable(row.file)).as_posix()
            image = finder.find(row, table.folder)
            known, name = (missing, path) if image is None else (said, image.file)
            _refuse_contradiction(known.setdefault(name, row), row)
    if not said:
        _refuse_all_missing(tables, images, source)
    parts = {} if any(row.split for row in said.values()) else _parts(images)
    found = [_with_label(image, said.get(image.file), parts, tables) for image in images]
    for name, row in missing.items():
        absent = f"{row.line} names it, and it is not there."
        found.append(RawImage(name, row.label, Path(name), ("file_missing", absent)))
    _check(found, tables, source)
    return sorted(found, key=lambda image: image.file)


class _Finder:
    """Finds the file that a row means."""

    def __init__(self, images: list[RawImage], source: Path | str) -> None:
        self._source = real_path(source) if isinstance(source, Path) else None
        self._real = cache(real_path)  # of folders, of which there are fewer than of files
        self._exact = {composed(image.file): image for image in images}
        self._by_end: dict[str, list[RawImage]] = defaultdict(list)
        for image in images:
            for end in _ends(composed(image.file)):
                self._by_end[end.casefold()].append(image)

    def find(self, row: LabelRow, folder: str) -> RawImage | None:
        """Find the file, or what it is called in the folder; ``None`` if it is not there.

        Raises:
            UserError: If several files end like that.
        """
        name, top = composed(row.file).removeprefix("./"), f"{folder}/" if folder else ""
        for spelled in dict.fromkeys((printable(name), printable(name.replace("\\", "/")))):  # as Windows writes paths
            if found := self._exact.get(self._inside(spelled) or top + spelled):
                return found
            candidates = [image for image in self._by_end.get(spelled.casefold(), ()) if image.file.startswith(top)]
            candidates = [image for image in candidates if spelled in _ends(composed(image.file))] or candidates
            if len(candidates) > 1:
                raise UserError(
                    f"{row.line}: {row.file} may be {listed([image.file for image in candidates], 3)}: write the path "
                    "of the file, from the folder of the images on."
                )
            if candidates:
                return candidates[0]
        return None

    def _inside(self, name: str) -> str | None:
        """Return the path in the source that a path from the root of this machine on means."""
        path = Path(name)
        if self._source is None or not path.is_absolute():
            return None
        path = self._real(path.parent) / path.name
        return path.relative_to(self._source).as_posix() if path.is_relative_to(self._source) else None


def _ends(file: str) -> Iterator[str]:
    """List the ends of a path, whole names each, with the file's ending and without."""
    names = file.split("/")
    for start in range(len(names)):
        end = "/".join(names[start:])
        yield end
        if (bare := str(PurePosixPath(end).with_suffix(""))) != end:
            yield bare


def _refuse_contradiction(first: LabelRow, row: LabelRow) -> None:
    for what, one, other in (
        ("class", first.label, row.label),
        ("part", first.split, row.split),
        ("group", first.group, row.group),
    ):
        if one != other:
            raise UserError(
                f"{row.line}: {row.file} has the {what} {other!r}, and in {first.line} {one!r}: a picture has one "
                f"{what} here, so leave one of these lines."
            )


def _refuse_all_missing(tables: Sequence[LabelTable], images: list[RawImage], source: Path | str) -> None:
    named = next((row for table in tables for row in table.rows), None)
    if named is None:
        raise UserError(f"{tables[0].name} names no file: write a line for each, with its label.")
    there = f"; there is, for example, {images[0].file}" if images else ""
    raise UserError(
        f"{source} has none of the files that {tables[0].name} names. {named.line} names {named.file}{there}. Give the "
        "folder from which the names in the table lead on with --params=images=DIR, or mend the names."
    )


def _parts(images: list[RawImage]) -> dict[str, str]:
    found = parts_beside({image.file.rpartition("/")[0] for image in images if "/" in image.file})
    return found[0] if len(found) == 1 and are_a_split(found[0]) else {}


def _with_label(image: RawImage, row: LabelRow | None, parts: dict[str, str], tables: Sequence[LabelTable]) -> RawImage:
    if row is None:
        unnamed = f"{listed([table.name for table in tables], 2)} names it nowhere."
        return replace(image, label="", problem=image.problem or ("no_label", unnamed))
    if not row.label:
        return replace(image, label="", problem=image.problem or ("no_label", f"{row.line} gives it no label."))
    split = row.split or part_of(image.file.rpartition("/")[0], parts)[0]
    return replace(image, label=row.label, split=split, group=row.group)


def _check(images: list[RawImage], tables: Sequence[LabelTable], source: Path | str) -> None:
    usable = [image for image in images if not image.problem]
    classes = sorted({image.label for image in usable})
    names = listed([table.name for table in tables], 2)
    if len(classes) < 2:
        raise UserError(
            f"{names} gives the files of {source} {f'one class only, {classes[0]!r}' if classes else 'no class'}; at "
            "least two are needed."
        )
    for reason, what in (("file_missing", "named and not there"), ("no_label", "there and without a label")):
        odd = [image.file for image in images if image.problem and image.problem[0] == reason]
        if odd:
            logger.warning("%s: %s %s (rejected_images.csv lists them all)", names, what, listed(odd, 3))
    check_parts(usable, names)
