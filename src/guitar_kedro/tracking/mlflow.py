"""MLflow: a server, or a folder.

MLflow is asked by its own client (https://mlflow.org/docs/latest/api_reference/python_api/mlflow.client.html), which
reads who asks from the environment: ``MLFLOW_TRACKING_USERNAME``, ``MLFLOW_TRACKING_PASSWORD``,
``MLFLOW_TRACKING_TOKEN``. Its settings for time limits are kept where the environment has them.
"""

from __future__ import annotations

import logging
import math
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock

from guitar_kedro.images.downloads import is_address
from guitar_kedro.tracking.place import OF_EPOCHS, ModelResults, ModelRun, Place, Row

if TYPE_CHECKING:
    from mlflow import MlflowClient

_ENVIRONMENT = {
    "MLFLOW_CONFIGURE_LOGGING": "false",  # what matters is said here
    "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",  # seven, with growing pauses, by default
    "MLFLOW_HTTP_REQUEST_TIMEOUT": "10",  # seconds; 120 by default
    "MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT": "true",
}
_PARAMETERS_AT_ONCE = 100  # that a request may hold
_PROJECT, _VERSION, _OWNER = "guitar-kedro", "model_version", "workspace_id"


class MlflowPlace(Place):
    """An MLflow server or folder: an experiment for each workspace, and a run in it for each model."""

    name = "MLflow"

    def __init__(self, place: str) -> None:
        """Take the address or the folder; nothing is asked yet.

        Raises:
            ModuleNotFoundError: If MLflow is not installed.
        """
        self._place, self.parameter = place, f"tracking.mlflow={place}"
        for name, value in _ENVIRONMENT.items():
            os.environ.setdefault(name, value)
        for name in ("alembic", "mlflow", "urllib3.connectionpool"):
            logging.getLogger(name).setLevel(logging.ERROR)  # migrations of a database, and each attempt that failed
        import mlflow  # noqa: F401  # not in a thread: another one may be importing the same

    def begin(self, run: ModelRun) -> str:
        """Create a run with its parameters; those of this workspace that were killed are marked as such."""
        from mlflow.entities import Param
        from mlflow.tracking.context.registry import resolve_tags

        self._connect(run)
        for killed in self._runs(f"attributes.status = 'RUNNING' and tags.{_OWNER} = '{run.owner}'"):
            self._client.set_terminated(killed.info.run_id, "KILLED")
        tags = {**resolve_tags(), _VERSION: run.version, _OWNER: run.owner}
        self._run = self._client.create_run(self._experiment, tags=tags, run_name=run.name)
        parameters = [Param(name, str(value)) for name, value in run.parameters.items()]
        for begin in range(0, len(parameters), _PARAMETERS_AT_ONCE):
            self._client.log_batch(self._id, params=parameters[begin : begin + _PARAMETERS_AT_ONCE])
        return f"this run is {self._where()}"

    def go_on(self, run: ModelRun) -> bool:
        """Find the run of a model that was told to the end."""
        self._connect(run)
        of_model = f"tags.{_VERSION} = '{run.version}' and tags.{_OWNER} = '{run.owner}'"
        found = self._runs(f"attributes.status = 'FINISHED' and {of_model}")
        if found:
            self._run = found[0]
        return bool(found)

    def epoch(self, phase: str, row: Row) -> None:
        """Log the metrics of an epoch."""
        self._log({f"{phase}/{name}": row[name] for name in OF_EPOCHS if name in row}, int(row["epoch"]))

    def end(self, results: ModelResults, *, known: bool) -> str:
        """Log metrics of the model, and send the files that are new, or not there."""
        there = self._files_of({path.rpartition("/")[0] for path in results.files}) if known else set()
        files = {path: file for path, file in results.files.items() if file.is_new or path not in there}
        for path, file in files.items():
            self._client.log_artifact(self._id, str(file.path), path.rpartition("/")[0] or None)
        if files or not known:
            self._log(results.metrics)
            self._client.set_terminated(self._id, "FINISHED")
        return f"{self._where()} has this model{' already' if known and not files else ''}"

    def stop(self, reason: str, *, failed: bool) -> None:
        """Mark the run as failed or killed, and say why."""
        self._client.set_tag(self._id, "mlflow.note.content", reason)
        self._client.set_terminated(self._id, "FAILED" if failed else "KILLED")

    @property
    def _id(self) -> str:
        return str(self._run.info.run_id)

    def _connect(self, run: ModelRun) -> None:
        if is_address(self._place):
            return self._open(self._place, run)
        folder = Path(self._place).expanduser().resolve()
        folder.mkdir(parents=True, exist_ok=True)
        with FileLock(folder / ".lock"):  # of two runs at once, only one may make the tables
            # where MLflow's own commands look, when they are typed in this folder
            self._open(f"sqlite:///{folder.as_posix()}/mlflow.db", run, (folder / "mlartifacts").as_uri())

    def _open(self, address: str, run: ModelRun, artifacts: str | None = None) -> None:
        from mlflow import MlflowClient

        self._client: MlflowClient = MlflowClient(address)
        name = f"{_PROJECT}.{run.workspace}"
        found = self._client.get_experiment_by_name(name)
        self._experiment = found.experiment_id if found else self._client.create_experiment(name, artifacts)

    def _where(self) -> str:
        if self._place.startswith("http"):
            return f"{self._place.rstrip('/')}/#/experiments/{self._experiment}/runs/{self._id}"
        return f"{self._run.info.run_name} in {self._place}"

    def _runs(self, which: str) -> list[Any]:
        return list(self._client.search_runs([self._experiment], which))

    def _log(self, numbers: Mapping[str, float], step: int = 0) -> None:
        from mlflow.entities import Metric

        now = int(time.time() * 1000)
        known = {name: float(value) for name, value in numbers.items() if value is not None}
        metrics = [Metric(name, value, now, step) for name, value in known.items() if math.isfinite(value)]
        self._client.log_batch(self._id, metrics=metrics)

    def _files_of(self, folders: set[str]) -> set[str]:
        return {found.path for folder in folders for found in self._client.list_artifacts(self._id, folder or None)}
