"""The confusion matrix as a figure that can be read with any number of classes, and as one to point at."""

from __future__ import annotations

import html
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as plotly
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from guitar_kedro.metrics import formatting
from guitar_kedro.metrics.predictions import refuse_other_labels
from guitar_kedro.plots import style
from guitar_kedro.plots.pointing import short, short_names

_MOST_CLASSES = 40  # of more, the figure shows those that are confused most: the model card makes it 1,400 pixels wide
_MOST_DENSE = 100  # classes; the explorer of more holds a point per cell that is not empty, and not a matrix
_MOST_POINTS = 20_000  # of the explorer; a browser draws them in a second
_NAME_WIDTH = 2.2  # inches that a line of a class name may take
_FILES_OF_CELL, _FILES = 8, 80_000  # that the explorer names: of a cell, and of all together
_SLANT = 40  # degrees
_MOST_SLANTED = 15  # classes; above it names stand upright, because slanted ones need more room than a cell


def confusion_matrix_figure(
    predictions: pd.DataFrame, classes: Sequence[str], display_names: Mapping[str, str], title: str
) -> Figure:
    """Draw how often each class was taken for each other.

    Rows are what the pictures show, columns what the network said. Cells hold counts and are shaded by their share of
    the row, right answers in blue, wrong ones in orange; cells without a picture stay empty. The share of each row that
    is right (recall) stands at its right. Of more than 40 classes those of the most frequent confusions are shown, and
    shares are still those of all answers.

    Args:
        predictions: Of one stage and split; ``label`` and ``predicted`` are read.
        classes: All labels, in the order of rows and columns.
        display_names: Names to show, by label.
        title: Which stage and split this is.

    Raises:
        ValueError: If a label is not among the classes.
    """
    pairs = _count(predictions, classes)
    totals = pairs.groupby("row")["count"].sum().reindex(range(len(classes)), fill_value=0).to_numpy()
    shown = _most_confused_classes(pairs, len(classes))
    counts, totals = _matrix(pairs, shown), totals[shown]
    notes = _notes(pairs, counts, len(classes))
    if not len(shown):
        figure = style.new_figure(4.8, style.MARGIN, title, notes, constrained=False)
        style.below_heading(figure, style.MARGIN)
        return figure
    classes = [classes[place] for place in shown]
    number = len(classes)
    cell = min(max(7 / number, 0.36), 0.95)
    size = style.TEXT_SIZE if cell >= 0.36 else 7.0
    whole = [formatting.display_name(label, display_names) for label in classes]
    lines = 2 if cell > 2 * size * style.LINE_HEIGHT / 72 else 1  # one where the cells are too low for two
    names = style.shorten_together(whole, _NAME_WIDTH, size, lines)
    longest = max(style.text_width(line, size) for name in names for line in name.split("\n"))
    upright = longest + 0.08 > cell
    turned = upright and number <= _MOST_SLANTED
    below = longest * (math.sin(math.radians(_SLANT)) if turned else 1) + 0.3 if upright else 0.5
    width = longest + number * cell + 1.35
    figure = style.new_figure(max(width, 4.8), number * cell + below + 0.6, title, notes)
    axes = figure.add_subplot()
    cells = _shade(axes, counts, totals)
    _write_counts(axes, counts, cells, cell, size)
    _write_recalls(axes, counts, totals, size)
    tilt: dict[str, Any] = (
        {"rotation": _SLANT if turned else 90, "ha": "right", "va": "center", "rotation_mode": "anchor"}
        if upright
        else {}
    )
    axes.set_xticks(range(number), labels=names, **style.text(size), **tilt)
    if turned:
        # Slanted blocks are hung at the middle of their right side: their upper corner needs to stay out of the cells.
        lines = max(name.count("\n") + 1 for name in names)
        axes.tick_params(axis="x", pad=4 + 0.5 * lines * size * style.LINE_HEIGHT * math.cos(math.radians(_SLANT)))
    axes.set_yticks(range(number), labels=names, **style.text(size))
    axes.set_xlabel("Predicted", **style.text(style.TEXT_SIZE + 1, style.INK, "bold"))
    axes.set_ylabel("Actual", **style.text(style.TEXT_SIZE + 1, style.INK, "bold"))
    return figure


