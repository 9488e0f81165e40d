"""What a user may rely on about the cross_validation."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from small_project import kedro_in

from guitar_kedro.errors import UserError
from guitar_kedro.learning import Checkpoint, ModelSpec
from guitar_kedro.pipelines.cross_validation.nodes import (
    CrossValidationOptions,
    deal_folds,
    honest_sentence,
    predict_random_split,
    report_honest_accuracy,
    split_at_random,
)
from guitar_kedro.pipelines.evaluation.nodes import predict_validation

SPEC = ModelSpec(
    architecture="resnet18",
    classes=("a", "b"),
    display_names={"a": "A", "b": "B"},
    image_size=32,
    resize_method="squish",
    mean=(0.5, 0.5, 0.5),
    std=(0.2, 0.2, 0.2),
)

TURNED = {
    "max_rotate": 20,
    "min_zoom": 1,
    "max_zoom": 1,
    "max_lighting": 0,
    "max_warp": 0,
    "p_affine": 1,
    "p_lighting": 0,
}


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


@pytest.mark.parametrize("seed", range(10))
def test_a_picture_that_was_accepted_for_being_hard_stays_in_training(seed: int):
    kinds = [("big", "train", True)] * 3 + [("big", "train", False)] * 6 + [("big", "validation", False)] * 6
    splits = pd.DataFrame([*kinds, ("small", "train", False)], columns=["label", "split", "accepted"])
    dealt = split_at_random(splits, seed)
    assert set(dealt.loc[splits["accepted"], "split"]) == {"train"}
    assert (dealt.loc[splits["label"] == "small", "split"] == "train").all()


def test_folds_keep_duplicates_together_and_hold_every_image_but_the_sealed_ones():
    splits = splits_with_duplicates()
    folds = deal_folds(splits, CrossValidationOptions(folds=3), seed=1)
    assert set(folds["image_id"]) == set(splits.loc[splits["split"] != "test", "image_id"])
    assert folds.groupby("duplicate_group")["fold"].nunique().max() == 1
    assert folds.groupby("label")["fold"].nunique().eq(3).all()


def groups_of_classes(*groups: int) -> pd.DataFrame:
    """A class for each number, with so many images that are no near duplicates."""
    labels = [f"c{number:03d}" for number, count in enumerate(groups) for _ in range(count)]
    images = range(len(labels))
    return pd.DataFrame({"image_id": map(str, images), "label": labels, "split": "train", "duplicate_group": images})


@pytest.mark.parametrize("groups", [(5,) * 100, (6,) * 50, (5, 6, 7, 9) * 10, (4,) * 11, (40, 40, 40)])
def test_folds_are_even_also_where_classes_do_not_divide_by_them(groups: tuple[int, ...]):
    splits = groups_of_classes(*groups)
    folds = deal_folds(splits, CrossValidationOptions(folds=4), seed=1)
    sizes = folds["fold"].value_counts()
    assert sizes.max() - sizes.min() <= 2
    of_class = folds.groupby(["label", "fold"]).size().unstack(fill_value=0)
    assert (of_class.max(axis=1) - of_class.min(axis=1)).max() <= 1
    assert folds.equals(deal_folds(splits, CrossValidationOptions(folds=4), seed=1))
    assert not folds.equals(deal_folds(splits, CrossValidationOptions(folds=4), seed=2))


def test_a_class_with_fewer_different_images_than_folds_is_named(caplog: pytest.LogCaptureFixture):
    folds = deal_folds(groups_of_classes(8, 2, 8), CrossValidationOptions(folds=4), seed=1)
    assert folds.groupby("label")["fold"].nunique().tolist() == [4, 2, 4]
    assert "1 of 3 classes, c001 for one, have fewer different images than there are folds" in caplog.text


def test_more_folds_than_any_class_has_different_images_are_refused():
    with pytest.raises(
        UserError,
        match=r"cross_validation.folds is 4, but no class has more than 2 .* --params=cross_validation.folds=2",
    ):
        deal_folds(groups_of_classes(2, 2), CrossValidationOptions(folds=4), seed=1)


def test_a_class_that_only_one_fold_could_teach_is_refused():
    splits = groups_of_classes(8, 3, 8)
    splits.loc[splits["label"] == "c001", "duplicate_group"] = 999
    with pytest.raises(UserError, match="All images of class c001 outside the test part fell into one fold"):
        deal_folds(splits, CrossValidationOptions(folds=4), seed=1)


def test_an_audit_is_told_as_long_as_the_first_stage_predicts_what_it_did():
    splits = splits_with_duplicates()
    predictions = splits[splits["split"] == "validation"].assign(stage="small", predicted="a")
    numbers = report_honest_accuracy(predictions, predictions, split_at_random(splits, seed=1), SPEC)
    assert honest_sentence(numbers, predictions, SPEC).startswith("The first stage, small, is wrong on 50.0 %")
    trained_otherwise = predictions.assign(predicted=predictions["label"])
    assert honest_sentence(numbers, trained_otherwise, SPEC) == ""
    assert honest_sentence(None, predictions, SPEC) == ""
    assert honest_sentence(numbers, predictions, SPEC.model_copy(update={"precision": "bfloat16"})) == ""
    assert honest_sentence(numbers, predictions, SPEC.model_copy(update={"tta_views": 2})) == ""


def test_a_checkpoint_that_is_compared_with_a_model_answers_as_that_one_does():
    how = {"precision": "bfloat16", "tta_views": 4, "augmentation": {"max_zoom": 1.1}}
    model = SPEC.model_copy(update={**how, "temperature": 2.0, "architecture": "resnet50"})
    assert Checkpoint({}, SPEC).answering_like(model).spec == SPEC.model_copy(update=how)


def test_both_splits_are_predicted_in_the_same_way(finished_project: Path):
    bootstrap_project(finished_project)
    with KedroSession.create(finished_project) as session:
        catalog = session.load_context().catalog
    how = {"precision": "bfloat16", "tta_views": 2, "augmentation": TURNED}
    checkpoint, spec = (
        catalog.load("train.small.unfrozen_checkpoint"),
        catalog.load("model_spec").model_copy(update=how),
    )
    common = [catalog.load(name) for name in ("image_table", "splits", "prepared_images")]
    here = predict_validation(checkpoint, spec, *common, "cpu").set_index("image_id")
    table, splits, prepared = common
    there = predict_random_split(checkpoint, spec, splits, table, prepared, "cpu")
    there = there.set_index("image_id").loc[here.index]
    columns = [name for name in here.columns if name not in ("stage", "file", "split")]
    pd.testing.assert_frame_equal(there[columns], here[columns])


def test_an_audit_ends_in_the_model_card_and_looks_at_every_label_outside_the_test_part(
    finished_project: Path, tmp_path: Path
):
    project = tmp_path / "project"
    shutil.copytree(finished_project, project)
    (project / "conf" / "local" / "parameters.yml").write_text("cross_validation: {folds: 2}\n")
    run = kedro_in(project, "run", "--pipeline=cross_validation")
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
