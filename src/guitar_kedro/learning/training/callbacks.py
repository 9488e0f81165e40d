"""Callbacks: what is shown and recorded of a phase of training."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable
from typing import Any

import pandas as pd
import torch
from fastai.callback.core import Callback
from fastai.callback.schedule import LRFinder, ParamScheduler

from guitar_kedro.errors import UserError
from guitar_kedro.metrics.formatting import count
from guitar_kedro.progress import live_bar

logger = logging.getLogger(__name__)

# of the learning-rate finder: steps at the end of the curve that are not looked at, and the fewest that must be
LEFT_OUT_AT_END, FEWEST_STEPS = 5, 3


class EpochTable(Callback):
    """Shows a live bar in a terminal, and after each epoch a line of a table, which goes to the log as well.

    Attributes:
        rows: A row per epoch: ``epoch``, ``train_loss``, ``valid_loss``, ``error_rate``, ``learning_rate`` (of the last
            layer group, at the end of the epoch), ``seconds``.
    """

    order = 70  # after the Recorder

    def __init__(
        self, title: str, keeps_best: bool = False, report: Callable[[dict[str, Any]], None] | None = None
    ) -> None:
        """Take what the table is of, and who else wants its rows.

        Args:
            title: What is trained: the first words of the bar.
            keeps_best: Whether the best epoch is kept, or the last one.
            report: Takes each row as it comes; what it raises ends the training.
        """
        self.bar = live_bar("batches")
        self.title, self.keeps_best, self.report = title, keeps_best, report
        self.rows: list[dict[str, Any]] = []

    def before_fit(self) -> None:
        """Open the bar, and begin the table."""
        steps = self.n_epoch * (len(self.dls.train) + len(self.dls.valid))
        self.task = self.bar.add_task(self.title, total=steps)
        self.bar.start()
        epochs, batches = count(self.n_epoch, "epoch"), count(len(self.dls.train), "batch")
        logger.info("%s: %s of %s", self.title, epochs, batches)
        logger.info("epoch  train_loss  valid_loss  error_rate   time")

    def before_epoch(self) -> None:
        """Start the clock."""
        self.began = time.perf_counter()
        self.bar.update(self.task, description=f"{self.title}, epoch {self.epoch + 1} of {self.n_epoch}")

    def after_batch(self) -> None:
        """Move the bar."""
        self.bar.advance(self.task)

    def go_on(self, rows: list[dict[str, float]]) -> None:
        """Take over the epochs of an earlier run that was interrupted, and report them, too."""
        self.rows = rows
        if self.report:
            for row in rows:
                self.report(row)
        self.bar.advance(self.task, len(rows) * (len(self.dls.train) + len(self.dls.valid)))

    def after_epoch(self) -> None:
        """Write the line of the epoch."""
        if not self.recorder.values[-1]:
            return  # an earlier run trained this epoch
        seconds = time.perf_counter() - self.began
        train_loss, valid_loss, error_rate = self.recorder.values[-1]
        self.rows.append(
            {
                "epoch": self.epoch,
                "train_loss": train_loss,
                "valid_loss": valid_loss,
                "error_rate": error_rate,
                "learning_rate": float(self.opt.hypers[-1]["lr"]),
                "seconds": round(seconds, 2),
            }
        )
        minutes = f"{int(seconds) // 60:02d}:{int(seconds) % 60:02d}"
        losses = (_cell(value) for value in (train_loss, valid_loss, error_rate))
        logger.info("%5d  %s  %s  %s  %s", self.epoch, *losses, minutes)
        if self.report:
            self.report(self.rows[-1])

    def after_fit(self) -> None:
        """Close the bar."""
        self.bar.stop()

    @property
    def history(self) -> pd.DataFrame:
        """The rows as a table, with a column ``kept`` that says which epoch's weights are kept."""
        kept = self.best if self.keeps_best else len(self.rows) - 1
        return pd.DataFrame(self.rows).assign(kept=[number == kept for number in range(len(self.rows))])

    @property
    def best(self) -> int:
        """The number of the epoch with the lowest validation loss, the first of those."""
        losses = [row["valid_loss"] for row in self.rows]
        return losses.index(min(losses, key=lambda loss: (math.isnan(loss), loss)))


def _cell(value: float) -> str:
    written = f"{value:.6f}" if abs(value) < 1e6 else f"{value:.3g}".replace("e+", "e")
    return f"{written:>10}"


class FiniteLoss(Callback):
    """Ends training as soon as the loss is no number any more; fastai would end it silently."""

    order = 60  # after the Recorder: it has brought the loss here from the device, so that nobody waits for it again

    def __init__(self, title: str) -> None:
        """Take what is trained, for the message."""
        self.title = title

    def after_batch(self) -> None:
        """Check the loss of a training step.

        Raises:
            UserError: If it is infinite or not a number.
        """
        if self.training and not torch.isfinite(self.smooth_loss):
            rate = float(self.opt.hypers[-1]["lr"])
            raise UserError(
                f"{self.title}: the loss became {self.loss.item()} in epoch {self.epoch + 1}, step {self.iter + 1}, "
                f"at a learning rate of {rate:.2g}; lower learning_rate of this phase. The last good model stays the "
                "latest version."
            )


class RateFinder(LRFinder):
    """fastai's learning-rate finder for a Learner that nobody uses afterwards: no weights are kept and restored.

    It looks for a loss that explodes only after the steps that no suggestion is made from: on a network that knows its
    images, the smoothed loss begins near zero, and the first image it takes for another would end the search.

    Attributes:
        losses: The loss of each step, a number on the device; the Recorder keeps them smoothed only.
    """

    def before_fit(self) -> None:
        """Begin."""
        ParamScheduler.before_fit(self)
        self.best_loss = float("inf")
        self.losses: list[torch.Tensor] = []

    def after_loss(self) -> None:
        """Keep the loss of a training step."""
        if self.training:
            self.losses.append(self.loss.detach())

    def after_batch(self) -> None:
        """End when the loss explodes, or after the last step."""
        if self.train_iter <= self.num_it // 10 + LEFT_OUT_AT_END + FEWEST_STEPS:
            ParamScheduler.after_batch(self)
        else:
            super().after_batch()

    def after_fit(self) -> None:
        """End."""
