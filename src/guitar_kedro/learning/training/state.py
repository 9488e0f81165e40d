"""The file in which training records where it is; read without torch, to show it."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open

from guitar_kedro.errors import UserError
from guitar_kedro.files import written_whole

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class TrainingState:
    """The file in which a phase of training records where it is.

    Attributes:
        path: Of the file, in safetensors' format.
        every: So many epochs lie between two records; the last epoch is recorded in any case.
        belongs_to: What the phase is trained from; a record of something else is not used.
    """

    path: Path
    every: int = 1
    belongs_to: dict[str, Any] = field(default_factory=dict)

    def facts(self) -> dict[str, Any] | None:
        """Read what was recorded apart from tensors (``belongs_to``, ``epoch``, ``epochs``, ...), if anything was.

        Raises:
            UserError: If the file is damaged.
        """
        if not self.path.exists():
            return None
        try:
            with safe_open(self.path, "numpy") as file:
                return json.loads(file.metadata()["facts"])
        except (SafetensorError, KeyError, ValueError, TypeError):
            raise UserError(
                f"{self.path} cannot be read: remove it, and the phase begins at its first epoch."
            ) from None

    def is_complete(self) -> bool:
        """Return whether nothing is left to train."""
        facts = self.facts()
        return facts is not None and facts["epoch"] == facts["epochs"]

    def tensors(self) -> dict[str, torch.Tensor]:
        """Read the tensors that were recorded, on the CPU, by their names."""
        from safetensors.torch import load_file

        # copied: safetensors maps the file, and Windows replaces none that is mapped
        return {name: tensor.clone() for name, tensor in load_file(self.path).items()}

    def write(self, tensors: dict[str, torch.Tensor], facts: dict[str, Any]) -> None:
        """Replace what was recorded; a process that dies meanwhile leaves the record before."""
        from safetensors.torch import save_file

        self.path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(self.path) as beside:
            save_file(tensors, beside, {"facts": json.dumps({"belongs_to": self.belongs_to, **facts})})
