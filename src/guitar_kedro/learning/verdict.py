"""How far an answer may be trusted."""

from __future__ import annotations

from enum import Enum

from guitar_kedro.learning.checkpoint import ModelSpec


class Verdict(str, Enum):
    """What is said of an answer."""

    SURE = "sure"
    NOT_SURE = "not_sure"
    NONE_OF_THESE = "none_of_these"


def verdict(spec: ModelSpec, probability: float, energy: float) -> Verdict:
    """Judges an answer by the thresholds of its model.

    A picture that shows none of the classes may well get a high probability for one of them; so its energy, by which it
    is told, counts first.

    Args:
        spec: Gives the thresholds. Without one, no answer is sure, or no picture is none of the classes.
        probability: The highest of the picture's.
        energy: Of the picture.
    """
    if spec.known_threshold is not None and energy > spec.known_threshold:
        return Verdict.NONE_OF_THESE
    if spec.sure_threshold is not None and probability >= spec.sure_threshold:
        return Verdict.SURE
    return Verdict.NOT_SURE
