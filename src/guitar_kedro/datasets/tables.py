"""Tables: CSV files that people open, and that load as they were saved."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from datetime import datetime, timezone
from pathlib import Path
from pkgutil import resolve_name
from typing import IO, Any, cast, get_args, get_type_hints

import pandas as pd
from kedro.io import Version
from kedro_datasets._typing import TablePreview
from pandas.api.types import is_bool_dtype, is_float_dtype, is_integer_dtype, is_numeric_dtype
from pydantic import BaseModel

from guitar_kedro.datasets.artifacts import Artifact
from guitar_kedro.errors import UserError

_MOST_COLUMNS = 40  # of a preview: predictions have one for each class
# what a cell begins with that a spreadsheet computes (owasp.org/www-community/attacks/CSV_Injection)
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_DTYPES = {str: "str", float: "float64", int: "int64", bool: "bool"}
_IS = {
    "str": lambda cells: not is_numeric_dtype(cells),
    "float64": is_float_dtype,
    "int64": is_integer_dtype,
    "bool": is_bool_dtype,
}


class _Missing(float):
    """A number that is missing: written as nothing, and without the quotation marks of text."""

    def __str__(self) -> str:
        return ""


class TableDataset(Artifact):
    """A CSV file that loads as it was saved.

    Text stays text: a class may be called ``007``, ``NA`` or ``None``. A number that is missing is NaN, while missing
    text is empty.
    """

    def __init__(
        self,
        *,
        filepath: str,
        schema: str | type[BaseModel] | None = None,
        version: Version | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Take note of where the table lies and what stands in it.

        Args:
            filepath: Of the file.
            schema: A pydantic model of a row, or its name with its module: it gives columns their types. Text and
                floats may be missing. ``__pydantic_extra__`` gives the type of further columns, where there may be any.
            version: Of the file.
            metadata: For Kedro's plugins.

        Raises:
            UserError: If there is no schema.
        """
        super().__init__(filepath, version, metadata)
        if not schema:
            raise UserError(
                f"The catalog has no schema for {filepath}: name a pydantic model of its rows, as "
                "`schema: guitar_kedro.pipelines.ingestion.schemas.ImageRow`."
            )
        self._schema = schema

    @property
    def _row(self) -> type[BaseModel]:
        return resolve_name(self._schema) if isinstance(self._schema, str) else self._schema

    def _read(self, path: Path, rows: int | None = None) -> pd.DataFrame:
        try:
            with path.open(encoding="utf-8-sig", newline="") as file:
                names = next(csv.reader(file), [])
            declared = _types(self._row, names)
            types = {name: declared.get(name, "str") for name in names}
            missing = {name: [""] for name, kind in types.items() if kind == "float64"}
            table = pd.read_csv(path, dtype=types, na_values=missing, keep_default_na=False, nrows=rows)
        except (csv.Error, ValueError) as error:  # of pandas: no text, no table, or a column is not of its type
            raise _not_a_table(path, " ".join(str(error).split())) from None
        if not isinstance(table.index, pd.RangeIndex):  # pandas takes the first fields of too long lines for names
            raise _not_a_table(path, "its lines have more fields than its first one")
        return table

    def _write(self, data: pd.DataFrame, path: Path) -> None:
        _write(_as_declared(data, self._row), path)

    def preview(self, nrows: int = 5) -> TablePreview:
        """Return the first rows, for kedro-viz."""
        return table_preview(self._read(self._load_path(), nrows))


class OptionalTableDataset(TableDataset):
    """A table that need not be there; until it was made, it is empty."""

    def load(self) -> pd.DataFrame:
        """Load the table, or an empty one."""
        return super().load() if self.exists() else pd.DataFrame()


class EarlierTableDataset(OptionalTableDataset):
    """A table as the last run left it, for the node that writes it anew; empty before the first run.

    That it changed is no reason for that node to run again, for it is its own result.
    """

    def fingerprint(self) -> str:
        """Return what never changes."""
        return ""

    def _read(self, path: Path, rows: int | None = None) -> pd.DataFrame:
        table = super()._read(path, rows)
        if missing := [name for name in self._row.model_fields if name not in table]:  # people may have opened it
            raise _not_a_table(path, f"it has no column {missing[0]}")
        return table


