"""How numbers and names are written for people."""

from __future__ import annotations

import math
from collections.abc import Mapping


def display_name(label: str, display_names: Mapping[str, str]) -> str:
    """Return the name by which people know a class.

    Args:
        label: The class as its folder is called.
        display_names: Names by label; labels whose name is missing or empty are shown as given, with spaces for
            underscores.
    """
    return display_names.get(label) or label.replace("_", " ")


def percent(share: float, digits: int = 1) -> str:
    """Write a share as a percentage that says 0 or 100 only where nothing else is meant.

    Args:
        share: Between 0 and 1.
        digits: How many after the point.
    """
    step = 10.0**-digits
    written = f"{100 * share:.{digits}f} %"
    if share > 0 and float(written[:-2]) == 0:
        return f"<{step:.{digits}f} %"
    if share < 1 and float(written[:-2]) == 100:
        return f">{100 - step:.{digits}f} %"
    return written


def interval(low: float, high: float, digits: int = 1) -> str:
    """Write an interval of shares: ``87.1 % to 91.9 %``.

    Args:
        low: Its lower end, between 0 and 1.
        high: Its upper end, between 0 and 1.
        digits: How many after the point.
    """
    return f"{percent(low, digits)} to {percent(high, digits)}"


def rounded(value: float | None) -> str:
    """Write a number as people do, with three digits at most: ``0.141``, ``4e30``; a dash where there is none.

    Args:
        value: Any number; NaN and ``None`` are none.
    """
    if value is None or math.isnan(value):
        return "-"
    return f"{value:.3g}".replace("e+", "e").replace("e-0", "e-").replace("inf", "infinite")


def clock(minutes: float) -> str:
    """Write a duration as people read it: ``4:34 min`` or ``2:03 h``."""
    seconds = round(60 * minutes)
    if seconds >= 3600:
        return f"{seconds // 3600}:{seconds % 3600 // 60:02d} h"
    return f"{seconds // 60}:{seconds % 60:02d} min"


def count(number: int, thing: str) -> str:
    """Write how many there are of something: ``1 image``, ``7,664 images``, ``11 classes``, ``4 batches``."""
    ending = "" if number == 1 else "es" if thing.endswith(("s", "tch")) else "s"
    return f"{number:,} {thing}{ending}"
