"""Tables come back as they were saved, whatever the names of files and classes in them are."""

from __future__ import annotations

import csv
from pathlib import Path
from pkgutil import resolve_name
from typing import get_args, get_type_hints

import numpy as np
import pandas as pd
import pytest
import yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st
from kedro.io import DataCatalog, DatasetError
from pandas.testing import assert_frame_equal
from pydantic import BaseModel

from guitar_kedro.datasets import (
    CurationDataset,
    EarlierTableDataset,
    LogDataset,
    PreparedImagesDataset,
    SpreadsheetDataset,
    TableDataset,
)
from guitar_kedro.files import printable
from guitar_kedro.images import FileRecord
from guitar_kedro.mistakes import user_error_behind

NASTY = (
    "007",
    "7",
    "1e3",
    "NA",
    "nan",
    "None",
    "True",
    "",
    " a ",
    "'=1",
    "=1",
    '"',
    'a"b,c',
    "\r",
    "a\r\nb",
    "\0",
    "\ufeff",
)
texts = st.one_of(st.sampled_from(NASTY), st.text(st.characters(exclude_categories=["Cs"])))
numbers = st.one_of(st.floats(), st.sampled_from([0.1, 1 / 3, 5e-324, -0.0]))
legal_names = st.binary(min_size=1, max_size=60).filter(
    lambda name: not {0, 47} & {*name} and name not in (b".", b"..")
)
any_table = settings(max_examples=25, deadline=None)


CATALOG = yaml.safe_load((Path(__file__).parents[2] / "conf/base/catalog.yml").read_text(encoding="utf-8"))
TABLES = {
    name: entry
    for name, entry in CATALOG.items()
    if entry["type"].startswith("guitar_kedro.") and issubclass(resolve_name(entry["type"]), TableDataset)
}
SCHEMAS = sorted({entry["schema"] for entry in TABLES.values()})
CELLS = {str: texts, float: numbers, int: st.integers(-(2**53), 2**53), bool: st.booleans()}
DTYPES = {str: "str", float: "float64", int: "int64", bool: "bool"}


@st.composite
def tables(draw: st.DrawFn, schemas: st.SearchStrategy[type[BaseModel]]) -> tuple[type[BaseModel], pd.DataFrame]:
    """Draw a schema and a table of it: text, numbers with gaps, whole numbers, yes and no; classes of any names."""
    schema, rows = draw(schemas), draw(st.integers(0, 4))
    types = {name: field.annotation for name, field in schema.model_fields.items()}
    if schema.model_config.get("extra"):
        _, further = get_args(get_type_hints(schema)["__pydantic_extra__"])
        types |= dict.fromkeys((f"further_{label}" for label in draw(st.lists(texts, max_size=2))), further)
    cells = {name: draw(st.lists(CELLS[kind], min_size=rows, max_size=rows)) for name, kind in types.items()}
    return schema, pd.DataFrame({name: pd.Series(cells[name], dtype=DTYPES[kind]) for name, kind in types.items()})


class AnyRow(BaseModel, extra="allow"):
    __pydantic_extra__: dict[str, float]
    note: str
    loss: float
    width: int
    exact: bool


any_schema = st.just(AnyRow)
of_catalog = st.sampled_from(SCHEMAS).map(resolve_name)


def test_every_table_of_the_catalog_has_a_schema():
    assert {name for name, entry in TABLES.items() if "schema" not in entry} == set()


def test_a_table_without_a_schema_is_told(tmp_path: Path):
    entry = {"type": "guitar_kedro.datasets.TableDataset", "filepath": str(tmp_path / "table.csv")}
    with pytest.raises(DatasetError) as caught:
        DataCatalog.from_config({"table": entry}).load("table")
    assert f"The catalog has no schema for {tmp_path / 'table.csv'}: name a" in str(user_error_behind(caught.value))


