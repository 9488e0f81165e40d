"""Tables in which people name the class of each picture."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from guitar_kedro.datasets import PhotosDataset
from guitar_kedro.datasets.label_tables import parsed_label_table, read_label_table
from guitar_kedro.errors import UserError
from guitar_kedro.images.raw import RawImage


def rows(name: str, content: str | bytes) -> list[tuple[str, ...]]:
    table = parsed_label_table(name, content if isinstance(content, bytes) else content.encode())
    return [(row.file, row.label, row.split, row.group) for row in table.rows]


@pytest.mark.parametrize(
    "content",
    [
        "file,label,split,group\na.jpg,cat,train,g\nb.jpg,dog,test,\n",
        "Image_Path;Category;Subset;group_id;width\na.jpg;cat;Training;g;3\nb.jpg;dog;holdout;;3\n",
        "id\tfilename\tclass\tset\tgroup\n1\ta.jpg\tcat\ttrain\tg\n2\tb.jpg\tdog\ttest\t\n",
    ],
)
def test_columns_may_be_called_as_people_call_them(content: str):
    assert rows("t.csv", content) == [("a.jpg", "cat", "train", "g"), ("b.jpg", "dog", "test", "")]


def test_parquet_and_json_lines_say_the_same(tmp_path: Path):
    columns = {"file_name": ["a.jpg", "b.jpg"], "label": [0, 1], "group": [7.0, None], "pixels": [[1], [2]]}
    pd.DataFrame(columns).to_parquet(tmp_path / "t.parquet")
    lines = '{"file_name": "a.jpg", "label": 0, "group": 7}\n{"file_name": "b.jpg", "label": 1}\n\n'
    expected = [("a.jpg", "0", "", "7"), ("b.jpg", "1", "", "")]
    assert rows("t.parquet", (tmp_path / "t.parquet").read_bytes()) == rows("t.jsonl", lines) == expected


@pytest.mark.parametrize(
    ("name", "content", "wrong"),
    [
        (
            "t.csv",
            "name,label\na,b\n",
            r"t.csv has no column file \(nor file_name, .*\): its columns are name, label. Call the column",
        ),
        ("t.csv", "file,colour\na,b\n", "has no column label"),
        (
            "t.csv",
            "path,image,label\na,b,c\n",
            "columns path, image may each be the file: call the one",
        ),
        ("t.csv", "file,label,groop\na,b,c\n", "has a column 'groop': is it the group"),
        ("t.csv", "file,file,label\na,b,c\n", "the column file stands in the first line twice"),
        ("t.csv", "file,label,Label\na,b,c\n", "the column label stands in the first line twice"),
        ("t.csv", "file,label\na,b,c\n", "line 2: it has 3 fields, and the first line names 2"),
        (
            "t.csv",
            "file,label,split\na,b,later\n",
            "line 2: the part 'later' of the split is none of train",
        ),
        ("t.csv", "file,label\n,b\n", "line 2: the name of the file is missing"),
        ("t.csv", f"file,label\na,{'b' * 300}\n", "line 2: the label has 300 letters"),
        ("t.jsonl", '{"file_name": "a"\n', "line 1: it is no JSON"),
        ("t.jsonl", "[1]\n", "line 1: it is no object"),
        ("t.csv", "", "t.csv has no column file .*: it is empty"),
        ("t.csv", "a.jpg,cat\nb.jpg,dog\n", "its columns are a.jpg, cat. .* the first line names the columns"),
        ("t.jsonl", '{"file": "a", "label": ["b", "c"]}\n', "line 1: the label is .*; a picture has one label here"),
        ("t.jsonl", '{"file": ["a"], "label": "b"}\n', "line 1: the file is .*; a picture has one file here"),
        ("t.jsonl", '{"file": "a", "label": "b", "split": ["train"]}\n', "line 1: the split is "),
        ("t.jsonl", '{"file": "a", "label": "b", "group": {"of": 1}}\n', "line 1: the group is "),
        ("t.json", '[{"file": "a", "label": "b"}]', "t.json is no table of labels by its name: save it as CSV"),
        ("t.xlsx", "PK", "t.xlsx is no table of labels by its name"),
        ("t.parquet", "file,label\n", "t.parquet cannot be read as Parquet"),
    ],
)
def test_a_table_that_is_not_right_is_told_with_what_is_there(name: str, content: str, wrong: str):
    with pytest.raises(UserError, match=wrong):
        rows(name, content)


def test_text_that_a_program_wrote_as_bytes_is_text(tmp_path: Path):
    table = pd.DataFrame({"file": [b"a.jpg", b"b.jpg"], "label": ["kätzchen".encode(), b"dog"]})
    table.to_parquet(tmp_path / "t.parquet")
    assert rows("t.parquet", (tmp_path / "t.parquet").read_bytes())[0] == ("a.jpg", "kätzchen", "", "")
    table.assign(label=[b"\xff", b"dog"]).to_parquet(tmp_path / "t.parquet")
    with pytest.raises(UserError, match="row 1: the label is no text"):
        rows("t.parquet", (tmp_path / "t.parquet").read_bytes())


def test_a_table_at_an_address_is_refused_with_what_to_do(tmp_path: Path):
    with pytest.raises(UserError, match=r"labels=https://example.org/l.csv: fetch the table to this machine"):
        PhotosDataset(str(tmp_path / "pets"), str(tmp_path), labels="https://example.org/l.csv")


def test_files_may_be_named_from_the_root_of_the_machine_on(tmp_path: Path):
    photos = write(tmp_path / "real", "a/1.jpg", "b/1.jpg")
    (tmp_path / "photos").symlink_to(photos)
    lines = f"{tmp_path}/photos/a/1.jpg,cat\n{photos}/b/1.jpg,dog\n{tmp_path}/elsewhere/1.jpg,dog\n/etc/passwd,dog\n"
    (tmp_path / "t.csv").write_text(f"file,label\n{lines}")
    for _ in range(2):
        images = PhotosDataset(str(tmp_path / "pets"), str(tmp_path / "photos"), labels=str(tmp_path / "t.csv")).load()
        assert said(images) == {"a/1.jpg": ("cat", "", ""), "b/1.jpg": ("dog", "", "")}
        assert [image.problem[0] for image in images if image.problem] == ["file_missing"] * 2


def write(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"picture")
    return folder


def said(images: list[RawImage]) -> dict[str, tuple[str, str, str]]:
    return {image.file: (image.label, image.split, image.group) for image in images if not image.problem}


def test_a_table_beside_the_photos_says_their_classes_and_is_remembered(tmp_path: Path):
    photos = write(tmp_path / "photos", "1.jpg", "2.jpg", "3.jpg")
    (photos / "labels.csv").write_text("file,label\n1.jpg,cat\n2.jpg,dog\n3.jpg,cat\n")
    given = PhotosDataset(str(tmp_path / "pets"), str(photos), labels=str(photos / "labels.csv"))
    images = given.load()
    assert said(images) == {"1.jpg": ("cat", "", ""), "2.jpg": ("dog", "", ""), "3.jpg": ("cat", "", "")}
    assert len(images) == 3  # the table is no picture
    later = PhotosDataset(str(tmp_path / "pets"))
    assert later.load() == images
    before = later.fingerprint()
    assert before == given.fingerprint()
    (photos / "labels.csv").write_text("file,label\n1.jpg,cat\n2.jpg,dog\n3.jpg,dog\n")
    assert later.fingerprint() != before


def test_metadata_of_an_imagefolder_says_classes_and_its_folders_the_parts(tmp_path: Path):
    photos = write(tmp_path / "photos", "train/1.jpg", "train/2.jpg", "validation/1.jpg", "validation/2.jpg")
    (photos / "train/metadata.csv").write_text("file_name,label\n1.jpg,cat\n2.jpg,dog\n")
    (photos / "validation/metadata.jsonl").write_text('{"file_name": "1.jpg", "label": "dog"}\n')
    images = PhotosDataset(str(tmp_path / "pets"), str(photos)).load()
    assert said(images) == {
        "train/1.jpg": ("cat", "train", ""),
        "train/2.jpg": ("dog", "train", ""),
        "validation/1.jpg": ("dog", "validation", ""),
    }
    assert [image.problem[1] for image in images if image.problem] == [
        "train/metadata.csv, validation/metadata.jsonl names it nowhere."
    ]
    (photos / "train/metadata.csv").write_text("file_name,label\n1.jpg\n")
    with pytest.raises(Exception, match=r"train/metadata.csv, line 2: it has 1 fields"):
        PhotosDataset(str(tmp_path / "pets"), str(photos)).load()


def test_metadata_without_labels_is_a_note_beside_class_folders(tmp_path: Path):
    photos = write(tmp_path / "photos", "cat/1.jpg", "dog/1.jpg")
    (photos / "metadata.csv").write_text("file_name,text\ncat/1.jpg,a cat\n")
    assert len(said(PhotosDataset(str(tmp_path / "pets"), str(photos)).load())) == 2


def test_a_table_is_looked_at_before_anything_is_unpacked(tmp_path: Path):
    (tmp_path / "photos.zip").write_bytes(b"no archive")
    dataset = PhotosDataset(str(tmp_path / "pets"), str(tmp_path / "photos.zip"), labels=str(tmp_path / "none.csv"))
    for ask in (dataset.at_hand, dataset.load):
        with pytest.raises(Exception, match=r"--params=labels=.*none.csv cannot be read \(No such file or directory\)"):
            ask()
    with pytest.raises(UserError, match="either the table or the folders say the classes"):
        PhotosDataset(str(tmp_path / "pets"), "photos", labels="a.csv", folders="class/group")
    with pytest.raises(UserError, match="cannot be read"):
        read_label_table(tmp_path)
