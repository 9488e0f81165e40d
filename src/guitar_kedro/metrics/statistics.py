"""How far a measured share may lie from the true one, and whether two of them differ by more than chance."""

from __future__ import annotations

from functools import cache
from statistics import NormalDist


@cache  # a report asks for thousands of classes, of which most have the same few counts
def wilson_interval(successes: int, total: int) -> tuple[float, float]:
    """Return the 95 % Wilson score interval of a share, without continuity correction.

    Source: E. B. Wilson (1927), "Probable inference, the law of succession, and statistical inference", Journal of the
    American Statistical Association 22 (158), 209-212. It stays between 0 and 1 and has a width even where everything
    or nothing succeeded, which the usual plus-minus formula has not (Brown, Cai and DasGupta 2001, Statistical Science
    16 (2), 101-133).

    Args:
        successes: How often it happened.
        total: Of how many independent trials. With none, nothing is known: the interval is (0, 1).

    Returns:
        The lower and the upper end, shares between 0 and 1.

    Raises:
        ValueError: If the counts are impossible.
    """
    if not 0 <= successes <= total:
        raise ValueError(f"successes must lie between 0 and total ({total}), not {successes}")
    if total == 0:
        return 0.0, 1.0
    from scipy.stats import binomtest

    interval = binomtest(successes, total).proportion_ci(0.95, method="wilson")
    return float(interval.low), float(interval.high)


def mcnemar_test(fixed: int, broken: int) -> float:
    """Say how likely chance alone parts two classifiers, tried on the same images, at least as far as they are.

    It is the exact test: if neither is better, each image that only one of them has right goes to either with
    probability 1/2, so the counts are binomial. Images that both have right or both have wrong say nothing.

    Source: Q. McNemar (1947), "Note on the sampling error of the difference between correlated proportions or
    percentages", Psychometrika 12 (2), 153-157.

    Args:
        fixed: How many images only the later one has right.
        broken: How many images only the earlier one has right.

    Returns:
        The two-sided p-value, between 0 and 1; 1 where they differ on no image.

    Raises:
        ValueError: If a count is negative.
    """
    if fixed < 0 or broken < 0:
        raise ValueError(f"counts must not be negative: fixed {fixed}, broken {broken}")
    from scipy.stats import binomtest

    return float(binomtest(fixed, fixed + broken).pvalue) if fixed + broken else 1.0


def paired_difference_interval(fixed: int, broken: int, total: int) -> tuple[float, float]:
    """Return the 95 % interval of how much lower an error rate became, measured twice on the same images.

    Source: A. Agresti and Y. Min (2005), "Simple improved confidence intervals for comparing matched proportions",
    Statistics in Medicine 24 (5), 729-740: Wald's interval after half an image is added to each of the four cells.

    Args:
        fixed: Images that were wrong before and are right now.
        broken: Images that were right before and are wrong now.
        total: All images.

    Returns:
        The lower and the upper end; positive where errors became fewer.

    Raises:
        ValueError: If the counts are impossible.
    """
    if min(fixed, broken) < 0 or fixed + broken > total or total < 1:
        raise ValueError(f"{fixed} fixed and {broken} broken cannot be among {total} images")
    gained, lost, images = fixed + 0.5, broken + 0.5, total + 2
    difference = (gained - lost) / images
    reach = NormalDist().inv_cdf((1 + 0.95) / 2) * (gained + lost - (gained - lost) ** 2 / images) ** 0.5 / images
    return difference - reach, difference + reach
