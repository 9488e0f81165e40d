"""What the results of metrics have in common."""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict


class Result(BaseModel):
    """Numbers that belong together.

    What is infinite or not a number is refused, for JSON knows neither. A field with a default need not be set, and is
    then not saved either.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


FiniteOrNone = Annotated[float | None, BeforeValidator(_finite)]
