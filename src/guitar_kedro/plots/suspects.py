"""Labels that look wrong, for a person to check."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from guitar_kedro.metrics.formatting import display_name, percent
from guitar_kedro.plots.errors import (
    picture_grid,
)


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
    return picture_grid(pictures, captions, "Suspect labels", notes if captions else [nothing])
