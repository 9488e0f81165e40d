"""Schemas of small tables, and small tables of a schema."""

from __future__ import annotations

from typing import Any

import pandas as pd
from pydantic import BaseModel, create_model


def row(**types: type) -> type[BaseModel]:
    """Make the schema of a table with these columns."""
    fields: dict[str, Any] = {name: (kind, ...) for name, kind in types.items()}
    return create_model("Row", **fields)


def table_of(schema: type[BaseModel], **columns: list[Any]) -> pd.DataFrame:
    """Make a table of which only some columns matter."""
    others = {name: field.annotation() for name, field in schema.model_fields.items() if field.annotation}
    rows = len(next(iter(columns.values())))
    return pd.DataFrame({name: columns.get(name, other) for name, other in others.items()}, index=range(rows))
