"""Whether a network knows what it knows: calibration, abstention, and pictures of nothing it was taught.

Probabilities are those of the softmax. The most probable class never changes with the temperature, so that error rates
stay as they are; only the confidence, the largest probability of an image, does.
"""

from __future__ import annotations

import math

import numpy as np
import pandas as pd

_TEMPERATURES = (0.05, 20.0)
_PRIOR = 20.0  # strength of the prior of the temperature; log T has a standard deviation of about 1 / sqrt(20)
ROUNDING = 1e-9  # a share that is met exactly is missed by that much in floating point


def tempered(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """Rescale probabilities by a temperature: the softmax of their logarithms divided by it.

    Source: C. Guo, G. Pleiss, Y. Sun and K. Q. Weinberger (2017), "On calibration of modern neural networks", ICML.
    Dividing logarithms of probabilities is the same as dividing logits, which differ from them by a constant per image.

    Args:
        probabilities: (images, classes), between 0 and 1. Zeros count as the smallest normal float64.
        temperature: Above 1 makes less sure, below 1 more sure; 1 changes nothing.

    Returns:
        (images, classes) float64; rows sum to 1.

    Raises:
        ValueError: If the temperature is not above 0, or the probabilities are not a finite table.
    """
    if not temperature > 0:
        raise ValueError(f"temperature must be above 0, not {temperature}")
    powers = np.exp(_relative_logarithms(probabilities) / temperature)
    return powers / powers.sum(axis=1, keepdims=True)


def fit_temperature(probabilities: np.ndarray, targets: np.ndarray) -> float:
    """Find the most probable temperature, given the images and that networks need little scaling.

    Guo, Pleiss, Sun and Weinberger (2017), as in ``tempered``, minimise the negative log likelihood alone. Where all
    images are right, or none, that has no minimum, and of few images it learns their luck. So the inverse temperature
    has a gamma prior whose mode is 1, no scaling: it adds ``20 (1/T + log T)`` to the negative log likelihood of all
    images. Such priors keep estimates off the boundary of what is possible (Y. Chung, S. Rabe-Hesketh, V. Dorie,
    A. Gelman and J. Liu 2013, "A nondegenerate penalized likelihood estimator for variance parameters in multilevel
    models", Psychometrika 78, 685-709; A. Gelman, A. Jakulin, M. G. Pittau and Y.-S. Su 2008, "A weakly informative
    default prior distribution for logistic and other regression models", Annals of Applied Statistics 2, 1360-1383). A
    few hundred images outweigh it. The smoothed targets of J. Platt (1999), "Probabilistic outputs for support vector
    machines", draw towards a probability of (n + 1) / (n + 2) instead, and of few images they make a network that is
    rightly sure unsure.

    There is a single optimum, because the sum is convex in the inverse of the temperature.

    Args:
        probabilities: (images, classes), between 0 and 1, of images that the network was not trained with.
        targets: (images,) whole numbers, the column of what each image shows.

    Returns:
        Between 0.05 and 20; 1 where the images say nothing about it.

    Raises:
        ValueError: If there are no images, or the shapes or numbers do not fit each other.
    """
    logs = _relative_logarithms(probabilities)
    targets = np.asarray(targets)
    if targets.shape != logs.shape[:1] or not len(targets):
        raise ValueError(f"one target per image is needed, not {targets.shape} for probabilities {logs.shape}")
    if targets.dtype.kind not in "iu" or targets.min() < 0 or targets.max() >= logs.shape[1]:
        raise ValueError(f"targets must be whole numbers from 0 to {logs.shape[1] - 1}")
    of_targets = logs[np.arange(len(logs)), targets].sum()

    def loss(log_temperature: float) -> float:
        scale = np.exp(-log_temperature)
        likelihood = of_targets * scale - np.log(np.exp(logs * scale).sum(axis=1)).sum()
        return float(_PRIOR * (scale + log_temperature) - likelihood)

    from scipy.optimize import minimize_scalar

    low, high = np.log(_TEMPERATURES)
    found = minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-4}).x
    # The search only comes near: images that say nothing leave the temperature at exactly 1.
    return float(np.exp(min((0.0, found), key=loss)))


