"""Figures of the card: where each belongs, and what it shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


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
