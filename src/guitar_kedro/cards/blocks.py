"""What sections of the card are built from: paragraphs, lists, tables and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from guitar_kedro.metrics.formatting import percent

MOST_ROWS = 60  # of a table, as of the classes that a figure names one by one
NOTHING = "-"  # in a cell


@dataclass(frozen=True)
class Share:
    """A cell that is a share between 0 and 1, shown with a bar where there is room."""

    value: float

    def __str__(self) -> str:
        """Write it as a percentage."""
        return percent(self.value)


@dataclass(frozen=True)
class CardFigure:
    """A figure of the card.

    Attributes:
        title: Below it.
        section: In which it stands.
        shows: What there is to see, where the title does not say it.
    """

    title: str
    section: Literal["data", "recipe", "results", "calibration", "errors"]
    shows: str = ""

    @property
    def alt(self) -> str:
        """What those read who do not see it."""
        return f"{self.title}: {self.shows}" if self.shows else self.title


@dataclass(frozen=True)
class Block:
    """A piece of a section.

    Attributes:
        kind: Says which of the others is filled.
        text: Of a text, a warning or code; the caption of a table; the name of a file; what a figure shows.
        items: Of a list.
        head: Of a table: the name of each column, and whether it holds numbers.
        rows: Of a table or of facts.
        address: Of a file or a figure, which holds the file or the picture itself.
        size: Of a figure: width and height in pixels.
    """

    kind: Literal["text", "warning", "code", "items", "facts", "table", "figure", "file"]
    text: str = ""
    items: Sequence[str] = ()
    head: Sequence[tuple[str, bool]] = ()
    rows: Sequence[Sequence[str | Share]] = ()
    address: str = ""
    size: tuple[int, int] = (0, 0)


@dataclass(frozen=True)
class Section:
    """A section of the card.

    Attributes:
        key: By which links find it.
        title: Above it.
        blocks: What stands in it; without any it is left out.
    """

    key: str
    title: str
    blocks: Sequence[Block]


def table(caption: str, head: str, rows: Sequence[Sequence[str | Share]]) -> list[Block]:
    """Return a table, or nothing where it has no rows.

    Args:
        caption: Above it; may be empty.
        head: Names of the columns with ``|`` between them; those of numbers end with `` #``.
        rows: Cells from left to right.
    """
    names = [(name.removesuffix(" #"), name.endswith(" #")) for name in head.split("|")]
    return [Block("table", caption, head=names, rows=rows)] if rows else []


def known_facts(rows: Sequence[tuple[str, str]]) -> list[Block]:
    """Return facts with their names, without those that are empty."""
    known = [row for row in rows if row[1]]
    return [Block("facts", rows=known)] if known else []


def plain(value: Any) -> str:
    """Write a setting as people read it.

    Args:
        value: Text, a number, ``None``, or a list or dictionary of such.
    """
    match value:
        case None:
            return NOTHING
        case float():
            return f"{value:.4g}"
        case Mapping():
            return "; ".join(f"{name} {plain(each)}" for name, each in value.items())
        case list() | tuple():
            return ", ".join(plain(each) for each in value)
        case int() if value > 99_999:
            return f"{value:,}"
    return str(value)
