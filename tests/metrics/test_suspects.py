"""What a person may expect of the list of suspect labels."""

import warnings

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from guitar_kedro.datasets.curation import CurationDataset
from guitar_kedro.metrics.suspects import curation_proposal, suspect_labels
from guitar_kedro.plots import style
from guitar_kedro.plots.errors import suspects_sheet


@pytest.fixture(autouse=True)
def _silence(capfd):
    """Nothing is printed and nothing warns."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        style.printable("\u5409")  # that a font lacks it is told once
        capfd.readouterr()
        yield
    assert capfd.readouterr().out == ""


@pytest.fixture
def labelled(made_predictions, names_of):
    """Function that makes predictions of a good network where a share of the labels is wrong, and says which."""

    def make(number, images, wrong=0.05, seed=0):
        random, names = np.random.default_rng(seed), np.array(list(names_of(number)))
        true = np.arange(images) % number
        logits = random.normal(size=(images, number))
        logits[np.arange(images), true] += 5
        of_class = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        planted = random.random(images) < wrong
        labels = np.where(planted, (true + random.integers(1, number, images)) % number, true)
        table = made_predictions(names[labels], names[of_class.argmax(axis=1)])
        of_class = pd.DataFrame(of_class, columns=[f"probability_{name}" for name in names])
        return pd.concat([table, of_class], axis=1), set(table["image_id"][planted])

    return make


def _table(made_predictions, labels, rows):
    of_class = pd.DataFrame(rows, columns=[f"probability_{name}" for name in "abc"[: len(rows[0])]])
    guesses = ["abc"[np.argmax(row)] for row in rows]
    return pd.concat([made_predictions(labels, guesses), of_class], axis=1)


@pytest.mark.parametrize(("number", "images", "seed"), [(2, 1000, 0), (2, 1000, 1), (3, 900, 2), (40, 8000, 0)])
def test_most_planted_errors_are_found_among_few_false_alarms(number, images, seed, labelled):
    predictions, planted = labelled(number, images, seed=seed)
    found = set(suspect_labels(predictions)["image_id"])
    assert len(found & planted) >= 0.8 * len(planted)
    assert len(found & planted) >= 0.5 * len(found)


def test_suspects_come_with_a_suggestion_the_least_believable_label_first(labelled):
    predictions, _ = labelled(11, 1650)
    suspects = suspect_labels(predictions)
    assert suspects["probability_of_label"].is_monotonic_increasing
    assert (suspects["suggested"] != suspects["label"]).all()
    assert (suspects["probability"] > suspects["probability_of_label"]).all()
    predicted = predictions.set_index("image_id")["predicted"]
    assert suspects["suggested"].tolist() == predicted[suspects["image_id"]].tolist()


def test_where_the_network_agrees_with_every_label_nothing_is_suspect(made_predictions):
    predictions = _table(made_predictions, "aabb", [[0.9, 0.1]] * 2 + [[0.2, 0.8]] * 2)
    suspects = suspect_labels(predictions)
    assert suspects.empty
    assert list(suspects) == ["image_id", "file", "label", "suggested", "probability", "probability_of_label"]


@pytest.mark.parametrize(
    ("labels", "rows"),
    [
        ("aab", [[0.1, 0.2, 0.7], [0.9, 0.1, 0], [0, 1, 0]]),
        ("abc", [[0.1, 0.2, 0.7]] * 3),
        ("ab", [[0.1, 0.9], [0.9, 0.1]]),
        ("aaab", [[0.1, 0.9], [0.9, 0.1], [0.9, 0.1], [0.1, 0.9]]),
        ("bb", [[0.1, 0.9], [0.9, 0.1]]),
        ("aa", [[0.1, 0.9], [0.9, 0.1]]),
        ("a", [[0.5, 0.5]]),
        ("cccbbb", [[0, 0, 1]] * 3 + [[0, 0.5, 0.5]] * 3),
    ],
    ids=["no c", "one each", "all wrong", "one b", "only b", "only a", "one image", "no a"],
)
def test_small_and_lopsided_sets_do_no_harm(labels, rows, made_predictions):
    suspects = suspect_labels(_table(made_predictions, labels, rows))
    assert (suspects["suggested"] != suspects["label"]).all()


def test_a_class_without_images_hides_no_errors_among_the_others(labelled):
    predictions, planted = labelled(11, 1650)
    rest = predictions[predictions["label"] != "gibson_SG"]
    found = set(suspect_labels(rest)["image_id"])
    assert len(found & planted) >= 0.8 * len(planted & set(rest["image_id"]))


def test_no_predictions_have_no_suspects(labelled):
    predictions, _ = labelled(3, 9)
    assert suspect_labels(predictions[:0]).empty
    assert curation_proposal(suspect_labels(predictions[:0])).empty


def test_a_hundred_thousand_predictions_of_a_hundred_classes_take_seconds(labelled):
    predictions, planted = labelled(100, 100_000)
    assert len(set(suspect_labels(predictions)["image_id"]) & planted) >= 0.8 * len(planted)


def test_the_proposal_is_a_curation_file(labelled, tmp_path):
    suspects = suspect_labels(labelled(11, 1650)[0])
    proposal = curation_proposal(pd.concat([suspects, suspects[:1]]))
    proposal.to_csv(tmp_path / "curation.csv", index=False)
    loaded = CurationDataset(filepath=str(tmp_path / "curation.csv")).load()[["file", "action", "label"]]
    assert loaded.to_numpy().tolist() == [[row.file, "relabel", row.suggested] for row in suspects.itertuples()]


@pytest.mark.parametrize("number", [2, 100])
def test_the_sheet_is_readable(number, labelled, names_of, is_readable, words_of):
    suspects = suspect_labels(labelled(number, 2000)[0])[:20]
    figure = suspects_sheet([Image.new("RGB", (60, 40))] * len(suspects), suspects, names_of(number), "validation")
    assert is_readable(figure)
    assert words_of(figure).count("labelled ") == words_of(figure).count("looks like ") == len(suspects) > 0
    assert suspects["file"].iloc[0] in words_of(figure)


def test_the_sheet_of_no_suspects_says_so(labelled, words_of):
    words = words_of(suspects_sheet([], suspect_labels(labelled(3, 9)[0][:0]), {}, "validation")).replace("\n", " ")
    assert "No label of the validation images looks wrong" in words


def test_what_cannot_be_right_is_refused(labelled):
    predictions, _ = labelled(3, 90)
    with pytest.raises(ValueError, match="probability_class_001"):
        suspect_labels(predictions.drop(columns="probability_class_001"))
    with pytest.raises(ValueError, match=r"large.*small"):
        suspect_labels(pd.concat([predictions, predictions.assign(stage="large")]))
    with pytest.raises(ValueError, match="0 and"):
        suspects_sheet([], suspect_labels(labelled(3, 900)[0]), {}, "validation")
