"""What the slices tell about where errors gather, and what they do not claim."""

import numpy as np
import pandas as pd
import pytest
from scipy.stats import fisher_exact

from guitar_kedro.metrics.slices import slice_errors, worst_slices
from guitar_kedro.plots.slices import slices_figure


def _images(predictions, width=600, height=800, group=None):
    """A table of the predicted images; every image is a group of its own unless told otherwise."""
    table = predictions[["image_id", "label", "file"]]
    return table.assign(width=width, height=height, duplicate_group=range(len(table)) if group is None else group)


def _rate(predictions):
    return float((predictions["label"] != predictions["predicted"]).mean()) if len(predictions) else 0.0


def _values(slices, kind):
    return slices.loc[slices["slice"] == kind, "value"].tolist()


def _draw(slices, rate):
    return slices_figure(slices, rate, worst_slices(slices, rate))


def test_every_kind_of_slice_holds_every_image_once(random_predictions, names_of):
    predictions = random_predictions(11)
    random = np.random.default_rng(1)
    images = _images(predictions, *random.integers(100, 2000, (2, 220)), random.integers(0, 150, 220))
    slices = slice_errors(predictions, images, names_of(11))
    sums = slices.groupby("slice")[["images", "errors"]].sum()
    assert (sums["images"] == 220).all()
    assert sums["errors"].nunique() == 1
    assert len(_values(slices, "original size")) == 4
    assert list(sums.index) == ["aspect ratio", "class", "near duplicates", "original size"]
    assert slices["error_rate"].between(slices["error_low"], slices["error_high"]).all()


def test_sizes_are_told_in_words_and_equal_sizes_are_one_slice(made_predictions):
    predictions = made_predictions("aaaa", "aaab")
    assert _values(slice_errors(predictions, _images(predictions), {}), "original size") == ["longest side 800 px"]
    images = _images(predictions, width=[200, 300, 500, 1000], height=100)
    values = _values(slice_errors(predictions, images, {}), "original size")
    assert values[0] == "longest side below 280 px"
    assert values[-1] == "longest side 620 px or more"


@pytest.mark.parametrize(
    ("width", "height", "words"),
    [
        (300, 400, "nearly square, 3:4 to 4:3"),
        (400, 300, "nearly square, 3:4 to 4:3"),
        (299, 400, "between 1:2 and 3:4"),
        (401, 300, "wider than 4:3, not yet 2:1"),
        (199, 400, "narrower than 1:2"),
        (400, 200, "2:1 or wider"),
    ],
)
def test_shapes_are_told_in_words(width, height, words, made_predictions):
    predictions = made_predictions("a", "a")
    assert _values(slice_errors(predictions, _images(predictions, width, height), {}), "aspect ratio") == [words]


def test_a_near_duplicate_may_lie_outside_the_predictions(made_predictions):
    everything = made_predictions("aab", "aab")
    slices = slice_errors(everything[1:], _images(everything, group=[7, 7, 8]), {})
    found = slices[slices["slice"] == "near duplicates"].set_index("value")["images"]
    assert found.to_dict() == {"has no near duplicates": 1, "has near duplicates": 1}


def test_an_image_without_a_row_is_named(made_predictions):
    predictions = made_predictions("ab", "ab")
    with pytest.raises(ValueError, match="00001"):
        slice_errors(predictions, _images(predictions)[:1], {})


def test_a_class_that_is_much_worse_is_named(made_predictions, words_of):
    predictions = made_predictions("a" * 50 + "b" * 50, "a" * 48 + "bb" + "b" * 25 + "a" * 25)
    slices = slice_errors(predictions, _images(predictions), {"b": "Fender Jaguar"})
    worst = worst_slices(slices, _rate(predictions))
    assert worst["value"].tolist() == ["Fender Jaguar"]
    # The two classes are what can be tested here, so the better one counts for the correction, and only that.
    assert worst["p_value"][0] == pytest.approx(2 * fisher_exact([[25, 25], [2, 48]], "greater").pvalue)
    assert "Worse than the rest, beyond chance: Fender Jaguar (50.0 %)" in words_of(_draw(slices, _rate(predictions)))


def test_with_few_images_none_is_named_and_the_figure_says_why(made_predictions, words_of):
    predictions = made_predictions("aaabbb", "aaabba")
    slices = slice_errors(predictions, _images(predictions), {})
    assert worst_slices(slices, _rate(predictions)).empty
    assert "Too few images" in words_of(_draw(slices, _rate(predictions)))


def test_luck_rarely_names_a_slice(random_predictions, names_of):
    named = 0
    for seed in range(40):
        predictions = random_predictions(40, per_class=10, wrong=0)
        wrong = np.random.default_rng(seed).random(len(predictions)) < 0.1
        predictions = predictions.assign(predicted=predictions["label"].mask(wrong, "something else"))
        slices = slice_errors(predictions, _images(predictions), names_of(40))
        named += not worst_slices(slices, _rate(predictions)).empty
    assert named <= 4


@pytest.mark.parametrize("guesses", ["abcd", "bcda", "aaaa"], ids=["all right", "all wrong", "others never predicted"])
def test_classes_with_one_image_are_drawn_and_none_is_blamed(guesses, made_predictions, is_readable):
    predictions = made_predictions("abcd", guesses)
    slices = slice_errors(predictions, _images(predictions), {})
    assert worst_slices(slices, _rate(predictions)).empty
    assert is_readable(_draw(slices, _rate(predictions)))


def test_no_predictions_are_no_slices(made_predictions, is_readable):
    slices = slice_errors(made_predictions("", ""), _images(made_predictions("a", "a")), {})
    assert slices.empty
    assert is_readable(_draw(slices, 0.0))


@pytest.mark.parametrize("number", [2, 40, 100])
def test_the_figure_is_readable_with_so_many_classes(number, random_predictions, names_of, is_readable):
    predictions = random_predictions(number)
    random = np.random.default_rng(1)
    sides = random.integers(100, 2000, (2, len(predictions)))
    slices = slice_errors(predictions, _images(predictions, *sides), names_of(number))
    assert is_readable(_draw(slices, _rate(predictions)))


def test_a_hundred_thousand_predictions_take_seconds(random_predictions, names_of):
    predictions = random_predictions(100, per_class=1000)
    slices = slice_errors(predictions, _images(predictions), names_of(100))
    assert slices["images"].sum() == 400_000
    assert worst_slices(slices, _rate(predictions)).empty


def test_what_cannot_be_right_is_refused(made_predictions):
    one = made_predictions("ab", "ab")
    with pytest.raises(ValueError, match=r"large.*small"):
        slice_errors(pd.concat([one, one.assign(stage="large")]), _images(one), {})
    with pytest.raises(ValueError, match="between 0 and 1"):
        worst_slices(slice_errors(one, _images(one), {}), 5.0)
