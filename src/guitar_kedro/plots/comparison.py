"""The stages side by side, as a figure."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from guitar_kedro.metrics import formatting
from guitar_kedro.plots import style

_PHASE_COLOURS = {"frozen": style.SKY, "unfrozen": style.BLUE}
_NAME_WIDTH = 2.4  # inches


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
    _draw_errors(errors, rows, colours)
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


def _draw_errors(axes: Axes, rows: pd.DataFrame, colours: list[str]) -> None:
    rate, low, high = (100 * rows[name] for name in ("error_rate", "error_low", "error_high"))
    axes.plot(rate, rows["place"], color=style.RULE, linewidth=1.2, zorder=1)
    axes.hlines(rows["place"], low, high, color=colours, linewidth=2.4, zorder=2)
    axes.scatter(
        rate, rows["place"], color=colours, s=46, zorder=3, clip_on=False, edgecolors=style.PAPER, linewidths=1
    )
    reach = max(high.max(), 1e-9) if len(rows) else 1.0
    for place, value, end in zip(rows["place"], rate, high, strict=True):
        note: dict[str, Any] = {"xytext": (6, 0), "textcoords": "offset points", "va": "center"}
        axes.annotate(formatting.percent(value / 100, 2), (end, place), **note, **style.text(style.SMALL_SIZE))
    axes.set_xlim(0, reach * 1.18)
    axes.xaxis.set_major_locator(MaxNLocator(6))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g} %"))
    style.clean(axes, "x", "Error rate")


def _draw_times(axes: Axes, rows: pd.DataFrame, colours: list[str]) -> None:
    axes.barh(rows["place"], rows["minutes"], color=colours, height=0.55)
    for place, minutes in zip(rows["place"], rows["minutes"], strict=True):
        note: dict[str, Any] = {"xytext": (4, 0), "textcoords": "offset points", "va": "center"}
        axes.annotate(formatting.clock(minutes), (minutes, place), **note, **style.text(style.SMALL_SIZE))
    longest = max(rows["minutes"].max(), 1e-9) if len(rows) else 1.0
    axes.set_xlim(0, longest * 1.6)
    axes.set_xticks([])
    style.clean(axes, title="Time")
    axes.tick_params(labelleft=False)
    axes.spines["bottom"].set_visible(False)


def _name_rows(axes: Axes, rows: pd.DataFrame) -> None:
    names = {place: (phase, "normal", style.MUTED) for place, phase in zip(rows["place"], rows["phase"], strict=True)}
    for stage, place in zip(rows["stage"], rows["place"], strict=True):
        if place - 1 not in names:
            names[place - 1] = (stage, "bold", style.INK)
    axes.set_yticks(list(names), labels=style.shorten_together([name for name, _, _ in names.values()], _NAME_WIDTH))
    for tick, (_, weight, colour) in zip(axes.get_yticklabels(), names.values(), strict=True):
        tick.update(style.text(style.TEXT_SIZE, colour, weight))
    axes.set_ylim(max(names, default=1) + 0.6, -0.6)
