"""What is searched for, and what a source says of a picture."""

from __future__ import annotations

from dataclasses import dataclass

from guitar_kedro.files import in_one_line

_LONGEST = 1000  # characters of what a stranger says


@dataclass(frozen=True)
class Search:
    """A search for pictures of a class.

    Attributes:
        query: What is searched for.
        label: The class that pictures get.
    """

    query: str
    label: str


@dataclass(frozen=True)
class Candidate:
    """A picture that may be collected.

    Attributes:
        url: Address of the file.
        page: Address of the page about it.
        author: Who made it; empty where nobody is named.
        license: What its source says of its licence, in words.
        license_url: Address of the licence.
        source: Name of the source; ``table`` for one that a table names.
        query: What was searched for; empty for one that a table names.
        label: Its class.
        file: How a table calls it.
    """

    url: str
    page: str = ""
    author: str = ""
    license: str = ""
    license_url: str = ""
    source: str = ""
    query: str = ""
    label: str = ""
    file: str = ""

    @property
    def key(self) -> tuple[str, str]:
        """What makes it another one: address and class."""
        return self.url, self.label


def plain(text: str | None) -> str:
    """Return what a stranger wrote as one line of a table, shortened where nobody would read it.

    Args:
        text: As it came.
    """
    line = in_one_line(" ".join((text or "").split()))
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}\N{HORIZONTAL ELLIPSIS}"
