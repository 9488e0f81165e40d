"""Tables: CSV files that people open, and that load as they were saved."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable
from datetime import datetime, timezone
from pathlib import Path, PurePath
from pkgutil import resolve_name
from typing import IO, Any, cast, get_args, get_type_hints

import pandas as pd
from kedro.io import Version
from kedro_datasets._typing import TablePreview
from kedro_datasets.pandas import CSVDataset
from pandas.api.types import is_bool_dtype, is_float_dtype, is_integer_dtype, is_numeric_dtype
from pydantic import BaseModel

from guitar_kedro.datasets.artifacts import TextArtifact, undecorated
from guitar_kedro.errors import UserError

_MOST_COLUMNS = 40  # of a preview: predictions have one for each class
# what a cell begins with that a spreadsheet computes (owasp.org/www-community/attacks/CSV_Injection)
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_CELL = re.compile(r'(?:^|,)("[^"]*(?:""[^"]*)*"|[^,\r\n]*)')
_NUMBER = r"-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?|-?inf"
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


class _TypedFile(CSVDataset):
    """A CSV file in which all text stands in quotation marks, and nothing else does.

    Columns have the types of the schema; without one, text is known from numbers by its quotation marks.
    """

    _schema: str | None = None

    def load(self) -> pd.DataFrame:
        path = self._get_load_path()
        (names, are_quoted), (_, are_text) = _first_rows(Path(path))
        if self._schema:
            declared = _types(resolve_name(self._schema), names)
            text = {name: declared.get(name, "str") for name in names}
            missing = {name: [""] for name, kind in text.items() if kind == "float64"}
            return pd.read_csv(path, dtype=text, na_values=missing, keep_default_na=False, **self._load_args)
        if not all(are_quoted):
            return _foreign(path, self._load_args)
        # a table without rows does not say which columns are text
        shown = dict(zip(names, are_text, strict=False))
        missing = {name: [""] for name, is_text in shown.items() if not is_text}
        text = {name: "str" for name, is_text in shown.items() if is_text}
        return pd.read_csv(path, dtype=text, na_values=missing, keep_default_na=False, **self._load_args)

    def save(self, data: pd.DataFrame) -> None:
        if self._schema:
            data = _as_declared(data, resolve_name(self._schema))
        with _opened(self._get_save_path()) as file:
            _write(_with_text(data), file)


class TableDataset(TextArtifact, _TypedFile):
    """A CSV file that loads as it was saved.

    Text stays text: a class may be called ``007``, ``NA`` or ``None``. A number that is missing is NaN, while missing
    text is empty. Of a table without a schema, in a file without quotation marks, from a spreadsheet perhaps, a column
    of nothing but numbers as Python writes them holds numbers.
    """

    def __init__(
        self,
        *,
        filepath: str,
        schema: str | None = None,
        version: Version | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Take note of where the table lies and what stands in it.

        Args:
            filepath: Of the file.
            schema: Name, with its module, of a pydantic model of a row: it gives columns their types. Text and floats
                may be missing. ``__pydantic_extra__`` gives the type of further columns, where there may be any.
            version: Of the file.
            metadata: For Kedro's plugins.
        """
        super().__init__(filepath=filepath, version=version, metadata=metadata)
        self._schema = schema

    def load(self) -> pd.DataFrame:
        """Loads the table.

        Raises:
            UserError: If it is not as it was saved, or no table any more.
        """
        try:
            table = super().load()
        except (csv.Error, ValueError) as error:  # of pandas: no text, no table, or a column is not of its type
            raise self._not_a_table(" ".join(str(error).split())) from None
        if not isinstance(table.index, pd.RangeIndex):  # pandas takes the first fields of too long lines for names
            raise self._not_a_table("its lines have more fields than its first one")
        return table

    def preview(self, nrows: int = 5) -> TablePreview:
        """The first rows, for kedro-viz."""
        return table_preview(pd.DataFrame(**super().preview(nrows)))

    def _not_a_table(self, reason: str) -> UserError:
        return UserError(
            f"{self._get_load_path()} cannot be read as a table ({reason}): mend it, or remove it, and the next run "
            "makes it anew."
        )


class OptionalTableDataset(TableDataset):
    """A table that need not be there; until it was made, it is empty."""

    def load(self) -> pd.DataFrame:
        """Loads the table, or an empty one."""
        return undecorated(super().load)(self) if self.exists() else pd.DataFrame()


class LogDataset(TableDataset):
    """A CSV file to which each save adds its rows and the time; none is ever taken away."""

    def load(self) -> pd.DataFrame:
        """Loads all rows; an empty table where none was ever added, or somebody removed the file."""
        return undecorated(super().load)(self) if self.exists() else pd.DataFrame()

    def save(self, data: pd.DataFrame) -> None:
        """Adds rows.

        Raises:
            DatasetError: If the file cannot be written.
        """
        path = Path(self._get_save_path())
        earlier = [undecorated(super().load)(self)] if path.exists() else []
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        undecorated(super().save)(self, pd.concat([*earlier, data.assign(time=now)], ignore_index=True))


