"""What curation changed is told apart: better labels, and a better network."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
import pytest

from guitar_kedro.metrics.curation import (
    CurationEffect,
    accepted_sentence,
    curation_effect,
    curation_sentence,
    image_changes,
    recipe_changes,
)
from guitar_kedro.metrics.statistics import mcnemar_test, wilson_interval

DECISIONS = pd.DataFrame({"file": ["b", "x", "y"], "action": ["relabel", "drop", "drop"], "label": ["cat", "", ""]})


def predictions(**rows: tuple[str, str]) -> pd.DataFrame:
    table = pd.DataFrame([(file, *row) for file, row in rows.items()], columns=["image_id", "label", "predicted"])
    return table.assign(file=table["image_id"])


def effect_of(
    before: pd.DataFrame,
    now: pd.DataFrame,
    decisions: pd.DataFrame,
    changes: Sequence[str] = (),
    test: tuple[pd.DataFrame, pd.DataFrame] | None = None,
) -> CurationEffect:
    """What changed, as far as the validation part tells."""
    images = [table.assign(split="validation") for table in (before, now)]
    return curation_effect(before, now, decisions, changes, image_changes(*images), test)


BEFORE = predictions(
    a=("cat", "cat"), b=("dog", "cat"), c=("dog", "cat"), d=("cat", "dog"), e=("dog", "dog"), x=("cat", "dog")
)
NOW = predictions(
    a=("cat", "cat"), b=("cat", "cat"), c=("dog", "dog"), d=("cat", "dog"), e=("dog", "cat"), new=("cat", "cat")
)


def test_labels_that_were_mended_are_told_from_what_the_network_learnt():
    effect = effect_of(BEFORE, NOW, DECISIONS)
    assert effect.decisions == {"drop": 2, "relabel": 1}
    assert (effect.before.images, effect.before.errors) == (6, 4)
    assert (effect.now.images, effect.now.errors) == (6, 2)
    assert effect.both.model_dump() == {
        "images": 5,
        "errors_before": 3,
        "errors_before_relabelled": 2,
        "errors": 2,
        "fixed": 1,
        "broken": 1,
        "p_value": mcnemar_test(1, 1),
    }
    assert (effect.now.error_low, effect.now.error_high) == wilson_interval(2, 6)


def test_the_sentence_says_all_of_it():
    words = curation_sentence(effect_of(BEFORE, NOW, DECISIONS))
    assert (
        "Since the model before: 1 image added; 1 image removed; 1 image relabelled (the curation: 2 dropped, 1 "
        in words
    )
    assert "from 66.7 % (4 of 6 images; " in words and "to 33.3 % (2 of 6 images; " in words
    assert "On the 5 images that both" in words
    assert "3 errors by the labels of then and 2 by those of now; the present one makes 2 (1 fixed, 1 broken" in words


def test_images_that_come_back_as_a_curation_is_taken_back_are_told_as_added():
    words = curation_sentence(effect_of(NOW, BEFORE, DECISIONS[:0]))
    assert words.startswith("Since the model before: 1 image added; 1 image removed; 1 image relabelled. The error")


def test_a_class_with_another_name_is_the_same_class():
    now = BEFORE.replace({"label": {"cat": "kitten"}, "predicted": {"cat": "kitten"}})
    effect = effect_of(BEFORE, now, DECISIONS[:0])
    assert (effect.images.renamed, effect.images.relabelled) == ({"cat": "kitten"}, 0)
    assert (effect.both.errors_before, effect.both.errors_before_relabelled, effect.both.broken) == (4, 4, 0)
    assert "Since the model before: class cat is called kitten now. The error" in curation_sentence(effect)


def test_classes_that_come_and_go_and_images_that_move_are_told():
    before = pd.DataFrame(
        {"image_id": list("abc"), "label": ["cat", "cat", "dog"], "split": ["train", "test", "train"]}
    )
    now = pd.DataFrame({"image_id": list("abd"), "label": ["cat", "cat", "fox"], "split": ["train", "train", "train"]})
    changes = image_changes(before, now)
    assert (changes.added, changes.removed, changes.relabelled, changes.moved) == (1, 1, 0, 1)
    assert (changes.new_classes, changes.lost_classes, changes.renamed) == (("fox",), ("dog",), {})


def test_without_an_earlier_model_there_is_nothing_to_say():
    effect = curation_effect(pd.DataFrame(), NOW, DECISIONS, [])
    assert effect.decisions == {"drop": 2, "relabel": 1}
    assert effect.before is effect.now is effect.both is None
    assert curation_sentence(effect) == ""


def test_where_no_image_changed_nothing_is_told_of_images():
    for decisions in (DECISIONS[:0], pd.DataFrame({"file": ["a"], "action": ["keep"]})):
        assert curation_sentence(effect_of(NOW, NOW, decisions, ["epochs was 1 and is 2"])) == ""


def test_parts_that_share_no_image_are_compared_by_their_rates_alone():
    effect = effect_of(BEFORE, NOW.assign(image_id=NOW["image_id"] + "2"), DECISIONS)
    assert effect.both.images == 0
    assert effect.both.p_value == pytest.approx(1)
    assert "0 images" in curation_sentence(effect)


TEST_BEFORE = predictions(r=("cat", "dog"), s=("dog", "dog"), t=("cat", "cat"), x=("cat", "dog"))
TEST_NOW = predictions(r=("dog", "dog"), s=("dog", "dog"), t=("cat", "dog"))


def test_a_mended_test_part_is_told_with_the_accuracy_by_both_labels():
    effect = effect_of(BEFORE, NOW, DECISIONS, [], (TEST_BEFORE, TEST_NOW))
    assert effect.test.model_dump() == {
        "images": 3,
        "mended": 1,
        "left": 1,
        "errors_by_labels_before": 2,
        "errors": 1,
    }
    words = curation_sentence(effect)
    assert "The test part was mended as well: 1 label changed, 1 image dropped. On the 3 images of before" in words
    assert "the accuracy of the present model is 33.3 % by the labels of then and 66.7 % by those of now" in words


def test_labels_of_the_test_part_that_were_mended_long_ago_are_not_forgotten():
    decisions = pd.DataFrame({"file": ["r", "a"], "action": ["relabel", "relabel"]})
    for before, test_before in ((BEFORE, TEST_NOW), (BEFORE[:0], TEST_NOW[:0])):
        effect = effect_of(before, NOW, decisions, [], (test_before, TEST_NOW))
        assert (effect.mended_in_test, effect.test) == (1, None)
        assert curation_sentence(effect).endswith("Labels of the test part that were mended by hand: 1.")


def test_a_test_part_with_the_labels_of_before_needs_no_words():
    effect = effect_of(BEFORE, NOW, DECISIONS[:0], [], (TEST_NOW, TEST_NOW))
    assert effect.test is None
    assert "test part" not in curation_sentence(effect)


def test_what_else_changed_is_told_beside_the_effect():
    made = {"stage": "first", "epochs": 3, "learning_rates": [1e-3]}
    before = {
        "architecture": "resnet18",
        "image_size": 64,
        "precision": "float32",
        "temperature": 1.2,
        "provenance": made,
    }
    now = {**before, "precision": "bfloat16", "temperature": 1.1, "provenance": {**made, "epochs": 5}}
    changes = recipe_changes(before, now)
    assert changes == ["precision was float32 and is bfloat16", "epochs was 3 and is 5"]
    assert recipe_changes(now, {**now, "provenance": {**made, "epochs": 5, "learning_rates": [2e-3]}})
    assert recipe_changes(before, {**before, "temperature": 1.1}) == recipe_changes({}, now) == []
    mixed = {**before, "provenance": {**made, "recipe": {"mixup": 0.4, "ema": 0.9}}}
    smoothed = {**before, "provenance": {**made, "recipe": {"mixup": 0.4, "label_smoothing": 0.1}}}
    assert recipe_changes(mixed, smoothed) == ["ema was 0.9 and is off", "label smoothing was off and is 0.1"]
    words = curation_sentence(effect_of(BEFORE, NOW, DECISIONS, changes))
    assert words.endswith(
        "That is not the effect of the images alone: precision was float32 and is bfloat16; epochs was 3 and is 5."
    )
    assert "alone" not in curation_sentence(effect_of(BEFORE, NOW, DECISIONS))


def test_images_that_came_without_a_label_are_told_with_who_accepted_them_and_what_was_left_out():
    accepted = pd.DataFrame(
        [("ann", "2026-11-29T12:00:00+00:00"), ("bob", "2026-12-01T09:00:00+00:00"), ("", "")],
        columns=["accepted_by", "accepted_when"],
    )
    sentence = accepted_sentence(accepted, 2)
    assert sentence.startswith(
        "3 images of the training part came without a label, and were accepted by ann, bob between 2026-11-29 and "
        "2026-12-01 after a model had predicted them. None of that kind is in the validation or test part."
    )
    assert "2 pictures more were accepted and left out" in sentence
    assert accepted_sentence(accepted.iloc[:0], 0) == ""
