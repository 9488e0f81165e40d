"""In how many processes a network is trained, as configuration."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import Field, model_validator

from guitar_kedro.options import Options

PARAMETERS = ("nproc_per_node", "nnodes", "rdzv_endpoint", "max_restarts")


class Processes(Options):
    """In how many processes a network is trained, and where.

    Attributes:
        nproc_per_node: On each machine.
        nnodes: How many run the same command.
        rdzv_endpoint: Where they meet: ``host:port`` of the one that keeps the artifacts.
        max_restarts: So many times training goes on after its last recorded epoch when a process has died.
        folder: Scratch; what processes hand each other.
        imports: Modules that each process imports first.
    """

    nproc_per_node: int = Field(1, ge=1)
    nnodes: int = Field(1, ge=1)
    rdzv_endpoint: str | None = Field(None, pattern=r"^[^:]+:\d+$")
    max_restarts: int = Field(3, ge=0)
    folder: Path
    imports: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _know_where_to_meet(self) -> Processes:
        if (self.nnodes > 1) != (self.rdzv_endpoint is not None):
            raise ValueError("several machines need a rdzv_endpoint=HOST:PORT to meet at, and one machine needs none")
        return self

    @property
    def total(self) -> int:
        """On all machines."""
        return self.nproc_per_node * self.nnodes

    @property
    def here(self) -> Processes:
        """Those of this machine alone."""
        return self.model_copy(update={"nnodes": 1, "rdzv_endpoint": None})


def processes_of(parameters: Mapping[str, Any], folder: Path = Path()) -> Processes:
    """Check and convert the parameters of ``PARAMETERS``.

    Args:
        parameters: Values by name.
        folder: Scratch, where these processes will train.

    Raises:
        UserError: If one cannot be used, or they do not go together.
    """
    imports = ("guitar_kedro.settings",)  # which set up logging, as conf/base/logging.yml says
    values = {name: parameters[name] for name in PARAMETERS}
    return Processes.of_parameter("", {**values, "folder": folder, "imports": imports})
