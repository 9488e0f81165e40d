"""What a model was made from and what it predicted, before its images or their labels changed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.io import Version
from kedro_datasets._typing import JSONPreview, TablePreview
from pydantic import BaseModel

from guitar_kedro.datasets.artifacts import versions_of
from guitar_kedro.datasets.bases import ReadOnlyDataset
from guitar_kedro.datasets.tables import TableDataset
from guitar_kedro.learning.networks.checkpoint import SPEC_FILE


class ImageLabelRow(BaseModel):
    """An image that a model was made from.

    Attributes:
        image_id: As in ``image_table``.
        file: Name of the file in the source.
        label: Its class.
        split: ``train``, ``validation`` or ``test``.
    """

    image_id: str
    file: str
    label: str
    split: str


class TableBeforeChangeDataset(ReadOnlyDataset):
    """A versioned table as it was for the last predictions before the images became what they are now; only read.

    All that a run saves has one version, its time. So a version of ``predictions`` was made from the latest
    ``image_labels`` that are not later.
    """

    REFUSAL = "{0._filepath} is only read here."

    def __init__(
        self,
        filepath: str,
        image_labels: str,
        predictions: str,
        schema: str | type[BaseModel] | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Take note of the versioned artifacts.

        Args:
            filepath: Of what is loaded, in its latest version that is not later than those predictions.
            image_labels: The images of each run, with their labels and parts.
            predictions: Of the models.
            schema: Of the rows of the table, as of ``TableDataset``.
            metadata: For Kedro's plugins.
        """
        self._filepath, self._image_labels = Path(filepath).absolute(), Path(image_labels).absolute()
        self._predictions = Path(predictions).absolute()
        self._schema = schema
        self.metadata = metadata

    def load(self) -> Any:
        """Load the table; an empty one where the images have not changed since the first run."""
        version = self._version()
        return _load(self._filepath, version, self._schema) if version else pd.DataFrame()

    def fingerprint(self) -> str:
        """Return the version that would be loaded; versions do not change."""
        return self._version() or ""

    def preview(self, nrows: int = 5) -> TablePreview:
        """Return the first rows, for kedro-viz."""
        return TablePreview(self.load().head(nrows).to_dict(orient="split"))

    def needed(self) -> set[Path]:
        """List the folders of the versions that tell which version is loaded, and of that one."""
        change, version = self._change(), self._version()
        return {self._filepath / version, *(self._image_labels / each for each in change or ())} if version else set()

    def _version(self) -> str | None:
        if (change := self._change()) is None:
            return None
        predicted = max((version for version in versions_of(self._predictions) if version < change[1]), default="")
        return max((version for version in versions_of(self._filepath) if version <= predicted), default=None)

    def _change(self) -> tuple[str, str] | None:
        """Return the last version with other images than those of now, and the first one with those."""
        versions = versions_of(self._image_labels)
        now = _load(self._image_labels, versions[-1], ImageLabelRow) if versions else None
        for before, after in zip(versions[-2::-1], versions[:0:-1], strict=True):
            if not _load(self._image_labels, before, ImageLabelRow).equals(now):
                return before, after
        return None


class ModelBeforeChangeDataset(TableBeforeChangeDataset):
    """What the model was that made those predictions: its spec, as a dictionary."""

    def load(self) -> dict[str, Any]:
        """Load the spec; an empty one where there is no such model."""
        version = self._version()
        if version is None:
            return {}
        return json.loads((self._filepath / version / self._filepath.name / SPEC_FILE).read_text(encoding="utf-8"))

    def preview(self) -> JSONPreview:  # type: ignore[override]  # kedro-viz gives no arguments
        """Return the spec, for kedro-viz."""
        return JSONPreview(json.dumps(self.load()))


def _load(path: Path, version: str, schema: str | type[BaseModel] | None) -> pd.DataFrame:
    return TableDataset(filepath=str(path), schema=schema, version=Version(version, None)).load()
