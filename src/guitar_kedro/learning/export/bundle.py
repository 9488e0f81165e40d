"""A model in all its forms; without torch, for Kedro reads this before anything is exported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from guitar_kedro.learning.networks.checkpoint import Checkpoint

ONNX_FILE, INT8_FILE, PICKLE_FILE = "model.onnx", "model_int8.onnx", "export.pkl"
EXAMPLE_FILES = ("example.py", "preprocessing.py")


@dataclass(frozen=True)
class Bundle:
    """A model, in all its forms.

    Attributes:
        checkpoint: The model.
        files: Contents of further files, by name.
        facts: What was measured: ``parity``, and ``int8`` where it was asked for.
    """

    checkpoint: Checkpoint
    files: dict[str, bytes]
    facts: dict[str, Any]
