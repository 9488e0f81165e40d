"""What a visitor may rely on about the map over the picture."""

from __future__ import annotations

import numpy as np
import pytest

from guitar_kedro.serving.cards import Box, map_box, place_in_words


@pytest.mark.parametrize(
    ("method", "box"),
    [("squish", Box(0, 0, 400, 300)), ("crop", Box(50, 0, 300, 300)), ("pad", Box(0, -50, 400, 400))],
)
def test_the_map_lies_over_what_the_network_saw_of_the_picture(method: str, box: Box):
    assert map_box(400, 300, method, 64) == box


@pytest.mark.parametrize(
    ("method", "box"),
    [("squish", Box(0, 0, 400, 300)), ("crop", Box(106.25, 0, 187.5, 300)), ("pad", Box(0, -170, 400, 640))],
)
def test_the_map_of_an_upright_input_lies_over_what_the_network_saw_of_the_picture(method: str, box: Box):
    assert map_box(400, 300, method, (64, 40)) == box


@pytest.mark.parametrize(
    ("row", "column", "words"),
    [
        (0, 0, "mostly at the upper left"),
        (1, 1, "mostly in the middle"),
        (2, 1, "mostly at the lower edge"),
        (1, 2, "mostly at the right"),
        (None, None, "nothing in the picture speaks for it"),
    ],
)
def test_where_it_looked_is_said_in_words_too(row: int | None, column: int | None, words: str):
    values = np.zeros((3, 3), np.float32)
    if row is not None:
        values[row, column] = 1
    assert place_in_words(values) == words