class _SpreadsheetFile(_TypedFile):
    """A CSV file that is written from a stream of tables."""

    def load(self) -> pd.DataFrame:
        table = undecorated(super().load)(self)
        return table.assign(**{name: cells.str.removeprefix("'") for name, cells in _text_columns(table)})

    def save(self, data: Iterable[pd.DataFrame]) -> None:
        with _opened(self._get_save_path()) as file:
            for number, table in enumerate(data):
                _write(_harmless(_with_text(table)), file, header=number == 0)


class SpreadsheetDataset(TableDataset, _SpreadsheetFile):
    """A table for people, of any length: saved from a stream of tables, and safe to open in a spreadsheet.

    Names of files and classes are other people's: one that a spreadsheet would take for a formula gets an apostrophe
    before it, and so does one that begins with an apostrophe. They load without it.
    """


def table_preview(table: pd.DataFrame) -> TablePreview:
    """Gives the first columns of a table for kedro-viz, and says how many there are beside them.

    Args:
        table: Its first rows.
    """
    more = table.shape[1] - _MOST_COLUMNS
    if more > 0:
        table = table.iloc[:, :_MOST_COLUMNS].assign(**{"…": f"{more:,} more columns"})
    return TablePreview(table.to_dict(orient="split"))


def _types(schema: type[BaseModel], names: Iterable[str]) -> dict[str, str]:
    """Return the types of columns, as pandas calls them: of those that the schema declares or lets in."""
    types = {name: _DTYPES[cast(type, field.annotation)] for name, field in schema.model_fields.items()}
    if schema.model_config.get("extra") == "allow":
        _, further = get_args(get_type_hints(schema)["__pydantic_extra__"])
        types |= {name: _DTYPES[further] for name in names if name not in types}
    return types


def _as_declared(table: pd.DataFrame, schema: type[BaseModel]) -> pd.DataFrame:
    """Give columns in which all is missing their types.

    Raises:
        TypeError: A column is missing, of another type, or not declared.
    """
    types = _types(schema, table.columns)
    if odd := sorted({*table.columns} ^ {*types}):
        raise TypeError(f"the columns {', '.join(odd)} are missing or not declared in {schema.__name__}")
    for name, cells in table.items():
        if cells.isna().all() and (cells.empty or types[name] in ("str", "float64")):
            table = table.assign(**{name: cells.astype("object").fillna("") if types[name] == "str" else cells})
            table = table.astype({name: types[name]})
        elif not _IS[types[name]](cells):
            raise TypeError(f"the column {name} is {cells.dtype}, and {types[name]} in {schema.__name__}")
    return table


def _opened(path: PurePath) -> IO[str]:
    return Path(path).open("w", encoding="utf-8", newline="")


def _write(table: pd.DataFrame, file: IO[str], header: bool = True) -> None:
    table.to_csv(
        file, index=False, header=header, quoting=csv.QUOTE_NONNUMERIC, na_rep=_Missing("nan"), lineterminator="\n"
    )


def _with_text(table: pd.DataFrame) -> pd.DataFrame:
    """Makes text of all that is neither a number nor yes or no; of what is missing, empty text."""
    table = table.infer_objects()
    nothing = [name for name, cells in table.items() if cells.dtype == "object" and cells.isna().all()]
    table = table.astype(dict.fromkeys(nothing, "float64"))
    text = {
        name: cells.astype("object").where(cells.notna(), "").map(str).astype("object")
        for name, cells in _text_columns(table)
    }
    return table.assign(**text)


def _text_columns(table: pd.DataFrame) -> list[tuple[str, pd.Series]]:
    return [(name, cells) for name, cells in table.items() if not is_numeric_dtype(cells)]


def _harmless(table: pd.DataFrame) -> pd.DataFrame:
    begins = (*_FORMULA, "'")
    text = {name: cells.mask(cells.str.startswith(begins), "'" + cells) for name, cells in _text_columns(table)}
    return table.assign(**text)


def _first_rows(path: Path) -> list[tuple[list[str], list[bool]]]:
    """Gives the cells of the first two rows, and whether each stands in quotation marks."""
    rows = []
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        for _ in range(2):
            row = file.readline()
            while row.count('"') % 2 and (more := file.readline()):
                row += more  # a line break in a cell
            are_quoted = [cell.startswith('"') for cell in _CELL.findall(row)] if row else []
            rows.append((next(csv.reader([row]), []), are_quoted))
    return rows


def _foreign(path: PurePath, load_args: dict[str, Any]) -> pd.DataFrame:
    table = pd.read_csv(path, dtype="str", keep_default_na=False, **load_args)
    for name, cells in table.items():
        missing = cells == ""
        if not missing.all() and (missing | cells.str.fullmatch(_NUMBER)).all():
            table[name] = pd.to_numeric(cells.mask(missing))
        elif len(cells) and cells.isin(["True", "False"]).all():
            table[name] = cells == "True"
    return table
