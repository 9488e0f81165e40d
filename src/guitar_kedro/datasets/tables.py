"""Tables: CSV files that people open, and that load as they were saved."""

from __future__ import annotations

from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pandas as pd
from kedro_datasets.pandas import CSVDataset

from guitar_kedro.datasets.artifacts import Artifact
from guitar_kedro.errors import UserError

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
)


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


class CurationDataset(TableDataset):
    """What a person decided about single images: columns ``file``, ``action`` (keep, drop, relabel), ``label``.

    The file is optional; without it there is nothing to apply, and the table is empty.
    """

    COLUMNS = ("file", "action", "label")
    ACTIONS = ("keep", "drop", "relabel")

    def load(self) -> pd.DataFrame:
        """Loads the decisions.

        Returns:
            A row per decision.

        Raises:
            UserError: If a column is missing, an action is none of the three, a file stands twice, or a relabel has no
                label.
        """
        path = Path(self._get_load_path())
        if not path.exists():
            return pd.DataFrame(columns=list(self.COLUMNS), dtype="str")
        table = super().load.__wrapped__(self)
        if missing := [column for column in self.COLUMNS[:2] if column not in table]:
            raise UserError(f"{path}: the column {missing[0]} is missing; the file needs {','.join(self.COLUMNS)}.")
        table = table.reindex(columns=list(self.COLUMNS), fill_value="")
        for number, row in enumerate(table.itertuples(), start=2):
            if row.action not in self.ACTIONS:
                raise UserError(f"{path}, line {number}: the action {row.action!r} is none of keep, drop, relabel.")
            if row.action == "relabel" and not row.label:
                raise UserError(f"{path}, line {number}: a relabel needs the new label in the column label.")
        if (twice := table["file"].duplicated()).any():
            raise UserError(f"{path}: {table['file'][twice].iloc[0]} stands in it twice; leave one line for each file.")
        return table

    def save(self, data: Any) -> None:
        """Refuses: a person writes this file.

        Raises:
            UserError: Always.
        """
        raise UserError(f"{self._filepath} is written by hand: the project only reads it.")
