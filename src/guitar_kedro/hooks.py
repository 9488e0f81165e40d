"""What happens around a run."""

from __future__ import annotations

import logging
import os
import shutil
import time
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, cast

from kedro.framework.hooks import hook_impl
from kedro.io import DataCatalog
from kedro.io.core import DatasetError
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from guitar_kedro.config import StagesConfigLoader
from guitar_kedro.errors import UserError, listed
from guitar_kedro.mistakes import user_error_behind
from guitar_kedro.runs.lock import WorkspaceLock
from guitar_kedro.runs.record import NodeMeter, environment
from guitar_kedro.runs.tracking import BUNDLE
from guitar_kedro.runs.units import RUN_CACHE, is_versioned, reports_folder, reports_of
from guitar_kedro.session import with_session

logger = logging.getLogger(__name__)

REPORTS = (
    "model_card",
    "metrics",
    "classification_report",
    "confusion_matrix",
    "most_confused",
    "stage_comparison",
    "stage_comparison_plot",
    "predictions",
    "training_sheet",
    "model",
)
PREDICTED = ("predictions_table", "image_predictions", "predictions_sheet")
COLLECTED = "collected_images"
UNLABELLED = "unlabelled"
DATA = ("image_table", "splits")  # what a run record knows the data by


class OneRunAtATime:
    """Lets one run at a time into a workspace."""

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, catalog: DataCatalog) -> None:
        """Take the lock of the workspace.

        Raises:
            UserError: If another run has it.
        """
        self._lock = WorkspaceLock(reports_folder(catalog))
        self._lock.acquire()

    @hook_impl(trylast=True)
    def after_pipeline_run(self) -> None:
        """Let others run."""
        self._lock.release()

    @hook_impl(trylast=True)
    def on_pipeline_error(self) -> None:
        """Let others run."""
        self._lock.release()


class CheckpointGuard:
    """Refuses checkpoints of another architecture, size or class list than the run asks for."""

    @hook_impl
    def before_node_run(self, node: Node, catalog: DataCatalog, inputs: dict[str, Any]) -> None:
        """Compare the checkpoints that a node loaded with the parameters of their stages, and with the split.

        Nodes that are tagged ``any_model`` take a model for what its spec says that it is.

        Raises:
            UserError: If they differ; it names the file, what differs, and both values.
        """
        from guitar_kedro.learning.networks.checkpoint import Checkpoint, ModelSpec

        for name, data in inputs.items():
            if isinstance(data, (Checkpoint, ModelSpec)) and "any_model" not in node.tags:
                labels = sorted(set(inputs["splits"]["label"])) if "splits" in inputs else None
                stages = StagesConfigLoader.current["parameters"]["stages"]
                spec = data.spec if isinstance(data, Checkpoint) else data
                _refuse_other(cast(Any, catalog[name])._get_load_path(), spec, stages, labels)


def _refuse_other(path: Path, spec: Any, stages: dict[str, Any], labels: list[str] | None) -> None:
    stage = spec.provenance.get("stage")
    for field in ("architecture", "image_size") if stage in stages else ():
        found, wanted = spec.model_dump(mode="json")[field], stages[stage].get(field)
        if found != wanted:
            raise UserError(
                f"{path} has {field} {found}, but stages.{stage}.{field} is {wanted}: train it again with `kedro run "
                f"--pipeline=train`, or ask for what it is with --params=stages.{stage}.{field}="
                f"{str(found).replace(' ', '')}."
            )
    if labels is not None and sorted(spec.classes) != labels:
        of_one = sorted(set(spec.classes).symmetric_difference(labels))
        raise UserError(
            f"{path} has classes {listed(spec.classes, 20)}, but splits has {listed(labels, 20)} (only one of them has "
            f"{listed(of_one)}): train it again with `kedro run --pipeline=train`, or name a version with these "
            "classes with --load-versions."
        )


