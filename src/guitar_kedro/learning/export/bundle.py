"""A model in all its forms; without torch, for Kedro reads this before anything is exported."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from guitar_kedro.files import strict_json
from guitar_kedro.learning.networks.checkpoint import SPEC_FILE, WEIGHTS_FILE, Checkpoint, content_of

FACTS_FILE = "bundle.json"
ONNX_FILE, INT8_FILE, PICKLE_FILE = "model.onnx", "model_int8.onnx", "export.pkl"
PAGE_FILE, ATTRIBUTIONS_FILE = "model_card.html", "attributions.csv"
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

    def contents(self) -> dict[str, bytes]:
        """Return the contents of all files of the bundle, by name."""
        return {
            WEIGHTS_FILE: content_of(self.checkpoint.weights),
            SPEC_FILE: self.checkpoint.spec.model_dump_json(indent=2).encode(),
            FACTS_FILE: strict_json(self.facts, indent=2).encode(),
            **self.files,
        }