@any_table
@given(tables(of_catalog))
def test_every_table_of_the_catalog_comes_back_as_it_was_saved(
    tmp_path_factory: pytest.TempPathFactory, drawn: tuple[type[BaseModel], pd.DataFrame]
):
    schema, table = drawn
    dataset = TableDataset(filepath=str(tmp_path_factory.mktemp("any") / "table.csv"), schema=schema)
    for _ in range(2):
        dataset.save(table)
        assert_frame_equal(dataset.load(), table, check_exact=True)
        table = dataset.load()


@any_table
@given(tables(any_schema))
def test_a_log_keeps_its_rows_as_they_were_saved(
    tmp_path_factory: pytest.TempPathFactory, drawn: tuple[type[BaseModel], pd.DataFrame]
):
    class AnyLogRow(AnyRow):
        time: str

    _, table = drawn
    log = LogDataset(filepath=str(tmp_path_factory.mktemp("any") / "log.csv"), schema=AnyLogRow)
    for _ in range(2):
        log.save(table)
    assert_frame_equal(log.load().drop(columns="time"), pd.concat([table, table], ignore_index=True), check_exact=True)


@any_table
@example(
    (
        AnyRow,
        pd.DataFrame({"note": ["'=1", "=1", "\ta", "\uff1d1"], "loss": [np.nan, 1, 0, 2], "width": 1, "exact": True}),
    )
)
@given(tables(any_schema))
def test_a_spreadsheet_comes_back_as_it_was_saved_and_holds_no_formula(
    tmp_path_factory: pytest.TempPathFactory, drawn: tuple[type[BaseModel], pd.DataFrame]
):
    schema, table = drawn
    path = tmp_path_factory.mktemp("any") / "table.csv"
    dataset = SpreadsheetDataset(filepath=str(path), schema=schema)
    dataset.save(iter([table, table]))
    assert_frame_equal(dataset.load(), pd.concat([table, table], ignore_index=True), check_exact=True)
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.reader(file))[1:]
    text = [number for number, kind in enumerate(table.dtypes) if kind == "str"]
    assert not any(
        row[number].startswith(("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d")) for row in rows for number in text
    )


@any_table
@example([("", np.nan, 1, True)], [np.nan])
@given(
    st.lists(st.tuples(texts, numbers, st.integers(-(2**53), 2**53), st.booleans()), max_size=4),
    st.lists(numbers, min_size=4, max_size=4),
)
def test_a_table_with_a_schema_comes_back_as_it_was_saved_also_without_rows_or_quotation_marks(
    tmp_path_factory: pytest.TempPathFactory, rows: list[tuple], further: list[float]
):
    kinds = {"note": "str", "loss": "float64", "width": "int64", "exact": "bool", "probability_007": "float64"}
    cells = [(*row, probability) for row, probability in zip(rows, further, strict=False)]
    table = pd.DataFrame(cells, columns=list(kinds)).astype(kinds)
    path = tmp_path_factory.mktemp("any") / "table.csv"
    dataset = TableDataset(filepath=str(path), schema=AnyRow)
    dataset.save(table)
    assert_frame_equal(dataset.load(), table, check_exact=True)
    table.to_csv(path, index=False, lineterminator="\r\n")  # as a spreadsheet does
    assert_frame_equal(dataset.load(), table, check_exact=True)


def test_text_and_numbers_that_are_missing_altogether_keep_the_types_of_the_schema(tmp_path: Path):
    dataset = TableDataset(filepath=str(tmp_path / "table.csv"), schema=AnyRow)
    dataset.save(pd.DataFrame({"note": [None], "loss": [None], "width": [1], "exact": [True]}))
    table = dataset.load()
    assert table["note"].tolist() == [""]
    assert table["loss"].dtype == "float64"
    (tmp_path / "table.csv").write_text("note,loss,width,exact\n007,,3,False\n")
    assert dataset.load().iloc[0].tolist()[0] == "007"


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"note": [7]}, "the column note is int64, and str in AnyRow"),
        ({"width": ["7"]}, "the column width is .*, and int64 in AnyRow"),
        ({"more": ["7"]}, "the column more is .*, and float64 in AnyRow"),
        ({"exact": [np.nan]}, "the column exact is float64, and bool in AnyRow"),
    ],
)
def test_a_table_that_is_not_as_its_schema_says_is_not_saved(tmp_path: Path, change: dict[str, list], wrong: str):
    dataset = TableDataset(filepath=str(tmp_path / "table.csv"), schema=AnyRow)
    right = pd.DataFrame({"note": ["7"], "loss": [0.5], "width": [1], "exact": [True]})
    with pytest.raises(DatasetError, match=wrong):
        dataset.save(right.assign(**change))
    with pytest.raises(DatasetError, match="the columns loss are missing or not declared in AnyRow"):
        dataset.save(right.drop(columns="loss"))
    assert not (tmp_path / "table.csv").exists()


