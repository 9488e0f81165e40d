"""Runs what must run: nodes whose results are there and valid are skipped."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from kedro.framework.project import pipelines
from kedro.framework.session import KedroSession
from kedro.io import DataCatalog
from kedro.pipeline import Pipeline
from kedro.pipeline.node import Node
from kedro.runner import SequentialRunner
from kedro.runner.task import Task
from pluggy import PluginManager

from guitar_kedro.config import StagesConfigLoader
from guitar_kedro.errors import UserError
from guitar_kedro.learning.distributed.endpoint import is_here
from guitar_kedro.learning.distributed.options import processes_of
from guitar_kedro.pipelines.prefilled import prefilled
from guitar_kedro.runs.checks import check_nodes, check_parameters, check_versions, is_checked
from guitar_kedro.runs.run_cache import Fingerprint, RunCache
from guitar_kedro.runs.training_states import trained_phase, training_state, trains
from guitar_kedro.runs.units import in_memory, is_versioned, units
from guitar_kedro.tracking import Tracker

if TYPE_CHECKING:
    from guitar_kedro.learning import TrainingState

logger = logging.getLogger(__name__)

ONE_AFTER_ANOTHER = "nodes run one after another here, and each uses all cores by itself"


class ResumingSession(KedroSession):
    """A session that goes on where earlier runs ended, in the command line and in notebooks alike."""

    def run(  # type: ignore[override]  # it hands on the other options of Kedro as they are
        self,
        pipeline_name: str | None = None,
        pipeline_names: list[str] | None = None,
        runner: Any = None,
        **options: Any,
    ) -> dict[str, Any]:
        """Run a pipeline as ``KedroSession.run``, skipping what is finished and still valid.

        Of machines that train together, the one of the endpoint runs all of it, and the others what training needs.

        Args:
            pipeline_name: As of ``KedroSession.run``.
            pipeline_names: Likewise.
            runner: A sequential one; Kedro's own is replaced by the one that skips what is done.
            **options: As of ``KedroSession.run``. The nodes of ``node_names`` and ``from_nodes`` run in any case; with
                ``load_versions``, what the same node made is loaded from the same version.

        Returns:
            The datasets that the pipeline ends in.

        Raises:
            UserError: If the runner is another one.
        """
        if not isinstance(runner, SequentialRunner | None):
            raise UserError(f"{type(runner).__name__}: {ONE_AFTER_ANOTHER}; leave the runner out.")
        if runner is None or type(runner) is SequentialRunner:
            named = frozenset(name for which in ("node_names", "from_nodes") for name in options.get(which) or ())
            runner = ResumingRunner(named, is_async=runner is not None and runner._is_async)
        if "rdzv_endpoint" in (self.store.get("runtime_params") or {}):
            names = pipeline_names or [pipeline_name or "__default__"]
            options["node_names"] = self._part_of_this_machine(names, options.get("node_names"))
        if options.get("load_versions"):
            self.load_context()  # so that the pipelines are those of this configuration
            options["load_versions"] = _with_what_belongs_to_it(options["load_versions"])
        try:
            return super().run(pipeline_name, pipeline_names, runner=runner, **options)
        except KeyboardInterrupt:  # of which Kedro tells no hook
            if Tracker.current:
                Tracker.current.stop("Stopped with Ctrl-C.", failed=False)
            raise

    def _part_of_this_machine(
        self, pipeline_names: list[str], node_names: Iterable[str] | None
    ) -> Iterable[str] | None:
        """Leave to the machine of the endpoint what is not needed for training."""
        endpoint = processes_of(self.load_context().config_loader["parameters"]).rdzv_endpoint
        if is_here(endpoint):
            return node_names
        known = [pipelines[name] for name in pipeline_names if name in pipelines]  # Kedro tells of the others
        whole = sum(known, Pipeline([]))
        wanted = whole.only_nodes(*node_names) if node_names else whole
        training = [node.name for node in wanted.nodes if trains(node)]
        if not training:
            return node_names
        names = [node.name for node in wanted.to_nodes(*training).nodes]
        logger.info("Training for the machine of %s, which keeps the model and its reports", endpoint)
        return names


class ResumingRunner(SequentialRunner):
    """Kedro's sequential runner, which skips the nodes that the run cache of the workspace knows as done."""

    def __init__(self, always: frozenset[str] = frozenset(), is_async: bool = False) -> None:
        """Make the runner.

        Args:
            always: Names of nodes that run in any case.
            is_async: Whether the datasets of a node are loaded and saved in threads.
        """
        super().__init__(is_async)
        self._always = always

    def _run(  # type: ignore[override]  # Kedro gives no other catalog than its own
        self,
        pipeline: Pipeline,
        catalog: DataCatalog,
        hook_manager: PluginManager | None = None,
        run_id: str | None = None,
    ) -> None:
        parameters = StagesConfigLoader.current["parameters"]
        check_parameters(parameters)
        resume = parameters.get("resume", True)
        run_cache = self._check(pipeline, catalog, parameters, resume)
        results = pipeline.outputs()
        returned = {name for name in results if in_memory(catalog, name)}
        wanted = returned | {name for name in results if run_cache.must_be_made_again(name)}
        for unit in units(pipeline, catalog):
            nodes = [node for node in unit if self._takes_part(node, catalog)]
            asked_for = not resume or any(node.name in self._always or wanted & set(node.outputs) for node in nodes)
            if not (asked_for or _are_stale(nodes, run_cache)):
                _say_skipped(nodes, run_cache)
                continue
            for node in (*_makers_of_caches(nodes, pipeline, run_cache), *nodes):
                with _noted(node, run_cache, parameters, resume, run_id) as does:
                    Task(does, catalog, self._is_async, hook_manager=hook_manager, run_id=run_id).execute()
            # what one unit holds in memory is of no use to another one
            used = {name for node in nodes for name in (*node.inputs, *node.outputs)}
            for name in used - pipeline.inputs() - returned:
                catalog.release(name)

    def _check(self, pipeline: Pipeline, catalog: DataCatalog, parameters: dict[str, Any], resume: bool) -> RunCache:
        """Check what can be known before the first node runs, and open the run cache."""
        run_cache = RunCache(catalog, parameters)
        for name in pipeline.datasets():
            catalog.get(name)  # datasets check what the catalog says of them as they are made
        check_versions(pipeline, catalog)
        will_run = partial(self._will_run, resume, run_cache)
        checked = [*filter(will_run, filter(is_checked, pipeline.nodes))]
        with _drawing(checked, catalog):
            check_nodes(checked, catalog, parameters)
        # a run cache remembers checksums, and nodes that were checked are going to replace what they are of
        return RunCache(catalog, parameters) if checked else run_cache

    def _will_run(self, resume: bool, run_cache: RunCache, node: Node) -> bool:
        """Tell whether a node runs with what is there now; what runs before it may still change that."""
        return not resume or node.name in self._always or bool(run_cache.reasons(node, run_cache.fingerprint(node)))

    def _takes_part(self, node: Node, catalog: DataCatalog) -> bool:
        """Leave out a node whose result is named by ``--load-versions``."""
        versions = {name: dataset._version.load for name in node.outputs if is_versioned(dataset := catalog[name])}
        pinned = {name: version for name, version in versions.items() if version}
        if not pinned or node.name in self._always:
            return True
        logger.info("%s: %s is loaded from version %s, skipped", node.name, *next(iter(pinned.items())))
        return False


