"""Sheets of pictures: rows of tiles with captions below and, if wanted, a name at the left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from PIL import Image

from guitar_kedro.plots import style

_GAP = 0.1  # inches between tiles
_LABEL_WIDTH = 1.7  # inches, at most
_NARROWEST = 3.2  # inches; below it a title has no room
_MOST_HEIGHT = 60.0  # inches
_MOST_TILE_PIXELS = 6_600_000  # of all pictures; a photo takes about two bytes of each in a PNG
_CAPTION_LINES = 4


@dataclass(frozen=True)
class Row:
    """One row of a sheet.

    Attributes:
        pictures: From left to right.
        captions: One per picture, drawn below it; may hold line breaks, may be empty.
        label: The name of the row, drawn at its left; may be empty.
    """

    pictures: Sequence[Image.Image]
    captions: Sequence[str] = ()
    label: str = ""


def picture_sheet(
    rows: Sequence[Row],
    title: str,
    notes: Sequence[str] = (),
    tile: float = 1.5,
    resample: Image.Resampling = Image.Resampling.LANCZOS,
    ground: str = style.TILE,
) -> Figure:
    """Lay out rows of pictures, each as large as its square tile allows.

    Args:
        rows: From top to bottom; as many are drawn as fit on a sheet of a bounded size, and a note says how many.
        title: Of the sheet.
        notes: Lines below the title.
        tile: Side of a tile, in inches.
        resample: How pictures are brought to the size of their tile.
        ground: Colour of what a picture leaves free of its tile.
    """
    notes = list(notes)
    fitting = _rows_that_fit(rows, tile)
    if len(rows) > fitting:
        notes.append(f"The first {fitting} of {len(rows):,} rows.")
        rows = rows[:fitting]
    if not any(row.pictures for row in rows):
        notes.append("There are no pictures to show.")
    labels = [
        name.splitlines() for name in style.shorten_together([row.label for row in rows], _LABEL_WIDTH, most_lines=4)
    ]
    captions = [[_caption_lines(caption, tile) for caption in row.captions] for row in rows]
    left = max((style.text_width(line) for lines in labels for line in lines), default=0.0)
    left = style.MARGIN + (left + style.MARGIN if left else 0)
    columns = max((len(row.pictures) for row in rows), default=0)
    width = max(left + columns * (tile + _GAP) - _GAP + style.MARGIN, _NARROWEST)
    heights = [tile + _caption_height(lines) + _GAP for lines in captions]
    height = sum(heights) + style.MARGIN
    figure = style.new_figure(width, height, title, notes, constrained=False)
    axes = style.below_heading(figure, height)
    top = 0.0
    for row, label, lines, row_height in zip(rows, labels, captions, heights, strict=True):
        axes.text(
            style.MARGIN * figure.dpi, (top + tile / 2) * figure.dpi, "\n".join(label), va="center", **style.text()
        )
        for column, picture in enumerate(row.pictures):
            x = left + column * (tile + _GAP)
            _draw_tile(axes, picture, (x, top), tile, resample, ground)
            if lines:
                place = ((x + tile / 2) * figure.dpi, (top + tile + 0.04) * figure.dpi)
                axes.text(
                    *place, "\n".join(lines[column]), ha="center", va="top", **style.text(style.SMALL_SIZE, style.MUTED)
                )
        top += row_height
    return figure


def contact_sheet(
    pictures: Sequence[Image.Image],
    captions: Sequence[str],
    columns: int,
    title: str,
    notes: Sequence[str] = (),
    tile: float = 1.5,
    resample: Image.Resampling = Image.Resampling.LANCZOS,
) -> Figure:
    """Lay out pictures in a grid, each with its caption below.

    Args:
        pictures: In reading order; any mode, any size.
        captions: One per picture; may hold line breaks. Long lines are wrapped and shortened to the tile.
        columns: How many pictures stand side by side.
        title: Of the sheet.
        notes: As of ``picture_sheet``.
        tile: As of ``picture_sheet``.
        resample: As of ``picture_sheet``.

    Raises:
        ValueError: If there is not one caption per picture, or no column.
    """
    if len(pictures) != len(captions):
        raise ValueError(f"a contact sheet needs one caption per picture: {len(pictures)} and {len(captions)} given")
    if columns < 1:
        raise ValueError(f"columns must be at least 1, not {columns}")
    starts = range(0, len(pictures), columns)
    rows = [Row(pictures[start : start + columns], captions[start : start + columns]) for start in starts]
    return picture_sheet(rows, title, notes, tile, resample)


def _rows_that_fit(rows: Sequence[Row], tile: float) -> int:
    """Count the rows, one at least, that neither make a sheet too high nor hold too many pixels together."""
    lowest = tile + _GAP
    columns = max((len(row.pictures) for row in rows), default=0) or 1
    most = min(_MOST_HEIGHT / lowest, _MOST_TILE_PIXELS / columns / (tile * style.DPI) ** 2)
    return max(1, int(most))


def _caption_lines(caption: str, width: float) -> list[str]:
    paragraphs = caption.splitlines()
    lines = [line for text in paragraphs for line in style.wrap(text, width, style.SMALL_SIZE)]
    return lines[:_CAPTION_LINES]


def _caption_height(captions: Sequence[Sequence[str]]) -> float:
    lines = max((len(caption) for caption in captions), default=0)
    return lines * style.SMALL_SIZE * style.LINE_HEIGHT / 72 + (0.08 if lines else 0)


def _draw_tile(
    axes: Axes,
    picture: Image.Image,
    corner: tuple[float, float],
    tile: float,
    resample: Image.Resampling,
    ground: str,
) -> None:
    # Whole pixels, and pictures of exactly the size they are drawn at: the renderer copies them and blurs nothing.
    dpi = axes.figure.dpi
    side = round(tile * dpi)
    x, y = (round(value * dpi) for value in corner)
    axes.add_patch(Rectangle((x, y), side, side, facecolor=ground, linewidth=0))
    scale = side / max(picture.size)
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    fitted = picture.convert("RGB").resize(size, resample, reducing_gap=3.0)
    x, y = x + (side - size[0]) // 2, y + (side - size[1]) // 2
    extent = (x, x + size[0], y + size[1], y)
    limits = axes.get_xlim(), axes.get_ylim()
    axes.imshow(np.asarray(fitted), extent=extent, aspect="auto", interpolation="nearest", zorder=2)
    axes.set(xlim=limits[0], ylim=limits[1])