class LogDataset(OptionalTableDataset):
    """A CSV file to which each save adds its rows and the time; none is ever taken away."""

    def save(self, data: pd.DataFrame) -> None:
        """Add rows.

        Raises:
            DatasetError: If the file cannot be written.
        """
        earlier = [self.load()] if self.exists() else []
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        super().save(pd.concat([*earlier, data.assign(time=now)], ignore_index=True))


class SpreadsheetDataset(TableDataset):
    """A table for people, of any length: saved from a stream of tables, and safe to open in a spreadsheet.

    Names of files and classes are other people's: one that a spreadsheet would take for a formula gets an apostrophe
    before it, and so does one that begins with an apostrophe. They load without it.
    """

    def _read(self, path: Path, rows: int | None = None) -> pd.DataFrame:
        table = super()._read(path, rows)
        return table.assign(**{name: cells.str.removeprefix("'") for name, cells in _text_columns(table)})

    def _write(self, data: Iterable[pd.DataFrame], path: Path) -> None:
        with path.open("w", encoding="utf-8", newline="") as file:
            for number, table in enumerate(data):
                _write(_harmless(_as_declared(table, self._row)), file, header=number == 0)

    @staticmethod
    def as_text(table: pd.DataFrame, schema: type[BaseModel]) -> str:
        """Return what stands in the file of a table.

        Args:
            table: All of it.
            schema: Of its rows.
        """
        return _write(_harmless(_as_declared(table, schema)), None)


class OptionalSpreadsheetDataset(OptionalTableDataset, SpreadsheetDataset):
    """A table for people that need not be there; until it was made, it is empty."""


def table_preview(table: pd.DataFrame) -> TablePreview:
    """Return the first columns of a table for kedro-viz, and say how many there are beside them.

    Args:
        table: Its first rows.
    """
    more = table.shape[1] - _MOST_COLUMNS
    if more > 0:
        table = table.iloc[:, :_MOST_COLUMNS].assign(**{"…": f"{more:,} more columns"})
    return TablePreview(table.to_dict(orient="split"))


def _not_a_table(path: Path, reason: str) -> UserError:
    return UserError(
        f"{path} cannot be read as a table ({reason}): mend it, or remove it, and the next run makes it anew."
    )


def _types(schema: type[BaseModel], names: Iterable[str]) -> dict[str, str]:
    """Return the types of columns, as pandas calls them: of those that the schema declares or lets in."""
    types = {name: _DTYPES[cast(type, field.annotation)] for name, field in schema.model_fields.items()}
    if schema.model_config.get("extra") == "allow":
        _, further = get_args(get_type_hints(schema)["__pydantic_extra__"])
        types |= {name: _DTYPES[further] for name in names if name not in types}
    return types


def _as_declared(table: pd.DataFrame, schema: type[BaseModel]) -> pd.DataFrame:
    """Return columns in which all is missing their types, and make missing text empty.

    Raises:
        TypeError: A column is missing, of another type, or not declared.
    """
    types = _types(schema, table.columns)
    if odd := sorted({*table.columns} ^ {*types}):
        raise TypeError(f"the columns {', '.join(odd)} are missing or not declared in {schema.__name__}")
    declared = {}
    for name, cells in table.items():
        kind = types[name]
        nothing = cells.isna().all() and (cells.empty or kind in ("str", "float64"))
        if not nothing and not _IS[kind](cells):
            raise TypeError(f"the column {name} is {cells.dtype}, and {kind} in {schema.__name__}")
        if kind == "str":
            declared[name] = cells.astype("object").where(cells.notna(), "").map(str).astype("object")
        else:
            declared[name] = cells.astype(kind) if nothing else cells
    return pd.DataFrame(declared, index=table.index)  # at once: pandas adds columns in time that grows with the square


def _write(table: pd.DataFrame, to: Path | IO[str] | None, header: bool = True) -> Any:
    """Write a table to a path or an open file, or return its text."""
    quoting, nothing = csv.QUOTE_NONNUMERIC, _Missing("nan")
    return table.to_csv(to, index=False, header=header, quoting=quoting, na_rep=nothing, lineterminator="\n")


def _text_columns(table: pd.DataFrame) -> list[tuple[str, pd.Series]]:
    return [(name, cells) for name, cells in table.items() if not is_numeric_dtype(cells)]


def _harmless(table: pd.DataFrame) -> pd.DataFrame:
    begins = (*FORMULA, "'")
    text = {name: cells.mask(cells.str.startswith(begins), "'" + cells) for name, cells in _text_columns(table)}
    return table.assign(**text)
