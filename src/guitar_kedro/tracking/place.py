"""What a place takes to which a run is told, and what it is told."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

Row = Mapping[str, Any]  # of a history
OF_EPOCHS = ("train_loss", "valid_loss", "error_rate", "learning_rate", "seconds")


@dataclass(frozen=True)
class ModelRun:
    """A model that is trained, or was.

    Attributes:
        version: Of its last checkpoint.
        name: For people.
        workspace: In which it is made.
        owner: Of that workspace: the same for all runs in one folder of one machine.
        parameters: By their paths.
    """

    version: str
    name: str
    workspace: str
    owner: str
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ResultFile:
    """A file that belongs to a model.

    Attributes:
        path: Where it lies.
        is_new: Whether this run made it.
    """

    path: Path
    is_new: bool


@dataclass(frozen=True)
class ModelResults:
    """What there is of a model when a run has ended.

    Attributes:
        histories: Rows per epoch, by phase.
        metrics: Numbers by name.
        files: By where they belong in the place, with ``/`` between folders.
    """

    histories: Mapping[str, Iterable[Row]] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    files: Mapping[str, ResultFile] = field(default_factory=dict)


class Place(ABC):
    """A place to which runs are told. All of its methods may fail, and may take long."""

    name: str
    parameter: str

    @abstractmethod
    def begin(self, run: ModelRun) -> str:
        """Begin the record of a model.

        Returns:
            Where it is, for the log.
        """

    @abstractmethod
    def go_on(self, run: ModelRun) -> bool:
        """Find the whole record of a model that another run has trained; return whether there is one."""

    @abstractmethod
    def epoch(self, phase: str, row: Row) -> None:
        """Take the row of an epoch."""

    @abstractmethod
    def end(self, results: ModelResults, *, known: bool) -> str:
        """Take what there is in the end.

        Args:
            results: Of the run.
            known: Whether the record was there before this run.

        Returns:
            A sentence for the log.
        """

    @abstractmethod
    def stop(self, reason: str, *, failed: bool) -> None:
        """Take note that the run has failed, or that a person stopped it."""
