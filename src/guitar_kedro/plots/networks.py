"""Networks side by side: what they err, and what they cost."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from guitar_kedro.plots import style
from guitar_kedro.plots.intervals import note

_COLOURS = {"probe": style.BLUE, "neighbours": style.AMBER}
_LONGEST = 2.6  # inches, of a name


def network_comparison_figure(table: pd.DataFrame, recommendation: str) -> Figure:
    """Draw the error of each network against the time that it takes for a picture.

    Args:
        table: From ``compare_networks``.
        recommendation: The sentence below the title.
    """
    words = "Wrong validation images with Wilson 95 % intervals: linear heads (blue), nearest neighbours (amber)."
    figure = style.new_figure(9.0, 5.2, "Error of each network against its time", [words, recommendation])
    axes = figure.add_subplot()
    longest = 1000 * table["seconds_per_picture"].max()
    for method, rows in table.groupby("method", sort=False):
        beside = 0.012 * longest if method == "neighbours" else 0  # or one interval would hide the other
        times = 1000 * rows["seconds_per_picture"] + beside
        axes.vlines(times, 100 * rows["error_low"], 100 * rows["error_high"], color=_COLOURS[method], linewidth=2.0)
        axes.scatter(times, 100 * rows["error_rate"], color=_COLOURS[method], s=46, zorder=3)
    probes = table[table["method"] == "probe"]
    names = style.shorten_together(probes["network"].tolist(), _LONGEST)
    for name, row in zip(names, probes.itertuples(), strict=True):
        note(axes, name, (1000 * row.seconds_per_picture, 100 * row.error_rate), 16)
    axes.set_xlim(0, 1.5 * longest)
    axes.set_ylim(0, 105 * table["error_high"].max())
    axes.set_xlabel("Milliseconds a picture", **style.text())
    style.clean(axes, "y", "Error rate, %")
    return figure
