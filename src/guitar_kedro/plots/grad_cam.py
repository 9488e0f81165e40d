"""Sheets that show where in a picture a network sees a class."""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from guitar_kedro.metrics import formatting
from guitar_kedro.plots import sheets, style

_MOST_MAPS = 11  # in a row
_STRONGEST = 0.8  # share of the map's colour where it is highest
_DARKEST, _LIGHTEST = 40, 170  # of the grey picture: the map's bright colours stand out on it
_HOW_TO_READ = (
    "Grad-CAM: what is bright speaks for the class below the tile, what is grey does not; the maps of {one} share "
    "one scale."
)


def overlay(picture: Image.Image, heat: np.ndarray, highest: float) -> Image.Image:
    """Lay a map over a picture in grey.

    Args:
        picture: Any size.
        heat: Map of the whole picture, (height, width), 0 or more; it is brought to the size of the picture.
        highest: Value that gets the brightest colour; if it is not above 0, nothing is laid over.

    Returns:
        RGB picture of the same size. The colours are those of Matplotlib's inferno, which is perceptually uniform and
        can be read with any colour vision; where the map is low, they are transparent.
    """
    grey = np.asarray(picture.convert("L"), np.float32)[..., None] / 255
    grey = _DARKEST + (_LIGHTEST - _DARKEST) * grey
    fitted = Image.fromarray(np.asarray(heat, np.float32)).resize(picture.size, Image.Resampling.BILINEAR)
    share = np.clip(np.asarray(fitted) / highest, 0, 1) if highest > 0 else np.zeros(picture.size[::-1])
    colours = 255 * matplotlib.colormaps["inferno"](share)[..., :3]
    alpha = _STRONGEST * share[..., None]
    return Image.fromarray(np.rint((1 - alpha) * grey + alpha * colours).astype(np.uint8))


def mapped_classes(probabilities: np.ndarray) -> list[list[int]]:
    """Choose for each picture the classes whose maps ``grad_cam_by_class`` draws, so that no others are computed.

    Args:
        probabilities: Shares between 0 and 1, of (pictures, classes).

    Returns:
        Places of classes: few classes keep their order, so that each has its column; of many, the most probable ones.
    """
    shares = np.asarray(probabilities)
    if shares.shape[1] <= _MOST_MAPS:
        return [list(range(shares.shape[1]))] * len(shares)
    return np.argsort(-shares, axis=1, kind="stable")[:, :_MOST_MAPS].tolist()


def grad_cam_by_class(
    pictures: Sequence[Image.Image],
    heats: Sequence[np.ndarray],
    names: Sequence[str],
    actual: Sequence[str],
    probabilities: np.ndarray,
) -> Figure:
    """Draw for each picture where the network sees each class.

    Args:
        pictures: As the network sees them.
        heats: For each picture, the maps of its ``mapped_classes``: (classes, height, width), 0 or more.
        names: What the classes are called.
        actual: For each picture, what its class is called.
        probabilities: Shares between 0 and 1, of (pictures, classes).
    """
    notes = [_HOW_TO_READ.format(one="a row")]
    if len(names) > _MOST_MAPS:
        notes.append(f"The {_MOST_MAPS} most probable of {len(names)} classes, the most probable first.")
    shares, rows = np.asarray(probabilities), []
    for picture, maps, shown, name, row in zip(pictures, heats, mapped_classes(shares), actual, shares, strict=True):
        captions = [f"{names[place]}\n{formatting.percent(row[place])}" for place in shown]
        about = f"{name},\npredicted {names[int(row.argmax())]}"
        rows.append(sheets.Row(_tiles(picture, maps), [about, *captions]))
    return sheets.picture_sheet(rows, "Where the network sees each class", notes)


def grad_cam_of_errors(
    pictures: Sequence[Image.Image], heats: Sequence[np.ndarray], captions: Sequence[Sequence[str]]
) -> Figure:
    """Draw for each picture with a wrong prediction what spoke for the wrong class, and what for the right one.

    Args:
        pictures: As the network sees them.
        heats: For each picture, the maps of the predicted and of the right class: (2, height, width), 0 or more.
        captions: For each picture three: of the picture, the map of the predicted and that of the right class.
    """
    groups = [
        (_tiles(picture, maps), list(lines)) for picture, maps, lines in zip(pictures, heats, captions, strict=True)
    ]
    columns = 2 if len(groups) > 2 else 1
    rows = [_side_by_side(groups[start : start + columns]) for start in range(0, len(groups), columns)]
    notes = [
        "From left to right: the picture, what spoke for the wrong class, what spoke for the right one.",
        _HOW_TO_READ.format(one="a picture"),
    ]
    return sheets.picture_sheet(rows, "Where the network saw the wrong class", notes)


def grad_cam_missing(why: str) -> Figure:
    """Make the sheet of a network that has no maps.

    Args:
        why: Sentence.
    """
    return sheets.picture_sheet([], "Where the network looks", [why])


def _side_by_side(groups: Sequence[tuple[list[Image.Image], list[str]]]) -> sheets.Row:
    tiles, captions = groups[0]
    for more, lines in groups[1:]:
        gap = Image.new("RGB", (1, 1), style.PAPER)
        tiles, captions = [*tiles, gap, *more], [*captions, "", *lines]
    return sheets.Row(tiles, captions)


def _tiles(picture: Image.Image, maps: np.ndarray) -> list[Image.Image]:
    highest = float(np.max(maps, initial=0))
    return [picture, *(overlay(picture, heat, highest) for heat in maps)]
