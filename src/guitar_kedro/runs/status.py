"""What is finished, what would run again and why, and what is missing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from rich.console import Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from guitar_kedro.errors import UserError
from guitar_kedro.metrics.formatting import percent
from guitar_kedro.metrics.openings import last_opening
from guitar_kedro.pipelines.training.plan import StagePlan
from guitar_kedro.runs.run_cache import Fingerprint, RunCache
from guitar_kedro.runs.training_states import training_state, trains
from guitar_kedro.runs.units import units

State = Literal["done", "in progress", "stale", "damaged", "missing"]
STYLES: dict[State, str] = {
    "done": "green",
    "in progress": "cyan",
    "stale": "yellow",
    "damaged": "red",
    "missing": "dim",
}
GROUPS = ("ingestion", "splitting", "training", "calibration", "reporting", "evaluation", "cross_validation")


@dataclass(frozen=True)
class NodeStatus:
    """Where a node is.

    Attributes:
        state: Whether its results are there and valid.
        reasons: Why they are not, in a few words each; none if that is only for what runs before it. Of a phase in
            progress, the first one is how far it is.
        version: The run that made what is there: the time at which it began, in UTC.
    """

    state: State
    reasons: tuple[str, ...]
    version: str | None


def node_statuses(pipeline: Pipeline, catalog: DataCatalog, parameters: dict[str, Any]) -> dict[str, NodeStatus]:
    """Find out where each node is, without running any.

    Args:
        pipeline: What to look at.
        catalog: Its datasets.
        parameters: As they stand in the configuration.

    Returns:
        The statuses by the name of the node; a node that leaves nothing on disk has none. A run may find less to do:
        what is made anew and comes out the same makes nothing stale.
    """
    run_cache = RunCache(catalog, parameters)
    statuses: dict[str, NodeStatus] = {}
    made_anew: set[str] = set()
    for unit in units(pipeline, catalog):
        found = {
            node.name: _status(node, run_cache, parameters, waits=not made_anew.isdisjoint(node.inputs))
            for node in unit
        }
        if any(status.state != "done" for status in found.values()):
            made_anew |= {name for node in unit for name in node.outputs}
        statuses |= {node.name: found[node.name] for node in unit if run_cache.results(node)}
    return statuses


def _status(node: Node, run_cache: RunCache, parameters: dict[str, Any], waits: bool) -> NodeStatus:
    version = run_cache.version(node)
    try:
        fingerprint = run_cache.fingerprint(node)
        run_cache.note_memory(node, fingerprint)
        reasons = run_cache.reasons(node, fingerprint)
        if reasons and not waits and (progress := _progress(node, fingerprint, parameters)):
            return NodeStatus("in progress", (progress, *reasons), version)
    except UserError as error:
        return NodeStatus("damaged", (str(error),), version)
    if version is None and (reasons or waits):
        return NodeStatus("missing", (), None)
    return NodeStatus("stale" if reasons or waits else "done", tuple(reasons), version)


def _progress(node: Node, fingerprint: Fingerprint, parameters: dict[str, Any]) -> str | None:
    """Say how far an interrupted training came that the next run goes on with."""
    facts = training_state(node, fingerprint, parameters).facts() if trains(node) else None
    if facts is None or fingerprint.changes_since(facts["belongs_to"]):
        return None
    return f"epoch {facts['epoch']} of {facts['epochs']}"


def status_report(
    stages: list[StagePlan], pipelines: Mapping[str, Pipeline], catalog: DataCatalog, parameters: dict[str, Any]
) -> RenderableType:
    """Lay the statuses out for a terminal: a row for each phase of each stage, the other nodes in short.

    Args:
        stages: In the order of training.
        pipelines: By name.
        catalog: Their datasets.
        parameters: As they stand in the configuration.
    """
    statuses = node_statuses(pipelines["__default__"], catalog, parameters)
    # the cross-validation is no part of a usual run: what it lacks makes nothing else stale
    cross_validation = node_statuses(pipelines["cross_validation"], catalog, parameters)
    statuses = {**cross_validation, **statuses}
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in ("stage", "phase", "state", "version", "error"):
        table.add_column(name, no_wrap=name != "stage", overflow="fold", justify="right" if name == "error" else "left")
    makers = {name: node.name for node in pipelines["__default__"].nodes for name in node.outputs}
    rows = list(_rows(stages, makers, statuses, catalog))
    for stage, phase, node, error in rows:
        status = statuses[node]
        progress = f", {status.reasons[0]}" if status.state == "in progress" else ""
        state = Text(status.state + progress, STYLES[status.state])
        table.add_row(stage, phase, state, status.version or "", "" if error is None else percent(error, 2))
    shown = {node for _, _, node, _ in rows}
    heading = Text(f"Workspace {parameters['workspace']}", "bold")
    return Group(heading, Text(), table, *_reasons(statuses), Text(), _others(pipelines, statuses, shown))


def _rows(
    stages: list[StagePlan], makers: Mapping[str, str], statuses: Mapping[str, NodeStatus], catalog: DataCatalog
) -> Iterator[tuple[str, str, str, float | None]]:
    for stage in stages:
        for phase in stage.phases:
            node = makers[f"train.{stage.name}.{phase}_checkpoint"]
            name, error = f"train.{stage.name}.{phase}_history", None
            if _is_there(statuses[node], catalog, name):
                history = catalog.load(name)
                kept = history["kept"].idxmax() if "kept" in history else -1  # which earlier versions did not write
                error = history["error_rate"].iloc[kept]
            yield stage.name if phase == stage.phases[0] else "", phase, node, error
    opening = None
    if _is_there(statuses[makers["model_spec"]], catalog, "model_spec"):
        # not from metrics, which a run with --load-versions may have computed for another model
        opening = last_opening(catalog.load("test_log"), catalog.load("model_spec").checksum)
    yield "model", "test part", makers["model"], None if opening is None else 1 - opening["accuracy"]


def _is_there(status: NodeStatus, catalog: DataCatalog, name: str) -> bool:
    return status.state in ("done", "stale") and catalog.exists(name)


def _reasons(statuses: Mapping[str, NodeStatus]) -> list[RenderableType]:
    told = {name: status for name, status in statuses.items() if status.state in ("stale", "damaged", "in progress")}
    by_reason: dict[str, list[str]] = {}
    for name, status in told.items():
        for reason in status.reasons[1 if status.state == "in progress" else 0 :]:
            by_reason.setdefault(reason, []).append(name)
    lines: list[RenderableType] = []
    for reason, names in by_reason.items():
        lines += [Text(reason, "bold"), Padding(Text(", ".join(names), no_wrap=False, overflow="fold"), (0, 0, 0, 2))]
    if waiting := sum(not status.reasons for status in told.values()):
        lines.append(Text(f"and {waiting} nodes after these"))
    return [Text(), Text("Would run again, because", "yellow"), *lines] if lines else []


def _others(pipelines: Mapping[str, Pipeline], statuses: Mapping[str, NodeStatus], shown: set[str]) -> Table:
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    left = dict.fromkeys(name for name in statuses if name not in shown)
    for group in GROUPS:
        names = [node.name for node in pipelines[group].nodes if node.name in left]
        states = Counter(statuses[name].state for name in names)
        counts = [Text(f"{states[state]} {state}", style) for state, style in STYLES.items() if states[state]]
        table.add_row(f"other nodes of {group}" if group == "training" else group, Text(", ").join(counts))
        for name in names:
            left.pop(name)
    return table
