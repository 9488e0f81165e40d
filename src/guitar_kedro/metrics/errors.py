"""How many predictions are wrong, and how far their share may lie from the true one."""

from __future__ import annotations

from typing import Any, NamedTuple

import pandas as pd

from guitar_kedro.metrics.results import FiniteOrNone, Result
from guitar_kedro.metrics.statistics import mcnemar_test, wilson_interval


class Share(NamedTuple):
    """A share between 0 and 1, NaN of nothing, with the ends of its Wilson 95 % interval."""

    share: float
    low: float
    high: float


class Errors(Result):
    """Errors among images, and their share between 0 and 1 with its Wilson 95 % interval; ``None`` without images."""

    images: int
    errors: int
    error_rate: FiniteOrNone
    error_low: float
    error_high: float


def share_of(part: int, total: int) -> Share:
    """Return the share that a part is of a total.

    Args:
        part: How many there are.
        total: Among how many.

    Raises:
        ValueError: If the part is negative or larger than the total.
    """
    return Share(part / total if total else float("nan"), *wilson_interval(part, total))


def is_right(predictions: pd.DataFrame) -> pd.Series:
    """Return for each prediction whether it is right.

    Args:
        predictions: ``label`` and ``predicted`` of each image.
    """
    return predictions["label"].astype(str) == predictions["predicted"].astype(str)


def count_errors(predictions: pd.DataFrame) -> Errors:
    """Count the errors among predictions.

    Args:
        predictions: ``label`` and ``predicted`` of each image.
    """
    images, errors = len(predictions), int((~is_right(predictions)).sum())
    rate, low, high = share_of(errors, images)
    return Errors(images=images, errors=errors, error_rate=rate, error_low=low, error_high=high)


def with_error_rates(table: pd.DataFrame) -> pd.DataFrame:
    """Add the share of errors to each row of a table.

    Args:
        table: ``images`` and ``errors``, and any other columns.

    Returns:
        The table with ``error_rate``, ``error_low`` and ``error_high`` (Wilson 95 % interval), shares between 0 and 1.
    """
    shares = [share_of(errors, images) for errors, images in zip(table["errors"], table["images"], strict=True)]
    names = ["error_rate", "error_low", "error_high"]
    return table.join(pd.DataFrame(shares, columns=names, index=table.index, dtype=float))


def compare_answers(right_before: pd.Series, right: pd.Series) -> dict[str, Any]:
    """Compare two answers to the same images: their errors, and what became right and wrong.

    Args:
        right_before: Whether the earlier prediction of each image is right.
        right: Whether the later one is.

    Returns:
        ``images``, ``errors_before``, ``errors``, ``fixed``, ``broken``, and ``p_value``, of the exact McNemar test.
    """
    fixed, broken = int((right & ~right_before).sum()), int((right_before & ~right).sum())
    return {
        "images": len(right),
        "errors_before": int((~right_before).sum()),
        "errors": int((~right).sum()),
        "fixed": fixed,
        "broken": broken,
        "p_value": mcnemar_test(fixed, broken),
    }
