"""What a person decided about single images, and what the model was like before."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.io import AbstractDataset, Version
from kedro_datasets._typing import JSONPreview, TablePreview
from pydantic import BaseModel

from guitar_kedro.datasets.decisions import CurationRow, DecisionRow, DecisionsFile
from guitar_kedro.datasets.tables import TableDataset
from guitar_kedro.errors import UserError
from guitar_kedro.files import sha256_of_lines
from guitar_kedro.learning.networks.checkpoint import SPEC_FILE
from guitar_kedro.metrics.predictions import PredictionRow


class LoadedRow(CurationRow):
    """A decision, and where it was read.

    Attributes:
        source: The file that all workspaces share; empty where it stands in that of the workspace.
    """

    source: str = ""


class CurationDataset(AbstractDataset[None, pd.DataFrame]):
    """What a person decided about single images of a workspace.

    Both files are optional; without them there is nothing to apply, and the table is empty.
    """

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
            A ``LoadedRow`` per decision, those of the workspace first.

        Raises:
            UserError: If a file is no table of decisions.
        """
        rows = [LoadedRow(**dict(row)) for row in self.file.rows().values()]
        if self.shared is not None:
            shared = self.shared.rows().values()
            rows += [LoadedRow(**dict(row), source=str(self._shared)) for row in shared]
        return pd.DataFrame([dict(row) for row in rows], columns=list(LoadedRow.model_fields), dtype="str")

    def save(self, data: None) -> None:
        """Refuse: people write this file, and ``kedro review`` for them.

        Raises:
            UserError: Always.
        """
        raise UserError(f"{self._filepath} is written by people: a run only reads it.")

    def fingerprint(self) -> str | None:
        """Return a checksum of what was decided, by whom and why left aside; ``None`` if nothing was."""
        table = self.load()
        decided = table[list(DecisionRow.model_fields)].assign(is_shared=table["source"] != "")
        return sha256_of_lines(decided.to_csv(index=False, header=False).splitlines()) if len(decided) else None

    def preview(self, nrows: int = 5) -> TablePreview:
        """Return the first rows, for kedro-viz."""
        return TablePreview(self.load().head(nrows).to_dict(orient="split"))

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath, "shared": self._shared}


class PredictionsBeforeCurationDataset(AbstractDataset[None, Any]):
    """The predictions of the last run before the curation became what it is now; they are only read.

    All that a run saves has one version, its time. So a version of ``predictions`` was made under the latest
    ``applied_curation`` that is not later.
    """

    def __init__(
        self,
        filepath: str,
        applied_curation: str,
        predictions: str | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Take note of the versioned artifacts.

        Args:
            filepath: Of what is loaded, in its latest version that is not later than those predictions.
            applied_curation: The decisions that each run applied.
            predictions: ``predictions``, where something else is loaded.
            metadata: For Kedro's plugins.
        """
        self._filepath, self._curation = Path(filepath).absolute(), Path(applied_curation).absolute()
        self._predictions = Path(predictions or filepath).absolute()
        self.metadata = metadata

    def load(self) -> Any:
        """Load the table; an empty one where the curation has not changed since the first run."""
        version = self._version()
        return _load(self._filepath, version, PredictionRow) if version else pd.DataFrame()

    def save(self, data: None) -> None:
        """Refuse.

        Raises:
            UserError: Always.
        """
        raise UserError(f"{self._predictions} is saved as predictions only.")

    def fingerprint(self) -> str:
        """Return the version that would be loaded; versions do not change."""
        return self._version() or ""

    def preview(self, nrows: int = 5) -> TablePreview:
        """Return the first rows, for kedro-viz."""
        return TablePreview(self.load().head(nrows).to_dict(orient="split"))

    def needed(self) -> set[Path]:
        """List the folders of the versions that tell which version is loaded, and of that one."""
        change, version = self._change(), self._version()
        return {self._filepath / version, *(self._curation / each for each in change or ())} if version else set()

    def _version(self) -> str | None:
        if (change := self._change()) is None:
            return None
        predicted = max((version for version in _versions(self._predictions) if version < change[1]), default="")
        return max((version for version in _versions(self._filepath) if version <= predicted), default=None)

    def _change(self) -> tuple[str, str] | None:
        """Return the last version with other decisions than those of now, and the first one with those."""
        applied = _versions(self._curation)
        now = _load(self._curation, applied[-1], DecisionRow) if applied else None
        other = [version for version in applied if not _load(self._curation, version, DecisionRow).equals(now)]
        return (other[-1], next(version for version in applied if version > other[-1])) if other else None

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath, "applied_curation": self._curation}


class ModelBeforeCurationDataset(PredictionsBeforeCurationDataset):
    """What the model was that made ``PredictionsBeforeCurationDataset``: its spec, as a dictionary."""

    def load(self) -> dict[str, Any]:
        """Load the spec; an empty one where there is no such model."""
        version = self._version()
        if version is None:
            return {}
        return json.loads((self._filepath / version / self._filepath.name / SPEC_FILE).read_text(encoding="utf-8"))

    def preview(self) -> JSONPreview:  # type: ignore[override]  # kedro-viz gives no arguments
        """Return the spec, for kedro-viz."""
        return JSONPreview(json.dumps(self.load()))


def _versions(path: Path) -> list[str]:
    return sorted(table.parent.name for table in path.glob(f"*/{path.name}"))


def _load(path: Path, version: str, schema: type[BaseModel]) -> pd.DataFrame:
    return TableDataset(filepath=str(path), schema=schema, version=Version(version, None)).load()
