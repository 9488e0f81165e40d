"""What a user may rely on about the audit."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from small_project import kedro_in

from guitar_kedro.pipelines.audit.nodes import (
    AuditOptions,
    deal_folds,
    honest_sentence,
    report_honest_accuracy,
    split_at_random,
)


def splits_with_duplicates() -> pd.DataFrame:
    """60 images of two classes in pairs of duplicates, which stand on one side."""
    return pd.DataFrame(
        {
            "image_id": [f"{number:02d}" for number in range(60)],
            "label": [("a", "b")[number // 2 % 2] for number in range(60)],
            "split": [("train", "train", "validation", "test", "train")[number // 2 % 5] for number in range(60)],
            "duplicate_group": [number // 2 for number in range(60)],
        }
    )


def test_a_random_split_has_parts_of_the_same_size_and_leaves_the_test_part_sealed():
    splits = splits_with_duplicates()
    dealt = split_at_random(splits, seed=1)
    assert dealt["split"].value_counts().to_dict() == splits["split"].value_counts().to_dict()
    assert (dealt["split"] == "test").equals(splits["split"] == "test")
    assert dealt.groupby("duplicate_group")["split"].nunique().max() == 2
    assert dealt.equals(split_at_random(splits, seed=1))


@pytest.mark.parametrize("seed", range(10))
def test_a_random_split_leaves_each_class_something_to_train_on(seed: int):
    parts = ["train"] * 80 + ["validation"] * 20 + ["train", "validation", "test"] * 5
    labels = ["common"] * 100 + [f"rare{number}" for number in range(5) for _ in range(3)]
    splits = pd.DataFrame({"split": parts, "label": labels, "image_id": range(115), "duplicate_group": range(115)})
    dealt = split_at_random(splits, seed)
    assert set(dealt.loc[dealt["split"] == "train", "label"]) == set(labels)
    assert dealt["split"].value_counts().to_dict() == splits["split"].value_counts().to_dict()
    assert (dealt["split"] == "test").equals(splits["split"] == "test")


def test_folds_keep_duplicates_together_and_hold_every_image_but_the_sealed_ones():
    splits = splits_with_duplicates()
    folds = deal_folds(splits, AuditOptions(folds=3), seed=1)
    assert set(folds["image_id"]) == set(splits.loc[splits["split"] != "test", "image_id"])
    assert folds.groupby("duplicate_group")["fold"].nunique().max() == 1
    assert folds.groupby("label")["fold"].nunique().eq(3).all()


def test_an_audit_is_told_as_long_as_the_first_stage_predicts_what_it_did():
    splits = splits_with_duplicates()
    predictions = splits[splits["split"] == "validation"].assign(stage="small", predicted="a")
    numbers = report_honest_accuracy(predictions, predictions, split_at_random(splits, seed=1))
    assert honest_sentence(numbers, predictions).startswith("The first stage, small, is wrong on 50.0 %")
    trained_otherwise = predictions.assign(predicted=predictions["label"])
    assert honest_sentence(numbers, trained_otherwise) == ""
    assert honest_sentence({}, predictions) == ""


def test_an_audit_ends_in_the_model_card_and_looks_at_every_label_outside_the_test_part(
    finished_project: Path, tmp_path: Path
):
    project = tmp_path / "project"
    shutil.copytree(finished_project, project)
    (project / "conf" / "local" / "parameters.yml").write_text("audit: {folds: 2}\n")
    run = kedro_in(project, "run", "--pipeline=audit")
    assert run.returncode == 0, run.stdout + run.stderr
    data = project / "data"
    splits = pd.read_csv(data / "05_model_input/demo/splits.csv")
    predictions = pd.read_csv(next(data.glob("07_model_output/demo/out_of_fold_predictions.csv/*/*.csv")))
    assert set(predictions["image_id"]) == set(splits.loc[splits["split"] != "test", "image_id"])
    numbers = json.loads(next(data.glob("08_reporting/demo/honest_accuracy.json/*/*.json")).read_text())
    assert numbers["random_split"]["images"] == (splits["split"] == "validation").sum()
    cards = sorted(data.glob("08_reporting/demo/model_card.md/*/*.md"))
    assert "Trained and measured on" not in cards[0].read_text()
    assert "Trained and measured on" in cards[-1].read_text()
