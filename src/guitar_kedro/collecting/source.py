"""What all sources of pictures have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Sequence
from typing import ClassVar, NamedTuple

from guitar_kedro.collecting.candidate import Candidate


class Page(NamedTuple):
    """A page of an answer.

    Attributes:
        candidates: The pictures, without query and class.
        more: Whether the source has another page.
    """

    candidates: Sequence[Candidate]
    more: bool


class Source(ABC):
    """A service that is searched for pictures, page after page; a file in ``sources`` holds one.

    Attributes:
        name: In parameters and tables.
        title: What people call it.
        address: Of its interface.
        page_size: Pictures of a page, at most as many as it gives.
        most: Pictures of a query, at most as many as it gives.
        pause: Seconds from the beginning of one request to that of the next.
        needs_contact: Whether it wants to know who asks.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    address: ClassVar[str]
    page_size: ClassVar[int]
    most: ClassVar[int]
    pause: ClassVar[float]
    needs_contact: ClassVar[bool]

    @abstractmethod
    def parameters(self, query: str, page: int, licenses: Collection[str]) -> dict[str, str | int]:
        """Return the parameters of a request.

        Args:
            query: What is searched for.
            page: From 1.
            licenses: Codes of those that are allowed.
        """

    @abstractmethod
    def read(self, content: bytes) -> Page:
        """Read an answer.

        Raises:
            ValueError: If it is not what this source answers, or an error that it tells.
        """
