"""What is told to MLflow and TensorBoard of a run, and when."""

from __future__ import annotations

import logging
import socket
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from kedro.framework.hooks import hook_impl
from kedro.framework.project import pipelines
from kedro.io import DataCatalog, DatasetError
from kedro.io.core import is_parameter
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from guitar_kedro.config import StagesConfigLoader
from guitar_kedro.errors import UserError
from guitar_kedro.files import sha256_of_lines
from guitar_kedro.learning.distributed.endpoint import is_here
from guitar_kedro.learning.distributed.options import processes_of
from guitar_kedro.metrics.differences import OF_THE_WAY, flattened
from guitar_kedro.mistakes import user_error_behind
from guitar_kedro.project import models_folder
from guitar_kedro.runs.training_states import trained_phase
from guitar_kedro.runs.units import reports_of
from guitar_kedro.tracking import ModelResults, ModelRun, ResultFile, Tracker, TrackingOptions

if TYPE_CHECKING:
    from guitar_kedro.metrics import Metrics
    from guitar_kedro.pipelines.training.plan import StagePlan

logger = logging.getLogger(__name__)

BUNDLE = "bundle"
OF_MODEL = {"model", "model_card", BUNDLE}


class Tracking:
    """Tells MLflow and TensorBoard of models and what was made of them, where the parameters under ``tracking`` say so.

    What nodes make does not depend on it.
    """

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline) -> None:
        """Look who is to be told; of machines that train together, the one of the endpoint tells.

        Raises:
            ModuleNotFoundError: If what is asked for is not installed.
        """
        from guitar_kedro.pipelines.training.plan import plan_stages

        Tracker.current = None
        parameters = StagesConfigLoader.current["parameters"]
        options = TrackingOptions.of_parameter("tracking", parameters.get("tracking", {}))
        self._stages = plan_stages(parameters["stages"])
        if pipeline.all_outputs().isdisjoint({self._stages[-1].checkpoint, *OF_MODEL}):
            return
        if (options.mlflow or options.tensorboard) and is_here(processes_of(parameters).rdzv_endpoint):
            self._run = ModelRun(
                run_params["run_id"],
                parameters.get("note") or run_params["run_id"],
                parameters["workspace"],
                sha256_of_lines([f"{socket.gethostname()}:{models_folder(parameters['workspace']).resolve()}"])[:12],
                _parameters_of_model(parameters),
            )
            Tracker.current = Tracker.of_options(options, self._run)

    @hook_impl
    def before_node_run(self, node: Node) -> None:
        """Begin to tell when a node is to train."""
        if Tracker.current and trained_phase(node):
            Tracker.current.begin()

    @hook_impl
    def after_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Tell what there is of the model: epochs, metrics, reports and the exported bundle."""
        checkpoint = cast(Any, catalog[self._stages[-1].checkpoint])
        if Tracker.current and checkpoint.exists():
            version, run_id = checkpoint.resolve_load_version(), run_params["run_id"]
            name = self._run.name if version == run_id else version
            try:
                results = _results(self._stages, pipeline, catalog, run_id)
            except (DatasetError, UserError, OSError) as error:  # the run itself has ended well
                reason = str(user_error_behind(error) or error)
                logger.warning("This run is not tracked to its end: %s", reason)
                return Tracker.current.stop(reason, failed=True)
            Tracker.current.end(replace(self._run, version=version, name=name), results)

    @hook_impl
    def on_pipeline_error(self, error: Exception) -> None:
        """Tell that the run has failed."""
        if Tracker.current:
            Tracker.current.stop(str(user_error_behind(error) or error), failed=True)


def _parameters_of_model(parameters: dict[str, Any]) -> dict[str, Any]:
    """Find the parameters that a model and its evaluation depend on, by their paths."""
    used = filter(is_parameter, pipelines["__default__"].inputs())
    names = {name.removeprefix("params:").partition(".")[0] for name in used} - {*OF_THE_WAY, "display_names"}
    return flattened({name: value for name, value in parameters.items() if name in names})


def _results(stages: list[StagePlan], pipeline: Pipeline, catalog: DataCatalog, run_id: str) -> ModelResults:
    phases = (f"{stage.name}.{phase}" for stage in stages for phase in stage.phases)
    return ModelResults(
        {phase: catalog.load(f"train.{phase}_history").to_dict("records") for phase in phases},
        _numbers(catalog.load("metrics")) if "metrics" in pipeline.all_outputs() else {},
        dict(_files(pipeline, catalog, run_id)),
    )


def _numbers(metrics: Metrics) -> dict[str, float]:
    """Name what was measured of the model: of the validation part, and of the test part where it was opened."""
    parts = {"validation": metrics.validation, "test": metrics.test}
    return {
        f"{part}/{name}": value
        for part, scores in parts.items()
        for name, value in (list(scores.values())[-1].model_dump().items() if scores else ())
    }


def _files(pipeline: Pipeline, catalog: DataCatalog, run_id: str) -> Iterator[tuple[str, ResultFile]]:
    """List the reports of a pipeline and its bundle, by the names that they have elsewhere."""
    for relative, dataset in reports_of(pipeline, catalog):
        yield relative.as_posix(), ResultFile(Path(dataset._get_load_path()), dataset.resolve_load_version() == run_id)
    if BUNDLE in pipeline.all_outputs():
        bundle = cast(Any, catalog[BUNDLE])
        for path in sorted(filter(Path.is_file, Path(bundle._get_load_path()).iterdir())):
            yield f"{BUNDLE}/{path.name}", ResultFile(path, bundle.resolve_load_version() == run_id)