def expected_calibration_error(confidence: np.ndarray, right: np.ndarray, bins: int = 15) -> float:
    """Measure how far confidence lies from accuracy, averaged over bins of confidence by their number of images.

    Source: M. P. Naeini, G. F. Cooper and M. Hauskrecht (2015), "Obtaining well calibrated probabilities using Bayesian
    binning", AAAI; with the most probable class as in Guo et al. (2017). Bins are equally wide and hold their
    upper end.

    Args:
        confidence: (images,) largest probability of each image, between 0 and 1.
        right: (images,) whether the most probable class is the right one.
        bins: How many.

    Returns:
        A share between 0 (perfectly calibrated) and 1.

    Raises:
        ValueError: If there are no images or bins, or the shapes or numbers are impossible.
    """
    table = binned(confidence, right, bins)
    return float((table["share"] * (table["right"] / table["images"] - table["confidence"]).abs()).sum())


def risk_coverage(confidence: np.ndarray, right: np.ndarray) -> pd.DataFrame:
    """List what answering only from each confidence on would give.

    Source: R. El-Yaniv and Y. Wiener (2010), "On the foundations of noise-free selective classification", JMLR 11,
    1605-1641; Y. Geifman and R. El-Yaniv (2017), "Selective classification for deep neural networks", NeurIPS.

    Args:
        confidence: (images,) largest probability of each image.
        right: (images,) whether the most probable class is the right one.

    Returns:
        A row per different confidence, most confident first: ``threshold``, answered are images that are at least as
        sure; ``answered``, how many these are; ``coverage``, their share of all images; ``risk``, the share of them
        that is wrong.

    Raises:
        ValueError: If there are no images, or the shapes or numbers are impossible.
    """
    thresholds, answered, right_ones = _answered(confidence, right)
    columns = {"coverage": answered / answered[-1], "risk": (answered - right_ones) / answered}
    return pd.DataFrame({"threshold": thresholds, "answered": answered, **columns})


def confidence_threshold(confidence: np.ndarray, right: np.ndarray, accuracy: float) -> float | None:
    """Find the lowest confidence from which on answers may be expected to be as often right as they should be.

    Geifman and El-Yaniv (2017), as in ``risk_coverage``, ask that the accuracy be reached with a high probability. That
    takes hundreds of images without an error, and refuses nearly all answers where there are fewer. Here the expected
    accuracy of new images must reach it: by Laplace's rule of succession, of n answers of which r were right, that is
    (r + 1) / (n + 2) (B. Cestnik 1990, "Estimating probabilities: a crucial task in machine learning", ECAI). The
    accuracy of the given images themselves would be promised too easily: of nine, all may be right by luck.

    Args:
        confidence: (images,) largest probability of each image.
        right: (images,) whether the most probable class is the right one.
        accuracy: Share of the answered images that should be right, between 0 and 1.

    Returns:
        A confidence that occurs among the images, or None where no threshold reaches the accuracy, or there are fewer
        images than ``fewest_for_confidence``.

    Raises:
        ValueError: If there are no images, or the shapes or numbers are impossible.
    """
    if not 0 <= accuracy <= 1:
        raise ValueError(f"accuracy must lie between 0 and 1, not {accuracy}")
    thresholds, answered, right_ones = _answered(confidence, right)
    enough = np.flatnonzero(right_ones + 1 >= accuracy * (answered + 2) - ROUNDING)
    return float(thresholds[enough[-1]]) if len(enough) else None


def fewest_for_confidence(accuracy: float) -> int:
    """Count the images, all of them right, that ``confidence_threshold`` needs at least: 98 for an accuracy of 0.99.

    Args:
        accuracy: Share of the answered images that should be right, at least 0 and below 1.
    """
    return max(math.ceil((2 * accuracy - 1) / (1 - accuracy) - ROUNDING), 1)


def ood_threshold(energies: np.ndarray, kept: float = 0.95) -> float | None:
    """Find the energy up to which pictures count as showing a known class.

    Source: W. Liu, X. Wang, J. D. Owens and Y. Li (2020), "Energy-based out-of-distribution detection", NeurIPS. The
    energy of a picture is -T logsumexp(logits / T), low for what the network knows. The threshold is that of split
    conformal prediction (J. Lei, M. G'Sell, A. Rinaldo, R. J. Tibshirani and L. Wasserman 2018, "Distribution-free
    predictive inference for regression", Journal of the American Statistical Association 113, 1094-1111): in ascending
    order the energy at place ceil((n + 1) kept) of n. A new image of the classes lies at or below it with a probability
    of at least ``kept``, however few the given ones are.

    Args:
        energies: (images,) of images of known classes, which the network was not trained with; without unit.
        kept: Share of new images of these classes that shall lie at or below the threshold, above 0 and at most 1.

    Returns:
        One of the energies, or None where not even the largest promises that share: of fewer than
        ``fewest_for_ood`` images.

    Raises:
        ValueError: If there are no energies, some are not finite, or the share is impossible.
    """
    if not 0 < kept <= 1:
        raise ValueError(f"kept must be above 0 and at most 1, not {kept}")
    ordered = np.sort(finite("energies", energies))
    place = max(math.ceil((len(ordered) + 1) * kept - ROUNDING), 1)
    return float(ordered[place - 1]) if place <= len(ordered) else None


