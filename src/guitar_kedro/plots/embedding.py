"""The embedding map: pictures on a plane, as a figure and to point at."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as plotly
from matplotlib.figure import Figure
from matplotlib.offsetbox import AnnotationBbox, OffsetImage
from matplotlib.patheffects import withStroke
from PIL import Image

from guitar_kedro.metrics import formatting
from guitar_kedro.plots import style
from guitar_kedro.plots.pointing import short, short_names

# each class has a colour and a symbol of its own: those of Matplotlib, and what plotly calls them
_SYMBOLS = {"o": "circle", "s": "square", "^": "triangle-up", "D": "diamond", "v": "triangle-down", "P": "cross"}
_LOOKS = [(colour, *symbol) for symbol in _SYMBOLS.items() for colour in style.SERIES]
_MOST_CLASSES = len(_LOOKS)  # of more, points say only whether they are right
_WIDTH, _HEIGHT, _NAME_WIDTH, _ROWS = 6.2, 6.2, 2.2, 18  # inches; names under each other

THUMBNAIL_SHARE = 1 / 14  # of the extent of the map
_THUMBNAIL = 0.9 * THUMBNAIL_SHARE * _WIDTH  # inches
_PLACED = {"xref": "x", "yref": "y", "xanchor": "center", "yanchor": "middle", "layer": "below"}


def embedding_map(
    points: pd.DataFrame,
    display_names: Mapping[str, str],
    title: str,
    source: str,
    thumbnails: Mapping[Any, Image.Image] = MappingProxyType({}),
) -> Figure:
    """Draw pictures on a plane, coloured by class; rings are errors, squares are suspect labels.

    Of more than 36 classes the points show only what is right and what is wrong.

    Args:
        points: A row per picture: ``x``, ``y``, ``label``, ``predicted``, ``is_suspect``.
        display_names: Names to show, by label.
        title: Which pictures these are.
        source: What their features come from, as the end of a sentence.
        thumbnails: Some of the pictures, by the index of their rows.
    """
    groups = list(_groups(points, display_names))
    columns = -(-len(groups) // _ROWS)
    room = columns * (_NAME_WIDTH + 0.5)
    notes = [
        f"What lies close together looks alike to {source}. {_counted(points)}",
        "Distances between groups, and their sizes, mean nothing (t-SNE).",
    ]
    figure = style.new_figure(_WIDTH + room, _HEIGHT, title, notes)
    axes = figure.add_subplot()
    names = style.shorten_together([name for name, *_ in groups], _NAME_WIDTH, style.SMALL_SIZE)
    for (_, rows, (colour, marker, _)), name in zip(groups, names, strict=True):
        axes.scatter(rows["x"], rows["y"], s=16, color=colour, marker=marker, linewidths=0, alpha=0.75, label=name)
    on_any_picture = [withStroke(linewidth=3.5, foreground=style.PAPER)]
    for rows, name, marker, colour in _marked(points):
        look: Any = {"facecolors": "none", "edgecolors": colour, "path_effects": on_any_picture}
        size = 60 if marker == "o" else 150  # a square around a ring, for what is both
        axes.scatter(rows["x"], rows["y"], s=size, marker=marker, label=name, **look)
    for index, picture in thumbnails.items():
        shown = OffsetImage(np.asarray(picture), zoom=_THUMBNAIL * 72 / max(picture.size))
        axes.add_artist(AnnotationBbox(shown, points.loc[index, ["x", "y"]], frameon=False, pad=0, zorder=0.5))
    axes.set_aspect("equal", "datalim")
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_color(style.RULE)
    if axes.get_legend_handles_labels()[0]:
        style.legend(axes, loc="upper left", bbox_to_anchor=(1.01, 1), borderaxespad=0, ncols=columns)
    return figure


def embedding_explorer(
    points: pd.DataFrame,
    display_names: Mapping[str, str],
    title: str,
    source: str,
    thumbnails: Mapping[Any, Image.Image] = MappingProxyType({}),
) -> plotly.Figure:
    """Make the embedding map to point at: each picture tells its file, its class and what it is taken for.

    Args:
        points: As of ``embedding_map``, with ``file`` and ``probability`` (of the prediction).
        display_names: As of ``embedding_map``.
        title: As of ``embedding_map``.
        source: As of ``embedding_map``.
        thumbnails: As of ``embedding_map``.
    """
    figure = plotly.Figure()
    for rows, name, marker, colour in _marked(points):
        look = {"symbol": f"{_SYMBOLS[marker]}-open", "color": colour, "size": 13, "line": {"width": 2}}
        figure.add_scattergl(x=rows["x"], y=rows["y"], mode="markers", marker=look, name=name, hoverinfo="skip")
    groups = list(_groups(points, display_names))
    for (_, rows, (colour, _, symbol)), name in zip(groups, short_names([name for name, *_ in groups]), strict=True):
        look = {"symbol": symbol, "color": colour, "size": 7, "opacity": 0.8}
        words = [_tell(row, display_names) for row in rows.itertuples()]
        figure.add_scattergl(
            x=rows["x"], y=rows["y"], mode="markers", marker=look, name=name, hovertext=words, hoverinfo="text"
        )
    nothing = {"visible": False}
    side = THUMBNAIL_SHARE * extent(points)
    figure.update_layout(
        images=[
            {"source": _inlined(picture), **points.loc[index, ["x", "y"]], "sizex": side, "sizey": side, **_PLACED}
            for index, picture in thumbnails.items()
        ],
        title={"text": short(title), "subtitle": {"text": f"What lies close together looks alike to {short(source)}"}},
        xaxis=nothing,
        yaxis={**nothing, "scaleanchor": "x"},
        template="plotly_white",
        font={"color": style.INK},
        hoverlabel={"align": "left"},
        legend={"itemsizing": "constant"},
    )
    return figure


def extent(points: pd.DataFrame) -> float:
    """Return the longer side of the map, as of ``embedding_map``; at least 1."""
    return max(1.0, *(float(np.ptp(points[axis])) for axis in ("x", "y"))) if len(points) else 1.0


def _inlined(picture: Image.Image) -> str:
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=75)
    return f"data:image/jpeg;base64,{base64.b64encode(file.getvalue()).decode('ascii')}"


def _groups(
    points: pd.DataFrame, display_names: Mapping[str, str]
) -> Iterator[tuple[str, pd.DataFrame, tuple[str, str, str]]]:
    """Yield what has one look: its name, its points, and the look."""
    labels = sorted(points["label"].unique())
    if len(labels) <= _MOST_CLASSES:
        for label, look in zip(labels, _LOOKS, strict=False):
            yield formatting.display_name(label, display_names), points[points["label"] == label], look
    elif labels:
        yield f"{len(labels):,} classes", points, _LOOKS[0]


def _marked(points: pd.DataFrame) -> Iterator[tuple[pd.DataFrame, str, str, str]]:
    wrong = points["label"] != points["predicted"]
    for which, name, marker, colour in (
        (wrong, "wrong prediction", "o", style.INK),
        (points["is_suspect"], "suspect label", "s", style.VERMILLION),
    ):
        if which.any():
            yield points[which], name, marker, colour


def _counted(points: pd.DataFrame) -> str:
    wrong = int((points["label"] != points["predicted"]).sum())
    suspects = formatting.count(int(points["is_suspect"].sum()), "suspect label")
    return f"{formatting.count(len(points), 'image')}, {formatting.count(wrong, 'error')}, {suspects}."


def _tell(row: Any, display_names: Mapping[str, str]) -> str:
    label, predicted = (short(formatting.display_name(each, display_names)) for each in (row.label, row.predicted))
    said = f"{label}, rightly seen as such" if label == predicted else f"{label} taken for {predicted}"
    suspect = "<br>suspect label" if row.is_suspect else ""
    return f"{short(row.file)}<br>{said} ({formatting.percent(row.probability)}){suspect}"
