"""Learning rates: those that suit a network, where nobody names any, and those that decay from layer to layer."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from fastai.learner import Learner

from guitar_kedro.errors import UserError
from guitar_kedro.learning.networks.architectures import has_batch_norm
from guitar_kedro.learning.networks.checkpoint import Checkpoint
from guitar_kedro.learning.training.phase import Phase

_WITH_BATCH_NORM = (1e-3, 3e-3)
_WITHOUT = (1e-4, 1e-3)
_AGAIN = 1 / 3  # of a network that was trained whole already, for another size of pictures, say
_FITTED = 1 / 10  # of a head that a probe has fitted: it has thousands of inputs, and would forget in the first steps


def suitable_rates(phase: Phase) -> tuple[float, float]:
    """Return the highest rates of the first and the last layer group that suit the family of a network.

    With Adam, networks with BatchNorm take higher ones than transformers and ConvNeXt, whose pretrained weights are
    easily spoilt (Steiner et al. 2022, "How to train your ViT?", TMLR; Howard's and Capelle's comparison of timm's
    networks, "Which image models are best for fine-tuning?", 2022). Those with BatchNorm, and that of a head that a
    probe has fitted, come from EfficientNet-Lite0 on 7,664 photos; the others are of the usual order, and were not
    tuned here.

    Args:
        phase: What is trained.
    """
    first, last = _WITH_BATCH_NORM if has_batch_norm(phase.stage.architecture, phase.stage.image_size) else _WITHOUT
    if isinstance(phase.start, Checkpoint):
        if phase.start.spec.head == "linear":
            last *= _FITTED
        if phase.start.spec.provenance.get("phase") == "unfrozen":
            first, last = first * _AGAIN, last * _AGAIN
    return first, last


def check_rates(path: str, rates: Sequence[float], layer_decay: float) -> None:
    """Check that learning rates go with ``layer_decay``.

    Args:
        path: Of the phase, for the message.
        rates: The highest learning rate, or those of the first and the last layer group.
        layer_decay: See ``LoopOptions``.

    Raises:
        UserError: If both say how first layers learn.
    """
    if layer_decay < 1 and len(rates) > 1:
        raise UserError(
            f"{path}.learning_rate is a pair, and training.layer_decay says how the first layers learn as well: give "
            "one rate, which is that of the head, or set layer_decay to 1."
        )


def rates_of_layers(learner: Learner, rate: float, layer_decay: float) -> Any:
    """Return the highest rate of each layer group, as an array; or the rate itself, where it is that of all.

    Rates decay from the head to the stem (Clark et al. 2020).

    Args:
        learner: Whose layer groups are ``layer_groups`` where the rate decays.
        rate: That of the head.
        layer_decay: See ``LoopOptions``.
    """
    if layer_decay == 1:
        return rate
    return rate * layer_decay ** np.arange(len(learner.opt.param_lists) - 1, -1, -1, dtype=float)
