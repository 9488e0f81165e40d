"""What the comparison of neighbouring stages says, and that it says no more than the numbers do."""

import time
import warnings

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from scipy.stats import binomtest

from guitar_kedro.metrics.stages import compare_neighbours, fixed_and_broken, stage_verdict
from guitar_kedro.plots.stages import fixed_and_broken_sheet, stage_errors_figure

_SECONDS = {"small": 60.0, "large": 112.0, "huge": 600.0}
_LONG = "a stage with quite a long name that goes on and on, number"


@pytest.fixture
def of_stages(made_predictions):
    """Function that makes predictions from which images each stage has right: ``1`` is right, ``0`` is wrong."""

    def make(**right: str) -> pd.DataFrame:
        parts = []
        for stage, marks in right.items():
            predicted = ["a" if mark == "1" else "b" for mark in marks]
            part = made_predictions("a" * len(marks), predicted, stage)
            sure = np.linspace(0.5, 0.99, len(marks))
            is_a = part["predicted"] == "a"
            parts.append(
                part.assign(probability_a=np.where(is_a, sure, 1 - sure), probability_b=np.where(is_a, 1 - sure, sure))
            )
        return pd.concat(parts, ignore_index=True)

    return make


def _said(predictions, seconds=_SECONDS):
    return stage_verdict(compare_neighbours(predictions, seconds))


def _pattern(both_right, fixed, broken, both_wrong=0):
    small = "1" * both_right + "0" * fixed + "1" * broken + "0" * both_wrong
    large = "1" * both_right + "1" * fixed + "0" * broken + "0" * both_wrong
    return {"small": small, "large": large}


def test_the_table_counts_what_was_fixed_and_broken(of_stages):
    row = compare_neighbours(of_stages(**_pattern(405, 9, 6, 20)), _SECONDS).iloc[0]
    assert row.drop(["p_value", "seconds_per_error_removed"]).to_dict() == {
        "stage_before": "small",
        "stage": "large",
        "images": 440,
        "errors_before": 29,
        "errors": 26,
        "fixed": 9,
        "broken": 6,
        "seconds": 112.0,
    }
    assert row["p_value"] == pytest.approx(binomtest(9, 15).pvalue)
    assert row["seconds_per_error_removed"] == pytest.approx(112 / 3)


def test_three_stages_make_two_pairs_in_the_order_they_came(of_stages):
    table = compare_neighbours(of_stages(small="1000", large="1100", huge="0111"), _SECONDS)
    assert table[["stage_before", "stage"]].to_numpy().tolist() == [["small", "large"], ["large", "huge"]]
    assert table[["fixed", "broken"]].to_numpy().tolist() == [[1, 0], [2, 1]]


def test_the_errors_add_up(of_stages):
    table = compare_neighbours(of_stages(small="100101", large="110010", huge="011111"), _SECONDS)
    assert (table["errors_before"] - table["fixed"] + table["broken"] == table["errors"]).all()


def test_the_order_of_the_images_does_not_matter(of_stages):
    predictions = of_stages(small="100110", large="110011")
    shuffled = pd.concat([rows.sample(frac=1, random_state=1) for _, rows in predictions.groupby("stage", sort=False)])
    pd.testing.assert_frame_equal(
        compare_neighbours(shuffled, _SECONDS), compare_neighbours(predictions, _SECONDS), check_exact=True
    )


def test_only_validation_images_count(of_stages):
    predictions = of_stages(small="10", large="11")
    test = of_stages(large="0000").assign(split="test")
    table = compare_neighbours(pd.concat([predictions, test]), _SECONDS)
    assert table["images"].tolist() == [2]


def test_a_stage_alone_gives_an_empty_table_with_all_columns(of_stages):
    alone = compare_neighbours(of_stages(small="10"), _SECONDS)
    assert alone.empty
    assert list(alone) == list(compare_neighbours(of_stages(small="1", large="1"), _SECONDS))
    assert stage_verdict(alone) == "There is no earlier stage to compare with."


