"""fastai Learners of a network by its spec."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from fastai.callback.progress import ProgressCallback
from fastai.data.core import DataLoaders
from fastai.learner import Learner
from fastai.losses import CrossEntropyLossFlat
from fastai.metrics import error_rate
from fastai.optimizer import OptimWrapper
from fastcore.basics import noop

from guitar_kedro.learning.networks.architectures import build_network
from guitar_kedro.learning.networks.checkpoint import ModelSpec


class Adam(torch.optim.Adam):
    """fastai's default optimizer: only what multiplies decays, biases and the weights of norms do not."""

    def __init__(self, params: Any, decay: float = 0.01, **options: Any) -> None:
        """Take the weights, by how much of the learning rate they decay in a step, and torch's options."""
        super().__init__(params, **options)
        self.decay = decay

    @torch.no_grad()
    # torch declares it once for each kind of closure
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # type: ignore[override]
        """Decay the weights (Loshchilov and Hutter 2019), then take a step."""
        for group in self.param_groups:
            for weights in group["params"]:
                if weights.grad is not None and weights.ndim > 1:
                    weights.mul_(1 - group["lr"] * self.decay)
        return super().step(closure)


# as torch fuses it: for small batches on a CPU, fastai's own takes a third of a training step
ADAM = partial(OptimWrapper, opt=Adam, fused=True, betas=(0.9, 0.99), eps=1e-5)


def build_learner(dls: DataLoaders, spec: ModelSpec) -> Learner:
    """Build a Learner for a spec.

    Args:
        dls: Its data; they also say where it computes.
        spec: Gives architecture, image size, classes and head.

    Raises:
        UserError: If the architecture is unknown or cannot be cut into body and head.
    """
    network, split = build_network(spec.architecture, spec.image_size, len(spec.classes), spec.head)
    loss = CrossEntropyLossFlat(flatten=False)  # training targets may be shares of classes
    return Learner(dls, network, loss_func=loss, opt_func=ADAM, metrics=error_rate, splitter=split)


def state_on_cpu(learner: Learner) -> dict[str, torch.Tensor]:
    """Copy the weights of a Learner's network to the CPU."""
    return {name: tensor.detach().cpu().clone() for name, tensor in learner.model.state_dict().items()}


def quiet(learner: Learner) -> Learner:
    """Remove fastai's own progress bar and table from a Learner."""
    if hasattr(learner, "progress"):
        learner.remove_cb(ProgressCallback)
    learner.logger = noop
    return learner
