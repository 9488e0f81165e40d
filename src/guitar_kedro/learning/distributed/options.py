"""In how many processes a network is trained, as configuration."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, model_validator

from guitar_kedro.options import Options


class Processes(Options):
    """In how many processes a network is trained, and where.

    Attributes:
        processes: On each machine.
        machines: How many run the same command.
        endpoint: Where they meet: ``host:port`` of the one that keeps the artifacts.
        max_restarts: So many times training goes on after its last recorded epoch when a process has died.
        folder: Scratch; what processes hand each other.
        imports: Modules that each process imports first.
    """

    processes: int = Field(1, ge=1)
    machines: int = Field(1, ge=1)
    endpoint: str | None = Field(None, pattern=r"^[^:]+:\d+$")
    max_restarts: int = Field(3, ge=0)
    folder: Path
    imports: tuple[str, ...] = ()

    @model_validator(mode="after")
    def _know_where_to_meet(self) -> Processes:
        if (self.machines > 1) != (self.endpoint is not None):
            raise ValueError("several machines need an endpoint=HOST:PORT to meet at, and one machine needs none")
        return self

    @property
    def total(self) -> int:
        """On all machines."""
        return self.processes * self.machines

    @property
    def here(self) -> Processes:
        """Those of this machine alone."""
        return self.model_copy(update={"machines": 1, "endpoint": None})