def test_stages_that_saw_other_images_are_not_compared(of_stages):
    predictions = of_stages(small="101", large="111").iloc[:-1]
    with pytest.raises(ValueError, match=r"'small' and 'large'.*1 image.*00002"):
        compare_neighbours(predictions, _SECONDS)


def test_an_image_that_was_predicted_twice_is_named(of_stages):
    predictions = of_stages(small="101", large="111")
    with pytest.raises(ValueError, match="'small' predicted the image 00000 twice"):
        compare_neighbours(pd.concat([predictions, predictions.iloc[:1]]), _SECONDS)


def test_categories_are_compared_as_words(of_stages):
    predictions = of_stages(small="100", large="110").astype(
        {"label": "category", "predicted": "category", "stage": "category", "split": "category"}
    )
    assert compare_neighbours(predictions, _SECONDS)["fixed"].tolist() == [1]


def test_a_hundred_thousand_predictions_take_seconds(of_stages):
    random = np.random.default_rng(0)
    marks = {stage: "".join(random.choice(["0", "1"], 50_000)) for stage in ("small", "large")}
    predictions = of_stages(**marks)
    begin = time.process_time()
    table = compare_neighbours(predictions, _SECONDS)
    fixed_and_broken(predictions, "small", "large")
    stage_errors_figure(predictions, table, stage_verdict(table))
    assert time.process_time() - begin < 5


def test_a_small_gain_is_called_possible_chance(of_stages):
    assert _said(of_stages(**_pattern(405, 9, 6, 20))) == (
        "large fixed 9 images and broke 6 that small had right (26 errors against 29 of 440 validation images): "
        "that may well be chance (McNemar p = 0.61). It took 1:52 min, 37 s for each error removed."
    )


@pytest.mark.parametrize(
    ("fixed", "broken", "judgement"),
    [
        (30, 2, "better, by more than chance would explain (McNemar p < 0.001)"),
        (6, 0, "better, by more than chance would explain (McNemar p = 0.031)"),
        (5, 0, "that may well be chance (McNemar p = 0.062)"),
        (1, 0, "that may well be chance (McNemar p = 1)"),
        (4, 4, "neither better nor worse (McNemar p = 1)"),
        (0, 3, "worse, though that may well be chance (McNemar p = 0.25)"),
        (2, 30, "worse, by more than chance would explain (McNemar p < 0.001)"),
    ],
)
def test_the_verdict_fits_the_numbers(fixed, broken, judgement, of_stages):
    said = _said(of_stages(**_pattern(100, fixed, broken)))
    assert judgement in said
    assert ("for each error removed" in said) == (fixed > broken)
    assert ("did not make the errors fewer" in said) == (fixed <= broken)


def test_the_p_value_is_never_rounded_over_the_threshold(of_stages):
    row = compare_neighbours(of_stages(**_pattern(10, 3, 1)), _SECONDS)
    assert "p = 0.05)" in stage_verdict(row.assign(p_value=0.05))
    assert "p = 0.0499)" in stage_verdict(row.assign(p_value=0.04991))
    assert "p = 0.04999)" in stage_verdict(row.assign(p_value=0.04999))


@pytest.mark.parametrize(
    ("mark", "errors"), [("1", "0 errors of 3 validation images"), ("0", "3 errors of 3 validation images")]
)
def test_stages_that_agree_on_everything_changed_nothing(mark, errors, of_stages):
    said = _said(of_stages(small=mark * 3, large=mark * 3))
    assert f"({errors}): it changed nothing." in said
    assert said.endswith("It took 1:52 min and did not make the errors fewer.")


def test_one_image_is_not_called_images(of_stages):
    assert "fixed 1 image and broke none (0 errors against 1 of 1 validation image)" in _said(
        of_stages(small="0", large="1")
    )


