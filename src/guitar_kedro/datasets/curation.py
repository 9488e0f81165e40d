"""What a person decided about single images."""

from __future__ import annotations

import os
from typing import Any

import pandas as pd
from pydantic import BaseModel

from guitar_kedro.datasets.handwritten import read_handwritten_table
from guitar_kedro.datasets.tables import TableDataset
from guitar_kedro.errors import UserError


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


class CurationDataset(TableDataset):
    """What a person decided about single images: a ``DecisionRow`` for each.

    The file is optional; without it there is nothing to apply, and the table is empty.
    """

    _schema = DecisionRow
    ACTIONS = ("keep", "drop", "relabel")

    def load(self) -> pd.DataFrame:
        """Load the decisions.

        Returns:
            A row per decision.

        Raises:
            UserError: If the file is no such table, an action is none of the three, a file stands twice, or a relabel
                has no label.
        """
        path = self._load_path()
        if not path.exists():
            if path.is_symlink():
                raise UserError(f"{path} is a link to {os.readlink(path)}, which is not there: mend or remove it.")
            return pd.DataFrame(columns=list(DecisionRow.model_fields), dtype="str")
        table = read_handwritten_table(path, list(DecisionRow.model_fields), optional=("label",))
        for column in ("action", "label"):  # people write a space after a comma
            table[column] = table[column].str.strip()
        for row in table.itertuples():
            if not row.file:
                raise UserError(f"{path}, line {row.Index}: the name of the file is missing.")
            if row.action not in self.ACTIONS:
                raise UserError(f"{path}, line {row.Index}: the action {row.action!r} is none of keep, drop, relabel.")
            if row.action == "relabel" and not row.label:
                raise UserError(f"{path}, line {row.Index}: a relabel needs the new label in the column label.")
        if (twice := table["file"].duplicated()).any():
            again = table[twice].iloc[0]
            raise UserError(
                f"{path}, line {again.name}: {again['file']} stands in it twice; leave one line for each file."
            )
        return table.reset_index(drop=True)

    def save(self, data: Any) -> None:
        """Refuse: a person writes this file.

        Raises:
            UserError: Always.
        """
        raise UserError(f"{self._filepath} is written by hand: the project only reads it.")
