"""Experiments side by side, to point at: parallel coordinates, and their errors epoch by epoch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd
import plotly.graph_objects as plotly

from guitar_kedro.metrics.experiments import PARAMETER, Experiment
from guitar_kedro.metrics.formatting import count
from guitar_kedro.plots import style
from guitar_kedro.plots.pointing import short

_MOST_PARAMETERS = 8  # axes that stay apart; those with the most values are shown
_DASHES = ("solid", "dash", "dot", "dashdot")
_MEASURED = {  # columns that every experiment has, with what they are called and the factor of their unit
    "megabytes": ("MB", 1),
    "seconds": ("training, s", 1),
    "calibration_error": ("ECE, %", 100),
    "error_rate": ("error, %", 100),
}
_BEST, _WORST = style.BLUE, style.AMBER


def experiment_coordinates(table: pd.DataFrame) -> plotly.Figure:
    """Draw experiments as lines across an axis for each parameter that differs and each thing that was measured.

    Lines are blue where the validation error is low. Along an axis one can mark a range, and axes can be moved.

    Args:
        table: From ``compare_experiments``.
    """
    shown = table.dropna(subset=["error_rate"]).iloc[::-1].reset_index(drop=True)
    parameters = [column for column in shown if column.startswith(PARAMETER)]
    most = sorted(parameters, key=lambda column: -shown[column].nunique())[:_MOST_PARAMETERS]
    drawn = [column for column in parameters if column in most]
    dimensions = [_names(shown)]
    if shown["split"].nunique() > 1:
        dimensions.append(_categories("split", shown["split"].astype(str)))
    dimensions += [_dimension(name, shown[column]) for column, name in zip(drawn, _short_paths(drawn), strict=True)]
    dimensions += [_measured(label, factor * shown[column]) for column, (label, factor) in _MEASURED.items()]
    rates = 100 * shown["error_rate"]
    line = {"color": rates, "colorscale": [[0, _BEST], [1, _WORST]], "showscale": False}
    figure = plotly.Figure(plotly.Parcoords(line=line, dimensions=dimensions, labelangle=-12, rangefont={"size": 1}))
    left = f"; of {count(len(parameters), 'parameter')} that differ, {_MOST_PARAMETERS} are shown"
    figure.update_layout(
        **_layout(
            "Parameters and results",
            f"A line for each model, blue where it errs least{left if len(parameters) > _MOST_PARAMETERS else ''}",
        ),
        margin={"t": 140, "l": 120, "r": 60, "b": 40},
    )
    return figure


def experiment_curves(experiments: Sequence[Experiment]) -> plotly.Figure:
    """Draw the validation error after each epoch, through all stages that a model was trained in.

    Args:
        experiments: The newest first.
    """
    figure = plotly.Figure()
    looks = [(colour, dash) for dash in _DASHES for colour in style.SERIES]
    drawn = [each for each in experiments if len(each.history)]
    for number, (experiment, name) in enumerate(zip(drawn, _distinct(drawn), strict=True)):
        history = experiment.history
        colour, dash = looks[number % len(looks)]
        figure.add_scatter(
            x=list(range(1, len(history) + 1)),
            y=100 * history["error_rate"],
            name=name,
            mode="lines+markers",
            line={"color": colour, "dash": dash},
            hovertext=[f"{name}<br>{words}" for words in _tell(history)],
            hoverinfo="text",
        )
    figure.update_layout(
        **_layout("Validation error after each epoch", "Stages one after the other, each of its own picture size"),
        xaxis={
            "title": "epoch, through all stages",
            "rangemode": "tozero",
            "dtick": 1 if _longest(drawn) < 20 else None,
        },
        yaxis={"title": "wrong, %", "rangemode": "tozero"},
    )
    return figure


def _layout(title: str, subtitle: str) -> dict[str, Any]:
    return {
        "title": {"text": title, "subtitle": {"text": subtitle}},
        "template": "plotly_white",
        "font": {"color": style.INK},
        "hoverlabel": {"align": "left"},
    }


def _names(table: pd.DataFrame) -> dict[str, Any]:
    names = [short(note or version[:16]) for note, version in zip(table["note"], table["version"], strict=True)]
    return {
        "label": "model, newest on top",
        "values": list(range(len(names))),
        "tickvals": list(range(len(names))),
        "ticktext": names,
    }


def _dimension(label: str, values: pd.Series) -> dict[str, Any]:
    numbers = pd.to_numeric(values, errors="coerce")
    return _measured(label, numbers) if numbers.notna().all() else _categories(label, values)


def _measured(label: str, values: pd.Series) -> dict[str, Any]:
    return {"label": short(label), "values": values.fillna(values.min()).tolist()}


def _categories(label: str, values: pd.Series) -> dict[str, Any]:
    names = sorted(values.unique())
    places = [names.index(value) for value in values]
    return {
        "label": short(label),
        "values": places,
        "tickvals": list(range(len(names))),
        "ticktext": [short(name or "-") for name in names],
    }


def _short_paths(columns: Sequence[str]) -> list[str]:
    """Leave out the beginnings of paths that it takes not to tell them apart."""
    paths = [column.removeprefix(PARAMETER).split(".") for column in columns]
    found = []
    for path in paths:
        tails = (".".join(path[-length:]) for length in range(1, len(path) + 1))
        found.append(next(tail for tail in tails if sum(".".join(other).endswith(tail) for other in paths) == 1))
    return found


def _distinct(experiments: Sequence[Experiment]) -> list[str]:
    often = Counter(each.name for each in experiments)
    return [short(each.name if often[each.name] == 1 else f"{each.note} {each.version}") for each in experiments]


def _tell(history: pd.DataFrame) -> Iterator[str]:
    for row in history.itertuples():
        yield (
            f"{short(row.stage)}, {row.phase}, epoch {row.epoch + 1}<br>{100 * row.error_rate:.2f} % wrong<br>"
            f"loss: {row.valid_loss:.4g} on validation, {row.train_loss:.4g} in training"
        )


def _longest(experiments: Sequence[Experiment]) -> int:
    return max((len(each.history) for each in experiments), default=0)
