"""In how many processes training runs, and on which machines."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kedro.io import AbstractDataset
from pydantic import ValidationError

from guitar_kedro.errors import UserError
from guitar_kedro.learning.distributed.options import Processes
from guitar_kedro.options import problems


class ProcessesDataset(AbstractDataset[None, Processes]):
    """The processes that train together: what the catalog says of them."""

    def __init__(
        self,
        filepath: str,
        nproc_per_node: int = 1,
        nnodes: int = 1,
        rdzv_endpoint: str | None = None,
        max_restarts: int = 3,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Checks what is asked for.

        Args:
            filepath: A scratch folder.
            nproc_per_node: How many on each machine.
            nnodes: How many run the same command.
            rdzv_endpoint: Where they meet, ``host:port`` of the one that keeps the artifacts.
            max_restarts: So many times training goes on when a process has died.
            metadata: For Kedro's plugins.

        Raises:
            UserError: If these do not go together.
        """
        try:
            self._processes = Processes(
                nproc_per_node=nproc_per_node,
                nnodes=nnodes,
                rdzv_endpoint=rdzv_endpoint,
                max_restarts=max_restarts,
                folder=Path(filepath),
                imports=("guitar_kedro.settings",),  # which set up logging, as conf/logging.yml says
            )
        except ValidationError as error:
            found = "; ".join(problem.removeprefix(".").removeprefix(": ") for problem in problems(error, Processes))
            raise UserError(f"The parameters cannot be used: {found}.") from None
        self.metadata = metadata

    def load(self) -> Processes:
        """Gives them."""
        return self._processes

    def save(self, data: None) -> None:
        """Refuses: they are configuration.

        Raises:
            UserError: Always.
        """
        raise UserError("processes is configuration; it cannot be saved.")

    def fingerprint(self) -> str:
        """Their number changes what is rounded, and BatchNorm; where they run changes nothing."""
        return str(self._processes.total)

    def _exists(self) -> bool:
        return True

    def _describe(self) -> dict[str, Any]:
        return self._processes.model_dump(mode="json")
