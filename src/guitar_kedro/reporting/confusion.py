"""The confusion matrix as a figure that can be read from two classes to a hundred, and as one to point at."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import plotly.graph_objects as plotly
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from guitar_kedro.reporting import style

_NAME_WIDTH = 2.2  # inches that a line of a class name may take
_FILES_OF_CELL = 8
_SLANT = 40  # degrees
_MOST_SLANTED = 15  # classes; above it names stand upright, because slanted ones need more room than a cell


def confusion_matrix_figure(
    predictions: pd.DataFrame, classes: Sequence[str], display_names: Mapping[str, str], title: str
) -> Figure:
    """Draw how often each class was taken for each other.

    Rows are what the pictures show, columns what the network said. Cells hold counts and are shaded by their share of
    the row, right answers in blue, wrong ones in orange; cells without a picture stay empty. The share of each row that
    is right (recall) stands at its right.

    Args:
        predictions: Of one stage and split; ``label`` and ``predicted`` are read.
        classes: All labels, in the order of rows and columns.
        display_names: Names to show, by label.
        title: Which stage and split this is.

    Raises:
        ValueError: If a label is not among the classes.
    """
    counts = _count(predictions, classes)
    number = len(classes)
    cell = _cell_side(number)
    size = style.TEXT_SIZE if cell >= 0.36 else 7.0
    names = [_wrap_name(style.display_name(label, display_names), cell, size) for label in classes]
    upright = max(_block_width(name, size) for name in names) + 0.08 > cell
    turned = upright and number <= _MOST_SLANTED
    longest = max(_block_width(name, size) for name in names)
    below = longest * (math.sin(math.radians(_SLANT)) if turned else 1) + 0.3 if upright else 0.5
    width = longest + number * cell + 1.35
    figure = style.new_figure(max(width, 4.8), number * cell + below + 0.6, title, _notes(counts))
    axes = figure.add_subplot()
    cells = _shade(axes, counts)
    _write_counts(axes, counts, cells, cell, size)
    _write_recalls(axes, counts, size)
    tilt = (
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

    Args:
        predictions: Of one stage and split; ``file``, ``label`` and ``predicted`` are read.
        classes: All labels, in the order of rows and columns.
        display_names: Names to show, by label.
        title: Which stage and split this is.

    Raises:
        ValueError: If a label is not among the classes.
    """
    counts = _count(predictions, classes)
    names = [style.display_name(label, display_names) for label in classes]
    files = predictions.groupby(["label", "predicted"])["file"].agg(lambda files: "<br>".join(files[:_FILES_OF_CELL]))
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    right = np.eye(len(classes), dtype=bool)
    words = [
        [
            _tell(counts[row, column], shares[row, column], names[row], names[column], files.get((actual, predicted)))
            for column, predicted in enumerate(classes)
        ]
        for row, actual in enumerate(classes)
    ]
    figure = plotly.Figure()
    for mask, colour in ((right, style.BLUE), (~right, style.VERMILLION)):
        figure.add_heatmap(
            x=names,
            y=names,
            z=np.where(mask & (counts > 0), shares, np.nan),
            zmin=-0.15,  # a single mistake among many must still be seen
            zmax=1,
            colorscale=[(0, style.PAPER), (1, colour)],
            showscale=False,
            hovertext=words,
            hoverinfo="text",
            xgap=1,
            ygap=1,
        )
    figure.update_layout(
        title=title,
        xaxis={"title": "Predicted", "automargin": True},
        yaxis={"title": "Actual", "autorange": "reversed", "automargin": True},
        template="plotly_white",
        font={"color": style.INK},
    )
    return figure


def _tell(count: int, share: float, actual: str, predicted: str, files: str | None) -> str:
    what = f"{actual}, rightly seen as such" if actual == predicted else f"{actual} taken for {predicted}"
    return f"{what}: {count:,} ({style.percent(share)} of the row)<br>{files or ''}"


def _count(predictions: pd.DataFrame, classes: Sequence[str]) -> np.ndarray:
    places = {label: place for place, label in enumerate(classes)}
    pairs = predictions[["label", "predicted"]].astype(str)
    others = sorted(set(pairs.to_numpy().ravel()) - set(places))
    if others:
        raise ValueError(f"labels {others} are not among the classes {list(classes)}")
    counts = np.zeros((len(classes), len(classes)), dtype=int)
    np.add.at(counts, (pairs["label"].map(places), pairs["predicted"].map(places)), 1)
    return counts


def _cell_side(number: int) -> float:
    if number > 60:
        return 0.26
    return min(max(7 / number, 0.36), 0.95)


def _wrap_name(name: str, cell: float, size: float) -> str:
    # Names of one line where the cells are too low for two.
    lines = 2 if cell > 2 * size * style.LINE_HEIGHT / 72 else 1
    return "\n".join(style.wrap(name, _NAME_WIDTH, size, lines))


def _block_width(name: str, size: float) -> float:
    return max(style.text_width(line, size) for line in name.split("\n"))


def _notes(counts: np.ndarray) -> list[str]:
    total, right = counts.sum(), np.trace(counts)
    if not total:
        return ["There are no predictions."]
    return [
        f"{right:,} of {total:,} images right ({style.percent(right / total)}).",
        "Shaded by share of the row: right in blue, wrong in orange.",
    ]


def _shade(axes: Axes, counts: np.ndarray) -> np.ndarray:
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
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
        place = {"ha": "center", "va": "center", "in_layout": False}
        axes.text(column, row, f"{counts[row, column]:,}", **place, **style.text(size, colour))


def _write_recalls(axes: Axes, counts: np.ndarray, size: float) -> None:
    edge = len(counts) - 0.5
    beside = {"textcoords": "offset points", "ha": "left", "va": "center", "annotation_clip": False}
    for row, total in enumerate(counts.sum(axis=1)):
        recall = style.percent(counts[row, row] / total) if total else "no images"
        axes.annotate(recall, (edge, row), xytext=(6, 0), **beside, **style.text(size, style.MUTED))
    above = {**beside, "va": "bottom"}
    axes.annotate("Recall", (edge, -0.5), xytext=(6, 3), **above, **style.text(size, style.MUTED, "bold"))
