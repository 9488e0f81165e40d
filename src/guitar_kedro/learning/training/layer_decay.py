"""Learning rates that decay from layer to layer, from the head to the stem (Clark et al. 2020)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from fastai.learner import Learner

from guitar_kedro.errors import UserError
from guitar_kedro.learning.networks.architectures import has_layers


def check_layer_decay(architecture: str) -> None:
    """Check that ``layer_decay`` can be used with a network.

    Raises:
        UserError: If nobody says how its layers follow each other.
    """
    if not has_layers(architecture):
        raise UserError(
            f"training.layer_decay is for networks of timm and for transformers, not for {architecture}; set it to 1."
        )


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

    Args:
        learner: Whose layer groups are ``layer_groups`` where the rate decays.
        rate: That of the head.
        layer_decay: See ``LoopOptions``.
    """
    if layer_decay == 1:
        return rate
    return rate * layer_decay ** np.arange(len(learner.opt.param_lists) - 1, -1, -1, dtype=float)
