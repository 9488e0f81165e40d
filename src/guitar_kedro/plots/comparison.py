"""The stages side by side, as a figure."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from guitar_kedro.metrics import formatting
from guitar_kedro.plots import style
from guitar_kedro.plots.intervals import draw_error_rates, name_rows, note

_PHASE_COLOURS = {"probe": style.GREEN, "frozen": style.SKY, "unfrozen": style.BLUE}
_AXES_WIDTH, _NAME_WIDTH = 4.4, 2.4  # inches


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
