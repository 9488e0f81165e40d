"""What may be relied on where the network says how sure it is."""

import time

import numpy as np
import pandas as pd
import pytest
from scipy.special import softmax
from scipy.stats import mannwhitneyu

from guitar_kedro.metrics.calibration import (
    auroc,
    confidence_threshold,
    expected_calibration_error,
    fewest_for_confidence,
    fewest_for_ood,
    fit_temperature,
    ood_threshold,
    risk_coverage,
    tempered,
)
from guitar_kedro.plots.calibration import reliability_figure, risk_coverage_figure, unknown_figure


def _drawn(images, classes, temperature, spread=4.0, seed=0):
    """Probabilities of a network that is right as often as it says at this temperature, and what the images show."""
    random = np.random.default_rng(seed)
    logits = spread * random.standard_normal((images, classes))
    sums = softmax(logits / temperature, axis=1).cumsum(axis=1)
    targets = (sums < random.random((images, 1))).sum(axis=1).clip(max=classes - 1)
    return softmax(logits, axis=1), targets


def _part(images=2000, classes=11, temperature=2.0):
    probabilities, targets = _drawn(images, classes, temperature)
    after = tempered(probabilities, temperature)
    return probabilities.max(axis=1), after.max(axis=1), probabilities.argmax(axis=1) == targets


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
@pytest.mark.parametrize("classes", [2, 100])
def test_a_known_temperature_is_found_again_from_synthetic_logits(temperature, classes):
    probabilities, targets = _drawn(10_000, classes, temperature, spread=2.0)
    assert fit_temperature(probabilities, targets) == pytest.approx(temperature, rel=0.06)


def test_scaling_by_the_found_temperature_calibrates():
    before, after, right = _part(20_000)
    assert expected_calibration_error(before, right) > 0.1
    assert expected_calibration_error(after, right) < 0.015


@pytest.mark.parametrize("images", [1, 9, 1000])
def test_a_temperature_stays_far_from_its_bounds_where_all_or_none_are_right(images):
    probabilities, _ = _drawn(images, 11, 1.0)
    order = probabilities.argsort(axis=1)
    assert 0.2 < fit_temperature(probabilities, order[:, -1]) <= 1
    assert 1 <= fit_temperature(probabilities, order[:, 0]) < 20
    assert 0.9 < fit_temperature(probabilities[:1], order[:1, -1]) <= 1


def _loss(probabilities, targets):
    return -np.log(probabilities[np.arange(len(targets)), targets]).mean()


@pytest.mark.parametrize("true_temperature", [2.5, 1.0, 0.5], ids=["too_sure", "well_calibrated", "not_sure_enough"])
@pytest.mark.parametrize("classes", [2, 40])
@pytest.mark.parametrize("images", [9, 300])
def test_scaling_is_never_worse_than_none_on_new_images_however_few_it_was_fitted_on(images, classes, true_temperature):
    new, shown = _drawn(2000, classes, true_temperature, seed=1000)
    right = new.argmax(axis=1) == shown
    error = expected_calibration_error(new.max(axis=1), right)
    losses, errors = [], []
    for seed in range(20):
        scaled = tempered(new, fit_temperature(*_drawn(images, classes, true_temperature, seed=seed)))
        losses.append(_loss(scaled, shown) - _loss(new, shown))
        errors.append(expected_calibration_error(scaled.max(axis=1), right) - error)
    # noise: the standard errors with which so many images tell the loss and the accuracy themselves
    loss_of_each = -np.log(new[np.arange(len(shown)), shown])
    of_loss, of_accuracy = loss_of_each.std() / images**0.5, right.std() / images**0.5
    assert np.mean(losses) < 0.1 * of_loss
    assert np.quantile(losses, 0.9) < 0.3 * of_loss
    assert np.mean(errors) < 0.5 * of_accuracy
    assert np.quantile(errors, 0.9) < 1.2 * of_accuracy
    if true_temperature != 1 and images >= 300:
        assert np.mean(errors) < -0.5 * (error - 0.01)


def test_nine_images_that_are_all_right_promise_nothing_that_new_ones_break():
    new, shown = _drawn(4000, 11, 1.0, spread=8.0, seed=1000)
    right = new.argmax(axis=1) == shown
    loss, error = _loss(new, shown), expected_calibration_error(new.max(axis=1), right)
    draws = (_drawn(9, 11, 1.0, spread=8.0, seed=seed) for seed in range(200))
    lucky = [draw for draw in draws if (draw[0].argmax(axis=1) == draw[1]).all()][:25]
    assert len(lucky) == 25
    for probabilities, targets in lucky:
        temperature = fit_temperature(probabilities, targets)
        assert 0.8 < temperature <= 1.05
        confidence = tempered(probabilities, temperature).max(axis=1)
        assert confidence_threshold(confidence, np.ones(9, bool), 0.99) is None
        after = tempered(new, temperature)
        assert _loss(after, shown) < loss + 0.02
        assert expected_calibration_error(after.max(axis=1), right) < error + 0.03