def confusion_explorer(
    predictions: pd.DataFrame, classes: Sequence[str], display_names: Mapping[str, str], title: str
) -> plotly.Figure:
    """Make the confusion matrix to point at: each cell tells its classes, count, share of the row, and some files.

    Up to a hundred classes it is a matrix. Of more there is a point per cell that is not empty, which a browser can
    still draw; beyond 20,000 of those the most frequent ones, which the title says.

    Args:
        predictions: Of one stage and split; ``file``, ``label`` and ``predicted`` are read.
        classes: All labels, in the order of rows and columns.
        display_names: Names to show, by label.
        title: Which stage and split this is.

    Raises:
        ValueError: If a label is not among the classes.
    """
    pairs = _count(predictions, classes)
    found = len(pairs)
    # in any order before: else the first classes would have all their single mistakes, and the last ones none
    mixed = pairs.sample(frac=1, random_state=0) if found > _MOST_POINTS else pairs
    pairs = mixed.sort_values("count", ascending=False, kind="stable").head(_MOST_POINTS)
    names = short_names([formatting.display_name(label, display_names) for label in classes])
    pairs["words"] = _tell(pairs, names, _some_files(predictions, classes, len(pairs)))
    if found > len(pairs):
        title = f"{title}: the {len(pairs):,} most frequent of {found:,} cells"
    figure = plotly.Figure()
    draw = _add_matrix if len(classes) <= _MOST_DENSE else _add_points
    is_right = pairs["row"] == pairs["column"]
    for cells, colour in ((pairs[is_right], style.BLUE), (pairs[~is_right], style.VERMILLION)):
        draw(figure, cells, names, colour)
    # else names such as 007 and 2024 would be numbers and dates
    axis = {"type": "category", "categoryorder": "array", "categoryarray": names, "automargin": True}
    span = [-0.5, len(names) - 0.5]
    figure.update_layout(
        title=html.escape(title, quote=False),
        xaxis={"title": "Predicted", "range": span, **axis},
        yaxis={"title": "Actual", "range": span[::-1], **axis},
        showlegend=False,
        template="plotly_white",
        font={"color": style.INK},
        hoverlabel={"align": "left"},
    )
    return figure


def _add_matrix(figure: plotly.Figure, cells: pd.DataFrame, names: Sequence[str], colour: str) -> None:
    shares = np.full((len(names), len(names)), np.nan)
    words = np.full(shares.shape, "", dtype=object)
    places = cells["row"].to_numpy(), cells["column"].to_numpy()
    shares[places], words[places] = cells["share"], cells["words"]
    figure.add_heatmap(
        x=names,
        y=names,
        z=shares,
        hovertext=words,
        hoverinfo="text",
        hoverongaps=False,
        showscale=False,
        xgap=1,
        ygap=1,
        **_shading(colour, "z"),
    )


def _add_points(figure: plotly.Figure, cells: pd.DataFrame, names: Sequence[str], colour: str) -> None:
    figure.add_scattergl(
        x=[names[place] for place in cells["column"]],
        y=[names[place] for place in cells["row"]],
        mode="markers",
        marker={"symbol": "square", "size": 6, "color": cells["share"].to_numpy(), **_shading(colour, "c")},
        hovertext=cells["words"].to_numpy(),
        hoverinfo="text",
    )


def _shading(colour: str, axis: str) -> dict[str, Any]:
    # a single mistake among many must still be seen
    return {f"{axis}min": -0.15, f"{axis}max": 1, "colorscale": [(0, style.PAPER), (1, colour)]}


