"""A trial: the project's own training pipeline, run in memory with other parameters."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from kedro.io import AbstractDataset
from kedro.pipeline.node import Node

from guitar_kedro import datasets, learning
from guitar_kedro.learning.training.recipe import PhaseOptions, ProbeOptions
from guitar_kedro.pipelines.prefilled import prefilled
from guitar_kedro.pipelines.training.pipeline import create_pipeline
from guitar_kedro.pipelines.training.plan import PHASES, PROBE, plan_stages

# a trial trains in this process, whatever a run would do
_ALONE = {"nproc_per_node": 1, "nnodes": 1, "rdzv_endpoint": None, "max_restarts": 0, "workspace": ""}


def train_recipe(
    recipe: Mapping[str, Any],
    data: Mapping[str, Any],
    splits: Any,
    decoded: Any,
    cache: datasets.TrialCache,
    report: Callable[[dict[str, Any]], None] | None = None,
) -> tuple[learning.Checkpoint, dict[str, Any]]:
    """Train all stages, as ``kedro run`` does with these parameters, and write nothing but what trials share.

    Args:
        recipe: ``stages``, ``training``, ``seed`` and ``device``.
        data: ``prepared_images`` and ``pretrained_weights``, as their datasets load them.
        splits: A row per image: ``image_id``, ``label``, ``split``.
        decoded: The same for decoding: an image may stand in it for training and for validation.
        cache: Of decoded pictures and features.
        report: Takes the row of each epoch of a phase as it ends; what it raises ends the training.

    Returns:
        The network of the last stage, and the row of the epoch that is kept.
    """
    last = plan_stages(recipe["stages"])[-1]
    pipeline = create_pipeline(plan_stages(recipe["stages"])).to_outputs(last.checkpoint)
    parameters = {name: _value(recipe, name) for name in pipeline.inputs() if name.startswith("params:")}
    held: dict[str, Any] = {**data, **parameters, "splits": splits}
    shared = {name: dataset for name in pipeline.all_outputs() if (dataset := _shared(cache, name))}
    for node in pipeline.nodes:
        inputs = {name: shared[name].load() if name in shared else held[name] for name in node.inputs}
        if "decoded_pixels" in node.tags:
            inputs["splits"] = decoded
        for name, output in _reporting(node, report).run(inputs).items():
            if name in shared:
                shared[name].save(output)
            else:
                held[name] = output
    history = held[last.checkpoint.removesuffix("checkpoint") + "history"]
    return held[last.checkpoint], history[history["kept"]].iloc[0].to_dict()


def _value(recipe: Mapping[str, Any], name: str) -> Any:
    """Find a parameter, as Kedro hands it to a node: the options of a phase are checked."""
    value: Any = {**_ALONE, **recipe}
    *groups, last = name.removeprefix("params:").split(".")
    for group in (*groups, last):
        value = value[group]
    options = ProbeOptions if last == PROBE else PhaseOptions
    return options.model_validate(value) if groups and last in PHASES else value


def _shared(cache: datasets.TrialCache, name: str) -> AbstractDataset[Any, Any] | None:
    if name.startswith("pixels_"):
        return cache.pixels()
    return cache.features() if name.endswith(".features") else None


def _reporting(node: Node, report: Callable[[dict[str, Any]], None] | None) -> Node:
    if report is None or "training" not in node.tags:
        return node
    return node._copy(func=prefilled(node.func, report=report))
