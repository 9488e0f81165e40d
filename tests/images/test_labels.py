"""Files whose classes stand in a table."""

from __future__ import annotations

from pathlib import Path

import pytest

from guitar_kedro.errors import UserError
from guitar_kedro.images.labels import LabelRow, LabelTable, labelled
from guitar_kedro.images.raw import RawImage, label_of


def files(*names: str) -> list[RawImage]:
    return [RawImage(name, label_of(name), Path(name)) for name in names]


def table(*rows: tuple[str, ...], folder: str = "") -> LabelTable:
    return LabelTable("t.csv", [LabelRow(f"t.csv, line {number}", *row) for number, row in enumerate(rows, 2)], folder)


def said(images: list[RawImage]) -> dict[str, tuple[str, str, str]]:
    return {image.file: (image.label, image.split, image.group) for image in images if not image.problem}


def problems(images: list[RawImage]) -> dict[str, str]:
    return {image.file: image.problem[0] for image in images if image.problem}


def test_each_file_has_the_class_the_part_and_the_group_of_its_line():
    rows = ("x/1.jpg", "cat", "train", "g1"), ("x/2.jpg", "dog", "train", ""), ("x/3.jpg", "cat", "test", "g1")
    assert said(labelled(files("x/1.jpg", "x/2.jpg", "x/3.jpg"), [table(*rows)], "photos")) == {
        "x/1.jpg": ("cat", "train", "g1"),
        "x/2.jpg": ("dog", "train", ""),
        "x/3.jpg": ("cat", "test", "g1"),
    }


@pytest.mark.parametrize("name", ["x/b/2.jpg", "./x/b/2.jpg", "b/2.jpg", "2.jpg", "2", "x\\b\\2.jpg", "x/b/2"])
def test_a_file_may_be_named_by_the_end_of_its_path_and_without_its_ending(name: str):
    images = labelled(files("x/a/1.jpg", "x/b/2.jpg"), [table(("1.jpg", "cat"), (name, "dog"))], "photos")
    assert said(images)["x/b/2.jpg"][0] == "dog"


def test_capitals_count_only_where_they_tell_files_apart():
    rows = ("A.JPG", "cat"), ("B.jpg", "dog"), ("b.jpg", "cat")
    images = labelled(files("a.jpg", "B.jpg", "b.jpg"), [table(*rows)], "photos")
    assert [(image.file, image.label) for image in images] == [("B.jpg", "dog"), ("a.jpg", "cat"), ("b.jpg", "cat")]
    with pytest.raises(UserError, match=r"B.JPG may be B.jpg, b.jpg"):
        labelled(files("B.jpg", "b.jpg"), [table(("B.JPG", "cat"))], "photos")


def test_what_is_not_named_not_there_or_without_a_label_stands_with_its_reason(caplog: pytest.LogCaptureFixture):
    rows = ("1.jpg", "cat"), ("2.jpg", "dog"), ("3.jpg", ""), ("gone.jpg", "cat")
    images = labelled(files("1.jpg", "2.jpg", "3.jpg", "4.jpg"), [table(*rows)], "photos")
    assert problems(images) == {"3.jpg": "no_label", "4.jpg": "no_label", "gone.jpg": "file_missing"}
    assert "t.csv: named and not there gone.jpg" in caplog.text
    assert [image.problem[1] for image in images if image.problem] == [
        "t.csv, line 4 gives it no label.",
        "t.csv names it nowhere.",
        "t.csv, line 5 names it, and it is not there.",
    ]


def test_folders_of_parts_are_the_split_where_the_table_names_none():
    names = "train/1.jpg", "train/2.jpg", "valid/3.jpg"
    rows = [(name, ("cat", "dog")[place % 2]) for place, name in enumerate(names)]
    images = labelled(files(*names), [table(*rows)], "photos")
    assert [image.split for image in images] == ["train", "train", "validation"]


def test_tables_in_folders_name_files_from_there():
    tables = [table(("1.jpg", "cat"), ("2.jpg", "dog"), folder="train"), table(("1.jpg", "dog"), folder="test")]
    images = labelled(files("train/1.jpg", "train/2.jpg", "test/1.jpg"), tables, "photos")
    assert said(images)["test/1.jpg"] == ("dog", "test", "")


@pytest.mark.parametrize(
    ("rows", "wrong"),
    [
        (
            [("1.jpg", "cat"), ("x/1.jpg", "dog")],
            "t.csv, line 3: x/1.jpg has the class 'dog', and in t.csv, line",
        ),
        ([("2.jpg", "cat")], r"t.csv, line 2: 2.jpg may be x/2.jpg, y/2.jpg: write the path"),
        (
            [("7.jpg", "cat")],
            r"photos has none of the files .* names 7.jpg; there is, for example, x/1.jpg. .* --params=images=DIR",
        ),
        ([("1.jpg", "cat")], "t.csv gives the files of photos one class only, 'cat'; at least two are needed"),
        ([], "t.csv names no file"),
        (
            [("1.jpg", "cat", "train"), ("x/2.jpg", "dog", "train"), ("y/2.jpg", "fox", "test")],
            "t.csv has images of fox in its test part, and none in its training part",
        ),
        ([("1.jpg", "cat", "test"), ("x/2.jpg", "dog", "test")], "t.csv has no training part, but test alone: name"),
    ],
)
def test_a_table_that_cannot_be_followed_is_told_with_its_line(rows: list[tuple[str, ...]], wrong: str):
    with pytest.raises(UserError, match=wrong):
        labelled(files("x/1.jpg", "x/2.jpg", "y/2.jpg"), [table(*rows)], "photos")
