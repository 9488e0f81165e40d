"""What was predicted of pictures whose class nobody has told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure
from PIL import Image

from guitar_kedro.metrics import formatting
from guitar_kedro.plots import sheets, style

_TILE = 1.6  # inches: "97 %, not one of these" fits below


def predictions_sheet(
    rows: Sequence[tuple[str, Sequence[tuple[Image.Image, Any]]]],
    display_names: Mapping[str, str],
    decisions: Mapping[str, str],
    unreadable: int,
    classes: int = 0,
) -> Figure:
    """Show pictures of each predicted class, a row per class with its name at the left.

    Args:
        rows: For each class its pictures with what was said of them: ``file``, ``label`` (empty where it is not known),
            ``probability``, ``decision``.
        display_names: Names to show, by label.
        decisions: What people call them.
        unreadable: How many files could not be read.
        classes: How many were predicted, where not all have a row: then those of the rows are the most frequent ones.
    """
    drawn = [
        sheets.Row(
            [picture for picture, _ in row],
            [_caption(said, label, display_names, decisions) for _, said in row],
            formatting.display_name(label, display_names),
        )
        for label, row in rows
    ]
    of = f"the {len(rows)} most frequent of {classes:,} predicted classes" if classes > len(rows) else ""
    notes = [f"Pictures of {of or 'each predicted class'}, chosen at random."] if rows else []
    if unreadable:
        notes.append(f"{formatting.count(unreadable, 'file')} could not be read; the table says why.")
    return sheets.picture_sheet(drawn, "Predictions", notes, _TILE)


def _caption(said: Any, predicted: str, display_names: Mapping[str, str], decisions: Mapping[str, str]) -> str:
    lines = [said.file.rpartition("/")[2], f"{formatting.percent(said.probability, 0)}, {decisions[said.decision]}"]
    if said.label not in ("", predicted):
        lines.append(f"folder: {formatting.display_name(said.label, display_names)}")
    return "\n".join(style.shorten(line, _TILE, style.SMALL_SIZE) for line in lines)
