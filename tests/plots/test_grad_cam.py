"""What a reader may rely on in the sheets of class activation maps."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from guitar_kedro.plots.grad_cam import grad_cam_by_class, grad_cam_of_errors, mapped_classes, overlay

SIZE = 32


def pictures(number: int) -> list[Image.Image]:
    random = np.random.default_rng(0)
    return [Image.fromarray(random.integers(0, 256, (SIZE, SIZE, 3), np.uint8)) for _ in range(number)]


def maps(number: int, classes: int) -> list[np.ndarray]:
    random = np.random.default_rng(1)
    return [random.random((classes, SIZE, SIZE), np.float32) for _ in range(number)]


def by_class(names: list[str], number: int = 2) -> Figure:
    shares = np.random.default_rng(2).dirichlet(np.ones(len(names)), number)
    heats = maps(number, len(mapped_classes(shares)[0]))
    return grad_cam_by_class(pictures(number), heats, names, names[-1:] * number, shares)


@pytest.mark.parametrize("classes", [2, 40])
def test_sheets_by_class_can_be_read(
    classes: int, names_of: Callable[[int], dict[str, str]], is_readable: Callable[[Figure], bool]
):
    assert is_readable(by_class(list(names_of(classes).values())))


def test_few_classes_are_all_shown_in_their_order(words_of: Callable[[Figure], str]):
    words = words_of(grad_cam_by_class(pictures(1), maps(1, 2), ["one", "two"], ["one"], np.array([[0.25, 0.75]])))
    assert "one,\npredicted two\none\n25.0 %\ntwo\n75.0 %" in words
    assert "most probable" not in words


def test_of_many_classes_the_most_probable_are_shown_and_a_note_says_so(words_of: Callable[[Figure], str]):
    shares = np.arange(40) / np.arange(40).sum()
    names = [f"class {place}" for place in range(40)]
    assert mapped_classes(shares[None]) == [list(range(39, 28, -1))]
    words = words_of(grad_cam_by_class(pictures(1), maps(1, 11), names, ["class 3"], shares[None]))
    assert "The 11 most probable of 40 classes" in words
    shown = [line for line in words.splitlines() if line.startswith("class") and "," not in line]
    assert shown == [f"class {place}" for place in range(39, 28, -1)]


@pytest.mark.parametrize("number", [0, 1, 5])
def test_sheets_of_errors_can_be_read(
    number: int, guitars: dict[str, str], is_readable: Callable[[Figure], bool], words_of: Callable[[Figure], str]
):
    names = list(guitars.values())
    captions = [(f"{place}.jpg", f"{names[place]}\n92.1 %", f"{names[place + 1]}\n3.0 %") for place in range(number)]
    figure = grad_cam_of_errors(pictures(number), maps(number, 2), captions)
    assert is_readable(figure)
    assert all(line in words_of(figure) for lines in captions for line in lines)


def test_a_low_map_leaves_the_picture_in_grey():
    picture = pictures(1)[0]
    grey = np.asarray(overlay(picture, np.zeros((SIZE, SIZE)), 1.0)).astype(float)
    assert (grey[..., 0] == grey[..., 2]).all()
    assert np.corrcoef(grey[..., 0].ravel(), np.asarray(picture.convert("L")).ravel())[0, 1] > 0.999


@pytest.mark.parametrize("tone", [0, 128, 255])
def test_a_higher_value_is_brighter_where_it_colours_the_picture(tone: int):
    values = np.linspace(0, 1, SIZE, dtype=np.float32)
    picture = Image.new("RGB", (SIZE, SIZE), (tone, tone, tone))
    laid = np.asarray(overlay(picture, np.tile(values, (SIZE, 1)), 1.0).convert("L")).astype(int)[0]
    assert (np.diff(laid[SIZE // 2 :]) > 0).all()
    assert laid[-1] == laid.max()


def test_a_map_is_coloured_on_the_scale_it_is_given():
    picture, heat = pictures(1)[0], np.full((SIZE, SIZE), 2.0)
    assert overlay(picture, heat, 4.0).tobytes() == overlay(picture, heat / 2, 2.0).tobytes()
    assert overlay(picture, heat, 4.0).tobytes() != overlay(picture, heat, 2.0).tobytes()


def test_a_map_that_is_zero_everywhere_can_be_drawn():
    picture, nothing = pictures(1)[0], np.zeros((SIZE, SIZE))
    assert overlay(picture, nothing, 0.0).tobytes() == overlay(picture, nothing, 1.0).tobytes()


def test_a_map_of_another_size_covers_the_whole_picture():
    heat = np.zeros((4, 4), np.float32)
    heat[:2, 2:] = 1
    laid = np.asarray(overlay(Image.new("RGB", (60, 40)), heat, 1.0)).astype(int)
    assert laid.shape == (40, 60, 3)
    coloured = laid[..., 0] != laid[..., 2]
    assert coloured[:10, 45:].all()
    assert not coloured[30:].any()
    assert not coloured[:, :15].any()
