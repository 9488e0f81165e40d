"""Callbacks that decide which steps are taken, and which weights a phase ends with."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import torch
from fastai.callback.core import Callback, CancelBatchException, CancelFitException, TrainEvalCallback
from fastai.callback.training import bn_types
from timm.utils.model_ema import ModelEmaV3

if TYPE_CHECKING:
    from guitar_kedro.learning.training.callbacks import EpochTable

logger = logging.getLogger(__name__)


class AccumulatedGradients(Callback):
    """Takes a step after so many batches, of their mean gradient; an epoch ends with a step."""

    order, run_valid = -8, False  # before gradients are averaged, clipped, or used

    def __init__(self, batches: int) -> None:
        """Take the number of batches."""
        self.batches = batches

    def after_loss(self) -> None:
        """Make of the sum of gradients a mean."""
        first = self.iter - self.iter % self.batches
        self.learn.loss_grad = self.loss_grad / min(self.batches, self.n_iter - first)

    def before_step(self) -> None:
        """Leave out the step of a batch that others follow.

        Raises:
            CancelBatchException: If so; gradients are kept.
        """
        after = self.iter + 1
        if after % self.batches and after < self.n_iter:
            raise CancelBatchException


class FixedBatchNorm(Callback):
    """Lets BatchNorm go by the statistics that it has, as in evaluation; its weights are still trained."""

    run_after = TrainEvalCallback

    def __init__(self, network: torch.nn.Module) -> None:
        """Take the part of the network whose layers are meant."""
        self.layers = [layer for layer in network.modules() if isinstance(layer, bn_types)]

    def before_train(self) -> None:
        """Put the layers into evaluation mode."""
        for layer in self.layers:
            layer.eval()


class StatefulCallback(Callback):
    """A callback with tensors that an exact resume needs."""

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Return the tensors at the end of an epoch, by name."""
        raise NotImplementedError

    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        """Go on with such tensors, on the CPU."""
        raise NotImplementedError


class AveragedWeights(StatefulCallback):
    """Averages the weights over the steps (timm's ``ModelEmaV3``); the average is validated, and training ends with it.

    In the first steps the average is shorter, so that it forgets the weights that training began with.
    """

    order = 90  # after who looks at the weights that were validated

    def __init__(self, decay: float) -> None:
        """Take the share of the average that stays in a step."""
        self.decay = decay

    def before_fit(self) -> None:
        """Begin with the weights that are there."""
        self.average = ModelEmaV3(self.model, self.decay, use_warmup=True)
        self.steps_taken = 0
        self.own: dict[str, torch.Tensor] = {}

    def after_step(self) -> None:
        """Move the average."""
        self.steps_taken += 1
        self.average.update(self.model, self.steps_taken)

    def before_validate(self) -> None:
        """Put the average into the network."""
        self.own = {name: value.clone() for name, value in self.model.state_dict().items()}
        self.model.load_state_dict(self.average.module.state_dict())

    def after_epoch(self) -> None:
        """Put the network's own weights back, unless this was the last epoch."""
        if self.own and self.epoch + 1 < self.n_epoch:
            self.model.load_state_dict(self.own)
        self.own = {}

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Return the average, and how many steps it has seen."""
        return {"steps_taken": torch.tensor(self.steps_taken), **self.average.state_dict()}

    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        """Go on with such an average."""
        self.steps_taken = int(state.pop("steps_taken"))
        self.average.load_state_dict(state)


class BestEpoch(StatefulCallback):
    """Keeps the weights of the epoch with the lowest validation loss."""

    order = 80  # after the table of epochs

    def __init__(self, table: EpochTable) -> None:
        """Take the table that says which epoch that is."""
        self.table = table

    def after_epoch(self) -> None:
        """Keep the weights that were validated, if they are the best so far."""
        if self.table.rows and self.table.best == self.epoch:
            self.best = {name: value.clone() for name, value in self.model.state_dict().items()}

    def after_fit(self) -> None:
        """Put the best weights into the network."""
        self.model.load_state_dict(self.best)
        row = self.table.rows[self.table.best]
        logger.info(
            "%s: keeps the weights of epoch %d, whose validation loss is the lowest: %.6f",
            self.table.title,
            row["epoch"],
            row["valid_loss"],
        )

    def state_dict(self) -> dict[str, torch.Tensor]:
        """Return the best weights so far."""
        return self.best

    def load_state_dict(self, state: dict[str, torch.Tensor]) -> None:
        """Go on with such weights."""
        self.best = state


class StopEarly(Callback):
    """Ends training when the validation loss has not become lower for so many epochs."""

    order = 75  # after the table of epochs, before who asks whether this epoch is the last

    def __init__(self, table: EpochTable, epochs: int) -> None:
        """Take the table, and the number of epochs."""
        self.table, self.epochs = table, epochs

    def after_epoch(self) -> None:
        """Make this epoch the last one, if it is time."""
        if self._is_time():
            self.learn.n_epoch = self.epoch + 1
            logger.info(
                "%s: stops after epoch %d, since the validation loss is not below that of epoch %d",
                self.table.title,
                self.epoch,
                self.table.best,
            )

    def before_epoch(self) -> None:
        """End after the last one.

        Raises:
            CancelFitException: If it was that.
        """
        if self._is_time():
            raise CancelFitException

    def _is_time(self) -> bool:
        rows = self.table.rows
        return bool(rows) and len(rows) - 1 - self.table.best >= self.epochs