@contextmanager
def _drawing(nodes: list[Node], catalog: DataCatalog) -> Iterator[None]:
    """Let the demo set be drawn while the checks import what trains: that takes one core for seconds."""
    from guitar_kedro.datasets import DrawnImagesDataset

    used = any("raw_images" in node.inputs for node in nodes)
    if not used or not isinstance(images := catalog["raw_images"], DrawnImagesDataset):
        yield
        return
    images.begin_drawing()
    try:
        yield
    except BaseException:
        images.stop_drawing()
        raise


def _with_what_belongs_to_it(load_versions: dict[str, str]) -> dict[str, str]:
    """Names the same versions of what one node made together, such as a model, its spec and its predictions."""
    nodes = [node for pipeline in pipelines.values() for node in pipeline.nodes]
    together = {
        name: version
        for named, version in load_versions.items()
        for node in nodes
        if named in node.outputs
        for name in node.outputs
    }
    return together | load_versions


def _makers_of_caches(nodes: list[Node], pipeline: Pipeline, run_cache: RunCache) -> list[Node]:
    """Find who must make again the caches that nodes need and that were removed.

    Raises:
        UserError: If nodes of another pipeline make them.
    """
    gone = {name for node in nodes for name in node.inputs if run_cache.must_be_made_again(name)}
    makers = [node for node in pipeline.nodes if gone & set(node.outputs)]
    if elsewhere := gone - pipeline.all_outputs():
        for maker in [node for node in pipelines["__default__"].nodes if elsewhere & set(node.outputs)]:
            name = min(elsewhere & set(maker.outputs))
            raise UserError(
                f"{nodes[0].name} needs {name}, which was removed: make it again with "
                f"`kedro run --nodes={maker.name}`, and run the same command again."
            )
    for maker in makers:
        missing = ", ".join(sorted(gone & set(maker.outputs)))
        logger.info("%s runs again: %s is needed, and was removed", maker.name, missing)
    return makers


