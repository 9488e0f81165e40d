"""What a reader of the confusion matrix may rely on."""

import time

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from guitar_kedro.plots.confusion import confusion_explorer, confusion_matrix_figure


def _cells(figure):
    return np.asarray(figure.axes[0].collections[0].get_array())


@pytest.mark.parametrize("number", [1, 2, 16, 40])
def test_no_text_is_cut_off_or_lies_on_another(number, names_of, random_predictions, is_readable):
    names = names_of(number)
    figure = confusion_matrix_figure(random_predictions(number), list(names), names, "The last stage on validation")
    assert is_readable(figure)


@pytest.mark.parametrize("number", [2, 12])
def test_long_names_that_differ_in_the_middle_are_told_apart(number, made_predictions, is_readable):
    names = {f"{place:02d}": f"{'Gretsch White Falcon ' * 3}{place:02d}{' Hollow Body' * 6}" for place in range(number)}
    figure = confusion_matrix_figure(made_predictions(list(names), list(names)), list(names), names, "Long names")
    for axis in (figure.axes[0].xaxis, figure.axes[0].yaxis):
        assert len({label.get_text() for label in axis.get_ticklabels()}) == number
    assert is_readable(figure)


def test_many_classes_with_counts_of_three_digits_are_readable(names_of, random_predictions, is_readable):
    names = names_of(61)
    figure = confusion_matrix_figure(random_predictions(61, 300, 0.02), list(names), names, "Many classes")
    assert is_readable(figure)


def test_counts_of_five_digits_stay_in_their_cells(guitars, made_predictions, saved):
    labels = [label for label in guitars for _ in range(12_000)]
    figure = confusion_matrix_figure(made_predictions(labels, labels), list(guitars), guitars, "Many images")
    saved(figure)
    axes = figure.axes[0]
    cell = axes.transData.transform((1, 0))[0] - axes.transData.transform((0, 0))[0]
    counts = [text for text in axes.texts if text.get_text() == "12,000"]
    assert len(counts) == 11
    assert all(text.get_window_extent().width < cell for text in counts)


def test_rows_are_actual_columns_are_predicted_and_zeros_stay_blank(guitars, made_predictions, words_of):
    predictions = made_predictions(["gibson_SG"] * 7, ["gibson_SG"] * 4 + ["gibson_ES"] * 3)
    figure = confusion_matrix_figure(predictions, ["gibson_ES", "gibson_SG"], guitars, "Two classes")
    axes = figure.axes[0]
    counts = {text.get_position(): text.get_text() for text in axes.texts if text.get_text().isdigit()}
    assert counts == {(0, 1): "3", (1, 1): "4"}
    assert [axes.get_xlabel(), axes.get_ylabel()] == ["Predicted", "Actual"]
    assert [tick.get_text() for tick in axes.get_yticklabels()] == ["Gibson ES", "Gibson SG"]
    assert "4 of 7 images right (57.1 %)" in words_of(figure)


def test_shading_follows_the_share_of_the_row(made_predictions):
    labels = ["common"] * 100 + ["rare"] * 4
    predicted = ["common"] * 50 + ["rare"] * 50 + ["rare"] * 2 + ["common"] * 2
    cells = _cells(confusion_matrix_figure(made_predictions(labels, predicted), ["common", "rare"], {}, "Shading"))
    assert cells[0, 0] == pytest.approx(cells[1, 1])
    assert cells[0, 1] == pytest.approx(cells[1, 0])


def test_one_mistake_among_thousands_is_visible(made_predictions):
    predictions = made_predictions(["a"] * 5000, ["a"] * 4999 + ["b"])
    cells = _cells(confusion_matrix_figure(predictions, ["a", "b"], {}, "One mistake"))
    assert cells[1, 0] == pytest.approx(to_rgb("white"))
    assert cells[0, 1].min() < 0.9


@pytest.mark.parametrize("predicted", ["b", "a"], ids=["everything wrong", "everything right"])
def test_a_single_image_is_enough(predicted, made_predictions, is_readable, words_of):
    figure = confusion_matrix_figure(made_predictions(["a"], [predicted]), ["a", "b"], {}, "One image")
    assert is_readable(figure)
    assert "no images" in words_of(figure)


def test_no_predictions_give_an_empty_matrix_that_says_so(made_predictions, is_readable, words_of):
    figure = confusion_matrix_figure(made_predictions([], []), ["a", "b"], {}, "Nothing")
    assert is_readable(figure)
    assert "There are no predictions." in words_of(figure)


def test_an_unknown_label_is_named(made_predictions):
    with pytest.raises(ValueError, match="banjo"):
        confusion_matrix_figure(made_predictions(["banjo"], ["a"]), ["a", "b"], {}, "")


