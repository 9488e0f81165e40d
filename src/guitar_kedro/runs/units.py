"""Nodes that run together, or not at all; and what a pipeline leaves for people."""

from __future__ import annotations

from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any, TypeGuard, cast

from kedro.io import AbstractDataset, AbstractVersionedDataset, DataCatalog
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node

from guitar_kedro.errors import UserError

RUN_CACHE = "run_cache"


def in_memory(catalog: DataCatalog, name: str) -> bool:
    """Tell whether a dataset is gone when the run ends."""
    return bool(cast(Any, catalog.get(name, fallback_to_runtime_pattern=True))._EPHEMERAL)


def is_versioned(dataset: AbstractDataset[Any, Any] | None) -> TypeGuard[Any]:
    """Tell whether a dataset keeps its earlier versions."""
    return isinstance(dataset, AbstractVersionedDataset) and dataset._version is not None


def reports_folder(catalog: DataCatalog) -> Path:
    """Return the folder of the reports of a workspace, in which its run cache is."""
    return Path(cast(Any, catalog[RUN_CACHE])._filepath).parent


def reports_of(pipeline: Pipeline, catalog: DataCatalog) -> Iterator[tuple[Path, Any]]:
    """List the versioned reports that a pipeline makes and that are there, by their paths in the folder of reports.

    Args:
        pipeline: Of the run, whether it made them now or earlier.
        catalog: Likewise.
    """
    folder = reports_folder(catalog)
    for name in sorted(pipeline.all_outputs()):
        dataset = catalog[name]
        if is_versioned(dataset) and Path(dataset._filepath).is_relative_to(folder) and dataset.exists():
            yield Path(dataset._filepath).relative_to(folder), dataset


def units(pipeline: Pipeline, catalog: DataCatalog) -> list[list[Node]]:
    """Group the nodes that hand each other data only in memory: these run together, or none of them.

    Returns:
        The groups in an order in which they can run; most have one node.

    Raises:
        UserError: If a group would have to run both before and after another one.
    """
    unit_of = {node: number for number, node in enumerate(pipeline.nodes)}
    for name in pipeline.all_outputs():
        if in_memory(catalog, name):
            joined = {unit for node, unit in unit_of.items() if name in (*node.inputs, *node.outputs)}
            unit_of = {node: min(joined) if unit in joined else unit for node, unit in unit_of.items()}
    before: dict[int, set[int]] = {unit: set() for unit in unit_of.values()}
    for node, parents in pipeline.node_dependencies.items():
        before[unit_of[node]] |= {unit_of[parent] for parent in parents} - {unit_of[node]}
    try:
        order = list(TopologicalSorter(before).static_order())
    except CycleError as error:
        names = [pipeline.nodes[unit].name for unit in error.args[1][:2]]
        raise UserError(
            f"{names[0]} and {names[1]} wait for each other, for one of them hands on data in memory: give that data "
            "an entry in catalog.yml."
        ) from None
    return [[node for node in pipeline.nodes if unit_of[node] == unit] for unit in order]
