"""Event files of TensorBoard."""

from __future__ import annotations

import os
from pathlib import Path

from guitar_kedro.tracking.place import OF_EPOCHS, ModelResults, ModelRun, Place, Row


class TensorboardPlace(Place):
    """A folder of event files: in it, one for each workspace, and in that, one for each model."""

    name = "TensorBoard"

    def __init__(self, folder: str) -> None:
        """Take the folder; it need not be there.

        Raises:
            ModuleNotFoundError: If TensorBoard is not installed.
        """
        import torch.utils.tensorboard  # noqa: F401  # not in a thread: another one may be importing the same

        self._folder, self.parameter = Path(folder).expanduser(), f"tracking.tensorboard={folder}"

    def begin(self, run: ModelRun) -> str:
        """Open the event file of a model."""
        from torch.utils.tensorboard import SummaryWriter

        self._events = self._of(run)
        self._writer = SummaryWriter(str(self._events))
        return f"the curves of this model are shown by `tensorboard --logdir {os.path.relpath(self._folder)}`"

    def go_on(self, run: ModelRun) -> bool:
        """Return whether there are events of a model."""
        self._events = self._of(run)
        return self._events.is_dir()

    def epoch(self, phase: str, row: Row) -> None:
        """Write an epoch, so that it is there to be read."""
        for name in OF_EPOCHS:
            if name in row:
                self._writer.add_scalar(f"{phase}/{name}", row[name], int(row["epoch"]))
        self._writer.flush()

    def end(self, results: ModelResults, *, known: bool) -> str:
        """Close the event file."""
        if not known:
            self._writer.close()
        return f"{os.path.relpath(self._events)} has the curves of this model{' already' if known else ''}"

    def stop(self, reason: str, *, failed: bool) -> None:
        """Close the event file."""
        self._writer.close()

    def _of(self, run: ModelRun) -> Path:
        return self._folder / run.workspace / run.version
