"""What the list of the highest losses tells."""

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from guitar_kedro.metrics.scores import top_losses
from guitar_kedro.plots.errors import top_losses_sheet


@pytest.fixture
def predicted(made_predictions, names_of):
    """Function that makes predictions with probabilities: sure of what it says, except for some rest."""

    def make(labels, guesses, classes, sure=0.9):
        table = made_predictions(labels, guesses)
        rest = (1 - sure) / (len(classes) - 1)
        of_class = {f"probability_{name}": np.where(table["predicted"] == name, sure, rest) for name in classes}
        table = pd.concat([table, pd.DataFrame(of_class)], axis=1)
        return table.assign(loss=-np.log(np.where(table["label"] == table["predicted"], sure, rest)))

    return make


def _pictures(number):
    return [Image.new("RGB", (40, 60), "teal")] * number


def test_the_highest_loss_comes_first_with_what_the_network_believed(predicted):
    table = top_losses(predicted("aab", "aba", "ab").assign(loss=[0.1, 2, 3]), {"a": "Anna"}, most=2)
    assert table["image_id"].tolist() == ["00002", "00001"]
    assert table.loc[0].tolist()[1:6] == ["00002.jpg", "b", "a", "b", "Anna"]
    assert table.loc[0, ["probability", "probability_of_label", "loss"]].tolist() == pytest.approx([0.9, 0.1, 3])


def test_where_all_is_right_the_least_sure_are_listed_and_called_right(predicted, words_of):
    table = top_losses(predicted("ab", "ab", "ab"), {})
    words = words_of(top_losses_sheet(_pictures(2), table))
    assert words.count("rightly seen as such 90 %") == 2
    assert "; 0 taken" in words


def test_the_caption_says_what_it_is_and_what_it_was_taken_for(predicted, words_of):
    table = top_losses(predicted("a", "b", "ab").assign(loss=4.2123), {"a": "Fender Jaguar", "b": "Fender Jazzmaster"})
    words = words_of(top_losses_sheet(_pictures(1), table))
    assert "is Fender Jaguar\ntaken for Fender Jazzmaster 90 %\nloss 4.21" in words


def test_no_predictions_give_an_empty_table_and_a_sheet_that_says_so(predicted, words_of, is_readable):
    table = top_losses(predicted("", "", "ab"), {})
    assert table.empty
    figure = top_losses_sheet([], table)
    assert "no pictures" in words_of(figure)
    assert is_readable(figure)


@pytest.mark.parametrize("number", [2, 100])
def test_the_sheet_is_readable_with_names_of_any_length(number, predicted, names_of, is_readable, words_of):
    classes = list(names_of(number))
    labels, guesses = [classes[n % number] for n in range(24)], [classes[(n + 1) % number] for n in range(24)]
    figure = top_losses_sheet(_pictures(24), top_losses(predicted(labels, guesses, classes), names_of(number)))
    assert is_readable(figure)
    assert words_of(figure).count("90 %") == words_of(figure).count("\nloss ") == 24


def test_captions_tell_long_names_apart_that_differ_in_the_middle(predicted, words_of):
    names = {name: f"{'Gretsch White Falcon ' * 3}{name}{' Hollow Body' * 6}" for name in "ab"}
    words = words_of(top_losses_sheet(_pictures(2), top_losses(predicted("ab", "ba", "ab"), names))).split("\n")
    captions = [line for line in words if "90 %" in line]
    assert len(captions) == len(set(captions)) == 2


def test_what_cannot_be_right_is_refused(predicted):
    table = predicted("ab", "ab", "ab")
    with pytest.raises(ValueError, match="probability_b"):
        top_losses(table.drop(columns="probability_b"), {})
    with pytest.raises(ValueError, match="-1"):
        top_losses(table, {}, most=-1)
    with pytest.raises(ValueError, match=r"large.*small"):
        top_losses(pd.concat([table, table.assign(stage="large")]), {})
    with pytest.raises(ValueError, match="1 and 2"):
        top_losses_sheet(_pictures(1), top_losses(table, {}))