def test_images_that_say_nothing_leave_the_temperature_at_one():
    assert fit_temperature(np.full((4, 5), 0.2), np.arange(4)) == 1
    assert fit_temperature(np.eye(3), np.arange(3)) == 1


@pytest.mark.parametrize(
    ("shape", "targets"), [((0, 3), []), ((2, 3), [0]), ((3,), [0, 1, 2]), ((1, 3), [3]), ((1, 3), [-1])]
)
def test_a_temperature_needs_a_possible_target_per_image(shape, targets):
    with pytest.raises(ValueError, match=r"target|table"):
        fit_temperature(np.ones(shape), np.array(targets, dtype=int))


def test_tempered_probabilities_are_those_of_the_divided_logits():
    logits = np.array([[1.0, -2.0, 0.5], [30.0, 0.0, -30.0]])
    expected = softmax(logits / 3, axis=1)
    assert tempered(softmax(logits, axis=1), 3) == pytest.approx(expected)


@pytest.mark.parametrize("temperature", [0.05, 1, 20])
def test_probabilities_of_zero_stay_probabilities(temperature):
    scaled = tempered(np.array([[1, 0, 0], [0.5, 0.5, 0]], dtype=np.float32), temperature)
    assert scaled.sum(axis=1) == pytest.approx(1)
    assert scaled[1, 0] == scaled[1, 1]


@pytest.mark.parametrize("temperature", [0, -1, np.nan])
def test_a_temperature_is_above_zero(temperature):
    with pytest.raises(ValueError, match="temperature"):
        tempered(np.ones((1, 2)), temperature)


def test_the_calibration_error_is_that_of_a_hand_computed_example():
    confidence, right = [0.9, 0.8, 0.95, 0.3, 0.4], [True, False, True, False, True]
    # Two bins: (0.3 + 0.4) / 2 = 0.35 and 1/2 right; (0.9 + 0.8 + 0.95) / 3 = 0.88333 and 2/3 right.
    expected = 2 / 5 * 0.15 + 3 / 5 * (2.65 / 3 - 2 / 3)
    assert expected_calibration_error(confidence, right, bins=2) == pytest.approx(expected)


def test_a_bin_holds_its_upper_end():
    assert expected_calibration_error([0.5, 0.6], [True, False], bins=2) == pytest.approx(0.5 * 0.5 + 0.5 * 0.6)
    assert expected_calibration_error([0.5, 0.4], [True, False], bins=2) == pytest.approx(0.05)


@pytest.mark.parametrize(("right", "expected"), [(True, 0.0), (False, 1.0)])
def test_the_calibration_error_goes_from_nothing_to_all(right, expected):
    assert expected_calibration_error(np.ones(7), np.full(7, right)) == expected


@pytest.mark.parametrize("confidence", [[], [0.5, 0.5], [np.nan], [1.1], [-0.1]])
def test_impossible_confidences_are_refused(confidence):
    with pytest.raises(ValueError, match="confidence"):
        expected_calibration_error(confidence, [True] if len(confidence) else [])


def test_risk_and_coverage_are_those_of_a_hand_made_example():
    curve = risk_coverage([0.6, 0.9, 0.8, 0.8, 0.5], [False, True, True, False, True])
    expected = pd.DataFrame(
        {
            "threshold": [0.9, 0.8, 0.6, 0.5],
            "answered": [1, 3, 4, 5],
            "coverage": [0.2, 0.6, 0.8, 1.0],
            "risk": [0, 1 / 3, 2 / 4, 2 / 5],
        }
    )
    pd.testing.assert_frame_equal(curve, expected)


def test_the_sure_threshold_is_the_lowest_at_which_new_answers_may_be_expected_to_be_right():
    confidence, right = [0.6, 0.9, 0.8, 0.8, 0.5], [False, True, True, False, True]
    assert confidence_threshold(confidence, right, 2 / 3) == 0.9  # (1 + 1) / (1 + 2)
    assert confidence_threshold(confidence, right, 3 / 5) == 0.8
    assert confidence_threshold(confidence, right, 4 / 7) == 0.5
    assert confidence_threshold(confidence, right, 0.7) is None
    assert confidence_threshold(confidence, np.zeros(5, bool), 0.4) is None


@pytest.mark.parametrize("images", range(1, 41))
def test_an_accuracy_that_is_met_exactly_is_met(images):
    right = np.arange(images) > 0
    assert confidence_threshold(np.full(images, 0.5), right, images / (images + 2)) == 0.5


