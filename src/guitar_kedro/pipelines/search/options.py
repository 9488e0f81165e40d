"""The parameters of the search, and what it may try."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import Field, field_validator, model_validator

from guitar_kedro.errors import UserError
from guitar_kedro.options import Options


class Range(Options):
    """Numbers that a parameter may be; whole ones where all that is given is whole.

    Attributes:
        low: The least.
        high: The largest.
        log: Whether each power of ten is as likely as the next, and not each number.
        step: Only these multiples beyond ``low`` are tried.
    """

    low: int | float
    high: int | float
    log: bool = False
    step: int | float | None = Field(default=None, gt=0)

    @model_validator(mode="after")
    def _goes_upwards(self) -> Range:
        if self.low >= self.high:
            raise ValueError(f"low is {self.low} and must be below high, which is {self.high}")
        if self.log and (self.low <= 0 or self.step is not None):
            raise ValueError("with log, low must be above 0, and there can be no step")
        if self.step is not None and self.step > self.high - self.low:
            raise ValueError(f"step is {self.step}, which is more than lies between low and high")
        return self

    @property
    def is_whole(self) -> bool:
        """Whether only whole numbers are tried."""
        return all(isinstance(value, int) for value in (self.low, self.high, self.step or 1))


class SearchOptions(Options):
    """The parameters under ``search``.

    Attributes:
        trials: So many are judged; ``None`` leaves it to the time.
        minutes: No trial begins when all of them together have taken so long; ``None`` leaves it to their number.
        folds: Each trial is trained and judged on so many folds of training and validation; 0 judges it by the
            validation part.
        fresh_folds: On so many folds that no trial was judged by, the best trial is compared with the recipe as it is;
            0 leaves that out.
        pruning: Whether trials end after an epoch that is worse than those of most others (successive halving).
        workers: Processes that run trials at the same time on this machine.
        space: What is tried, by the path of the parameter: a list of values, or a ``Range``.
    """

    trials: int | None = Field(default=20, ge=1)
    minutes: float | None = Field(default=None, gt=0)
    folds: int = Field(default=0, ge=0, le=20)
    fresh_folds: int = Field(default=4, ge=0, le=20)
    pruning: bool = True
    workers: int = Field(default=1, ge=1)
    space: dict[str, Range | tuple[Any, ...]]

    @field_validator("space", mode="before")
    @classmethod
    def _is_flat(cls, value: Any) -> dict[str, Any]:
        if not isinstance(value, dict) or not (space := dict(_dimensions(value))):
            raise ValueError("it must name what is tried, such as {training.label_smoothing: {low: 0.0, high: 0.2}}")
        return space

    @model_validator(mode="after")
    def _end_some_time(self) -> SearchOptions:
        if self.trials is None and self.minutes is None:
            raise ValueError("trials and minutes are both null, so that a search would never end: give one of them")
        if 1 in (self.folds, self.fresh_folds):
            raise ValueError("one fold leaves nothing to train on: folds and fresh_folds are 0, or 2 and more")
        return self


def _dimensions(space: dict[str, Any], above: str = "") -> Iterator[tuple[str, Range | tuple[Any, ...]]]:
    """List what is tried by the whole path; --params nests what a file names by its path."""
    for name, value in space.items():
        path = f"{above}{name}"
        match value:
            case None:  # --params takes back what a file names
                continue
            case Range() | tuple():
                yield path, value
            case [_, _, *_]:
                yield path, tuple(value)
            case dict() if {"low", "high"} & set(value):
                try:
                    yield path, Range.model_validate(value)
                except UserError as error:
                    problem = str(error).splitlines()[0]
                    raise UserError(f".space: {path}{problem if problem[0] in '.:' else f' {problem}'}") from None
            case dict() if value:
                yield from _dimensions(value, f"{path}.")
            case _:
                raise UserError(f".space: {path} is {value}; give two values or more, [a, b], or {{low: , high: }}")
