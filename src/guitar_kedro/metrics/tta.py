"""What test-time augmentation brings, and what it costs."""

from __future__ import annotations

import pandas as pd

from guitar_kedro.metrics.errors import compare_answers
from guitar_kedro.metrics.results import Result
from guitar_kedro.metrics.statistics import paired_difference_interval


class TtaGain(Result):
    """What predicting ``views`` augmented views changed on the validation images; without any, nothing else is set.

    ``gain`` is by how much the error rate became lower, a share of the images, with its 95 % interval.
    """

    views: int
    images: int = 0
    errors: int = 0
    errors_plain: int = 0
    fixed: int = 0
    broken: int = 0
    gain: float = 0
    gain_low: float = 0
    gain_high: float = 0
    times_slower: float = 1


def tta_gain(views: int, right: pd.Series, right_plain: pd.Series, times_slower: float) -> TtaGain:
    """Compare predictions with augmented views to those without.

    Args:
        views: How many there are.
        right: Whether each image is right with them.
        right_plain: Whether each image is right without them.
        times_slower: Time with them by time without them.
    """
    found = compare_answers(right_plain, right)
    images, fixed, broken = found["images"], found["fixed"], found["broken"]
    low, high = paired_difference_interval(fixed, broken, images)
    return TtaGain(
        views=views,
        images=images,
        errors=found["errors"],
        errors_plain=found["errors_before"],
        fixed=fixed,
        broken=broken,
        gain=(fixed - broken) / images,
        gain_low=low,
        gain_high=high,
        times_slower=times_slower,
    )
