"""Whether the model's confidence can be believed: what its temperature and thresholds do to the test images."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from guitar_kedro.metrics import calibration
from guitar_kedro.metrics.errors import is_right, share_of
from guitar_kedro.metrics.results import FiniteOrNone, Result


class CalibrationError(Result):
    """Expected calibration error of a part before and after the temperature scales its probabilities, 0 to 1."""

    images: int
    ece_before: float
    ece_after: float


class Sure(Result):
    """Predictions of a part that count as sure.

    ``coverage`` is their share of the part, ``accuracy`` the share of them that is right, with its Wilson 95 %
    interval; ``None`` where none is sure.
    """

    images: int
    right: int
    coverage: float
    accuracy: FiniteOrNone
    accuracy_low: float
    accuracy_high: float


class Selection(Result):
    """What the threshold of confidence, a probability, does: ``None`` where it makes nothing sure.

    The validation part has chosen it, if it has as many as ``fewest_images``, so that of the sure predictions the share
    ``accuracy_asked`` should be right.
    """

    accuracy_asked: float
    threshold: float | None
    fewest_images: int
    validation: Sure
    test: Sure


class Kept(Result):
    """Images that count as showing one of the classes: ``share`` of all, with its Wilson 95 % interval."""

    images: int
    kept: int
    share: float
    share_low: float
    share_high: float


class Unknown(Result):
    """What the threshold of energy does: ``None`` where it refuses nothing.

    The validation part has chosen it, if it has as many as ``fewest_images`` (``None``: no number is enough), so that
    of pictures of the classes the share ``share_asked`` should be kept. ``auroc`` and the share ``refused`` are of
    other pictures, and ``None`` without those.
    """

    share_asked: float
    threshold: float | None
    fewest_images: int | None
    test: Kept
    auroc: float | None
    ood_images: int
    refused: float | None


class Calibration(Result):
    """What the temperature and both thresholds, which the validation part has chosen, do there and on the test part."""

    temperature: float
    validation: CalibrationError
    test: CalibrationError
    sure: Selection
    unknown: Unknown


def calibration_error(before: np.ndarray, after: np.ndarray, right: np.ndarray) -> CalibrationError:
    """Measure what the temperature did to the expected calibration error.

    Args:
        before: (images,) confidence before scaling.
        after: (images,) confidence after scaling.
        right: (images,) whether the prediction is right.
    """
    return CalibrationError(
        images=len(right),
        ece_before=calibration.expected_calibration_error(before, right),
        ece_after=calibration.expected_calibration_error(after, right),
    )


def selection(
    parts: Mapping[str, pd.DataFrame], sure: Mapping[str, np.ndarray], threshold: float | None, accuracy_asked: float
) -> Selection:
    """Measure what the threshold of confidence does to the validation and to the test part.

    Args:
        parts: Predictions of ``validation`` and ``test``, with ``label`` and ``predicted``.
        sure: Of each part, (images,) whether the prediction is sure.
        threshold: From ``confidence_threshold``.
        accuracy_asked: For which it was chosen.
    """
    return Selection(
        accuracy_asked=accuracy_asked,
        threshold=threshold,
        fewest_images=calibration.fewest_for_confidence(accuracy_asked),
        **{part: _sure(predictions, sure[part]) for part, predictions in parts.items()},
    )


def unknown(known: np.ndarray, others: np.ndarray | None, threshold: float | None, share_asked: float) -> Unknown:
    """Measure what the threshold of energy does to test images and to other pictures.

    Args:
        known: (images,) energies of the test images.
        others: (others,) energies of other pictures, if there are any.
        threshold: From ``ood_threshold``.
        share_asked: For which it was chosen.
    """
    kept, refused = _kept(known, threshold), None
    if others is not None:
        refused = 1 - _kept(others, threshold).share
    return Unknown(
        share_asked=share_asked,
        threshold=threshold,
        fewest_images=calibration.fewest_for_ood(share_asked),
        test=kept,
        auroc=None if others is None else calibration.auroc(known, others),
        ood_images=0 if others is None else len(others),
        refused=refused,
    )


def _sure(predictions: pd.DataFrame, sure: np.ndarray) -> Sure:
    images, right = int(sure.sum()), int(is_right(predictions[sure]).sum())
    accuracy, low, high = share_of(right, images)
    coverage = images / len(predictions)
    return Sure(images=images, right=right, coverage=coverage, accuracy=accuracy, accuracy_low=low, accuracy_high=high)


def _kept(energies: np.ndarray, threshold: float | None) -> Kept:
    kept = len(energies) if threshold is None else int((energies <= threshold).sum())
    share, low, high = share_of(kept, len(energies))
    return Kept(images=len(energies), kept=kept, share=share, share_low=low, share_high=high)
