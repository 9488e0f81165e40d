"""What may be relied on where models are compared: only what can be compared is."""

from __future__ import annotations

import copy

import pytest
from scipy.stats import binomtest
from tried import RECORD, many, tried

from guitar_kedro.errors import UserError
from guitar_kedro.metrics import changed_sides, compare_experiments, differing_parameters, find_experiment
from guitar_kedro.metrics.experiments import PARAMETER, what_changed

OTHER_SPLIT = {"image_table": "one", "splits": "two"}


def test_each_model_is_compared_with_the_one_before_it_or_with_a_chosen_one():
    newest, middle, oldest = tried("3", "1111100"), tried("2", "1111000"), tried("1", "0011001")
    table = compare_experiments([newest, middle, oldest])
    assert table["compared_with"].tolist() == ["2", "1", ""]
    assert table[["fixed", "broken"]].to_numpy().tolist() == [[1, 0], [2, 1], [0, 0]]
    assert table["p_value"][1] == pytest.approx(binomtest(2, 3).pvalue)
    assert table["errors"].tolist() == [2, 3, 4]
    assert table["split"].tolist() == [1, 1, 1]

    chosen = compare_experiments([newest, middle, oldest], oldest)
    assert chosen["compared_with"].tolist() == ["1", "1", ""]
    assert chosen[["fixed", "broken"]].to_numpy().tolist() == [[3, 1], [2, 1], [0, 0]]


def test_models_of_different_splits_are_compared_on_the_images_that_both_held_out_alone():
    earlier, later = tried("1", "1100110", first=0), tried("2", "0111", first=4, data=OTHER_SPLIT)
    row = compare_experiments([later, earlier]).iloc[0]
    assert (row["split"], row["same_split"]) == (2, False)
    assert row[["images", "images_of_both", "fixed", "broken"]].tolist() == [4, 3, 1, 1]
    fixed, broken = changed_sides(earlier, later)
    assert fixed[["file", "label", "predicted_before", "predicted"]].to_numpy().tolist() == [["6.jpg", "a", "b", "a"]]
    assert broken[["file", "label", "predicted_before", "predicted"]].to_numpy().tolist() == [["4.jpg", "a", "a", "b"]]

    apart = compare_experiments([tried("2", "01", first=9, data=OTHER_SPLIT), earlier]).iloc[0]
    assert apart["images_of_both"] == 0
    assert apart["p_value"] != apart["p_value"]  # nothing is known


def test_an_image_that_was_relabelled_is_judged_by_its_label_of_now():
    earlier, later = tried("1", "11"), tried("2", "11", data=OTHER_SPLIT)
    later.predictions.loc[0, ["label", "predicted"]] = "b"
    assert compare_experiments([later, earlier]).iloc[0][["fixed", "broken"]].tolist() == [1, 0]


def test_only_parameters_that_differ_are_told_by_their_paths_and_none_that_change_no_model():
    parameters = copy.deepcopy(RECORD["parameters"])
    parameters["stages"]["small"]["unfrozen"]["epochs"] = 4
    parameters |= {"note": "longer", "resume": False, "epochs": 4, "images": "/photos"}
    earlier, later = tried("1", "11"), tried("2", "11", parameters=parameters, packages={"torch": "2.14.0"})
    assert differing_parameters([later, earlier]) == {"stages.small.unfrozen.epochs": ["4", "2"]}
    assert what_changed(earlier, later) == [
        "stages.small.unfrozen.epochs is 4, was 2",
        "packages: torch 2.14.0 (was 2.13.0)",
    ]
    assert what_changed(earlier, tried("2", "11", data=OTHER_SPLIT)) == ["the split changed"]
    assert what_changed(earlier, tried("2", "11", record=None)) == ["no record is left of the run that made 2"]


def test_a_model_without_a_record_or_predictions_is_in_the_table():
    table = compare_experiments([tried("2", "", record=None), tried("1", "110")])
    assert table.loc[0, ["images", "split", "fixed", "broken"]].tolist() == [0, 0, 0, 0]
    assert table.loc[0, ["error_rate", "calibration_error", "p_value"]].isna().all()


def test_a_model_is_found_by_its_version_the_beginning_of_that_or_its_note():
    experiments = [tried("2026-02-01", "1", "longer"), tried("2026-01-02", "1"), tried("2026-01-01", "1", "longer")]
    assert find_experiment(experiments, "2026-02").version == "2026-02-01"
    assert find_experiment(experiments, "2026-01-02").version == "2026-01-02"
    assert find_experiment(experiments[:2], "longer").version == "2026-02-01"
    with pytest.raises(UserError, match=r"2 models are called longer; choose one of 2026-02-01 \(longer\), 2026-01-01"):
        find_experiment(experiments, "longer")
    with pytest.raises(UserError, match=r"There is no model shorter; choose one of 2026-02-01"):
        find_experiment(experiments, "shorter")


def test_a_table_of_many_has_a_column_for_each_parameter_that_differs():
    table = compare_experiments(many(20))
    assert {column for column in table if column.startswith(PARAMETER)} == {
        "params:seed",
        "params:stages.small.architecture",
        "params:stages.small.unfrozen.epochs",
        "params:stages.large.unfrozen.learning_rate",
        "params:training.label_smoothing",
        "params:training.mixup",
    }