@pytest.mark.parametrize(("accuracy", "fewest"), [(0.99, 98), (0.95, 18), (0.9, 8), (0.75, 2), (0.3, 1)])
def test_so_many_images_are_needed_before_any_answer_is_sure(accuracy, fewest):
    assert fewest_for_confidence(accuracy) == fewest
    assert confidence_threshold(np.full(fewest, 0.9), np.ones(fewest, bool), accuracy) == 0.9
    if fewest > 1:
        assert confidence_threshold(np.full(fewest - 1, 0.9), np.ones(fewest - 1, bool), accuracy) is None


@pytest.mark.parametrize("images", [9, 30, 100, 300, 1000])
def test_sure_answers_to_new_images_are_as_often_right_as_was_asked(images):
    new, shown = _drawn(10_000, 11, 1.0, spread=8.0, seed=1000)
    right_new, sure, right_sure = new.argmax(axis=1) == shown, 0, 0
    for seed in range(40):
        probabilities, targets = _drawn(images, 11, 1.0, spread=8.0, seed=seed)
        threshold = confidence_threshold(probabilities.max(axis=1), probabilities.argmax(axis=1) == targets, 0.95)
        if threshold is not None:
            answered = new.max(axis=1) >= threshold
            sure, right_sure = sure + answered.sum(), right_sure + (answered & right_new).sum()
    assert (sure == 0) == (images < fewest_for_confidence(0.95))
    assert right_sure >= 0.94 * sure
    if images == 1000:
        assert sure > 40 * 10_000 / 2  # and useful


def test_a_hundred_thousand_images_take_less_than_a_second():
    random = np.random.default_rng(0)
    confidence = random.random(100_000)
    right = random.random(100_000) < confidence
    begin = time.process_time()
    curve = risk_coverage(confidence, right)
    confidence_threshold(confidence, right, 0.9)
    expected_calibration_error(confidence, right)
    assert time.process_time() - begin < 1
    assert curve["coverage"].iloc[-1] == 1
    assert curve["risk"].iloc[-1] == pytest.approx(1 - right.mean())


@pytest.mark.parametrize(("kept", "expected"), [(0.95, 20), (0.953, None), (1, None), (0.5, 11), (0.001, 1)])
def test_the_known_threshold_keeps_as_many_as_it_must_and_no_more(kept, expected):
    energies = np.random.default_rng(0).permutation(np.arange(1.0, 21))
    assert ood_threshold(energies, kept) == expected


@pytest.mark.parametrize("images", [1, 7, 100, 1000])
@pytest.mark.parametrize("kept", [0.07, 0.29, 0.57, 0.95])
def test_the_known_threshold_is_the_smallest_that_keeps_the_share_with_a_new_image_above(images, kept):
    energies = np.random.default_rng(0).normal(size=images).round(1)
    candidates = [energy for energy in energies if np.sum(energies <= energy) >= kept * (images + 1) - 1e-9]
    assert ood_threshold(energies, kept) == min(candidates, default=None)
    assert (ood_threshold(energies, kept) is None) == (images < fewest_for_ood(kept))


@pytest.mark.parametrize("images", [19, 30, 100])
def test_new_images_stay_below_the_known_threshold_as_often_as_was_asked(images):
    draws = np.random.default_rng(0).normal(size=(4000, images + 1))
    kept = [draw[-1] <= ood_threshold(draw[:-1], 0.95) for draw in draws]
    assert np.mean(kept) == pytest.approx(0.95 + 0.05 / 2 * (images < 30), abs=0.025)
    assert np.mean(kept) > 0.94


def test_fewer_than_nineteen_images_cannot_tell_where_95_percent_lie():
    assert fewest_for_ood(0.95) == 19
    assert ood_threshold(np.arange(18.0), 0.95) is None
    assert ood_threshold(np.arange(19.0), 0.95) == 18
    assert fewest_for_ood(1) is None


def test_the_area_under_the_curve_is_that_of_mann_and_whitney():
    random = np.random.default_rng(0)
    known, other = random.normal(-8, 2, 300).round(1), random.normal(-6, 2, 200).round(1)
    statistic = mannwhitneyu(other, known).statistic
    assert auroc(known, other) == pytest.approx(statistic / (300 * 200))
    assert auroc([-5.0], [-1.0]) == 1
    assert auroc([-5.0], [-5.0]) == 0.5


@pytest.mark.parametrize("energies", [[], [np.nan], [np.inf]])
def test_energies_are_finite_numbers(energies):
    with pytest.raises(ValueError, match="energies"):
        ood_threshold(energies)
    with pytest.raises(ValueError, match="energies"):
        auroc([0.0], energies)


@pytest.mark.parametrize("share", [0, 1.01])
def test_shares_lie_between_nothing_and_all(share):
    with pytest.raises(ValueError, match="kept"):
        ood_threshold([0.0], share)
    with pytest.raises(ValueError, match="accuracy"):
        confidence_threshold([0.5], [True], share - 0.5 if share < 1 else share)


