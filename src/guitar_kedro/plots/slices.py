"""Which kinds of images a network errs on most."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from guitar_kedro.metrics import formatting
from guitar_kedro.metrics.slices import images
from guitar_kedro.plots import style
from guitar_kedro.plots.intervals import draw_error_rates, name_rows

_NAMED = 5
_AXES_WIDTH, _NAME_WIDTH = 5.6, 2.8  # inches


def slices_figure(slices: pd.DataFrame, overall_error_rate: float, worst: pd.DataFrame) -> Figure:
    """Draw the error rate of every slice with its interval, next to that of all images.

    Of more than 60 classes those are drawn whose intervals begin highest: of many classes with an image or two, some
    are wrong on all by chance.

    Args:
        slices: From ``slice_errors``.
        overall_error_rate: Of all images, a share between 0 and 1.
        worst: From ``worst_slices``; these are named and drawn in the signal colour.
    """
    notes = _notes(slices, overall_error_rate, worst)
    if (classes := int((slices["slice"] == "class").sum())) > style.MOST_CLASSES:
        notes.append(f"Of {classes:,} classes, the {style.MOST_CLASSES} whose intervals begin highest are shown.")
    rows = _places(slices)
    height = 0.9 + 0.25 * max(rows["place"].max() + 1 if len(rows) else 0, 3)
    figure = style.new_figure(9.0, height, "Where the errors are", notes)
    axes = figure.add_subplot()
    bad = set(zip(worst["slice"], worst["value"], strict=True))
    colours = [style.VERMILLION if key in bad else style.BLUE for key in zip(rows["slice"], rows["value"], strict=True)]
    axes.axvline(100 * overall_error_rate, color=style.FAINT, linewidth=1.4, zorder=1)
    words = [f"{wrong:,} of {total:,}" for wrong, total in zip(rows["errors"], rows["images"], strict=True)]
    draw_error_rates(axes, rows, colours, words, _AXES_WIDTH, style.MUTED)
    _name_rows(axes, rows)
    return figure


def _notes(slices: pd.DataFrame, overall_error_rate: float, worst: pd.DataFrame) -> list[str]:
    if slices.empty:
        return ["There are no images."]
    note = (
        "Share of wrong validation images with Wilson 95 % intervals; beside them errors of images. "
        f"The line: {formatting.percent(overall_error_rate)} of all {images(slices):,}."
    )
    if not slices["errors"].any():
        return [note, "Nothing is wrong."]
    if worst.empty:
        return [note, "Too few images to call any group worse than the rest: what differs may be chance."]
    named = [f"{row.value} ({formatting.percent(row.error_rate)})" for row in worst[:_NAMED].itertuples()]
    more = f" and {len(worst) - _NAMED} more" if len(worst) > _NAMED else ""
    return [note, f"Worse than the rest, beyond chance: {'; '.join(named)}{more}."]


def _places(slices: pd.DataFrame) -> pd.DataFrame:
    kinds = [group for _, group in slices.groupby("slice", sort=False)]
    # Sizes and shapes have an order of their own.
    kinds = [
        group.nlargest(style.MOST_CLASSES, "error_low")
        .sort_index()
        .sort_values(["error_rate", "images"], ascending=False)
        if group["slice"].iloc[0] == "class"
        else group
        for group in kinds
    ]
    rows = pd.concat(kinds, ignore_index=True) if kinds else slices
    begins = rows["slice"].ne(rows["slice"].shift()).cumsum()
    # Every kind has a line for its name and, below the first, one of air.
    return rows.assign(place=np.arange(len(rows)) + begins + 0.4 * (begins - 1))


def _name_rows(axes: Axes, rows: pd.DataFrame) -> None:
    names = {place: (value, style.text()) for place, value in zip(rows["place"], rows["value"], strict=True)}
    for row in rows.drop_duplicates("slice").itertuples():
        names[row.place - 1] = row.slice.capitalize(), style.text(weight="bold")
    name_rows(axes, names, _NAME_WIDTH)
    axes.set_ylim(max(names, default=1) + 0.6, -0.6)
