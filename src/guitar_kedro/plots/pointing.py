"""What figures tell that one can point at: HTML, and short, for they hold much of it."""

from __future__ import annotations

import html
from collections import Counter
from collections.abc import Sequence

_LONGEST_NAME = 60  # characters of a class or a file


def short(name: str) -> str:
    """Cut a long name in the middle, and escape it."""
    return html.escape(cut(name), quote=False)


def short_names(names: Sequence[str]) -> list[str]:
    """Cut long names like ``short``, and write those whole that would come out alike."""
    often = Counter(map(cut, names))
    return [short(name) if often[cut(name)] == 1 else html.escape(name, quote=False) for name in names]


def cut(name: str, longest: int = _LONGEST_NAME) -> str:
    """Cut a name in the middle that is longer than so many characters."""
    half = longest // 2
    return name if len(name) <= longest else f"{name[:half]}…{name[-half:]}"
