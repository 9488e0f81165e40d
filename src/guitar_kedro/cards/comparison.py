"""What the terminal says of experiments: all of them in a table, or two of them in sentences."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pandas as pd
from rich import box
from rich.console import Console, ConsoleOptions, Group, RenderableType, RenderResult
from rich.measure import Measurement
from rich.table import Table
from rich.text import Text

from guitar_kedro.cards.blocks import NOTHING
from guitar_kedro.files import in_one_line
from guitar_kedro.metrics.errors import Errors, count_errors
from guitar_kedro.metrics.experiments import (
    UNKNOWN_SPLIT,
    Experiment,
    changed_sides,
    code_version,
    same_split,
    step,
    what_changed,
)
from guitar_kedro.metrics.formatting import clock, count, interval, percent, rounded
from guitar_kedro.metrics.stages import effect, p_value

_WIDEST = 10_000  # letters of a table


def comparison_report(
    experiments: Sequence[Experiment], table: pd.DataFrame, workspace: str, failed: Sequence[str]
) -> RenderableType:
    """Lay experiments out for a terminal: of each what differs from the one that it is compared with, and a table.

    The table comes last, since the rest of many is longer than a screen.

    Args:
        experiments: The newest first.
        table: From ``compare_experiments``.
        workspace: Its name.
        failed: How the runs ended that failed before they made a model, the newest first.

    Returns:
        Something for a rich console to print, with colours and without.
    """
    head, rows = head_and_rows(table)
    shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    for name in head:
        shown.add_column(name, no_wrap=True, justify="left" if name in ("model", "note") else "right")
    for row in rows:
        shown.add_row(*map(Text, row))
    parts: list[RenderableType] = [Text(heading(table, workspace), "bold"), Text()]
    for version, compared_with, words in changes(experiments, table):
        parts.append(Text.assemble((version, "cyan"), f" from {compared_with}"))
        parts += [Text(f"  {each}") for each in words]
    parts += [Text(), _Whole(shown), Text()]
    parts += [Text(sentence, "dim") for sentence in explanations(table)]
    return Group(*parts, *(Text(sentence, "yellow") for sentence in warnings(table, failed)))


class _Whole:
    """A table as wide as it is: where it is wider than the terminal, that breaks the lines, and nothing is cut off."""

    def __init__(self, table: Table) -> None:
        self._table = table

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = Measurement.get(console, options.update(width=_WIDEST), self._table).maximum
        yield from console.render(self._table, options.update(width=width))


def heading(table: pd.DataFrame, workspace: str) -> str:
    """Return what stands above a comparison."""
    return f"Workspace {workspace}: {count(len(table), 'model')}{', the newest first' if len(table) > 1 else ''}"


def head_and_rows(table: pd.DataFrame) -> tuple[list[str], list[list[str]]]:
    """Write a comparison as people read it: the names of the columns, and the cells of each row.

    Args:
        table: From ``compare_experiments``.
    """
    columns: dict[str, Callable[[Any], str]] = {
        "model": lambda row: row.version,
        "split": lambda row: str(row.split or "?"),
        "error": lambda row: percent(row.error_rate, 2) if row.images else NOTHING,
        "95 % interval": lambda row: interval(row.error_low, row.error_high) if row.images else NOTHING,
        "test": lambda row: percent(row.test_error_rate, 2) if row.test_images else NOTHING,
        "ECE": lambda row: percent(row.calibration_error) if row.images else NOTHING,
        "training": lambda row: _written(row.seconds, lambda seconds: clock(seconds / 60)),
        "MB": lambda row: rounded(row.megabytes),
        "fixed": lambda row: f"{row.fixed:,}" if row.images_of_both else NOTHING,
        "broken": lambda row: f"{row.broken:,}" if row.images_of_both else NOTHING,
        "p": lambda row: p_value(row.p_value).removeprefix("p = ") if row.images_of_both else NOTHING,
        "note": lambda row: in_one_line(row.note),
    }
    if not has_several_splits(table):
        del columns["split"]
    return list(columns), [[write(row) for write in columns.values()] for row in table.itertuples()]


def has_several_splits(table: pd.DataFrame) -> bool:
    """Tell whether models are not all known to be of one split."""
    return set(table["split"]) != {1} and len(table) > 1


def explanations(table: pd.DataFrame) -> list[str]:
    """Say how the columns are to be read."""
    compared = table.loc[table["compared_with"] != "", "compared_with"]
    if compared.empty:
        other = []
    else:
        chosen = f"{compared.iloc[0]}" if len(compared) > 1 and compared.nunique() == 1 else "the model below it"
        other = [
            f"Fixed and broken: images that a model has right and {chosen} wrong, and the other way round, among those "
            "that both held out; p is that of the exact McNemar test: how likely chance alone parts them so far."
        ]
    return [
        "Error and expected calibration error (ECE) are those on the validation part; test is the error on the test "
        "part, where it was opened.",
        *other,
    ]


def warnings(table: pd.DataFrame, failed: Sequence[str]) -> list[str]:
    """Say which numbers do not compare, and what is not in the table.

    Args:
        table: From ``compare_experiments``.
        failed: How the runs ended that failed before they made a model, the newest first.
    """
    found = []
    if has_several_splits(table):
        known = (table["split"] != UNKNOWN_SPLIT).all()
        which = "These models are of different splits" if known else "Of some of these models the split is not known"
        crossing = table[(table["compared_with"] != "") & ~table["same_split"]]
        images = ", ".join(f"{row.images_of_both:,} for {row.version}" for row in crossing.itertuples())
        found.append(
            f"{which}: errors on different images do not compare. Fixed and broken do, for they count only images that "
            f"both models held out{f' (so many: {images})' if images else ''}."
        )
    if failed:
        found.append(f"{count(len(failed), 'run')} failed and made no model; the last one {in_one_line(failed[0])}")
    return found


def changes(experiments: Sequence[Experiment], table: pd.DataFrame) -> Iterator[tuple[str, str, list[str]]]:
    """Say of each row in what the model differs from the one that it is compared with.

    Args:
        experiments: Those of the table.
        table: From ``compare_experiments``.

    Yields:
        Its version, that of the other one, and a few words for each difference.
    """
    by_version = {experiment.version: experiment for experiment in experiments}
    for version, compared_with in zip(table["version"], table["compared_with"], strict=True):
        if compared_with:
            words = what_changed(by_version[compared_with], by_version[version])
            yield version, compared_with, list(map(in_one_line, words)) or ["nothing that is on record"]


def difference_report(before: Experiment, now: Experiment) -> RenderableType:
    """Say what changed from one experiment to another, a sentence for each thing, and which images changed sides.

    Args:
        before: The one.
        now: The other.
    """
    heading = Text(f"From {_called(before)} to {_called(now)}", "bold")
    parts: list[RenderableType] = [heading, Text(), *map(Text, map(in_one_line, difference_sentences(before, now)))]
    for title, rows in zip(("Fixed", "Broken"), changed_sides(before, now), strict=True):
        if len(rows):
            parts += [Text(), Text(f"{title} ({len(rows):,})", "bold"), _pictures(rows)]
    return Group(*parts)


def difference_sentences(before: Experiment, now: Experiment) -> list[str]:
    """Say what changed from one experiment to another, a sentence for each thing."""
    changes = what_changed(before, now)
    # the others begin with the name of a parameter or a package
    sentences = [f"{words.capitalize() if words.startswith('the ') else words}." for words in changes]
    if not changes:
        sentences.append(
            f"Nothing that is on record changed: parameters, images, split, code ({code_version(now.record)})."
        )
    elif before.record and now.record:
        code = code_version(now.record)
        if code == code_version(before.record) and "changes in no commit" in code:
            sentences.append(f"The code of both is {code}: it may differ.")
    sentences.append(_errors("validation", count_errors(before.predictions), count_errors(now.predictions)))
    if not same_split(before, now):
        sentences.append("They are of different splits: these errors are of different images and do not compare.")
    found = step(before, now)
    if found["images"]:
        among = "" if same_split(before, now) else "Among the images that both held out, "
        sentences.append(f"{among}{effect(found)}")
    else:
        sentences.append("No image was held out by both, so that nothing says which of the two is better.")
    sentences.append(_pair("The expected calibration error", before.calibration_error, now.calibration_error, percent))
    sentences.append(_pair("The time of training", before.seconds, now.seconds, lambda seconds: clock(seconds / 60)))
    sentences.append(_pair("The size of the weights", before.megabytes, now.megabytes, lambda size: f"{size:.3g} MB"))
    if before.test or now.test:
        sentences.append(_errors("test", before.test, now.test))
    return [sentence for sentence in sentences if sentence]


def _called(experiment: Experiment) -> str:
    return f"{experiment.version} ({in_one_line(experiment.note)})" if experiment.note else experiment.version


def _errors(part: str, before: Errors | None, now: Errors | None) -> str:
    def words(errors: Errors | None) -> str:
        if errors is None or not errors.images or errors.error_rate is None:
            return "not measured"
        among = f"{errors.errors:,} of {count(errors.images, 'image')}"
        return f"{percent(errors.error_rate, 2)} ({among}; {interval(errors.error_low, errors.error_high)})"

    return f"The error on the {part} part is {words(now)}, was {words(before)}."


def _pair(what: str, before: float, now: float, write: Callable[[float], str]) -> str:
    words, words_then = (_written(value, write, "not known") for value in (now, before))
    return f"{what} is {words}, {'as before' if words == words_then else f'was {words_then}'}."


def _written(value: float, write: Callable[[float], str], nothing: str = NOTHING) -> str:
    return nothing if math.isnan(value) else write(value)


def _pictures(rows: pd.DataFrame) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False, padding=(0, 2, 0, 0))
    for name in ("file", "label", "before", "now"):
        table.add_column(name, overflow="fold")
    for row in rows.itertuples():
        table.add_row(*(Text(in_one_line(text)) for text in (row.file, row.label, row.predicted_before, row.predicted)))
    return table
