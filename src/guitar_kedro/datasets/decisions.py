"""The file in which a person's decisions stand: read as people write it, written so that none of them is lost."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Iterable
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import BaseModel

from guitar_kedro.datasets.handwritten import read_handwritten_table, separator_of
from guitar_kedro.datasets.tables import FORMULA
from guitar_kedro.errors import UserError
from guitar_kedro.files import real_path, written_whole

ACTIONS = ("keep", "drop", "relabel")
_LOCK_SECONDS = 10
_FORMULA = re.compile(f"'*[{re.escape(''.join(FORMULA))}]")


class DecisionRow(BaseModel):
    """What a person decided about a file.

    Attributes:
        file: Name of the file in the source.
        action: ``keep``, ``drop`` or ``relabel``.
        label: The class that it gets; empty where it keeps its own.
    """

    file: str
    action: str
    label: str


class CurationRow(DecisionRow):
    """The same with what stands beside it in the file, and changes nothing.

    Attributes:
        by: Who decided.
        when: In UTC (ISO 8601).
        why: For a person.
    """

    by: str = ""
    when: str = ""
    why: str = ""


COLUMNS = tuple(CurationRow.model_fields)


class DecisionsFile:
    """A CSV file with a line for each file that something was decided about.

    People write it with any spreadsheet, ``kedro review`` at each key. Writers take turns, and the file is replaced as
    a whole: whoever is killed leaves it as it was, or as it was to become. In a name that a spreadsheet would take for
    a formula, an apostrophe stands before it; it is read without.
    """

    def __init__(self, path: Path) -> None:
        """Take note of where it lies; it need not be there.

        Raises:
            UserError: If it is a link to nothing.
        """
        if path.is_symlink() and not path.exists():
            raise UserError(f"{path} is a link to {os.readlink(path)}, which is not there: mend or remove it.")
        self.path = real_path(path)
        self._state: tuple[int, int, int] | None = None
        self._rows: dict[str, CurationRow] = {}
        self._lines: dict[str, str] = {}  # as they are written: a hundred thousand of them would take a second
        self._separator = ","

    def rows(self) -> dict[str, CurationRow]:
        """Return the decisions by file, in their order; the file is read only where it has changed since.

        Raises:
            UserError: If it is no such table, an action is none of the three, a file stands twice, or a relabel has no
                label.
        """
        state = _state_of(self.path)
        if state != self._state:
            self._rows, self._separator = (_read(self.path), separator_of(self.path)) if state else ({}, ",")
            self._lines = {file: self._line(row) for file, row in self._rows.items()}
        self._state = state
        return self._rows

    def change(self, decisions: Iterable[CurationRow]) -> None:
        """Write decisions; they are on disk when this returns.

        Args:
            decisions: Each takes the place of what was decided about the file before; one without an action takes that
                back.

        Raises:
            UserError: If the file cannot be read or written, or another program holds it.
        """
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(self.path.with_name(f".{self.path.name}.lock"), _LOCK_SECONDS, fallback_to_soft=False):
                rows, lines = dict(self.rows()), dict(self._lines)
                for decision in decisions:
                    rows.pop(decision.file, None)
                    lines.pop(decision.file, None)
                    if decision.action:
                        rows[decision.file], lines[decision.file] = decision, self._line(decision)
                self._write(rows, lines)
        except Timeout:
            raise UserError(f"{self.path} is held by another program; end it, and decide again.") from None
        except OSError as error:
            raise UserError(
                f"{self.path} cannot be written ({error.strerror}); make room, or mend its rights."
            ) from None

    def _write(self, rows: dict[str, CurationRow], lines: dict[str, str]) -> None:
        # spreadsheets know UTF-8 by its byte order mark
        with written_whole(self.path) as beside, beside.open("w", encoding="utf-8-sig", newline="") as file:
            file.write("".join([self._separator.join(COLUMNS), "\n", *lines.values()]))
        self._rows, self._lines, self._state = rows, lines, _state_of(self.path)

    def _line(self, row: CurationRow) -> str:
        line = io.StringIO()
        cells = (_harmless(cell) for _, cell in row)
        csv.writer(line, delimiter=self._separator, lineterminator="\n").writerow(cells)
        return line.getvalue()


def _state_of(path: Path) -> tuple[int, int, int] | None:
    """Return what changes when the file does; ``None`` where there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from None
    return found.st_ino, found.st_size, found.st_mtime_ns


def _read(path: Path) -> dict[str, CurationRow]:
    rows: dict[str, CurationRow] = {}
    for line, *cells in read_handwritten_table(path, COLUMNS, optional=("label", "by", "when", "why")).itertuples():
        file, action, label, *beside = (
            cell[1:] if cell[:1] == "'" and _FORMULA.match(cell) else cell for cell in cells
        )
        row = CurationRow(**dict(zip(COLUMNS, (file, action.strip(), label.strip(), *beside), strict=True)))
        if not row.file:
            raise UserError(f"{path}, line {line}: the name of the file is missing.")
        if row.action not in ACTIONS:
            raise UserError(f"{path}, line {line}: the action {row.action!r} is none of {', '.join(ACTIONS)}.")
        if row.action == "relabel" and not row.label:
            raise UserError(f"{path}, line {line}: a relabel needs the new label in the column label.")
        if row.file in rows:
            raise UserError(f"{path}, line {line}: {row.file} stands in it twice; leave one line for each file.")
        rows[row.file] = row
    return rows


def _harmless(cell: str) -> str:
    return f"'{cell}" if _FORMULA.match(cell) else cell
