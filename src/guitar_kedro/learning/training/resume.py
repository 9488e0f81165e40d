"""Exact resume: the whole state of a phase of training, recorded while it goes on."""

from __future__ import annotations

import logging
import random
from typing import TYPE_CHECKING, Any

import torch
from fastai.callback.core import Callback, CancelEpochException

from guitar_kedro.learning.training.state import TrainingState
from guitar_kedro.learning.training.weights import StatefulCallback

if TYPE_CHECKING:
    from guitar_kedro.learning.training.callbacks import EpochTable

logger = logging.getLogger(__name__)


class ExactResume(Callback):
    """Records after an epoch all that the next ones depend on, and begins after the epochs that were recorded.

    The weights are then bit for bit those of a training that nothing interrupted. The schedule of the learning rate
    needs nothing: fastai computes it from the number of the step.
    """

    order = 100  # after all others

    def __init__(self, state: TrainingState, table: EpochTable) -> None:
        """Take the file, and the table of epochs, which goes on as well."""
        self.state, self.table = state, table

    def before_fit(self) -> None:
        """Look how far an earlier run came."""
        facts = self.state.facts()
        self.done = facts["epoch"] if facts else 0
        if self.done:
            logger.info("%s: goes on after epoch %d of %d", self.table.title, self.done, self.n_epoch)

    def before_epoch(self) -> None:
        """Skip the epochs that were trained already."""
        if self.epoch < self.done:
            raise CancelEpochException

    def after_epoch(self) -> None:
        """Restore the state at the end of the last epoch that was skipped; record that of the others."""
        ended = self.epoch + 1
        if ended == self.done:
            self._restore()
        elif ended > self.done and (ended % self.state.every == 0 or ended == self.n_epoch):
            self._record(ended)

    def _record(self, epoch: int) -> None:
        recorder = self.recorder
        tensors = {f"model.{name}": value for name, value in self.model.state_dict().items()}
        optimizer = self.opt.state_dict()["state"]
        tensors |= {f"optimizer.{of}.{name}": value for of, state in optimizer.items() for name, value in state.items()}
        tensors |= {"smooth_loss": recorder.smooth_loss.val, "random.torch": torch.get_rng_state()}
        if recorder.losses:
            tensors["losses"] = torch.stack(recorder.losses)
        for callback in self._stateful_callbacks():
            tensors |= {f"{callback.name}.{name}": value for name, value in callback.state_dict().items()}
        if self.dls.device.type == "cuda":  # there may be a GPU that does not work
            tensors["random.cuda"] = torch.cuda.get_rng_state(self.dls.device)
        facts = {
            "epoch": epoch,
            "epochs": self.n_epoch,
            "rows": self.table.rows,
            "train_iter": self.train_iter,
            "smooth_loss_count": recorder.smooth_loss.count,
            "learning_rates": [float(rate) for rate in recorder.lrs],
            "values": [list(values) for values in recorder.values],
            "iters": list(recorder.iters),
            "random": random.getstate(),
            "random_order": self.dls.train.rng.getstate(),
        }
        self.state.write({name: value.detach().cpu().contiguous() for name, value in tensors.items()}, facts)

    def _restore(self) -> None:
        facts, tensors = self.state.facts(), self.state.tensors()
        assert facts is not None  # some epochs were skipped
        self.model.load_state_dict(_part(tensors, "model"))
        self._restore_optimizer(_part(tensors, "optimizer"))
        for callback in self._stateful_callbacks():
            callback.load_state_dict(_part(tensors, callback.name))
        recorder = self.recorder
        recorder.lrs, recorder.iters, recorder.values = facts["learning_rates"], facts["iters"], facts["values"]
        recorder.losses = list(tensors["losses"]) if "losses" in tensors else []
        recorder.smooth_loss.count = facts["smooth_loss_count"]
        recorder.smooth_loss.val = tensors["smooth_loss"]  # fastai keeps it on the CPU, wherever it trains
        self.learn.train_iter = facts["train_iter"]
        self.table.go_on(facts["rows"])
        torch.set_rng_state(tensors["random.torch"])
        if "random.cuda" in tensors and self.dls.device.type == "cuda":
            torch.cuda.set_rng_state(tensors["random.cuda"], self.dls.device)
        random.setstate(_as_tuples(facts["random"]))
        self.dls.train.rng.setstate(_as_tuples(facts["random_order"]))

    def _stateful_callbacks(self) -> list[StatefulCallback]:
        return [callback for callback in self.learn.cbs if isinstance(callback, StatefulCallback)]

    def _restore_optimizer(self, tensors: dict[str, torch.Tensor]) -> None:
        parameters = [parameter for group in self.opt.opt.param_groups for parameter in group["params"]]
        state: dict[int, dict[str, torch.Tensor]] = {}
        for name, tensor in tensors.items():
            number, _, value = name.partition(".")
            weights = parameters[int(number)]
            # torch's fused Adam takes for granted that averages lie in memory as the weights do (channels_last)
            as_weights = torch.empty_like(weights).copy_(tensor) if tensor.shape == weights.shape else tensor
            state.setdefault(int(number), {})[value] = as_weights
        self.opt.load_state_dict({**self.opt.state_dict(), "state": state})


def _part(tensors: dict[str, torch.Tensor], part: str) -> dict[str, torch.Tensor]:
    """Return the tensors of a part of the state, by their names in it."""
    return {name.removeprefix(f"{part}."): tensor for name, tensor in tensors.items() if name.startswith(f"{part}.")}


def _as_tuples(state: list[Any]) -> tuple[Any, ...]:
    """Return the state of Python's random numbers, as it comes from JSON, as ``setstate`` takes it."""
    version, numbers, gauss = state
    return version, tuple(numbers), gauss
