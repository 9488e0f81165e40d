"""What was tried in a workspace: its models, with the records of the runs that made them."""

from __future__ import annotations

import logging
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from kedro.io import DatasetError, Version
from pydantic import BaseModel

from guitar_kedro.datasets.artifacts import versions_of
from guitar_kedro.datasets.bases import ReadOnlyDataset
from guitar_kedro.datasets.reports import MetricsDataset
from guitar_kedro.datasets.sealed import OpeningRow
from guitar_kedro.datasets.tables import LogDataset, TableDataset
from guitar_kedro.errors import UserError
from guitar_kedro.learning.networks.checkpoint import SPEC_FILE, WEIGHTS_FILE, ModelSpec
from guitar_kedro.metrics.errors import Errors
from guitar_kedro.metrics.experiments import Experiment, errors_on_test
from guitar_kedro.metrics.predictions import PredictionRow, probabilities

logger = logging.getLogger(__name__)

_MAKER = "calibrate.calibrate_model"  # the node that makes a model
_PHASES = ("probe", "frozen", "unfrozen")  # of a stage, in the order of training
_PREDICTED = ["image_id", "file", "label", "predicted"]


class ExperimentsDataset(ReadOnlyDataset):
    """All models of a workspace as ``Experiment``, the newest first; they are only read.

    What belongs to a model is found by the records of the runs that made or used it. A model without a record, and a
    record whose model was removed, are experiments too.
    """

    REFUSAL = "{0._filepath} is saved by runs only."

    def __init__(
        self,
        filepath: str,
        models: str,
        predictions: str,
        histories: str,
        history_schema: str,
        test_log: str,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Take note of where the parts lie.

        Args:
            filepath: Of the records of the runs.
            models: Of the models.
            predictions: Of those of the validation part.
            histories: Folder in which each stage has one, with the histories of its phases.
            history_schema: Of these, as ``TableDataset`` takes it.
            test_log: Of the table of openings of the test part.
            metadata: For Kedro's plugins.
        """
        self._filepath, self._models = Path(filepath).absolute(), Path(models).absolute()
        self._predictions, self._histories = Path(predictions).absolute(), Path(histories).absolute()
        self._schema = history_schema
        self._log = LogDataset(filepath=test_log, schema=OpeningRow)
        self.metadata = metadata

    def load(self) -> list[Experiment]:
        """Load them.

        Raises:
            UserError: If a part of one is not as it was saved.
        """
        records, openings = self._records, self._log.load()
        versions = {record["saved"]["model"] for record in records if "model" in record["saved"]}
        versions |= set(versions_of(self._models))
        return [self._experiment(version, records, openings) for version in sorted(versions, reverse=True)]

    def failures(self) -> list[str]:
        """Say how the runs ended that were to make a model and failed before, the newest first."""
        return [
            record["exit"]
            for record in self._records
            if record["exit"] != "finished"
            and _MAKER in {*record["nodes"], *record["skipped"]}
            and "model" not in {**record["loaded"], **record["saved"]}
        ]

    @cached_property
    def _records(self) -> list[dict[str, Any]]:
        """The records of all runs, the newest first."""
        records = []
        for version in reversed(versions_of(self._filepath)):
            try:
                records.append(MetricsDataset(filepath=str(self._filepath), version=Version(version, None)).load())
            except (UserError, DatasetError):
                place = self._filepath / version / self._filepath.name
                logger.warning("%s was altered or damaged: what it says of its run is left out", place)
        return records

    def _experiment(self, version: str, records: list[dict[str, Any]], openings: pd.DataFrame) -> Experiment:
        belonging = [record for record in records if {**record["loaded"], **record["saved"]}.get("model") == version]
        record = next((each for each in belonging if "model" in each["saved"]), {})
        versions = {**record["loaded"], **record["saved"]} if record else {}
        folder = self._models / version / self._models.name
        return Experiment(
            version=version,
            note=next((each["note"] for each in belonging if each.get("note")), ""),
            record=record,
            predictions=self._predicted(versions.get("validation_predictions", version)),
            history=self._history(versions, record),
            test=_of_test(folder, openings),
            megabytes=(folder / WEIGHTS_FILE).stat().st_size / 1e6 if folder.exists() else float("nan"),
        )

    def _predicted(self, version: str) -> pd.DataFrame:
        table = _table(self._predictions, version, PredictionRow)
        if table is None:
            return pd.DataFrame(columns=[*_PREDICTED, "probability"])
        return table[_PREDICTED].assign(probability=probabilities(table).max(axis=1))

    def _history(self, versions: dict[str, str], record: dict[str, Any]) -> pd.DataFrame:
        """Put the epochs of all stages of the run together, whichever run trained them."""
        order = [(stage, phase) for stage in record.get("parameters", {}).get("stages", {}) for phase in _PHASES]
        tables = []
        for stage, phase in order:
            version = versions.get(f"train.{stage}.{phase}_history")
            path = self._histories / stage / f"{phase}_history.csv"
            table = _table(path, version, self._schema) if version else None
            if table is not None:
                tables.append(table.assign(stage=stage, phase=phase))
        return pd.concat(tables, ignore_index=True) if tables else pd.DataFrame()


def _of_test(folder: Path, openings: pd.DataFrame) -> Errors | None:
    """Look up the last opening of the test part for a model."""
    if not (folder / SPEC_FILE).exists():
        return None
    return errors_on_test(openings, ModelSpec.read(folder / SPEC_FILE).checksum)


def _table(path: Path, version: str, schema: type[BaseModel] | str) -> pd.DataFrame | None:
    """Load a version of a table; ``None`` where there is none."""
    if not (path / version / path.name).exists():
        return None
    return TableDataset(filepath=str(path), schema=schema, version=Version(version, None)).load()
