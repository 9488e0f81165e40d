"""What a person decided about single images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
from kedro_datasets._typing import TablePreview

from guitar_kedro.datasets.bases import ReadOnlyDataset
from guitar_kedro.datasets.decisions import COLUMNS, DecisionRow, DecisionsFile
from guitar_kedro.files import sha256_of_lines


class CurationDataset(ReadOnlyDataset):
    """What a person decided about single images of a workspace.

    Both files are optional; without them there is nothing to apply, and the table is empty.
    """

    REFUSAL = "{0._filepath} is written by people: a run only reads it."

    def __init__(self, filepath: str, shared: str | None = None, metadata: dict[str, Any] | None = None) -> None:
        """Take note of the files.

        Args:
            filepath: Of the workspace.
            shared: Which all workspaces read beside it, as far as it names their images.
            metadata: For Kedro's plugins.
        """
        self._filepath, self._shared = Path(filepath), Path(shared) if shared else None
        self.metadata = metadata

    @property
    def file(self) -> DecisionsFile:
        """The file of the workspace."""
        return DecisionsFile(self._filepath)

    @property
    def shared(self) -> DecisionsFile | None:
        """The file that all workspaces share."""
        return DecisionsFile(self._shared) if self._shared else None

    def load(self) -> pd.DataFrame:
        """Load the decisions.

        Returns:
            A ``CurationRow`` per decision, those of the workspace first, with a column ``source``: the file that all
            workspaces share, empty where a decision stands in that of the workspace.

        Raises:
            UserError: If a file is no table of decisions.
        """
        rows = [{**dict(row), "source": ""} for row in self.file.rows().values()]
        if self.shared is not None:
            rows += [{**dict(row), "source": str(self._shared)} for row in self.shared.rows().values()]
        return pd.DataFrame(rows, columns=[*COLUMNS, "source"], dtype="str")

    def fingerprint(self) -> str | None:
        """Return a checksum of what was decided, by whom and why left aside; ``None`` if nothing was."""
        table = self.load()
        decided = table[list(DecisionRow.model_fields)].assign(is_shared=table["source"] != "")
        return sha256_of_lines(decided.to_csv(index=False, header=False).splitlines()) if len(decided) else None

    def preview(self, nrows: int = 5) -> TablePreview:
        """Return the first rows, for kedro-viz."""
        return TablePreview(self.load().head(nrows).to_dict(orient="split"))
