"""What curation changed is told apart: better labels, and a better network."""

from __future__ import annotations

import pandas as pd
import pytest

from guitar_kedro.metrics.curation import curation_effect, curation_sentence, recipe_changes
from guitar_kedro.metrics.statistics import mcnemar_test, wilson_interval

DECISIONS = pd.DataFrame({"file": ["b", "x", "y"], "action": ["relabel", "drop", "drop"], "label": ["cat", "", ""]})


def predictions(**rows: tuple[str, str]) -> pd.DataFrame:
    return pd.DataFrame([(file, *row) for file, row in rows.items()], columns=["file", "label", "predicted"])


BEFORE = predictions(
    a=("cat", "cat"), b=("dog", "cat"), c=("dog", "cat"), d=("cat", "dog"), e=("dog", "dog"), x=("cat", "dog")
)
NOW = predictions(
    a=("cat", "cat"), b=("cat", "cat"), c=("dog", "dog"), d=("cat", "dog"), e=("dog", "cat"), new=("cat", "cat")
)


def test_labels_that_were_mended_are_told_from_what_the_network_learnt():
    effect = curation_effect(BEFORE, NOW, DECISIONS, [])
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
    words = curation_sentence(curation_effect(BEFORE, NOW, DECISIONS, []))
    assert "(2 dropped, 1 relabelled)" in words
    assert "from 66.7 % (4 of 6 images; " in words and "to 33.3 % (2 of 6 images; " in words
    assert "On the 5 images that both" in words
    assert "3 errors by the labels of then and 2 by those of now; the present one makes 2 (1 fixed, 1 broken" in words


def test_a_curation_that_was_taken_back_is_told_as_well():
    assert "nothing is curated any more" in curation_sentence(curation_effect(BEFORE, NOW, DECISIONS[:0], []))


def test_without_an_earlier_model_there_is_nothing_to_say():
    effect = curation_effect(pd.DataFrame(), NOW, DECISIONS, [])
    assert effect.decisions == {"drop": 2, "relabel": 1}
    assert effect.before is effect.now is effect.both is None
    assert curation_sentence(effect) == ""


def test_parts_that_share_no_image_are_compared_by_their_rates_alone():
    effect = curation_effect(BEFORE, NOW.assign(file=NOW["file"] + "2"), DECISIONS, [])
    assert effect.both.images == 0
    assert effect.both.p_value == pytest.approx(1)
    assert "0 images" in curation_sentence(effect)


TEST_BEFORE = predictions(r=("cat", "dog"), s=("dog", "dog"), t=("cat", "cat"), x=("cat", "dog"))
TEST_NOW = predictions(r=("dog", "dog"), s=("dog", "dog"), t=("cat", "dog"))


def test_a_mended_test_part_is_told_with_the_accuracy_by_both_labels():
    effect = curation_effect(BEFORE, NOW, DECISIONS, [], (TEST_BEFORE, TEST_NOW))
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
        effect = curation_effect(before, NOW, decisions, [], (test_before, TEST_NOW))
        assert (effect.mended_in_test, effect.test) == (1, None)
        assert curation_sentence(effect).endswith("Labels of the test part that were mended by hand: 1.")


def test_a_test_part_with_the_labels_of_before_needs_no_words():
    effect = curation_effect(BEFORE, NOW, DECISIONS[:0], [], (TEST_NOW, TEST_NOW))
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
    words = curation_sentence(curation_effect(BEFORE, NOW, DECISIONS, changes))
    assert words.endswith(
        "That is not the effect of the curation alone: precision was float32 and is bfloat16; epochs was 3 and is 5."
    )
    assert "alone" not in curation_sentence(curation_effect(BEFORE, NOW, DECISIONS, []))