_ONE = (np.array([0.9]), np.array([0.7]), np.array([True]))
_ALL_WRONG = (np.full(9, 0.99), np.full(9, 0.5), np.zeros(9, bool))
_ALL_RIGHT = (np.full(9, 1.0), np.full(9, 1.0), np.ones(9, bool))


@pytest.mark.parametrize(
    "parts",
    [
        {"validation": _part(), "test": _part(1000)},
        {"validation": _part(classes=2), "test": _part(classes=100)},
        {"validation": _ONE, "test": _ALL_WRONG},
        {"test": _ALL_RIGHT},
        {"a folder with pictures of $people$ that they took themselves and a very long name": _ONE},
    ],
    ids=["usual", "few_and_many_classes", "one_and_all_wrong", "all_right", "long_name"],
)
def test_reliability_is_readable(parts, is_readable):
    assert is_readable(reliability_figure(parts, 2.0))


def test_reliability_tells_the_error_before_and_after(words_of):
    words = words_of(reliability_figure({"validation": _ONE}, 1.5))
    assert "Validation: ECE 10.0 % → 30.0 %" in words
    assert "Temperature 1.5, fitted on the validation images." in words
    assert "1 image" in words


def test_reliability_needs_a_part():
    with pytest.raises(ValueError, match="part"):
        reliability_figure({}, 1.0)


@pytest.mark.parametrize(
    ("part", "accuracy"),
    [(_part(), 0.5), (_part(), 0.95), (_part(), 1.0), (_ONE, 0.5), (_ALL_WRONG, 0.95), (_ALL_RIGHT, 1.0)],
    ids=["met", "usual", "never met", "one", "wrong", "right"],
)
def test_the_curve_of_risk_is_readable(part, accuracy, is_readable):
    before, _, right = part
    threshold = confidence_threshold(before, right, accuracy)
    assert is_readable(risk_coverage_figure(risk_coverage(before, right), threshold, accuracy))


def test_the_curve_of_risk_tells_what_is_left_to_answer(words_of):
    curve = risk_coverage([0.6, 0.9, 0.8, 0.8, 0.5], [False, True, True, True, True])
    words = words_of(risk_coverage_figure(curve, 0.8, 0.95)).replace("\n", " ")
    assert "60.0 % of the test images are answered, 100.0 % of them right (3 of 3, 95 % interval 43.9 % to" in words
    assert "which the validation images chose" in words
    assert "missed" not in words
    assert "missed on these images, which may be chance" in words_of(risk_coverage_figure(curve, 0.6, 0.95))
    assert "No confidence threshold promises the accuracy of 95 %" in words_of(risk_coverage_figure(curve, None, 0.95))
    assert "No test image is as sure" in words_of(risk_coverage_figure(curve, 0.99, 0.95))


def test_an_accuracy_that_is_missed_by_more_than_chance_is_not_called_chance(words_of):
    curve = risk_coverage(np.full(200, 0.9), np.arange(200) >= 40)
    assert "missed on these images." in words_of(risk_coverage_figure(curve, 0.9, 0.95))


def test_a_mistake_among_the_surest_does_not_flatten_the_curve():
    right = np.arange(1000) > 0
    figure = risk_coverage_figure(risk_coverage(np.linspace(1, 0.5, 1000), right), None, 0.99)
    assert figure.axes[0].get_ylim()[1] < 0.05


def test_a_curve_needs_images():
    with pytest.raises(ValueError, match="no rows"):
        risk_coverage_figure(pd.DataFrame(columns=["threshold", "coverage", "risk"]), None, 0.9)


@pytest.mark.parametrize("images", [1, 30, 10_000])
@pytest.mark.parametrize("others", [None, 1, 500])
def test_energies_are_readable(images, others, is_readable):
    random = np.random.default_rng(0)
    known = random.normal(-9, 2, images)
    other = None if others is None else random.normal(-5, 1.5, others)
    chance = None if other is None else auroc(known, other)
    assert is_readable(unknown_figure(known, other, ood_threshold(known), chance))
    assert is_readable(unknown_figure(known, other, None, chance))


def test_energies_tell_what_is_kept_and_refused(words_of):
    known, other = np.arange(20.0), np.array([18.0, 30, 40, 50])
    words = words_of(unknown_figure(known, other, 18.0, auroc(known, other))).replace("\n", " ")
    assert "95.0 % of the test images (95 % interval 76.4 % to 99.1 %); 75.0 % of the other pictures are" in words
    assert "which the validation images chose" in words
    assert "too few for a threshold" in words_of(unknown_figure(known, other, None, None)).replace("\n", " ")
    assert "AUROC 0.981" in words
    assert "No other pictures were given" in words_of(unknown_figure(known, None, 18, None))
