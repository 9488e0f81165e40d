"""Shared by the tests of metrics, plots and cards: made-up predictions, and whether a figure can be read."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pandas as pd
import pytest
from matplotlib.axis import Axis, Tick
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.path import Path
from matplotlib.text import Text
from matplotlib.transforms import Affine2D
from PIL import Image
from scipy import ndimage
from small_project import GUITARS

from guitar_kedro.metrics.confidence import Calibration

__all__ = ["guitars", "is_readable", "made_predictions", "names_of", "random_predictions", "saved", "words_of"]

_LONG_NAME = "Gretsch White Falcon Player's Edition Hollow Body"


def _names_of(number: int) -> dict[str, str]:
    """Classes with short and long names, some of which would be formulas or have no glyphs."""
    if number == len(GUITARS):
        return GUITARS
    kinds = (f"{_LONG_NAME} %d", "Cat %d", "Ibanez $RG_550$ \N{CJK UNIFIED IDEOGRAPH-5409} %d")
    return {f"class_{place:03d}": kinds[place % 3] % place for place in range(number)}


def _made_predictions(
    labels: Sequence[str], predicted: Sequence[str], stage: str = "small", split: str = "validation"
) -> pd.DataFrame:
    """Predictions as evaluation makes them, without the probabilities."""
    images = range(len(labels))
    return pd.DataFrame(
        {
            "image_id": [f"{image:05d}" for image in images],
            "file": [f"{image:05d}.jpg" for image in images],
            "stage": stage,
            "split": split,
            "label": pd.Series(list(labels), dtype="str"),
            "predicted": pd.Series(list(predicted), dtype="str"),
            "loss": 0.5,
        }
    )


def _random_predictions(number: int, per_class: int = 20, wrong: float = 0.2) -> pd.DataFrame:
    """Predictions of many classes with errors all over."""
    random = np.random.default_rng(0)
    labels = np.repeat(list(_names_of(number)), per_class)
    guesses = random.choice(list(_names_of(number)), len(labels))
    return _made_predictions(labels, np.where(random.random(len(labels)) < wrong, guesses, labels))


def made_calibration() -> Calibration:
    """What calibration did to a model that has both thresholds."""
    sure = {
        "images": 181,
        "right": 179,
        "coverage": 0.823,
        "accuracy": 0.987,
        "accuracy_low": 0.961,
        "accuracy_high": 0.997,
    }
    selection = {"accuracy_asked": 0.99, "threshold": 0.871, "fewest_images": 98, "validation": sure, "test": sure}
    unknown = {
        "share_asked": 0.95,
        "threshold": -6.25,
        "fewest_images": 19,
        "test": {"images": 220, "kept": 209, "share": 0.951, "share_low": 0.913, "share_high": 0.972},
        "auroc": 0.913,
        "ood_images": 77,
        "refused": 0.662,
    }
    return Calibration.model_validate(
        {
            "temperature": 1.317,
            "validation": {"images": 220, "ece_before": 0.0512, "ece_after": 0.0213},
            "test": {"images": 220, "ece_before": 0.0634, "ece_after": 0.0345},
            "sure": selection,
            "unknown": unknown,
        }
    )


def _saved(figure: Figure) -> Image.Image:
    """The picture that ``savefig`` makes with its defaults."""
    file = io.BytesIO()
    figure.savefig(file)
    return Image.open(file)


def _texts_of(figure: Figure) -> list[Text]:
    """All texts that are seen in a figure that was drawn."""
    axes = [one for each in figure.axes for one in (each.xaxis, each.yaxis)]
    beyond = {id(tick.label1) for axis in axes for tick in _ticks_beyond(axis)}
    texts = [text for text in figure.findobj(Text) if id(text) not in beyond]
    return [text for text in texts if text.get_visible() and text.get_text().strip()]


def _ticks_beyond(axis: Axis) -> list[Tick]:
    low, high = sorted(axis.get_view_interval())
    ticks = [*axis.get_major_ticks(), *axis.get_minor_ticks()]
    return [tick for tick in ticks if not low <= tick.get_loc() <= high]


def _outline(text: Text) -> np.ndarray:
    """The corners of the rectangle around a text, turned as the text is turned, and the first once more."""
    turn = text.get_rotation()
    if turn:
        text.set_rotation(0)
    corners = text.get_window_extent().shrunk(0.98, 0.98).corners()[[0, 1, 3, 2, 0]]
    if not turn:
        return corners
    text.set_rotation(turn)
    anchor = text.get_transform().transform(text.get_unitless_position())
    return Affine2D().rotate_deg_around(*anchor, turn).transform(corners)


def _overlapping(outlines: np.ndarray) -> Iterator[np.ndarray]:
    """Places of two outlines that lie on each other."""
    low, high = outlines.min(axis=1), outlines.max(axis=1)
    near = (low[:, None] <= high[None]).all(axis=-1)
    for pair in np.argwhere(np.triu(near & near.T, 1)):
        one, other = (Path(outline, closed=True) for outline in outlines[pair])
        if one.intersects_path(other):
            yield pair


def _is_readable(figure: Figure) -> bool:
    """Lay a figure out and say whether no text is cut off or lies on another."""
    shown = [image for image in figure.findobj(AxesImage) if image.get_visible()]
    for image in shown:  # what is no text need not be resized
        image.set_visible(False)
    figure.draw_without_rendering()  # places all that will be drawn, in half of the time
    for image in shown:
        image.set_visible(True)
    texts = _texts_of(figure)
    outlines = np.array([_outline(text) for text in texts]).reshape(-1, 5, 2)
    inside = ((figure.bbox.min <= outlines) & (outlines <= figure.bbox.max)).all(axis=(1, 2))
    assert not [text.get_text() for text, all_of_it in zip(texts, inside, strict=True) if not all_of_it]
    assert not [[texts[place].get_text() for place in pair] for pair in _overlapping(outlines)]
    return True


def count_pictures(figure: Figure, colour: tuple[int, int, int]) -> int:
    """How many patches of one colour there are in a figure as it will be saved."""
    return ndimage.label((np.asarray(_saved(figure).convert("RGB")) == colour).all(axis=-1))[1]


@pytest.fixture
def guitars() -> dict[str, str]:
    """Display names of the eleven classes of the article."""
    return GUITARS


@pytest.fixture
def names_of() -> Callable[[int], dict[str, str]]:
    """Function that gives display names of so many classes."""
    return _names_of


@pytest.fixture
def made_predictions() -> Callable[..., pd.DataFrame]:
    """Function that makes predictions from labels and guesses."""
    return _made_predictions


@pytest.fixture
def random_predictions() -> Callable[..., pd.DataFrame]:
    """Function that makes predictions of so many classes."""
    return _random_predictions


@pytest.fixture
def saved() -> Callable[[Figure], Image.Image]:
    """Function that draws a figure as it will be saved."""
    return _saved


@pytest.fixture
def is_readable() -> Callable[[Figure], bool]:
    """Function that draws a figure and looks for texts that cannot be read."""
    return _is_readable


@pytest.fixture
def words_of() -> Callable[[Figure], str]:
    """Function that gives all that is written in a figure."""
    return lambda figure: "\n".join(text.get_text() for text in _texts_of(figure))