def fewest_for_ood(kept: float) -> int | None:
    """Count the images that ``ood_threshold`` needs at least: 19 for a share of 0.95; ``None``, no number, for 1.

    Args:
        kept: Share of new images of the classes that shall lie at or below the threshold, above 0 and at most 1.
    """
    return None if kept == 1 else max(math.ceil(kept / (1 - kept) - ROUNDING), 1)


def auroc(known_energies: np.ndarray, other_energies: np.ndarray) -> float:
    """Return the chance that a picture of something else has a higher energy than one of a known class.

    Source: T. Fawcett (2006), "An introduction to ROC analysis", Pattern Recognition Letters 27 (8), 861-874: the area
    under the receiver operating characteristic. Equal energies count half.

    Args:
        known_energies: (images,) of images of known classes, without unit.
        other_energies: (others,) of all other images.

    Returns:
        1 where energies tell all apart, 0.5 where they tell nothing.

    Raises:
        ValueError: If one of the two is empty or not finite.
    """
    known, other = finite("known energies", known_energies), finite("other energies", other_energies)
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(np.repeat([0, 1], [len(known), len(other)]), np.concatenate([known, other])))


def _relative_logarithms(probabilities: np.ndarray) -> np.ndarray:
    values = np.asarray(probabilities, dtype=np.float64)
    if values.ndim != 2 or not values.shape[1] or not np.isfinite(values).all():
        raise ValueError(f"probabilities must be a finite table of images by classes, not of shape {values.shape}")
    logs = np.log(np.maximum(values, np.finfo(np.float64).tiny))
    # With 0 as the largest of each row no exponential of them overflows.
    return logs - logs.max(axis=1, keepdims=True)


def finite(name: str, values: np.ndarray) -> np.ndarray:
    """Return values as a vector of double precision; raise ValueError if it is empty or not finite."""
    checked = np.asarray(values, dtype=np.float64)
    if checked.ndim != 1 or not len(checked) or not np.isfinite(checked).all():
        raise ValueError(f"{name} must be at least one finite number in a row, not of shape {checked.shape}")
    return checked


def _checked(confidence: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    confidence, right = finite("confidence", confidence), np.asarray(right, dtype=bool)
    if confidence.shape != right.shape:
        raise ValueError(f"confidence {confidence.shape} and right {right.shape} must have the same shape")
    return confidence, right


def _answered(confidence: np.ndarray, right: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    confidence, right = _checked(confidence, right)
    order = np.argsort(-confidence, kind="stable")
    ordered = confidence[order]
    # No threshold tells apart images that are equally sure: only the last of each counts.
    last = np.append(np.flatnonzero(ordered[1:] != ordered[:-1]), len(ordered) - 1)
    return ordered[last], last + 1, right[order].cumsum()[last]


def binned(confidence: np.ndarray, right: np.ndarray, bins: int) -> pd.DataFrame:
    """Count images, right answers, and average confidence in bins of equal width; empty bins have no row."""
    if bins < 1:
        raise ValueError(f"there must be at least one bin, not {bins}")
    confidence, right = _checked(confidence, right)
    # Softmax in single precision may end a little above 1.
    if confidence.min() < 0 or confidence.max() > 1 + 1e-5:
        raise ValueError("confidence must lie between 0 and 1")
    places = np.searchsorted(np.linspace(0, 1, bins + 1)[1:-1], confidence)
    table = pd.DataFrame({"bin": places, "confidence": confidence, "right": right})
    table = table.groupby("bin").agg(
        images=("right", "size"), right=("right", "sum"), confidence=("confidence", "mean")
    )
    return table.assign(share=table["images"] / len(confidence))
