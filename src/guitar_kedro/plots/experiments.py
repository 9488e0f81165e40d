"""Experiments side by side, to point at: parallel coordinates, and their errors epoch by epoch."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as plotly

from guitar_kedro.files import in_one_line
from guitar_kedro.metrics.experiments import PARAMETER, UNKNOWN_SPLIT, Experiment, split_numbers
from guitar_kedro.metrics.formatting import count
from guitar_kedro.plots import style
from guitar_kedro.plots.pointing import cut, short

_MOST_PARAMETERS = 8  # axes that stay apart
_FEW = 12  # values, all of which are named at their axis
_DECADES = 50  # times the smallest value: from there on an axis is logarithmic
_LONGEST_WORDS = 24  # letters at an axis
_NOTHING = {"color": "rgba(0, 0, 0, 0)"}
_MARGIN = {"t": 150, "l": 150, "r": 50, "b": 30}  # pixels
_DASHES = ("solid", "dash", "dot", "dashdot")
_MEASURED = {  # columns that every experiment has, with what they are called and the factor of their unit
    "megabytes": ("MB", 1),
    "seconds": ("training, s", 1),
    "calibration_error": ("ECE, %", 100),
    "error_rate": ("error, %", 100),
}


def experiment_coordinates(table: pd.DataFrame) -> plotly.Figure:
    """Draw experiments as lines across an axis for each parameter that differs and each thing that was measured.

    Lines are blue where the validation error is low. Along an axis one can mark a range, and axes can be moved. An
    experiment of which something was not measured has no line.

    Args:
        table: From ``compare_experiments``.
    """
    measured = [column for column in _MEASURED if table[column].notna().any()]
    shown = table.dropna(subset=measured).iloc[::-1].reset_index(drop=True)
    parameters = [column for column in shown if column.startswith(PARAMETER) and shown[column].nunique() > 1]
    most = sorted(parameters, key=lambda column: -shown[column].nunique())[:_MOST_PARAMETERS]
    drawn = [column for column in parameters if column in most]
    names = [note or version[:16] for note, version in zip(shown["note"], shown["version"], strict=True)]
    dimensions = [_axis("model, newest on top", list(range(len(shown))), dict(enumerate(names)))]
    if shown["split"].nunique() > 1:
        dimensions.append(_dimension("split", shown["split"].astype(str).replace(str(UNKNOWN_SPLIT), "?")))
    dimensions += [_dimension(name, shown[column]) for column, name in zip(drawn, _short_paths(drawn), strict=True)]
    for column in measured:
        label, factor = _MEASURED[column]
        dimensions.append(_axis(label, (factor * shown[column]).tolist()))
    line = {"color": shown["error_rate"], "colorscale": [[0, style.BLUE], [1, style.AMBER]]}
    figure = plotly.Figure(plotly.Parcoords(line=line, dimensions=dimensions, labelangle=-12, rangefont=_NOTHING))
    notes = ["a line for each model, blue where it errs least"]
    if len(parameters) > len(drawn):
        notes.append(f"of {len(parameters):,} parameters that differ, those with the most values")
    if len(shown) < len(table):
        notes.append(f"without {count(len(table) - len(shown), 'model')} of which something was not measured")
    figure.update_layout(**_layout("Parameters and results", "; ".join(notes).capitalize()), margin=_MARGIN)
    return figure


def experiment_curves(experiments: Sequence[Experiment]) -> plotly.Figure:
    """Draw the validation error after each epoch, through all stages that a model was trained in.

    Args:
        experiments: The newest first.
    """
    figure = plotly.Figure()
    looks = [(colour, dash) for dash in _DASHES for colour in style.SERIES]
    drawn = [each for each in experiments if len(each.history)]
    longest = max((len(each.history) for each in drawn), default=0)
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
        xaxis={"title": "epoch, through all stages", "dtick": 1 if longest < 20 else None},
        yaxis={"title": "wrong, %", "rangemode": "tozero"},
    )
    return figure


def _layout(title: str, subtitle: str) -> dict[str, Any]:
    return {
        "title": {"text": title, "subtitle": {"text": subtitle}, "y": 0.95, "yanchor": "top"},
        "template": "plotly_white",
        "font": {"color": style.INK},
        "hoverlabel": {"align": "left"},
    }


def _dimension(label: str, values: pd.Series) -> dict[str, Any]:
    """Return an axis for values that are written as text: of numbers where all are, else of categories."""
    numbers = pd.to_numeric(values, errors="coerce")
    if numbers.isna().any():
        names = sorted(values.unique())
        return _axis(label, [names.index(value) for value in values], dict(enumerate(names)))
    distinct = sorted(numbers.unique())
    places = numbers
    if distinct[0] > 0 and distinct[-1] / distinct[0] >= _DECADES:
        places = np.log10(numbers)
    few = dict(zip(sorted(places.unique()), map("{:g}".format, distinct), strict=True))
    return _axis(label, places.tolist(), few if len(distinct) <= _FEW else None)


def _axis(label: str, places: list[float], names: dict[float, str] | None = None) -> dict[str, Any]:
    # plotly shows the words of these axes as they are, and no HTML in them
    words = [cut(in_one_line(name), _LONGEST_WORDS) or "-" for name in names.values()] if names else []
    return {"label": label, "values": places, **({"tickvals": list(names), "ticktext": words} if names else {})}


def _short_paths(columns: Sequence[str]) -> list[str]:
    """Leave out the beginnings of paths that it does not take to tell them apart."""
    paths = [column.removeprefix(PARAMETER).split(".") for column in columns]
    found = []
    for path in paths:
        lengths = range(1, len(path) + 1)
        alone = (each for each in lengths if sum(other[-each:] == path[-each:] for other in paths) == 1)
        found.append(".".join(path[-next(alone, len(path)) :]))
    return found


def _distinct(experiments: Sequence[Experiment]) -> list[str]:
    """Name experiments, and their splits where these are not one."""
    often, splits = Counter(each.name for each in experiments), split_numbers(experiments)
    names = [each.name if often[each.name] == 1 else f"{each.note} {each.version}" for each in experiments]
    if len({splits.get(each.split) for each in experiments}) > 1:
        split = (f", split {splits.get(each.split, '?')}" for each in experiments)
        names = [f"{name}{number}" for name, number in zip(names, split, strict=True)]
    return list(map(short, names))


def _tell(history: pd.DataFrame) -> Iterator[str]:
    for row in history.itertuples():
        yield (
            f"{short(row.stage)}, {row.phase}, epoch {row.epoch + 1}<br>{100 * row.error_rate:.2f} % wrong<br>"
            f"loss: {row.valid_loss:.4g} on validation, {row.train_loss:.4g} in training"
        )
