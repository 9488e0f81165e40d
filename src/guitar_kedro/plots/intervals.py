"""Error rates with their intervals, row by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from guitar_kedro.plots import style


def draw_error_rates(
    axes: Axes, rows: pd.DataFrame, colours: Sequence[str], words: Sequence[str], width: float, ink: str = style.INK
) -> None:
    """Draw points with their intervals, and words at the upper ends.

    Args:
        axes: To be drawn on.
        rows: ``place`` (down the axes), ``error_rate``, ``error_low`` and ``error_high`` (shares between 0 and 1).
        colours: One for each row.
        words: One line for each row.
        width: Of the axes, in inches.
        ink: Colour of the words.
    """
    rate, low, high = (100 * rows[name].astype(float) for name in ("error_rate", "error_low", "error_high"))
    points: dict[str, Any] = {"s": 46, "clip_on": False, "edgecolors": style.PAPER, "linewidths": 1}
    axes.hlines(rows["place"], low, high, color=colours, linewidth=2.4, zorder=2)
    axes.scatter(rate, rows["place"], color=colours, zorder=3, **points)
    for line, end, place in zip(words, high, rows["place"], strict=True):
        note(axes, line, (end, place), 6, colour=ink)
    reach = max(high.max(), 1e-9) if len(rows) else 1.0
    axes.set_xlim(0, reach + room_for(words, width) * reach)
    axes.set_xticks([tick for tick in MaxNLocator(5).tick_values(0, reach) if 0 <= tick <= reach])
    axes.xaxis.set_major_formatter("{x:g} %")
    style.clean(axes, "x", "Error rate")


def name_rows(axes: Axes, names: Mapping[float, tuple[str, dict[str, Any]]], width: float) -> None:
    """Write names at the left of axes.

    Args:
        axes: To be drawn on.
        names: By their place down the axes, with how they look, as ``style.text`` gives it.
        width: That they may take, in inches.
    """
    axes.set_yticks(list(names), labels=style.shorten_together([name for name, _ in names.values()], width))
    for tick, (_, look) in zip(axes.get_yticklabels(), names.values(), strict=True):
        tick.update(look)


def room_for(words: Sequence[str], width: float, sides: int = 1) -> float:
    """Return the room that the longest of some words needs beside data, as a share of the extent of the data.

    Args:
        words: To be drawn at the ends of the data.
        width: Of the axes, in inches.
        sides: At how many ends they stand.
    """
    needed = max((style.text_width(line, style.SMALL_SIZE) for line in words), default=0.0) + 0.12
    return needed / max(width - sides * needed, 0.15 * width)


def note(
    axes: Axes, line: str, place: tuple[float, float], right: float, up: float = 0, colour: str = style.INK
) -> None:
    """Write a line beside a point, on paper, so that nothing crosses it.

    Args:
        axes: To be drawn on.
        line: To be written.
        place: The point, in data.
        right: So many points right of it; left of it, if negative.
        up: So many points above it.
        colour: Of the words.
    """
    offset: dict[str, Any] = {"xytext": (right, up), "textcoords": "offset points", "va": "center"}
    offset |= {"ha": "right" if right < 0 else "left", "bbox": {"facecolor": style.PAPER, "linewidth": 0, "pad": 0.5}}
    axes.annotate(line, place, **offset, **style.text(style.SMALL_SIZE, colour))
