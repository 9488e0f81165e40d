"""What the terminal says at the end of a run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.table import Table
from rich.text import Text

from guitar_kedro.metrics.formatting import clock, interval, percent, rounded
from guitar_kedro.metrics.scores import Metrics

_MOST_PAIRS = 5


def console_summary(
    metrics: Metrics,
    stage_comparison: pd.DataFrame,
    most_confused: pd.DataFrame,
    places: Mapping[str, str],
) -> RenderableType:
    """Say how good the model is, how it came to be so, what it confuses, and where to read on.

    Args:
        metrics: From ``metrics``. The score of the model on the test part is the headline, or where there is none, on
            the validation part.
        stage_comparison: From ``stage_comparison``.
        most_confused: From ``most_confused``; the first five pairs are shown.
        places: Where each result lies, by its name; shown in the given order.

    Returns:
        Something for a rich console to print, laid out for 80 columns and more, with colours and without.
    """
    parts: list[RenderableType] = [_headline(metrics)]
    if len(stage_comparison):
        parts += [Text(), Text("Error after each phase (validation images, Wilson 95 % interval)", "bold")]
        parts.append(_stage_table(stage_comparison))
        worse = stage_comparison[stage_comparison["warning"] != ""]
        parts += [Text(f"{row.stage}, {row.phase}: {row.warning}", "yellow") for row in worse.itertuples()]
    parts += [Text(), Text("Most confused (validation images)", "bold"), _confused_lines(most_confused)]
    if places:
        parts += [Text(), Text("Where to read on", "bold"), _Places(places)]
    return Group(*parts)


def _headline(metrics: Metrics) -> Text:
    split, stages = ("test", metrics.test) if metrics.test else ("validation", metrics.validation)
    if not stages:
        return Text("There are no predictions.")
    stage, score = list(stages.items())[-1]
    line = Text.assemble(
        (f"Accuracy on {split}: ", "bold"),
        (percent(score.accuracy), "bold green"),
        f"  (95 % interval {interval(score.accuracy_low, score.accuracy_high)})",
    )
    line.append(f"\n{score.images - score.errors:,} of {score.images:,} {split} images right, ")
    line.append(f"mean loss {rounded(score.loss)}, stage {stage}")
    return line


def _stage_table(comparison: pd.DataFrame) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 2, 0, 0))
    columns: Any = (("stage", "left"), ("phase", "left"), ("epochs", "right"), ("error", "right"))
    for name, justify in columns:
        table.add_column(name, justify=justify, no_wrap=name != "stage", overflow="fold", min_width=5)
    table.add_column("interval", justify="left", no_wrap=True)
    table.add_column("time", justify="right", no_wrap=True)
    stages = comparison["stage"].where(comparison["stage"].ne(comparison["stage"].shift()), "")
    for stage, row in zip(stages, comparison.itertuples(index=False), strict=True):
        ends = interval(row.error_low, row.error_high, 2)
        cells = (stage, row.phase, f"{row.epochs:g}", percent(row.error_rate, 2), ends, clock(row.minutes))
        table.add_row(*(Text(str(cell)) for cell in cells))
    return table


def _confused_lines(most_confused: pd.DataFrame) -> RenderableType:
    if most_confused.empty:
        return Text("no pair of classes was confused often enough to be listed")
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(justify="right", no_wrap=True)
    grid.add_column(overflow="fold")
    for row in most_confused.head(_MOST_PAIRS).itertuples(index=False):
        grid.add_row(Text(f"{row.count}x"), Text(f"{row.actual} taken for {row.predicted}"))
    more = len(most_confused) - _MOST_PAIRS
    if more > 0:
        grid.add_row(Text(), Text(f"and {more} more pair{'s' if more > 1 else ''}", style="dim"))
    return grid


class _Places:
    """Names and paths, each whole on one line, for people copy them.

    Where one does not fit beside its name, it begins on a line of its own; the terminal breaks what is longer.
    """

    def __init__(self, places: Mapping[str, str]) -> None:
        self._places = places

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        names = max(len(name) for name in self._places) + 2
        beside = names + max(len(str(path)) for path in self._places.values()) <= options.max_width
        for name, path in self._places.items():
            gap = " " * (names - len(name)) if beside else "\n  "
            yield Text.assemble((name, "cyan"), gap, str(path), overflow="ignore", no_wrap=True)
