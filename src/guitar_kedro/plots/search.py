"""A search: its history, which parameters part the trials, and how."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, NullFormatter

from guitar_kedro.metrics.experiments import written
from guitar_kedro.plots import style

_COLUMNS, _MOST_SLICES = 3, 12
_WIDTH, _HIGH, _LOW = 12.0, 3.2, 2.7  # inches: of the figure, its first row, the others
_DOTS: dict[str, Any] = {"color": style.BLUE, "s": 30, "alpha": 0.5, "linewidths": 0, "zorder": 3}  # some lie on others
_DECADES = 20  # numbers that span more of a factor lie on a logarithmic axis


def search_figure(
    trials: pd.DataFrame, space: Sequence[str], importances: Mapping[str, float], sentence: str
) -> Figure:
    """Draw the errors of all trials, the importance of each parameter, and the errors over the values of each.

    Args:
        trials: A row per trial, as ``TrialRow`` describes it.
        space: Paths of the parameters that were tried.
        importances: Shares by path; may be empty.
        sentence: What was found.
    """
    shown = sorted(space, key=lambda path: -importances.get(path, 0))[:_MOST_SLICES]
    rows = -(-len(shown) // _COLUMNS)
    notes = [sentence]
    if len(shown) < len(space):
        notes.append(f"Of {len(space)} parameters, the {_MOST_SLICES} that matter most are shown.")
    figure = style.new_figure(_WIDTH, _HIGH + rows * _LOW, "Search", notes)
    halves = figure.add_gridspec(2, 1, height_ratios=[_HIGH, rows * _LOW])
    first = halves[0].subgridspec(1, _COLUMNS)  # by itself: names of parameters need room that slices do not
    _draw_history(figure.add_subplot(first[:2]), trials)
    _draw_importances(figure.add_subplot(first[2]), importances, shown)
    slices = halves[1].subgridspec(rows, _COLUMNS)
    complete = trials[trials["state"] == "complete"]
    for number, path in enumerate(shown):
        axes = figure.add_subplot(slices[number // _COLUMNS, number % _COLUMNS])
        _draw_slice(axes, complete[complete[path] != ""], path)
    return figure


def _draw_history(axes: Axes, trials: pd.DataFrame) -> None:
    complete = trials[trials["state"] == "complete"]
    errors = 100 * complete["error_rate"]
    axes.step(complete["trial"], errors.cummin(), where="post", color=style.FAINT, linewidth=1.6, label="best so far")
    tried, recipe = complete[~complete["is_recipe"]], complete[complete["is_recipe"]]
    axes.scatter(tried["trial"], errors[tried.index], color=style.BLUE, s=34, zorder=3, label="trial")
    axes.scatter(recipe["trial"], errors[recipe.index], color=style.AMBER, s=46, zorder=4, label="the recipe as it was")
    others = trials[trials["state"] != "complete"]
    if len(others):
        bottom = axes.get_ylim()[0]
        axes.scatter(
            others["trial"],
            [bottom] * len(others),
            marker="x",
            color=style.MUTED,
            s=26,
            clip_on=False,
            label="ended early",
        )
        axes.set_ylim(bottom=bottom)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_xlabel("Trial", **style.text())
    axes.yaxis.set_major_formatter("{x:g} %")
    style.clean(axes, "y", "Error of each trial")
    style.legend(
        axes,
        loc="lower right",
        bbox_to_anchor=(1.0, 1.0),
        ncols=4,
        borderaxespad=0.3,
        columnspacing=1.0,
        handlelength=1.2,
    )


def _draw_importances(axes: Axes, importances: Mapping[str, float], shown: Sequence[str]) -> None:
    title = "What parts the trials (fANOVA)"
    if not importances:
        axes.set_axis_off()
        axes.set_title(title, loc="left", pad=8, **style.text(style.TEXT_SIZE + 1, style.INK, "bold"))
        axes.text(0, 0.9, "Too few trials to tell.", transform=axes.transAxes, **style.text(colour=style.MUTED))
        return
    places = range(len(shown))
    axes.barh(places, [100 * importances.get(path, 0) for path in shown], color=style.BLUE, height=0.6)
    axes.set_yticks(places, labels=style.shorten_together(list(shown), 1.9, style.SMALL_SIZE))
    axes.invert_yaxis()
    axes.xaxis.set_major_formatter("{x:g} %")
    style.clean(axes, "x", title)


def _draw_slice(axes: Axes, trials: pd.DataFrame, path: str) -> None:
    values = [json.loads(text) for text in trials[path]]
    errors = 100 * trials["error_rate"]
    if all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values):
        axes.scatter(values, errors, **_DOTS)
        positive = values and min(values) > 0
        if positive and max(values) > _DECADES * min(values):
            axes.set_xscale("log")
            axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
            axes.xaxis.set_minor_formatter(NullFormatter())
        elif all(isinstance(value, int) for value in values):
            axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    else:
        words = [written(value) for value in values]
        names = sorted(set(words))
        axes.scatter([names.index(each) for each in words], errors, **_DOTS)
        room = (_WIDTH / _COLUMNS - 1) / max(len(names), 1)
        axes.set_xticks(range(len(names)), labels=style.shorten_together(names, room, style.SMALL_SIZE, most_lines=2))
        axes.set_xlim(-0.6, len(names) - 0.4)
    axes.yaxis.set_major_formatter("{x:g} %")
    style.clean(axes, "y", style.shorten(path, _WIDTH / _COLUMNS - 0.8, style.TEXT_SIZE + 1))
