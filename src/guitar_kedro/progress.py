"""Long work shows where it is: a live bar in a terminal, plain occasional lines elsewhere."""

from __future__ import annotations

import io
import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

from rich.console import Console
from rich.progress import (
    BarColumn,
    DownloadColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
    TransferSpeedColumn,
)
from rich.text import Text

Item = TypeVar("Item")
SECONDS_BETWEEN_LINES = 20.0
logger = logging.getLogger(__name__)


def say_any_name() -> None:
    """Let the console show what its encoding lacks as escapes, instead of ending a command with an error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


class _RateColumn(ProgressColumn):
    def __init__(self, unit: str) -> None:
        super().__init__()
        self._unit = unit

    def render(self, task: Task) -> Text:
        return Text(f"{task.speed:.0f} {self._unit}/s" if task.speed else "", style="progress.data.speed")


def live_bar(unit: str) -> Progress:
    """Return a bar with count, rate and time left, which shows itself in a terminal only.

    Args:
        unit: What is counted, in the plural ("images", "batches").
    """
    return _bar(MofNCompleteColumn(), _RateColumn(unit))


def _bar(*columns: ProgressColumn) -> Progress:
    console = Console(stderr=True)
    # the name of a file is no markup
    begins, ends = (TextColumn("{task.description}", markup=False), BarColumn()), (TimeRemainingColumn(),)
    return Progress(*begins, *columns, *ends, console=console, transient=True, disable=not console.is_terminal)


def track(items: Iterable[Item], total: int, doing: str, unit: str = "images") -> Iterator[Item]:
    """Pass items on and show how far they are.

    Args:
        items: What is worked on.
        total: How many there will be.
        doing: What is done to them, as the line begins ("Preparing photos").
        unit: What is counted, in the plural.

    Yields:
        The items, unchanged.
    """
    began = said = time.monotonic()
    with live_bar(unit) as bar:
        task = bar.add_task(doing, total=total)
        for number, item in enumerate(items, start=1):
            yield item
            bar.advance(task)
            now = time.monotonic()
            if bar.disable and now - said > SECONDS_BETWEEN_LINES and number < total:
                rate = number / (now - began)
                left = (total - number) / rate
                logger.info("%s: %d of %d, %.0f %s/s, %.0f s left", doing, number, total, rate, unit, left)
                said = now


@contextmanager
def track_found(doing: str) -> Iterator[Callable[[int, int], None]]:
    """Show how many of the images that were found up to now are done: a bar in a terminal, occasional lines elsewhere.

    Args:
        doing: What is done to them, as the line begins ("Collecting images").

    Yields:
        A function that takes how many are done, and how many were found.
    """
    said = time.monotonic()
    with live_bar("images") as bar:
        task = bar.add_task(doing, total=None)

        def report(done: int, found: int) -> None:
            nonlocal said
            bar.update(task, completed=done, total=found)
            if bar.disable and time.monotonic() - said > SECONDS_BETWEEN_LINES:
                said = time.monotonic()
                logger.info("%s: %d of %d images that were found up to now", doing, done, found)

        yield report


@contextmanager
def track_bytes(doing: str) -> Iterator[Callable[[int, int], None]]:
    """Show how many bytes are done: a bar in a terminal, a line at the start elsewhere, and a line at the end.

    Args:
        doing: What is done, as the line begins ("Downloading photos.tgz").

    Yields:
        A function that takes the bytes done so far, and how many there will be: 0 where that is not known.
    """
    with _bar(DownloadColumn(), TransferSpeedColumn()) as bar:
        if bar.disable:
            logger.info("%s ...", doing)
        task = bar.add_task(doing, total=None)
        yield lambda done, total: bar.update(task, completed=done, total=total or None)
    logger.info("%s: done, %.1f MB.", doing, bar.tasks[task].completed / 1e6)