def _some_files(predictions: pd.DataFrame, classes: Sequence[str], cells: int) -> dict[tuple[int, int], str]:
    """Name files of each cell, by row and column: eight, or fewer where the cells are many."""
    most = max(1, min(_FILES_OF_CELL, _FILES // max(cells, 1)))
    rows, columns = (pd.Index(classes).get_indexer(predictions[name].astype(str)) for name in ("label", "predicted"))
    first = predictions[["file"]].assign(row=rows, column=columns).groupby(["row", "column"], sort=False).head(most)
    files: dict[tuple[int, int], list[str]] = {}
    for row, column, file in zip(first["row"], first["column"], first["file"], strict=True):
        files.setdefault((row, column), []).append(short(file))
    return {cell: "<br>".join(names) for cell, names in files.items()}


def _tell(pairs: pd.DataFrame, names: Sequence[str], files: Mapping[tuple[int, int], str]) -> list[str]:
    words = []
    for row, column, count, share in pairs[["row", "column", "count", "share"]].itertuples(index=False):
        what = f"{names[row]}, rightly seen as such" if row == column else f"{names[row]} taken for {names[column]}"
        words.append(f"{what}: {count:,} ({formatting.percent(share)} of the row)<br>{files[row, column]}")
    return words


def _count(predictions: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """Count the pairs that occur, of which there are far fewer than cells where the classes are many.

    Returns:
        ``row`` and ``column`` (places of the classes), ``count`` and ``share`` (of the row, between 0 and 1).
    """
    pairs = predictions[["label", "predicted"]].astype(str)
    refuse_other_labels(pairs, classes)
    index = pd.Index(classes)
    places = pd.DataFrame({"row": index.get_indexer(pairs["label"]), "column": index.get_indexer(pairs["predicted"])})
    counts = places.groupby(["row", "column"]).size().reset_index(name="count")
    return counts.assign(share=counts["count"] / counts.groupby("row")["count"].transform("sum"))


def _most_confused_classes(pairs: pd.DataFrame, classes: int) -> list[int]:
    """Choose the classes to show: all, or of too many those of the most frequent confusions."""
    if classes <= _MOST_CLASSES:
        return list(range(classes))
    wrong = pairs[pairs["row"] != pairs["column"]].sort_values("count", ascending=False, kind="stable")
    shown: set[int] = set()
    for pair in wrong[["row", "column"]].itertuples(index=False, name=None):
        if len(shown.union(pair)) > _MOST_CLASSES:
            break
        shown.update(pair)
    return sorted(shown)


def _matrix(pairs: pd.DataFrame, shown: Sequence[int]) -> np.ndarray:
    among = pairs[pairs["row"].isin(shown) & pairs["column"].isin(shown)]
    counts = np.zeros((len(shown), len(shown)), dtype=int)
    counts[np.searchsorted(shown, among["row"]), np.searchsorted(shown, among["column"])] = among["count"]
    return counts


def _notes(pairs: pd.DataFrame, counts: np.ndarray, classes: int) -> list[str]:
    total, right = pairs["count"].sum(), pairs.loc[pairs["row"] == pairs["column"], "count"].sum()
    if not total:
        return ["There are no predictions."]
    notes = [f"{right:,} of {total:,} images right ({formatting.percent(right / total)})."]
    if len(counts) == classes:
        return [*notes, "Shaded by share of the row: right in blue, wrong in orange."]
    if not len(counts):
        return [*notes, f"None of the {classes:,} classes was taken for another one."]
    among = counts.sum() - np.trace(counts)
    return [
        *notes,
        f"Shown are {len(counts)} of {classes:,} classes, those that are confused most often: {among:,} of the "
        f"{formatting.count(total - right, 'error')} lie among them. More in confusion_explorer.",
        "Shaded by share of all answers of the row: right in blue, wrong in orange.",
    ]


def _shade(axes: Axes, counts: np.ndarray, totals: np.ndarray) -> np.ndarray:
    shares = counts / np.maximum(totals, 1)[:, None]
    # A single mistake among many must still be seen: every cell that is not empty has a tint to begin with.
    strength = np.where(counts > 0, 0.14 + 0.86 * shares, 0)[..., None]
    right = np.eye(len(counts), dtype=bool)[..., None]
    colours = np.where(right, to_rgb(style.BLUE), to_rgb(style.VERMILLION))
    cells = 1 - strength * (1 - colours)
    edges = np.arange(len(counts) + 1) - 0.5
    axes.pcolormesh(edges, edges, cells, edgecolors=style.RULE, linewidth=0.4)
    axes.set(aspect="equal", xlim=(edges[0], edges[-1]), ylim=(edges[-1], edges[0]))
    axes.tick_params(length=0)
    axes.spines[:].set_color(style.RULE)
    return cells


def _write_counts(axes: Axes, counts: np.ndarray, cells: np.ndarray, cell: float, size: float) -> None:
    widest = style.text_width(f"{counts.max():,}", size)
    size = min(size + (2 if cell > 0.6 else 0), size * 0.86 * cell / widest)
    for row, column in np.argwhere(counts):
        colour = style.readable_on(cells[row, column])
        # Out of the layout: a thousand texts that lie inside anyway would take seconds to be measured.
        place: dict[str, Any] = {"ha": "center", "va": "center", "in_layout": False}
        axes.text(column, row, f"{counts[row, column]:,}", **place, **style.text(size, colour))


def _write_recalls(axes: Axes, counts: np.ndarray, totals: np.ndarray, size: float) -> None:
    edge = len(counts) - 0.5
    beside: dict[str, Any] = {"textcoords": "offset points", "ha": "left", "va": "center", "annotation_clip": False}
    for row, total in enumerate(totals):
        recall = formatting.percent(counts[row, row] / total) if total else "no images"
        axes.annotate(recall, (edge, row), xytext=(6, 0), **beside, **style.text(size, style.MUTED))
    above = {**beside, "va": "bottom"}
    axes.annotate("Recall", (edge, -0.5), xytext=(6, 3), **above, **style.text(size, style.MUTED, "bold"))