def test_a_hundred_thousand_predictions_take_a_second(random_predictions, names_of):
    predictions = random_predictions(11, 9091)
    start = time.process_time()
    confusion_matrix_figure(predictions, list(names_of(11)), names_of(11), "Many")
    assert time.process_time() - start < 5


def test_pointing_at_a_cell_tells_its_classes_its_share_and_some_files(made_predictions):
    predictions = made_predictions(["cat", "cat", "cat", "dog"], ["cat", "dog", "cat", "dog"])
    figure = confusion_explorer(predictions, ["cat", "dog"], {"cat": "Big Cat", "dog": "Dog"}, "Validation")
    rightly, wrongly = (each.hovertext for each in figure.data)
    assert wrongly[0][1] == "Big Cat taken for Dog: 1 (33.3 % of the row)<br>00001.jpg"
    assert rightly[0][0].startswith("Big Cat, rightly seen as such: 2 (66.7 %")
    right, wrong = (np.array(each.z, float) for each in figure.data)
    assert np.array_equal(np.isfinite(right), [[True, False], [False, True]])
    assert np.array_equal(np.isfinite(wrong), [[False, True], [False, False]])


def test_a_matrix_to_point_at_is_made_for_a_hundred_classes_and_for_none(names_of, random_predictions):
    began = time.process_time()
    names = names_of(100)
    figure = confusion_explorer(random_predictions(100, 1000), list(names), names, "Many")
    assert time.process_time() - began < 5
    assert figure.data[0].hovertext[0][0].count("<br>") == 8
    assert confusion_explorer(random_predictions(2, 0), list(names_of(2)), names_of(2), "None").data[0].z is not None


def test_of_many_classes_the_most_confused_are_shown_with_the_shares_of_all_their_answers(made_predictions, words_of):
    classes = [f"class {place:03d}" for place in range(300)]
    # class 2 n is taken for class 2 n + 1 once more than n times: of 60 pairs, the last 20 have room
    labels = [classes[2 * pair] for pair in range(60) for _ in range(pair + 1)] + [classes[118]] * 40
    guesses = [classes[2 * pair + 1] for pair in range(60) for _ in range(pair + 1)] + [classes[118]] * 40
    figure = confusion_matrix_figure(made_predictions(labels, guesses), classes, {}, "Many")
    axes, words = figure.axes[0], " ".join(words_of(figure).split())
    shown = [tick.get_text() for tick in axes.get_yticklabels()]
    assert shown == classes[80:120]
    assert (
        f"Shown are 40 of 300 classes, those that are confused most often: {sum(range(41, 61)):,} of the 1,830" in words
    )
    counts = {text.get_position(): text.get_text() for text in axes.texts if text.get_text().isdigit()}
    assert counts[39, 38] == "60"
    assert "40.0 %" in words  # the recall of class 118


def test_of_many_classes_without_a_confusion_the_figure_says_so(made_predictions, is_readable, words_of):
    classes = [f"class {place:03d}" for place in range(300)]
    figure = confusion_matrix_figure(made_predictions(classes, classes), classes, {}, "Perfect")
    assert is_readable(figure)
    assert "None of the 300 classes was taken for another one." in words_of(figure)


def test_a_matrix_of_some_classes_counts_what_it_leaves_out(made_predictions, words_of):
    classes = [f"class {place:03d}" for place in range(50)]
    labels = [*classes[:4], classes[0], classes[0]]
    guesses = [*classes[:2], classes[3], classes[3], classes[0], classes[1]]
    figure = confusion_matrix_figure(made_predictions(labels, guesses), classes, {}, "Few confused")
    words = " ".join(words_of(figure).split())
    assert "Shown are 4 of 50 classes" in words
    assert "2 of the 2 errors lie among them" in words
    assert "4 of 6 images right" in words


@pytest.mark.parametrize("number", [3, 150])
def test_numbers_dates_and_markup_are_names_for_the_explorer(number, made_predictions):
    classes = ["007", "2024", "<b>bold</b>", *(f"class {place}" for place in range(number - 3))]
    figure = confusion_explorer(made_predictions(classes, ["007"] * number), classes, {}, "Names")
    assert figure.layout.xaxis.type == figure.layout.yaxis.type == "category"
    assert list(figure.layout.xaxis.categoryarray)[:3] == ["007", "2024", "&lt;b&gt;bold&lt;/b&gt;"]
    words = [text for each in figure.data for text in np.ravel(each.hovertext) if text]
    assert len(words) == number
    assert "&lt;b&gt;bold&lt;/b&gt; taken for 007: 1 (100.0 % of the row)<br>00002.jpg" in words
