"""In how many processes a network is trained, as configuration."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, model_validator

from guitar_kedro.options import Options


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
