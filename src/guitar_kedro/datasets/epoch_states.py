"""Where phases of training are, for the next run to go on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.io import AbstractDataset

from guitar_kedro.errors import UserError

if TYPE_CHECKING:
    from guitar_kedro.learning import TrainingState


class EpochStatesDataset(AbstractDataset[None, "TrainingState"]):
    """A folder of scratch files, one for each node that trains and has not ended.

    The runner says which node is at work, and on what; a node loads its own file.
    """

    def __init__(self, filepath: str, every: int = 1, metadata: dict[str, Any] | None = None) -> None:
        """Takes note of the folder.

        Args:
            filepath: The folder.
            every: So many epochs lie between two records.
            metadata: For Kedro's plugins.

        Raises:
            UserError: If ``every`` is no number of epochs.
        """
        if not isinstance(every, int) or every < 1:
            raise UserError(f"epoch_states.every is {every!r}; it is a number of epochs: 1 or more.")
        self.folder, self.every = Path(filepath), every
        self.metadata = metadata
        self._at_work: TrainingState | None = None

    def state_of(self, node: str, fingerprint: dict[str, Any]) -> TrainingState:
        """The file of a node.

        Args:
            node: Its name.
            fingerprint: What its results depend on, as JSON knows it.
        """
        from guitar_kedro.learning import TrainingState

        return TrainingState(self.folder / f"{node}.safetensors", self.every, fingerprint)

    def begin(self, state: TrainingState) -> None:
        """Makes a file the one that is loaded from now on."""
        self._at_work = state

    def end(self) -> None:
        """Removes the file of the node that has ended."""
        if self._at_work:
            self._at_work.path.unlink(missing_ok=True)
        self._at_work = None

    def load(self) -> TrainingState:
        """Gives the file of the node at work.

        Raises:
            UserError: If the runner does not say which one that is.
        """
        if self._at_work is None:
            raise UserError("Training needs Kedro's sequential runner: leave --runner out.")
        return self._at_work

    def save(self, data: None) -> None:
        """Refuses: training itself writes here.

        Raises:
            UserError: Always.
        """
        raise UserError("epoch_states is written by training itself; it cannot be saved.")

    def fingerprint(self) -> str:
        """How far training is changes no result."""
        return ""

    def _exists(self) -> bool:
        return self.folder.exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self.folder, "every": self.every}
