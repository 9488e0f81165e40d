"""Tables: CSV files that people open, and that load as they were saved."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pandas as pd
from kedro_datasets.pandas import CSVDataset

from guitar_kedro.datasets.artifacts import Artifact

_TEXT = (
    "image_id",
    "label",
    "file",
    "source",
    "predicted",
    "actual",
    "split",
    "stage",
    "phase",
    "architecture",
    "reason",
    "detail",
    "action",
    "model_version",
    "time",
    "slice",
    "value",
    "suggested",
    "stage_before",
    "actual_name",
    "predicted_name",
    "file_hash",
    "pixel_hash",
    "perceptual_hash",
    "second_guess",
    "verdict",
    "error",
)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what a cell begins with that a spreadsheet computes


class TableDataset(Artifact, CSVDataset):
    """A CSV file in which text stays text.

    A class may be called ``007``, ``NA`` or ``None``: text columns are read as they are written.
    """

    DEFAULT_LOAD_ARGS: dict[str, Any] = {  # noqa: RUF012 - the way kedro-datasets gives defaults
        "dtype": dict.fromkeys(_TEXT, "str"),
        "keep_default_na": False,
    }

    def load(self) -> pd.DataFrame:
        """Loads the table; a number that is missing is NaN, while missing text is empty.

        Raises:
            UserError: If it is not as it was saved.
        """
        table = super().load()
        for column in table.columns.difference(list(_TEXT)):
            missing = table[column] == ""
            numbers = pd.to_numeric(table[column].mask(missing), errors="coerce")
            if missing.any() and numbers.isna().equals(missing):
                table[column] = numbers
        return table


class OptionalTableDataset(TableDataset):
    """A table that need not be there; until it was made, it is empty."""

    def load(self) -> pd.DataFrame:
        """Loads the table, or an empty one."""
        return super().load.__wrapped__(self) if self.exists() else pd.DataFrame()


class LogDataset(TableDataset):
    """A CSV file to which each save adds its rows and the time; none is ever taken away."""

    def save(self, data: pd.DataFrame) -> None:
        """Adds rows.

        Raises:
            DatasetError: If the file cannot be written.
        """
        path = Path(self._get_save_path())
        earlier = [super().load.__wrapped__(self)] if path.exists() else []
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        super().save.__wrapped__(self, pd.concat([*earlier, data.assign(time=now)], ignore_index=True))


class _SpreadsheetFile(CSVDataset):
    """A CSV file that is written from a stream of tables."""

    def save(self, data: Iterable[pd.DataFrame]) -> None:
        with Path(self._get_save_path()).open("w", encoding="utf-8", newline="") as file:
            for number, table in enumerate(data):
                # all text is quoted: in some countries a semicolon would begin a cell
                _harmless(table).to_csv(file, index=False, header=number == 0, quoting=csv.QUOTE_NONNUMERIC)


class SpreadsheetDataset(TableDataset, _SpreadsheetFile):
    """A table for people, of any length: saved from a stream of tables, and safe to open in a spreadsheet.

    Names of files and classes are other people's: one that a spreadsheet would take for a formula gets an apostrophe
    before it.
    """


def _harmless(table: pd.DataFrame) -> pd.DataFrame:
    text = table.select_dtypes(exclude="number")
    return table.assign(**text.apply(lambda cells: cells.mask(cells.str.startswith(_FORMULA), "'" + cells)))