@contextmanager
def _noted(
    node: Node, run_cache: RunCache, parameters: dict[str, Any], resume: bool, run_id: str | None
) -> Iterator[Node]:
    """Give the node that is to run, and note in the run cache that it has."""
    fingerprint = run_cache.fingerprint(node)
    state = training_state(node, fingerprint, parameters) if trains(node) else None
    if state:
        _forget_other(state, node, fingerprint, resume)
    yield _recording(node, state) if state else node
    run_cache.note_run(node, fingerprint, run_id)
    if state:
        state.path.unlink(missing_ok=True)
    logger.info("Completed %s", node.name)


def _recording(node: Node, state: TrainingState) -> Node:
    """Hand a node that trains the file in which it records how far it is, and who else is told of its epochs."""
    tracker, phase = Tracker.current, trained_phase(node)
    report = partial(tracker.epoch, phase) if tracker and phase else None
    return node._copy(func=prefilled(node.func, state=state, report=report))


def _forget_other(state: TrainingState, node: Node, fingerprint: Fingerprint, resume: bool) -> None:
    """Remove what an interrupted run recorded, where it was trained from something else."""
    facts = state.facts()
    if facts is not None:
        changes = fingerprint.changes_since(facts["belongs_to"]) if resume else ["resume is false"]
        if changes:
            logger.info("%s begins at its first epoch again: %s", node.name, "; ".join(changes))
            state.path.unlink()


def _are_stale(nodes: list[Node], run_cache: RunCache) -> bool:
    """Tell whether nodes that run together must run, and say why those do that ran before."""
    stale = False
    for node in nodes:
        fingerprint = run_cache.fingerprint(node)
        run_cache.note_memory(node, fingerprint)
        reasons = run_cache.reasons(node, fingerprint)
        stale = stale or bool(reasons)
        if reasons and run_cache.version(node):
            logger.info("%s runs again: %s", node.name, "; ".join(reasons))
    return stale


def _say_skipped(nodes: list[Node], run_cache: RunCache) -> None:
    versions = [version for node in nodes if (version := run_cache.version(node))]
    for node in nodes:
        logger.info("%s: unchanged since %s, skipped", node.name, run_cache.version(node) or max(versions, default=""))
