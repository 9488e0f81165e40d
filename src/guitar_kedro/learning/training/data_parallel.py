"""Data-parallel steps: each process takes its shard of every batch, and gradients are averaged.

The steps are those of one process. All processes draw the same order of images; a recorded epoch is therefore the state
of each of them. fastai's ``DistributedDL`` repeats images until the shards are equal, and wants CUDA; here shards may
differ, and each image counts once.
"""

from __future__ import annotations

import random
import zlib
from collections.abc import Callable, Sequence
from typing import Any

import torch
import torch.distributed as dist
from fastai.callback.core import Callback
from torch.nn.parallel import DistributedDataParallel

from guitar_kedro.learning.training.weights import AveragedWeights


def rank_and_world_size() -> tuple[int, int]:
    """Return the number of this process, and how many train together: 0 and 1 without a process group."""
    return (dist.get_rank(), dist.get_world_size()) if dist.is_initialized() else (0, 1)


class DataParallelSteps(Callback):
    """Makes the training of several processes that of one network.

    Gradients are averaged in one piece and one order, so that a process that goes on after an epoch averages them
    exactly as one that was never interrupted.
    """

    order = -5  # before what looks at losses and metrics

    def __init__(self, seed: int) -> None:
        """Take the seed from which the random numbers of all processes come."""
        self.seed = seed

    def before_fit(self) -> None:
        """Copy the weights of rank 0 to all ranks."""
        _as_one(list(self.model.parameters()), lambda flat: dist.broadcast(flat, 0))

    def before_train(self) -> None:
        """Seed each rank by itself for the epoch; so its random numbers need not be recorded."""
        seed = zlib.crc32(f"{self.seed} {self.epoch} {dist.get_rank()}".encode())
        torch.manual_seed(seed)
        random.seed(seed)

    def after_loss(self) -> None:
        """Average the loss, so that all ranks end together where it is no number."""
        if self.training:
            self.learn.loss = self.learn.loss.detach().clone()
            _average(self.learn.loss)

    def before_step(self) -> None:
        """Average the gradients."""
        _as_one([each.grad for each in self.model.parameters() if each.grad is not None], _average)

    def before_validate(self) -> None:
        """Average what BatchNorm has measured on the shards."""
        networks = [self.model, *(each.average.module for each in self.cbs if isinstance(each, AveragedWeights))]
        _as_one([each for one in networks for each in one.buffers() if each.is_floating_point()], _average)

    def after_validate(self) -> None:
        """Sum the metrics of the shards, so that each image counts once."""
        for metric in self.recorder._valid_mets:
            sums = torch.tensor([float(metric.total), metric.count], dtype=torch.float64, device=self.dls.device)
            dist.all_reduce(sums)
            metric.total, metric.count = sums.tolist()


class OverlappedSteps(DataParallelSteps):
    """Averages gradients while the backward pass goes on, as torch's ``DistributedDataParallel`` does it: for GPUs.

    It sums them in parts, and how it divides them depends on earlier steps, which a process that goes on after an epoch
    does not know: sums may be rounded in another way. Only the forward pass of a training step meets the wrapper; for
    all others the network stays what it is, by the same names.
    """

    def before_fit(self) -> None:
        """Wrap the network, frozen as it is now, which copies the weights of rank 0 to all ranks."""
        # a static graph: some networks of timm have weights that no step uses, which would be waited for
        self.wrapped = DistributedDataParallel(self.model, forward_sync_buffers=False, static_graph=True)

    def before_batch(self) -> None:
        """Let a training step go through the wrapper."""
        if self.training:
            self.learn.model = self.wrapped

    def after_pred(self) -> None:
        """Give the network back to all others."""
        self.learn.model = self.wrapped.module

    def before_step(self) -> None:
        """Do nothing: gradients are averaged. Accumulated ones are, too: the mean of a sum is the sum of the means."""


def _average(tensor: torch.Tensor) -> None:
    dist.all_reduce(tensor)
    tensor /= dist.get_world_size()


def _as_one(tensors: Sequence[torch.Tensor], collective: Callable[[torch.Tensor], Any]) -> None:
    """Apply a collective operation to tensors, joined into one flat tensor."""
    if not tensors:
        return
    with torch.no_grad():
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        collective(flat)
        for tensor, part in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
            tensor.copy_(part.view(tensor.shape))
