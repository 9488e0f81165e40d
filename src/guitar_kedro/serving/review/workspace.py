"""What a workspace has to look through: its tables, as far as runs have made them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import pandas as pd
from kedro.io import DataCatalog

from guitar_kedro.datasets.curation import CurationDataset
from guitar_kedro.datasets.decisions import CurationRow
from guitar_kedro.errors import UserError
from guitar_kedro.images.store import PreparedImages
from guitar_kedro.metrics.predictions import of_stage, stage_of_model
from guitar_kedro.splits import TEST, VALIDATION

if TYPE_CHECKING:
    from guitar_kedro.learning.data.features import Features
    from guitar_kedro.learning.networks.checkpoint import Checkpoint
    from guitar_kedro.metrics.curation import CurationEffect

_TABLES = ("rejected_images", "splits", "suspect_labels", "similar_images", "applied_curation", "label_queue")
_PICTURES = ("prepared_images", "unlabelled_pictures")
_MADE = (*_TABLES, *_PICTURES, "image_table", "predictions", "out_of_fold_predictions", "curation_effect")


@dataclass(frozen=True)
class Artifacts:
    """What runs have made; a table that is not there is empty.

    Attributes:
        prepared: The prepared pictures, and the records of all files.
        unlabelled: The prepared pictures that came without a label.
        images: ``image_table``.
        tables: The others by name.
        held_out: Predictions by networks that had not seen the images, a row for each.
        out_of_fold: Whether the training part is among them.
        effect: What the last change of the curation brought; ``None`` where there is no report yet.
    """

    prepared: PreparedImages
    unlabelled: PreparedImages
    images: pd.DataFrame
    tables: dict[str, pd.DataFrame]
    held_out: pd.DataFrame
    out_of_fold: bool
    effect: CurationEffect | None


class Workspace:
    """Loads the artifacts of a workspace, again where a run has made others."""

    def __init__(self, catalog: DataCatalog) -> None:
        """Take note of the catalog.

        Args:
            catalog: Of the workspace.
        """
        self._catalog = catalog
        self.name: str = catalog.load("params:workspace")
        self.display_names: dict[str, str] = catalog.load("params:display_names")
        self.duplicate_distance: int = catalog.load("params:ingestion.duplicate_distance")
        self.device: str = catalog.load("params:device")
        curation = cast(CurationDataset, catalog["curation"])
        self.decisions, self._shared = curation.file, curation.shared
        self._none: dict[str, CurationRow] = {}

    def shared_rows(self) -> dict[str, CurationRow]:
        """Return the decisions of the file that all workspaces share."""
        return self._shared.rows() if self._shared else self._none

    def state(self) -> list[tuple[str, int]]:
        """Say which versions of the artifacts there are: it changes when a run has made others."""
        paths = [path for name in _MADE for path in _files(self._catalog[name])]
        return [(str(path), path.stat().st_mtime_ns) for path in paths]

    def load(self) -> Artifacts:
        """Load what is there.

        Raises:
            UserError: If no pictures are prepared yet, or an artifact is not as it was saved.
        """
        for name in _MADE:
            self._catalog[name].release()  # Kedro keeps in mind which version was the latest
        if not (self._there("prepared_images") and self._there("image_table")):
            raise UserError("There are no prepared pictures yet; run `kedro run --pipeline=ingestion` first.")
        of_model, out_of_fold = _of_model(self._table("predictions")), self._table("out_of_fold_predictions")
        known = pd.Index(out_of_fold["file"] if len(out_of_fold) else [])
        others = of_model[~of_model["file"].isin(known)] if len(of_model) else of_model
        return Artifacts(
            prepared=self._catalog.load("prepared_images"),
            unlabelled=self._catalog.load("unlabelled_pictures"),
            images=self._catalog.load("image_table"),
            tables={name: self._table(name) for name in _TABLES},
            held_out=pd.concat([table for table in (out_of_fold, others) if len(table)] or [pd.DataFrame()]),
            out_of_fold=len(known) > 0,
            effect=self._catalog.load("curation_effect") if self._there("curation_effect") else None,
        )

    def features(self) -> Features | None:
        """Load the features of the most pictures that there are any of."""
        stages = self._catalog.load("params:stages")
        names = ["image_features", *(f"train.{stage}.features" for stage in stages), "model_features"]
        name = next((name for name in names if self._there(name)), None)
        return self._catalog.load(name) if name else None

    def model_version(self) -> str:
        """Say which model is the latest; empty where there is none."""
        return "".join(map(str, _files(self._catalog["model"])))

    def model(self) -> Checkpoint:
        """Load the latest model, which takes torch.

        Raises:
            UserError: If it is not as it was saved.
        """
        self._catalog["model"].release()  # as above
        return self._catalog.load("model")

    def _table(self, name: str) -> pd.DataFrame:
        return self._catalog.load(name) if self._there(name) else pd.DataFrame()

    def _there(self, name: str) -> bool:
        return bool(self._catalog[name].exists())


def _files(dataset: Any) -> list[Path]:
    """List the file of an artifact, or the folder of its latest version."""
    if folder := getattr(dataset, "folder", None):
        return [path for path in (folder / dataset.INDEX,) if path.exists()]
    path = Path(dataset._filepath)
    if dataset._version is None:
        return [path] if path.exists() else []
    return sorted(path.glob(f"*/{path.name}"))[-1:]


def _of_model(predictions: pd.DataFrame) -> pd.DataFrame:
    if predictions.empty:
        return predictions
    stage = stage_of_model(predictions)
    return pd.concat([of_stage(predictions, stage, part) for part in (VALIDATION, TEST)])
