"""The pictures that a network is most wrong about."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from guitar_kedro.metrics import formatting
from guitar_kedro.plots import sheets, style

_PER_ROW = 6


_TILE = 2.1  # inches: "taken for Fender Jazzmaster 93 %" fits below


def top_losses_sheet(pictures: Sequence[Image.Image], table: pd.DataFrame) -> Figure:
    """Show the images with the highest loss, and what the network took them for.

    Args:
        pictures: One per row of the table, in its order; any mode, any size.
        table: From ``top_losses``.

    Raises:
        ValueError: If there is not one picture per row.
    """
    captions = [
        [
            f"is {row.actual_name}",
            f"{'rightly seen as such' if row.label == row.predicted else f'taken for {row.predicted_name}'} "
            f"{formatting.percent(row.probability, 0)}",
            f"loss {row.loss:.2f}",
        ]
        for row in table.itertuples()
    ]
    wrong = int((table["label"] != table["predicted"]).sum())
    images = formatting.count(len(table), "validation image")
    notes = [f"{images}, the highest loss first; {wrong:,} taken for something else."]
    return picture_grid(pictures, captions, "Highest losses", notes if len(table) else [])


def picture_grid(
    pictures: Sequence[Image.Image], captions: Sequence[Sequence[str]], title: str, notes: Sequence[str]
) -> Figure:
    """Lay out pictures in rows with captions whose lines are cut in the middle rather than wrapped.

    Args:
        pictures: In reading order.
        captions: Lines below each picture, four at most.
        title: Of the sheet.
        notes: Lines below the title.

    Raises:
        ValueError: If there is not one caption per picture.
    """
    if len(pictures) != len(captions):
        raise ValueError(f"one picture per row of the table is needed: {len(pictures)} for {len(captions)} rows")
    # A long name over two lines would push the last line, which nobody could miss, out of the caption.
    lines = {line for caption in captions for line in caption}
    short = dict(zip(lines, style.shorten_together(list(lines), _TILE, style.SMALL_SIZE), strict=True))
    texts = ["\n".join(short[line] for line in caption) for caption in captions]
    starts = range(0, len(texts), _PER_ROW)
    rows = [sheets.Row(pictures[start : start + _PER_ROW], texts[start : start + _PER_ROW]) for start in starts]
    return sheets.picture_sheet(rows, title, notes, _TILE)