def test_an_unknown_time_is_not_made_up(of_stages):
    predictions = of_stages(**_pattern(10, 3, 1))
    table = compare_neighbours(predictions, {})
    assert table[["seconds", "seconds_per_error_removed"]].isna().all(axis=None)
    assert "took" not in stage_verdict(table)


def test_the_surest_images_come_first_with_what_was_thought_before(of_stages):
    predictions = of_stages(small="0001111", large="1110011")
    fixed, broken = fixed_and_broken(predictions, "small", "large", most=2)
    assert fixed["image_id"].tolist() == ["00002", "00001"]
    assert broken["image_id"].tolist() == ["00004", "00003"]
    assert fixed["predicted_before"].tolist() == ["b", "b"]
    assert broken["predicted"].tolist() == ["b", "b"]
    assert set(fixed["stage"]) | set(broken["stage"]) == {"large"}
    assert list(fixed) == [*predictions.columns, "predicted_before"]


def test_where_nothing_changed_there_is_no_image_to_show(of_stages):
    fixed, broken = fixed_and_broken(of_stages(small="01", large="01"), "small", "large")
    assert fixed.empty
    assert broken.empty
    assert "predicted_before" in fixed


def test_a_stage_that_does_not_exist_is_named(of_stages):
    with pytest.raises(ValueError, match="giant"):
        fixed_and_broken(of_stages(small="01"), "small", "giant")


def test_missing_probabilities_are_named(of_stages):
    predictions = of_stages(small="01", large="11").drop(columns="probability_a")
    with pytest.raises(ValueError, match="probability_a"):
        fixed_and_broken(predictions, "small", "large")


@pytest.mark.parametrize(("stages", "name"), [(1, _LONG), (2, "resnet18_"), (8, "resnet18_"), (8, _LONG)])
def test_the_figure_is_readable(stages, name, of_stages, is_readable, words_of):
    random = np.random.default_rng(stages)
    marks = {f"{name}{n}": "".join(random.choice(["0", "1"], 2000, p=[0.3, 0.7])) for n in range(stages)}
    predictions = of_stages(**marks)
    table = compare_neighbours(predictions, dict.fromkeys(marks, 4000.0))
    figure = stage_errors_figure(predictions, table, stage_verdict(table))
    assert is_readable(figure)
    words = words_of(figure)
    for row in table.itertuples():
        assert f"{row.fixed} fixed" in words
        assert f"{row.broken} broken" in words
    assert words.count("p = ") + words.count("p < ") >= stages - 1


@pytest.mark.parametrize("marks", [("1", "1"), ("0", "0"), ("0", "1"), ("1", "0")])
def test_the_figure_is_readable_at_the_extremes(marks, of_stages, is_readable):
    names = [f"$x_{n}${_LONG}" for n in range(2)]
    for images, seconds in ((1, {}), (20_000, dict.fromkeys(names, 0.0))):
        predictions = of_stages(**{name: mark * images for name, mark in zip(names, marks, strict=True)})
        table = compare_neighbours(predictions, seconds)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert is_readable(stage_errors_figure(predictions, table, stage_verdict(table)))


def test_without_predictions_the_figure_says_so(of_stages, is_readable, words_of):
    nothing = of_stages(small="1").iloc[:0]
    table = compare_neighbours(nothing, {})
    figure = stage_errors_figure(nothing, table, stage_verdict(table))
    assert is_readable(figure)
    assert "No stage has predicted validation images." in words_of(figure)


def test_the_sheet_names_its_rows_and_says_which_are_empty(is_readable, words_of):
    pictures = [Image.new("RGB", (40, 60), "teal")] * 3
    captions = ["Gibson SG\nFender Mustang \N{RIGHTWARDS ARROW} Gibson SG"] * 3
    figure = fixed_and_broken_sheet([("Fixed by large (9)", pictures, captions), ("Broken by large (0)", [], [])])
    assert is_readable(figure)
    assert "Fixed by large (9)" in words_of(figure)
    assert "Broken by large (0): nothing to show." in words_of(figure)
    assert is_readable(fixed_and_broken_sheet([]))