class RunRecorder:
    """Keeps a record of each run: what it did, with what, and which versions belong to it."""

    @hook_impl
    def before_pipeline_run(self) -> None:
        """Begin to measure."""
        self._began, self._meter = time.time(), NodeMeter()
        self._touched: set[str] = set()

    @hook_impl
    def before_dataset_loaded(self, dataset_name: str, node: Node) -> None:
        """Note that a node begins."""
        self._meter.begin(node.name)
        self._touched.add(dataset_name)

    @hook_impl
    def after_dataset_saved(self, dataset_name: str, node: Node) -> None:
        """Note how far a node is."""
        self._meter.end(node.name)
        self._touched.add(dataset_name)

    @hook_impl
    def after_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Save the record of a run that ended well: with what it skipped, all of the pipeline belongs to it."""
        self._save(run_params, pipeline, catalog, pipeline.datasets(), "finished")

    @hook_impl
    def on_pipeline_error(
        self, error: Exception, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog
    ) -> None:
        """Save the record of a run that failed; on a full disk there may be no room for it."""
        sentence = str(user_error_behind(error) or error)
        try:
            self._save(run_params, pipeline, catalog, self._touched, f"failed: {sentence}")
        except (DatasetError, OSError) as unsaved:
            logger.warning("There is no record of this run: %s", user_error_behind(unsaved) or unsaved)

    def _save(
        self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog, datasets: set[str], ending: str
    ) -> None:
        self._meter.stop()
        versions = _versions(catalog, datasets)
        version = run_params["run_id"]
        parameters = StagesConfigLoader.current["parameters"]
        record = {
            "version": version,
            "note": parameters.get("note") or "",
            "exit": ending,
            "began": datetime.fromtimestamp(self._began, timezone.utc).isoformat(timespec="seconds"),
            "seconds": round(time.time() - self._began, 3),
            "env": run_params["env"],
            "pipelines": run_params["pipeline_names"] or ["__default__"],
            "parameters": parameters,
            "runtime_params": run_params["runtime_params"],
            "data": {name: cast(Any, catalog[name]).fingerprint() for name in DATA},
            **environment(parameters["device"]),
            "nodes": self._meter.nodes,
            "skipped": [node.name for node in pipeline.nodes if node.name not in self._meter.nodes],
            "saved": {name: saved for name, saved in versions.items() if saved == version},
            "loaded": {name: loaded for name, loaded in versions.items() if loaded != version},
        }
        catalog["run_record"].save(record)


def _versions(catalog: DataCatalog, names: set[str]) -> dict[str, str]:
    datasets = {name: catalog[name] for name in sorted(names)}
    versioned = {name: dataset for name, dataset in datasets.items() if is_versioned(dataset)}
    return {name: dataset.resolve_load_version() for name, dataset in versioned.items() if dataset.exists()}


class GivenImages:
    """Looks after the pictures of the user: what is given is used, stays apart from what runs write, and is noted."""

    @hook_impl(tryfirst=True)
    def before_pipeline_run(self, run_params: dict[str, Any], pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Compare what was asked for with what the pipeline loads, and the places of that with those of what it saves.

        Raises:
            UserError: If ``images`` is given in an environment that draws its images, to another pipeline than predict;
                if the run would write into a folder of pictures, or the system cannot look at one; if pictures would be
                collected that this environment does not take.
        """
        from guitar_kedro.datasets import DrawnImagesDataset, GivenImagesDataset

        if COLLECTED in pipeline.all_outputs() and not getattr(catalog["raw_images"], "collected", None):
            raise UserError(
                "--pipeline=collect: this environment has images of its own; collect yours for a workspace of "
                "--env=photos, and name that with --params=name=NAME."
            )
        given = run_params["runtime_params"] or {}
        if UNLABELLED in given and f"{UNLABELLED}_images" not in pipeline.inputs():
            raise UserError(
                "--params=unlabelled=...: pictures without labels are looked at by `kedro run --pipeline=label_next`; "
                "those that you accept in `kedro review` are in every later run without being named."
            )
        is_unused = "images" in given and "images_to_predict" not in pipeline.inputs()
        if is_unused and isinstance(catalog["raw_images"], DrawnImagesDataset):
            raise UserError(
                "--params=images=...: this environment draws its own images; predict yours with --pipeline=predict, or "
                "train on them with --env=photos."
            )
        saved = [catalog[name] for name in sorted({*pipeline.all_outputs(), RUN_CACHE, "run_record"} - {COLLECTED})]
        places = [getattr(dataset, "_filepath", getattr(dataset, "folder", None)) for dataset in saved]
        for name in sorted(pipeline.inputs() | (set() if _predicts(pipeline) else {"raw_images"})):
            if isinstance(dataset := catalog[name], GivenImagesDataset):
                dataset.refuse_written(Path(place) for place in places if place is not None)

    @hook_impl
    def after_pipeline_run(self, pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Note where the pictures of the workspace are, unless they are there to be predicted.

        A run that skipped all that would load them does so too. ``kedro status`` only looks, and notes nothing. Of what
        was collected, say whether the next run takes it.
        """
        from guitar_kedro.datasets import PhotosDataset

        dataset = catalog["raw_images"]
        if COLLECTED in pipeline.all_outputs():
            _say_whether_taken(dataset)
        if isinstance(dataset, PhotosDataset) and not _predicts(pipeline):
            try:
                dataset.remember()
            except (UserError, OSError) as error:  # the run itself has ended well
                logger.warning("Where the images are is not noted: %s", error)


def _say_whether_taken(raw_images: Any) -> None:
    collected, place = os.path.relpath(raw_images.collected), raw_images._source()
    if not any(raw_images.collected.glob("*/*")):
        return
    if Path(place).resolve() == raw_images.collected.resolve():
        logger.info(with_session(f"`kedro run` trains on {collected}"))
    else:
        logger.warning(
            "This workspace has its images in %s: to train on those that were collected, give "
            "--params=images=%s, or put all of them into one folder",
            place,
            collected,
        )


def _predicts(pipeline: Pipeline) -> bool:
    """Whether the images that are given to this pipeline are there to be predicted."""
    return "images_to_predict" in pipeline.inputs() or not pipeline.all_outputs().isdisjoint(PREDICTED)


class LatestResults:
    """Links the latest reports of a workspace in one folder, ``latest`` beside their versions."""

    @hook_impl
    def after_pipeline_run(self, pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Link what the run made, or found up to date; where the system allows no links, copy it."""
        latest = reports_folder(catalog) / "latest"
        for relative, dataset in reports_of(pipeline, catalog):
            try:
                _link(latest / relative, Path(dataset._get_load_path()))
            except OSError as error:  # the run itself has ended well
                logger.warning("%s is not linked: %s", dataset._filepath, error)


def _link(link: Path, target: Path) -> None:
    link.parent.mkdir(parents=True, exist_ok=True)
    beside = link.with_name(f".{link.name}")
    beside.unlink(missing_ok=True)
    try:
        beside.symlink_to(os.path.relpath(target, link.parent))
    except OSError:
        shutil.copyfile(target, beside)
    os.replace(beside, link)


class RunReport:
    """Shows at the end of a run how good the model is, or what it predicted, and where each file lies."""

    @hook_impl
    def after_pipeline_run(self, pipeline: Pipeline, catalog: DataCatalog) -> None:
        """Print the summary where the run has predicted or evaluated."""
        if set(PREDICTED) <= pipeline.all_outputs():
            for line in _predicted(catalog.load("predictions_summary")):
                logger.info(line)
            for name in PREDICTED:
                logger.info("%s: %s", name, _place(catalog[name]))
        if BUNDLE in pipeline.all_outputs():
            logger.info("%s: %s", BUNDLE, _place(catalog[BUNDLE]))
        if "best_trial" in pipeline.all_outputs():
            logger.info("The best trial again, bit by bit: kedro run --config=%s", _place(catalog["best_trial"]))
        if not {"metrics", "stage_comparison", "most_confused"} <= pipeline.all_outputs():
            return
        from rich.console import Console

        from guitar_kedro import cards

        places = {name: _place(catalog[name]) for name in REPORTS if name in pipeline.all_outputs() or name == "model"}
        summary = cards.console_summary(
            catalog.load("metrics"), catalog.load("stage_comparison"), catalog.load("most_confused"), places
        )
        Console().print(summary, soft_wrap=True)


def _predicted(summary: dict[str, Any]) -> Iterator[str]:
    from guitar_kedro.metrics.formatting import count, interval, percent

    read, unreadable = summary["images"] - summary["unreadable"], summary["unreadable"]
    decisions = ", ".join(f"{number:,} {decision}" for decision, number in summary["decisions"].items())
    yield f"{count(read, 'image')} predicted: {decisions}; {count(unreadable, 'file')} could not be read"
    if folders := summary.get("folders"):
        ends = interval(folders["accuracy_low"], folders["accuracy_high"])
        yield (
            f"In folders called like classes, the predictions of {folders['right']:,} of "
            f"{count(folders['images'], 'image')} agree with them: accuracy {percent(folders['accuracy'])} "
            f"(95 % interval {ends}), which says little of pictures that the model was trained on"
        )


def _place(dataset: Any) -> str:
    return os.path.relpath(Path(dataset._get_load_path()))
