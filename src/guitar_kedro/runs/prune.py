"""Removes what nobody needs any more: old versions, and what dead runs left behind."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any, cast

from kedro.io import AbstractDataset, DataCatalog
from kedro.io.core import is_parameter
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from rich.filesize import decimal

from guitar_kedro.datasets.artifacts import SUMS_FILE, Artifact
from guitar_kedro.datasets.changes import TableBeforeChangeDataset
from guitar_kedro.datasets.features import FeaturesDataset, holds_features_alone
from guitar_kedro.datasets.pixels import PixelsDataset, holds_pixels_alone
from guitar_kedro.datasets.predictions import PredictionsDataset
from guitar_kedro.errors import UserError
from guitar_kedro.learning.inference.chunk import predictor_key
from guitar_kedro.learning.networks.checkpoint import SPEC_FILE, ModelSpec
from guitar_kedro.runs.lock import WorkspaceLock
from guitar_kedro.runs.training_states import states_folder, trains
from guitar_kedro.runs.units import reports_folder

RUN_RECORD, MODEL = "run_record", "model"
_MANY = 10  # files that are named one by one


def prune_workspace(
    workspace: str, catalog: DataCatalog, pipelines: Iterable[Pipeline], keep: int, dry_run: bool
) -> Iterator[str]:
    """Remove what nobody needs: of versions, those that no kept run record names; of the rest, what can be made again.

    That is drawn sets of other parameters, archives unpacked for other runs, prepared pictures that stand in no record,
    decoded ones of no stage, predictions and training that nobody goes on with, and unfinished writes. The latest
    version of each dataset stays in any case, and so does what the project did not make itself.

    Args:
        workspace: Its name.
        catalog: Of the workspace.
        pipelines: Whose datasets and nodes to look at; datasets that run records name are looked at as well.
        keep: So many of the latest run records are kept, and besides those of the runs that made models which stay.
        dry_run: Whether to remove nothing.

    Yields:
        A line for each version or leftover, or for many files of a folder, and a last one that says how many bytes
        all of it has.

    Raises:
        UserError: If there is no such workspace, or a run is going on in it.
    """
    reports = reports_folder(catalog)
    if not reports.exists():
        raise UserError(f"There is no workspace {reports.name}: nothing was ever run in it.")
    lock = WorkspaceLock(reports)
    lock.acquire()
    try:
        nodes = {node for pipeline in pipelines for node in pipeline.nodes}
        names = {name for node in nodes for name in (*node.inputs, *node.outputs)}
        found = (*_condemned(catalog, names, keep), *_orphans(workspace, nodes), *_spare(catalog, nodes, names))
        condemned, freed = list(dict.fromkeys(found)), 0  # two datasets may look at one folder
        for what, paths in _lines(condemned):
            size = sum(file.lstat().st_size for path in paths for file in (path, *path.rglob("*")) if not file.is_dir())
            freed += size
            for path in () if dry_run else paths:
                _remove(path)
            yield f"{'would remove' if dry_run else 'removed'} {what} ({decimal(size)})"
        yield f"{len(condemned)} in all, {decimal(freed)}{'; nothing was removed' if dry_run else ''}"
    finally:
        lock.release()


def _lines(condemned: Iterable[Path]) -> Iterator[tuple[str, list[Path]]]:
    """Say what goes, a version or a file in a line; of many files of one folder, how many."""
    for folder, group in groupby(condemned, lambda path: path.parent if path.is_file() else None):
        paths = list(group)
        if folder and len(paths) > _MANY:
            yield f"{len(paths):,} files of {os.path.relpath(folder)}", paths
        else:
            yield from ((os.path.relpath(path), [path]) for path in paths)


def _condemned(catalog: DataCatalog, names: set[str], keep: int) -> list[Path]:
    """List what goes: run records first, so that none is left that names what is gone."""
    records, model = cast(Any, catalog[RUN_RECORD]), cast(Any, catalog.get(MODEL))
    versions = records.list_versions(full_path=False) if records.exists() else []
    kept = {_folder(model) / model.list_versions(full_path=False)[0]} if model and model.exists() else set()
    for place, version in enumerate(versions):  # the latest one first
        record = catalog.load(RUN_RECORD, version=version)
        belonging = {**record["saved"], **record["loaded"]}
        names |= set(belonging)
        made = record["saved"].get(MODEL)
        # predictions and failures may have come since; of a model that stays, people want to know how it was made
        if place < keep or (made and _folder(model) / made in kept):
            kept.add(_folder(records) / version)
            entries = ((catalog.get(name), version) for name, version in belonging.items())
            kept |= {_folder(entry) / version for entry, version in entries if entry is not None}
    datasets = [records, *(catalog.get(name) for name in sorted(names))]
    for dataset in datasets:
        if isinstance(dataset, TableBeforeChangeDataset):
            kept |= dataset.needed()
    return [path for dataset in datasets if isinstance(dataset, Artifact) for path in _unneeded(dataset, kept)]


def _orphans(workspace: str, nodes: set[Node]) -> Iterator[Path]:
    """List the states of training that were not written to the end, or are of phases that there are no more."""
    names = {node.name for node in nodes if trains(node)}
    return (path for path in sorted(states_folder(workspace).glob("*")) if path.stem not in names)


def _spare(catalog: DataCatalog, nodes: set[Node], names: set[str]) -> Iterator[Path]:
    """List what was made on the way to results, and would be made again if somebody needed it."""
    datasets = [dataset for name in sorted(names) if not is_parameter(name) and (dataset := catalog.get(name))]
    trained_on = {name for node in filter(trains, nodes) for name in node.inputs if not is_parameter(name)}
    of_stages = {dataset.folder for name in trained_on if isinstance(dataset := catalog[name], PixelsDataset)}
    folders = {dataset.folder for dataset in datasets if isinstance(dataset, PixelsDataset)}
    folders |= {found for folder in folders for found in folder.parent.glob("pixels_*px")}
    yield from sorted(filter(holds_pixels_alone, folders - of_stages))
    features = {dataset.folder for dataset in datasets if isinstance(dataset, FeaturesDataset)}
    found = {path for folder in features for path in folder.parent.glob("*")}
    yield from sorted(filter(holds_features_alone, found - features))
    for dataset in datasets:
        if isinstance(dataset, PredictionsDataset):
            yield from dataset.unneeded(_predictor_key(catalog))
        elif hasattr(dataset, "unneeded") and getattr(dataset, "folder", None) not in folders - of_stages:
            yield from dataset.unneeded()


def _predictor_key(catalog: DataCatalog) -> str | None:
    model: Any = catalog.get("model")
    if model is None or not model.exists():
        return None
    return predictor_key(ModelSpec.read(Path(model._get_load_path()) / SPEC_FILE))


def _folder(dataset: AbstractDataset[Any, Any]) -> Path:
    return Path(cast(Artifact, dataset)._filepath)


def _unneeded(dataset: Artifact, kept: set[Path]) -> Iterator[Path]:
    folder = _folder(dataset)
    if not dataset._version:
        yield from sorted(folder.parent.glob(f".{folder.stem}.*-*{folder.suffix}"))
        return
    versions = sorted(path for path in folder.glob("*") if path.is_dir())
    whole = [path for path in versions if (path / folder.name).exists()]
    for path in versions:
        if path in whole:
            unneeded = path != whole[-1] and path not in kept
        else:  # a write that did not end; what else a person put there is theirs
            unneeded = all(left.name == SUMS_FILE or left.name.startswith(".") for left in path.iterdir())
        if unneeded:
            yield path


def _remove(path: Path) -> None:
    """Remove a version; a process that dies meanwhile leaves a leftover, and no version that lacks a part."""
    artifact = path / path.parent.name
    if artifact.exists():
        os.replace(artifact, path / f".{artifact.name}.pruned")
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink()
