"""When a network is called worse than a guess."""

import numpy as np
import pandas as pd
import pytest

from guitar_kedro.metrics.formatting import rounded
from guitar_kedro.metrics.guessing import Guess, guess, worse_than_guessing

_BEST = Guess(4, "cat", 0.5)


def test_the_best_guess_names_the_most_frequent_class_of_training():
    splits = pd.DataFrame(
        {"label": [*"aabbb", *"aaab", *"bbbb"], "split": ["train"] * 5 + ["validation"] * 4 + ["test"] * 4}
    )
    found = guess(splits)
    assert (found.classes, found.label, found.error_rate) == (2, "b", 0.75)
    assert found.loss == pytest.approx(np.log(2))


def test_a_network_that_learnt_something_is_not_warned_of():
    assert worse_than_guessing(1.2, 0.3, _BEST) == ""
    assert worse_than_guessing(np.log(4), 0.5, _BEST) == ""
    assert worse_than_guessing(np.log(4), np.float32(0.5) + 1e-7, _BEST) == ""


@pytest.mark.parametrize(("loss", "written"), [(4e30, "4e30"), (2.0, "2"), (np.inf, "infinite"), (np.nan, "-")])
def test_a_loss_above_that_of_equal_probabilities_is_told_as_people_write_it(loss, written):
    sentence = worse_than_guessing(loss, 0.3, _BEST)
    assert (
        f"validation loss is {written}, and that of giving each of 4 classes the same probability is 1.39" in sentence
    )
    assert "always" not in sentence


def test_more_errors_than_the_most_frequent_class_would_make_are_told():
    sentence = worse_than_guessing(1.2, 0.625, _BEST)
    assert sentence == (
        "It ended worse than guessing: it is wrong on 62.5 % of the validation images, and always naming cat would be "
        "wrong on 50.0 %."
    )


@pytest.mark.parametrize(
    ("value", "written"),
    [(0.14081760494911166, "0.141"), (4e30, "4e30"), (2.5e-7, "2.5e-7"), (-12.0, "-12"), (None, "-"), (np.nan, "-")],
)
def test_numbers_are_written_as_people_do(value, written):
    assert rounded(value) == written
