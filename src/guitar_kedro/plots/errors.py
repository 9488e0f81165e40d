"""The pictures that a network is most wrong about, and those whose labels look wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from guitar_kedro.metrics.formatting import count, display_name, percent
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
            f"{percent(row.probability, 0)}",
            f"loss {row.loss:.2f}",
        ]
        for row in table.itertuples()
    ]
    wrong = int((table["label"] != table["predicted"]).sum())
    images = count(len(table), "validation image")
    notes = [f"{images}, the highest loss first; {wrong:,} taken for something else."]
    return _sheet(pictures, captions, "Highest losses", notes if len(table) else [])


def suspects_sheet(
    pictures: Sequence[Image.Image], suspects: pd.DataFrame, display_names: Mapping[str, str], part: str
) -> Figure:
    """Show images whose labels look wrong, with the label and what they look like.

    Args:
        pictures: One per row of the suspects, in their order; any mode, any size.
        suspects: From ``suspect_labels``, or its first rows.
        display_names: Names to show, by label.
        part: Which images were searched, such as ``validation``.

    Raises:
        ValueError: If there is not one picture per row.
    """
    captions = [
        [
            f"labelled {display_name(row.label, display_names)} {percent(row.probability_of_label, 0)}",
            f"looks like {display_name(row.suggested, display_names)} {percent(row.probability, 0)}",
            row.file,
        ]
        for row in suspects.itertuples()
    ]
    notes = [
        f"Among the {part} images, the most likely errors first. The network may be the one that is wrong: look before "
        "you relabel."
    ]
    nothing = f"No label of the {part} images looks wrong."
    return _sheet(pictures, captions, "Suspect labels", notes if captions else [nothing])


def _sheet(
    pictures: Sequence[Image.Image], captions: Sequence[Sequence[str]], title: str, notes: Sequence[str]
) -> Figure:
    """Lay out pictures with captions of at most four lines, which are cut in the middle rather than wrapped."""
    # A long name over two lines would push the last line, which nobody could miss, out of the caption.
    lines = {line for caption in captions for line in caption}
    short = dict(zip(lines, style.shorten_together(list(lines), _TILE, style.SMALL_SIZE), strict=True))
    texts = ["\n".join(short[line] for line in caption) for caption in captions]
    return sheets.contact_sheet(pictures, texts, _PER_ROW, title, notes, _TILE)