def test_a_file_that_somebody_spoilt_is_told_by_its_schema(tmp_path: Path):
    (tmp_path / "table.csv").write_text("note,loss,width,exact\na,1,wide,True\n")
    with pytest.raises(DatasetError, match="cannot be read as a table"):
        TableDataset(filepath=str(tmp_path / "table.csv"), schema=AnyRow).load()


def test_a_table_of_the_last_run_is_empty_before_and_never_makes_its_node_run_again(tmp_path: Path):
    path = tmp_path / "table.csv"
    table, earlier = (kind(filepath=str(path), schema=AnyRow) for kind in (TableDataset, EarlierTableDataset))
    assert earlier.load().empty
    before = earlier.fingerprint()
    table.save(pd.DataFrame({"note": ["a"], "loss": [1.0], "width": [1], "exact": [True]}))
    assert earlier.load().equals(table.load())
    assert earlier.fingerprint() == before is not None
    for spoilt in ("", "note,loss,width\na,1,1\n"):
        path.write_text(spoilt)
        with pytest.raises(DatasetError, match=r"cannot be read as a table .* remove it, and the next run makes it"):
            earlier.load()


@any_table
@given(
    st.lists(
        st.builds(
            FileRecord, file=texts, label=texts, source=texts, width=st.integers(0, 10**6), reason=texts, detail=texts
        ),
        min_size=1,
        max_size=4,
        unique_by=lambda record: record.file,
    )
)
def test_the_index_of_pictures_and_a_journal_that_was_cut_come_back(
    tmp_path_factory: pytest.TempPathFactory, records: list[FileRecord]
):
    folder = tmp_path_factory.mktemp("any")
    dataset = PreparedImagesDataset(str(folder))
    dataset.save(lambda _: ((record, None) for record in records))
    index = (folder / "index.csv").read_bytes()
    loaded = dataset.load().records.to_dict(orient="records")
    assert [FileRecord(**row) for row in loaded] == records
    (folder / "index.csv").rename(folder / "index.journal.csv")
    header = index.index(b"\n") + 1
    whole = {record.file: record for record in records}
    for end in range(header, len(index), max(1, len(index) // 10)):
        (folder / "index.journal.csv").write_bytes(index[:end])
        found = PreparedImagesDataset(str(folder)).earlier()
        assert all(whole[file] == record for file, record in found.items())


@any_table
@given(st.lists(legal_names, min_size=1, max_size=4, unique=True), st.sampled_from(["007", "7", "NA", "cat"]))
def test_a_decision_names_any_file_as_the_tables_do(
    tmp_path_factory: pytest.TempPathFactory, names: list[bytes], label: str
):
    path = tmp_path_factory.mktemp("any") / "curation.csv"
    rows = [(printable(f"cat/x{name.decode('utf-8', 'surrogateescape')}"), "relabel", label) for name in names]
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([("file", "action", "label"), *rows])
    loaded = CurationDataset(filepath=str(path)).load()[["file", "action", "label"]]
    assert list(loaded.itertuples(index=False, name=None)) == rows


@any_table
@given(st.lists(legal_names, min_size=2, max_size=2, unique=True))
def test_names_of_two_files_are_two_lines_of_text(names: list[bytes]):
    lines = {printable(name.decode("utf-8", "surrogateescape")) for name in names}
    assert len(lines) == 2
    assert all(len(line.splitlines()) == 1 and line.encode("utf-8") for line in lines)
