"""The Wilson interval and the McNemar test against published values and against scipy."""

import numpy as np
import pytest
from scipy.stats import binomtest

from guitar_kedro.metrics.statistics import mcnemar_test, paired_difference_interval, wilson_interval


@pytest.mark.parametrize(
    ("successes", "total", "low", "high"),
    # R. G. Newcombe (1998), Statistics in Medicine 17, 857-872, table I, method 3 (score, no continuity correction).
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_the_interval_is_the_published_one(successes: int, total: int, low: float, high: float) -> None:
    assert wilson_interval(successes, total) == pytest.approx((low, high), abs=5e-5)


@pytest.mark.parametrize(("successes", "total"), [(0, 1), (1, 1), (1, 2), (3, 1697), (220, 220), (99_000, 100_000)])
def test_the_interval_is_scipys(successes: int, total: int) -> None:
    expected = binomtest(successes, total).proportion_ci(0.95, method="wilson")
    assert wilson_interval(successes, total) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_of_no_images_nothing_is_known() -> None:
    assert wilson_interval(0, 0) == (0.0, 1.0)


def test_everything_right_does_not_mean_certainly_perfect() -> None:
    low, high = wilson_interval(50, 50)
    assert low < 0.95
    assert high == 1.0


@pytest.mark.parametrize(("successes", "total"), [(-1, 3), (4, 3), (0, -1)])
def test_impossible_counts_are_refused(successes: int, total: int) -> None:
    with pytest.raises(ValueError, match="successes"):
        wilson_interval(successes, total)


def test_the_p_value_is_the_published_one() -> None:
    # M. P. Fay, "Exact McNemar's test and matching confidence intervals", vignette of the R package exact2x2: 9 and 2.
    assert mcnemar_test(9, 2) == pytest.approx(0.06543, abs=5e-6)


@pytest.mark.parametrize(("fixed", "broken"), [(1, 0), (0, 6), (9, 6), (3, 3), (86, 150), (700, 500), (50_000, 49_000)])
def test_the_p_value_is_that_of_scipys_binomial_test(fixed: int, broken: int) -> None:
    assert mcnemar_test(fixed, broken) == pytest.approx(binomtest(fixed, fixed + broken).pvalue, rel=1e-9)
    assert mcnemar_test(fixed, broken) == mcnemar_test(broken, fixed)


def test_without_a_difference_there_is_nothing_to_explain() -> None:
    assert mcnemar_test(0, 0) == 1.0


@pytest.mark.parametrize(("fixed", "broken"), [(-1, 3), (3, -1)])
def test_negative_counts_are_refused(fixed: int, broken: int) -> None:
    with pytest.raises(ValueError, match="negative"):
        mcnemar_test(fixed, broken)


@pytest.mark.parametrize(("chance_fixed", "chance_broken"), [(0.06, 0.02), (0.03, 0.03), (0.2, 0.1)])
def test_nineteen_of_twenty_paired_intervals_hold_the_true_difference(
    chance_fixed: float, chance_broken: float
) -> None:
    generator = np.random.default_rng(1)
    rest = 1 - chance_fixed - chance_broken
    draws = generator.multinomial(200, [chance_fixed, chance_broken, rest], size=2000)
    counts, often = np.unique(draws[:, :2], axis=0, return_counts=True)
    intervals = [paired_difference_interval(fixed, broken, 200) for fixed, broken in counts.tolist()]
    held = [low <= chance_fixed - chance_broken <= high for low, high in intervals]
    assert 0.93 <= np.average(held, weights=often) <= 0.99


def test_a_paired_interval_turns_its_sign_when_fixed_and_broken_change_places() -> None:
    low, high = paired_difference_interval(13, 7, 440)
    assert paired_difference_interval(7, 13, 440) == pytest.approx((-high, -low))
    assert low < 6 / 440 < high


def test_more_changes_than_images_are_refused() -> None:
    with pytest.raises(ValueError, match="images"):
        paired_difference_interval(3, 3, 5)
