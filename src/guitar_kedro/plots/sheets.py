"""Sheets of pictures: rows of tiles with captions below and, if wanted, a name at the left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.figure import Figure
from matplotlib.transforms import BboxBase
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
    square: bool = True,
) -> Figure:
    """Lay out rows of pictures, each as large as its tile allows.

    Args:
        rows: From top to bottom; as many are drawn as fit on a sheet of a bounded size, and a note says how many.
        title: Of the sheet.
        notes: Lines below the title.
        tile: Height of a tile, in inches.
        resample: How pictures are brought to the size of their tile.
        ground: Colour of what a picture leaves free of its tile.
        square: Whether a tile is as wide as it is high; else it has the shape of its picture.
    """
    notes = list(notes)

    def width_of(picture: Image.Image) -> float:
        return tile if square else tile * picture.width / picture.height

    filled = max((sum(map(width_of, row.pictures)) for row in rows), default=0.0)
    fitting = _rows_that_fit(filled, tile)
    if len(rows) > fitting:
        notes.append(f"The first {fitting} of {len(rows):,} rows.")
        rows = rows[:fitting]
    if not any(row.pictures for row in rows):
        notes.append("There are no pictures to show.")
    labels = style.shorten_together([row.label for row in rows], _LABEL_WIDTH, most_lines=4)
    captions = [[_caption_lines(caption, tile) for caption in row.captions] for row in rows]
    left = max((style.text_width(line) for label in labels for line in label.split("\n")), default=0.0)
    left = style.MARGIN + (left + style.MARGIN if left else 0)
    columns = max((len(row.pictures) for row in rows), default=0)
    width = max(left + filled + columns * _GAP - _GAP + style.MARGIN, _NARROWEST)
    heights = [tile + _caption_height(lines) + _GAP for lines in captions]
    height = sum(heights) + style.MARGIN
    figure = style.new_figure(width, height, title, notes, constrained=False)
    axes = style.below_heading(figure, height)
    dpi = figure.dpi
    tiles = Image.new("RGB", (round(width * dpi), round(height * dpi)), style.PAPER)
    top = 0.0
    for row, label, lines, row_height in zip(rows, labels, captions, heights, strict=True):
        axes.text(style.MARGIN * dpi, (top + tile / 2) * dpi, label, va="center", **style.text())
        x = left
        for column, picture in enumerate(row.pictures):
            tile_width = width_of(picture)
            _paste(tiles, picture, _pixels((x, top), dpi), _pixels((tile_width, tile), dpi), resample, ground)
            if lines:
                place = ((x + tile_width / 2) * dpi, (top + tile + 0.04) * dpi)
                axes.text(
                    *place, "\n".join(lines[column]), ha="center", va="top", **style.text(style.SMALL_SIZE, style.MUTED)
                )
            x += tile_width + _GAP
        top += row_height
    axes.add_artist(_Copied(tiles, axes.bbox))
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


def _rows_that_fit(width: float, tile: float) -> int:
    """Count the rows, one at least, that neither make a sheet too high nor hold too many pixels together."""
    most = min(_MOST_HEIGHT / (tile + _GAP), _MOST_TILE_PIXELS / ((width or tile) * tile * style.DPI**2))
    return max(1, int(most))


def _caption_lines(caption: str, width: float) -> list[str]:
    paragraphs = caption.splitlines()
    lines = [line for text in paragraphs for line in style.wrap(text, width, style.SMALL_SIZE)]
    return lines[:_CAPTION_LINES]


def _caption_height(captions: Sequence[Sequence[str]]) -> float:
    lines = max((len(caption) for caption in captions), default=0)
    return lines * style.SMALL_SIZE * style.LINE_HEIGHT / 72 + (0.08 if lines else 0)


class _Copied(Artist):
    """A picture that fills a box of a figure, copied pixel by pixel; ``imshow`` takes as long as all of the rest."""

    zorder = 0

    def __init__(self, picture: Image.Image, box: BboxBase) -> None:
        super().__init__()
        self._picture, self._box = picture, box

    def draw(self, renderer: Any) -> None:
        # where a figure is cropped or saved with other dpi, as notebooks do, the box lies elsewhere
        box, scale = self._box, renderer.get_image_magnification()
        size = round(box.width * scale), round(box.height * scale)
        drawn = self._picture if self._picture.size == size else self._picture.resize(size)
        renderer.draw_image(renderer.new_gc(), round(box.x0), round(box.y0), np.asarray(drawn.convert("RGBA"))[::-1])


def _pixels(inches: tuple[float, float], dpi: float) -> tuple[int, int]:
    return round(inches[0] * dpi), round(inches[1] * dpi)


def _paste(
    tiles: Image.Image,
    picture: Image.Image,
    corner: tuple[int, int],
    tile: tuple[int, int],
    resample: Image.Resampling,
    ground: str,
) -> None:
    (x, y), (width, height) = corner, tile
    tiles.paste(ground, (x, y, x + width, y + height))
    scale = min(width / picture.width, height / picture.height)
    size = max(1, round(picture.width * scale)), max(1, round(picture.height * scale))
    fitted = picture.convert("RGB").resize(size, resample, reducing_gap=3.0)
    tiles.paste(fitted, (x + (width - size[0]) // 2, y + (height - size[1]) // 2))
