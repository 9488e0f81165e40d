"""Stages side by side, and networks, as figures."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from guitar_kedro.metrics import formatting
from guitar_kedro.plots import style
from guitar_kedro.plots.intervals import draw_error_rates, name_rows, note

_PHASE_COLOURS = {"probe": style.GREEN, "frozen": style.SKY, "unfrozen": style.BLUE}
_METHOD_COLOURS = {"probe": style.BLUE, "neighbours": style.AMBER}
_AXES_WIDTH, _NAME_WIDTH, _NETWORK_WIDTH = 4.4, 2.4, 2.6  # inches


def stage_comparison_figure(table: pd.DataFrame) -> Figure:
    """Draw the error after each phase of each stage with its interval, and the time that the phase took.

    Args:
        table: From ``stage_comparison``.
    """
    rows = _places(table)
    height = 1.0 + 0.3 * max(rows["place"].max() + 1 if len(rows) else 0, 3)
    figure = style.new_figure(10.0, height, "Error after each phase of each stage", _notes(table))
    errors, times = figure.subplots(1, 2, sharey=True, width_ratios=(5, 2))
    colours = [_PHASE_COLOURS.get(phase, style.PURPLE) for phase in rows["phase"]]
    errors.plot(100 * rows["error_rate"], rows["place"], color=style.RULE, linewidth=1.2, zorder=1)
    words = [formatting.percent(share, 2) for share in rows["error_rate"]]
    draw_error_rates(errors, rows, colours, words, _AXES_WIDTH)
    _draw_times(times, rows, colours)
    _name_rows(errors, rows)
    return figure


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
        axes.vlines(
            times, 100 * rows["error_low"], 100 * rows["error_high"], color=_METHOD_COLOURS[method], linewidth=2.0
        )
        axes.scatter(times, 100 * rows["error_rate"], color=_METHOD_COLOURS[method], s=46, zorder=3)
    probes = table[table["method"] == "probe"]
    names = style.shorten_together(probes["network"].tolist(), _NETWORK_WIDTH)
    for name, row in zip(names, probes.itertuples(), strict=True):
        note(axes, name, (1000 * row.seconds_per_picture, 100 * row.error_rate), 16)
    axes.set_xlim(0, 1.5 * longest)
    axes.set_ylim(0, 105 * table["error_high"].max())
    axes.set_xlabel("Milliseconds a picture", **style.text())
    style.clean(axes, "y", "Error rate, %")
    return figure


def _places(table: pd.DataFrame) -> pd.DataFrame:
    # Every stage has a line of its own for its name, above those of its phases.
    begins = table["stage"].ne(table["stage"].shift()).cumsum()
    return table.assign(place=np.arange(len(table)) + begins)


def _notes(table: pd.DataFrame) -> list[str]:
    if table.empty:
        return ["No phase has been trained."]
    fewest, most = table["images"].min(), table["images"].max()
    images = f"{most:,}" if fewest == most else f"{fewest:,} to {most:,}"
    return [
        f"Share of {images} validation images that were wrong, with Wilson 95 % intervals. "
        f"All phases took {formatting.clock(table['minutes'].sum())}."
    ]


def _draw_times(axes: Axes, rows: pd.DataFrame, colours: list[str]) -> None:
    axes.barh(rows["place"], rows["minutes"], color=colours, height=0.55)
    for place, minutes in zip(rows["place"], rows["minutes"], strict=True):
        note(axes, formatting.clock(minutes), (minutes, place), 4)
    longest = max(rows["minutes"].max(), 1e-9) if len(rows) else 1.0
    axes.set_xlim(0, longest * 1.6)
    axes.set_xticks([])
    style.clean(axes, title="Time")
    axes.tick_params(labelleft=False)
    axes.spines["bottom"].set_visible(False)


def _name_rows(axes: Axes, rows: pd.DataFrame) -> None:
    names = {
        place: (phase, style.text(colour=style.MUTED))
        for place, phase in zip(rows["place"], rows["phase"], strict=True)
    }
    for stage, place in zip(rows["stage"], rows["place"], strict=True):
        names.setdefault(place - 1, (stage, style.text(weight="bold")))
    name_rows(axes, names, _NAME_WIDTH)
    axes.set_ylim(max(names, default=1) + 0.6, -0.6)
