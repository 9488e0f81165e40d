"""fastai Learners, new and from a checkpoint."""

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
from fastai.vision.learner import vision_learner
from fastcore.basics import noop

from guitar_kedro.errors import UserError
from guitar_kedro.learning.architectures import architecture
from guitar_kedro.learning.checkpoint import Checkpoint, ModelSpec
from guitar_kedro.learning.data import inference_loaders
from guitar_kedro.learning.device import choose_device


class Adam(torch.optim.Adam):
    """fastai's default optimizer: only what multiplies decays, biases and the weights of norms do not."""

    DECAY = 0.01

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:
        """Takes a step, after the decay of the weights (Loshchilov and Hutter 2019)."""
        for group in self.param_groups:
            for weights in group["params"]:
                if weights.grad is not None and weights.ndim > 1:
                    weights.mul_(1 - group["lr"] * self.DECAY)
        return super().step(closure)


# as torch fuses it: for small batches on a CPU, fastai's own takes a third of a training step
ADAM = partial(OptimWrapper, opt=Adam, fused=True, betas=(0.9, 0.99), eps=1e-5)


class CalibratedCrossEntropy(CrossEntropyLossFlat):
    """Cross-entropy at a temperature: fastai takes from it what it shows as probabilities and losses."""

    def __init__(self, temperature: float) -> None:
        """Takes what logits are divided by."""
        super().__init__()
        self.temperature = temperature

    def __call__(self, inp: torch.Tensor, targ: torch.Tensor, **kwargs: Any) -> torch.Tensor:
        """Computes the loss of logits (batch x classes) for targets (batch)."""
        return super().__call__(inp / self.temperature, targ, **kwargs)

    def activation(self, x: torch.Tensor) -> torch.Tensor:
        """Makes probabilities of logits."""
        return super().activation(x / self.temperature)


def build_learner(dls: DataLoaders, spec: ModelSpec) -> Learner:
    """Builds a Learner for a spec, with a body and head as fastai's ``vision_learner`` makes them.

    Raises:
        UserError: If the architecture is unknown or cannot be cut into body and head.
    """
    network = architecture(spec.architecture)
    try:
        return vision_learner(
            dls,
            network,
            pretrained=False,
            normalize=False,
            loss_func=CrossEntropyLossFlat(),
            opt_func=ADAM,
            metrics=error_rate,
        )
    except (StopIteration, TypeError, RuntimeError) as error:
        raise UserError(
            f"architecture: fastai cannot cut {spec.architecture} into a body and a head "
            f"({error or type(error).__name__}); choose another network, for example resnet34."
        ) from error


def learner_for_inference(checkpoint: Checkpoint, device: str = "auto") -> Learner:
    """Rebuilds a Learner that is ready to predict.

    Args:
        checkpoint: The model.
        device: Where it predicts: see ``choose_device``.

    Returns:
        A Learner in evaluation mode: ``learner.predict(path)``, ``learner.dls.test_dl(...)``,
        ``ClassificationInterpretation`` work on it; its probabilities are those at the checkpoint's temperature, in
        float32.
    """
    where = choose_device(device)
    learner = build_learner(inference_loaders(checkpoint.spec, where), checkpoint.spec)
    learner.model.load_state_dict(checkpoint.weights)
    learner.model.to(where).eval()
    learner.loss_func = CalibratedCrossEntropy(checkpoint.spec.temperature)
    return learner


def state_on_cpu(learner: Learner) -> dict[str, torch.Tensor]:
    """Copies the weights of a Learner's network to the CPU."""
    return {name: tensor.detach().cpu().clone() for name, tensor in learner.model.state_dict().items()}


def quiet(learner: Learner) -> Learner:
    """Takes fastai's own progress bar and table from a Learner."""
    if hasattr(learner, "progress"):
        learner.remove_cb(ProgressCallback)
    learner.logger = noop
    return learner
