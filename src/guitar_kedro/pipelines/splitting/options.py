"""Parameters of splitting."""

from __future__ import annotations

import re
from typing import Literal

from pydantic import Field, field_validator, model_validator

from guitar_kedro.options import Options


class SplittingOptions(Options):
    """The parameters under ``splitting``.

    Attributes:
        validation: Share of the images on which every stage is measured.
        test: Share of the images that only the final evaluation looks at.
        group_from: Regular expression that is looked for in the names of files: where what stands in its first brackets
            is the same, images stay on one side of the split.
        leaks: What happens to a split that the photos came with where near duplicates, or images of a group, stand in
            several parts of it: ``report`` keeps it as it is; ``move`` takes each group to the part in which most of it
            is; ``refuse`` ends the run.
    """

    validation: float = Field(gt=0, lt=1)
    test: float = Field(gt=0, lt=1)
    group_from: str | None = None
    leaks: Literal["report", "move", "refuse"] = "report"

    @model_validator(mode="after")
    def _leaves_something_to_train_on(self) -> SplittingOptions:
        if self.validation + self.test >= 1:
            raise ValueError("validation and test together must leave images to train on, so their sum is below 1")
        return self

    @field_validator("group_from")
    @classmethod
    def _is_an_expression(cls, group_from: str | None) -> str | None:
        try:
            found = re.compile(group_from or "()")
        except re.error as error:
            raise ValueError(f"it cannot be read as a regular expression: {error}") from None
        if not found.groups:
            raise ValueError('it needs brackets around what images of a group have in common, as in "(.+)_\\d+"')
        return group_from
