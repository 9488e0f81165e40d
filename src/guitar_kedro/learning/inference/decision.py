"""How far a prediction may be trusted."""

from __future__ import annotations

from enum import Enum

from guitar_kedro.learning.networks.checkpoint import ModelSpec


class Decision(str, Enum):
    """What is said of a prediction."""

    SURE = "sure"
    NOT_SURE = "not_sure"
    NONE_OF_THESE = "none_of_these"


def decide(spec: ModelSpec, probability: float, energy: float) -> Decision:
    """Decide by the thresholds of a model how far its prediction may be trusted.

    A picture that shows none of the classes may well get a high probability for one of them; so its energy, by which it
    is told, counts first.

    Args:
        spec: Gives the thresholds. Without one, no prediction is sure, or no picture is none of the classes.
        probability: The highest of the picture's, 0 to 1.
        energy: Of the picture: see ``Predictions``.
    """
    if spec.ood_threshold is not None and energy > spec.ood_threshold:
        return Decision.NONE_OF_THESE
    if spec.confidence_threshold is not None and probability >= spec.confidence_threshold:
        return Decision.SURE
    return Decision.NOT_SURE
