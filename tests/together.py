"""What the tests let several processes do together; a process that is started anew must be able to import it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest import mock

import torch
import torch.distributed as dist
from torch import nn

from guitar_kedro.learning import Phase
from guitar_kedro.learning.training import fit
from guitar_kedro.learning.training.fit import fit_phase, prepared_learner
from guitar_kedro.learning.training.frozen_views import train_on_features

LEFT_OUT = (nn.BatchNorm1d, nn.BatchNorm2d, nn.Dropout)


def train_without_batch_norm(phase: Phase) -> list[Any]:
    """Trains without what looks at a share of a batch only, or is random: gives weights, history, images counted."""
    learner = prepared_learner(phase)
    if phase.training.frozen_views:
        train_on_features(learner, phase)
    for module in list(learner.model.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, LEFT_OUT):
                setattr(module, name, nn.Identity())
    # in double precision, for Adam makes much of what is rounded where gradients are tiny
    forward = learner.model.double().forward
    learner.model.forward = lambda images: forward(images.double()).float()
    history = fit_phase(learner, phase, (1e-3,))
    weights = torch.cat([each.detach().flatten() for each in learner.model.parameters()])
    return [
        weights.numpy(),
        history[["train_loss", "valid_loss", "error_rate"]].to_numpy().tolist(),
        learner.recorder.loss.count,
    ]


def overlapped(function: Callable[..., Any], phase: Phase, *arguments: Any) -> Any:
    """Trains by a function, but averages gradients as on GPUs."""
    with mock.patch.object(fit, "DataParallelSteps", fit.OverlappedSteps):
        return function(phase, *arguments)


def run_out_of_memory(phase: Phase) -> list[Any]:
    """Has too little memory in the second process alone, while the first waits for its gradients."""
    with fit._enough_memory(phase):
        if dist.get_rank() == 1:
            raise torch.OutOfMemoryError
        dist.all_reduce(torch.zeros(1))
    return []


def fail(phase: Phase) -> list[Any]:
    """Fails as nobody foresaw."""
    raise RuntimeError(f"no luck\nwith {phase.title}")


def first_batch(phase: Phase) -> list[Any]:
    """Gives the first augmented batch of each process."""
    learner = prepared_learner(phase)
    seen = []

    def keep() -> None:
        if not seen:
            batch = learner.xb[0].contiguous()
            seen.extend(torch.empty_like(batch) for _ in range(dist.get_world_size()))
            dist.all_gather(seen, batch)

    learner.cbs[0].after_step = keep
    learner.fit(1)
    return [batch.numpy() for batch in seen]
