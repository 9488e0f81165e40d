"""What processes report while they train, handed on in the process that started them."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_SECONDS_BETWEEN_LOOKS = 0.2

Report = Callable[[dict[str, Any]], Any]


class Relay:
    """A report that any process can have: it appends each row to a file."""

    def __init__(self, path: Path) -> None:
        """Take the file."""
        self._path = path

    def __call__(self, row: dict[str, Any]) -> None:
        """Append a row."""
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")


@contextmanager
def relayed(report: Report | None, path: Path) -> Iterator[Relay | None]:
    """Give a report to hand to another process, and hand on here what comes of it, as it comes.

    Args:
        report: Takes a row; it is called in a thread. ``None`` asks for nothing.
        path: Of a file for the rows, which is not there yet.
    """
    if report is None:
        yield None
        return
    path.touch()
    ended = threading.Event()
    thread = threading.Thread(target=_follow, args=(path, report, ended), daemon=True)
    thread.start()
    try:
        yield Relay(path)
    finally:
        ended.set()
        thread.join()


def _follow(path: Path, report: Report, ended: threading.Event) -> None:
    rest, is_last_look = "", False
    with path.open(encoding="utf-8") as file:
        while not is_last_look:
            is_last_look = ended.wait(_SECONDS_BETWEEN_LOOKS)
            *lines, rest = (rest + file.read()).split("\n")  # the last one may not be whole yet
            for line in lines:
                report(json.loads(line))
