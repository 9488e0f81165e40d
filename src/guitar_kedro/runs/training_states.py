"""Where phases of training are that have not ended: the next run goes on after the last epoch that was recorded."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.pipeline.node import Node

from guitar_kedro.project import models_folder
from guitar_kedro.runs.run_cache import Fingerprint

if TYPE_CHECKING:
    from guitar_kedro.learning import TrainingState


def trains(node: Node) -> bool:
    """Tell whether a node trains a phase and records how far it is."""
    return "training" in node.tags


def trained_phase(node: Node) -> str | None:
    """Return which phase of which stage a node trains, as ``stage.phase``; ``None`` if it trains none."""
    found = (re.fullmatch(r"train\.(.+)_checkpoint", name) for name in node.outputs)
    return next((match.group(1) for match in found if match), None)


def states_folder(workspace: str) -> Path:
    """Return the folder of a workspace with a file for each node that trains and has not ended."""
    return models_folder(workspace) / "epoch_states"


def training_state(node: Node, fingerprint: Fingerprint, parameters: Mapping[str, Any]) -> TrainingState:
    """Return the file of a node that trains.

    Args:
        node: The node.
        fingerprint: What its results depend on.
        parameters: Of the run.
    """
    from guitar_kedro.learning import TrainingState

    path = states_folder(parameters["workspace"]) / f"{node.name}.safetensors"
    return TrainingState(path, parameters["epochs_per_state"], asdict(fingerprint))
