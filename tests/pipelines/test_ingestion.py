"""What a user may rely on when files are taken in."""

from __future__ import annotations

import logging
import os
import shutil
import unicodedata
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from class_folders import photos_in_folder
from PIL import Image
from small_project import ROOT

from guitar_kedro.config import StagesConfigLoader
from guitar_kedro.datasets import ImagesToPredictDataset, PhotosDataset, PreparedImagesDataset
from guitar_kedro.errors import UserError
from guitar_kedro.images import preparing
from guitar_kedro.images.ingest import FileRecord, PreparationOptions, prepare_file
from guitar_kedro.images.preparing import prepare
from guitar_kedro.images.probing import Limits
from guitar_kedro.images.raw import RawImage
from guitar_kedro.images.store import PreparedImages
from guitar_kedro.pipelines.ingestion import nodes
from guitar_kedro.pipelines.ingestion.options import IngestionOptions
from guitar_kedro.versions import VERSIONS

OPTIONS = IngestionOptions(
    max_side=64, quality=90, duplicate_distance=4, max_bytes=10**6, max_pixels=10**6, max_frames=10
)
PREPARING = {**OPTIONS.model_dump(exclude={"duplicates", "duplicate_distance"}), "cluster": None}
LIMITS = Limits(OPTIONS.max_bytes, OPTIONS.max_pixels, OPTIONS.max_frames)
NO_CURATION = pd.DataFrame(columns=["file", "action", "label", "source"], dtype="str")


def draw(path: Path, seed: int, size: tuple[int, int] = (48, 40), **options: object) -> None:
    """Draws coarse blocks, so that different seeds look different and small changes do not matter."""
    path.parent.mkdir(parents=True, exist_ok=True)
    blocks = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    Image.fromarray(blocks).resize(size, Image.Resampling.BICUBIC).save(path, **options)


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    for number in range(4):
        draw(folder / "cat" / f"{number}.png", number)
        draw(folder / "dog" / f"{number}.png", 100 + number)
    return folder


def ingest(photos: Path, store: Path, curation: pd.DataFrame = NO_CURATION) -> tuple[pd.DataFrame, pd.DataFrame]:
    prepared = PreparedImagesDataset(str(store))
    prepared.save(nodes.prepare_images(photos_in_folder(photos), **PREPARING))
    return nodes.build_image_table(prepared.load(), curation, OPTIONS.duplicate_distance)[:2]


def decide(*rows: tuple[str, str, str]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=["file", "action", "label"]).assign(source="")


def test_a_colour_profile_that_is_not_followed_stands_in_the_table_and_the_log(
    photos: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    draw(photos / "cat" / "tagged.png", 50, icc_profile=b"no profile")
    table, _ = ingest(photos, tmp_path / "store")
    told = "Its colour profile is damaged or too large; it was read without it."
    assert table.set_index("file")["note"].to_dict() == dict.fromkeys(table["file"], "") | {"cat/tagged.png": told}
    assert f"(column note of image_table), for example cat/tagged.png: {told}" in caplog.text


@pytest.mark.parametrize("left", ["index.csv", "index.journal.csv"])
def test_what_an_earlier_version_prepared_without_notes_is_taken_over(photos: Path, tmp_path: Path, left: str):
    store = tmp_path / "store"
    ingest(photos, store)
    index = pd.read_csv(store / "index.csv", dtype=str, keep_default_na=False)
    (store / "index.csv").unlink()
    index.drop(columns="note").to_csv(store / left, index=False)
    draw(photos / "cat" / "later.png", 51)
    table, rejected = ingest(photos, store)
    assert len(table) == 9
    assert rejected.empty
    assert set(table["note"]) == {""}


def test_every_file_stands_in_exactly_one_table(photos: Path, tmp_path: Path):
    (photos / "cat" / "notes.jpg").write_text("no picture")
    (photos / "dog" / "empty.png").write_bytes(b"")
    table, rejected = ingest(photos, tmp_path / "store")
    assert len(table) == 8
    assert set(rejected["file"]) == {"cat/notes.jpg", "dog/empty.png"}
    assert rejected["detail"].str.len().gt(10).all()


def test_a_file_whose_name_is_no_text_is_taken_in_under_one_that_is(photos: Path, tmp_path: Path):
    odd = Path(os.fsdecode(os.fsencode(photos) + b"/cat/caf\xe9.png"))
    try:
        draw(odd, 7)
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    source = PhotosDataset(str(tmp_path / "workspace"), str(photos))
    before = source.fingerprint()
    table, _ = ingest(photos, tmp_path / "store")
    assert "cat/caf\\xe9.png" in set(table["file"])
    assert before != PhotosDataset(str(tmp_path / "workspace"), str(photos / "cat")).fingerprint() is not None
    assert ImagesToPredictDataset(str(tmp_path), str(odd)).fingerprint() is not None


def test_near_duplicates_share_a_group_and_stay(photos: Path, tmp_path: Path):
    draw(photos / "cat" / "again.jpg", 1, quality=80)
    table, rejected = ingest(photos, tmp_path / "store")
    groups = table.set_index("file")["duplicate_group"]
    assert groups["cat/again.jpg"] == groups["cat/1.png"]
    assert groups.nunique() == 8
    assert rejected.empty


def test_byte_identical_files_get_names_of_their_own(photos: Path, tmp_path: Path):
    (photos / "cat" / "copy.png").write_bytes((photos / "cat" / "0.png").read_bytes())
    table, _ = ingest(photos, tmp_path / "store")
    store = PreparedImages(tmp_path / "store", table)
    assert table["image_id"].is_unique
    assert all(store.path(image_id).exists() for image_id in table["image_id"])


def test_a_picture_under_two_labels_stays_out_until_a_person_decides(photos: Path, tmp_path: Path):
    draw(photos / "dog" / "conflict.jpg", 1, quality=80)
    table, rejected = ingest(photos, tmp_path / "store")
    assert set(rejected["file"]) == {"cat/1.png", "dog/conflict.jpg"}
    assert set(rejected["reason"]) == {"label_conflict"}
    assert "dog/conflict.jpg" in rejected.set_index("file").loc["cat/1.png", "detail"]

    table, rejected = ingest(
        photos, tmp_path / "store", decide(("cat/1.png", "keep", ""), ("dog/conflict.jpg", "drop", ""))
    )
    assert "cat/1.png" in set(table["file"])
    assert list(rejected["reason"]) == ["dropped_by_curation"]


def test_a_relabelled_picture_joins_its_new_class(photos: Path, tmp_path: Path):
    draw(photos / "dog" / "conflict.jpg", 1, quality=80)
    table, rejected = ingest(photos, tmp_path / "store", decide(("dog/conflict.jpg", "relabel", "cat")))
    assert table.set_index("file").loc["dog/conflict.jpg", "label"] == "cat"
    assert rejected.empty


def test_files_that_have_not_changed_are_not_decoded_again(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    first, _ = ingest(photos, tmp_path / "store")
    earlier = PreparedImagesDataset(str(tmp_path / "store")).earlier()
    how = PreparationOptions(OPTIONS.max_side, OPTIONS.quality, LIMITS)

    def decode(*_: object) -> None:
        raise AssertionError("decoded again")

    monkeypatch.setattr(preparing, "prepare", decode)
    again = [prepare_file(raw, earlier.get(raw.file), how) for raw in photos_in_folder(photos)]
    assert all(jpeg is None for _, jpeg in again)
    assert {record.prepared for record, _ in again} == set(first["image_id"])
    draw(photos / "cat" / "0.png", 999)
    with pytest.raises(AssertionError, match="decoded again"):
        prepare_file(photos_in_folder(photos)[0], earlier["cat/0.png"], how)


def test_only_new_files_are_read_and_those_with_another_name_are_not_decoded_again(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    before, _ = ingest(photos, tmp_path / "store")
    (photos / "dog").rename(photos / "hound")
    draw(photos / "cat" / "new.png", 77)
    read, decoded = [], []
    monkeypatch.setattr(RawImage, "read", lambda raw, _: read.append(raw.file) or raw.path.read_bytes())
    monkeypatch.setattr(preparing, "prepare", lambda *what: decoded.append(what) or prepare(*what))
    after, _ = ingest(photos, tmp_path / "store")
    assert set(read) == {"cat/new.png", *(f"hound/{number}.png" for number in range(4))}
    assert len(decoded) == 1
    assert set(before["image_id"]) < set(after["image_id"])
    assert after["label"].value_counts().to_dict() == {"cat": 5, "hound": 4}


@pytest.mark.parametrize(
    ("limit", "prepared_anew"),
    [
        ({}, set()),
        ({"max_bytes": 10**7, "max_frames": 20}, {"cat/notes.jpg"}),  # it might be taken now
        ({"max_pixels": 10**5}, {"cat/0.png", "cat/notes.jpg"}),  # it might be refused now
        ({"quality": 80}, {"cat/0.png", "cat/notes.jpg"}),
    ],
)
def test_a_limit_counts_only_for_files_that_it_may_decide_about(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, limit: dict[str, int], prepared_anew: set[str]
):
    (photos / "cat" / "notes.jpg").write_text("no picture")
    ingest(photos, tmp_path / "store")
    earlier, decoded = PreparedImagesDataset(str(tmp_path / "store")).earlier(), []
    monkeypatch.setattr(
        preparing, "prepare", lambda content, *_: decoded.append(content) or prepare(content, 64, LIMITS)
    )
    options = {**PREPARING, **limit}
    files = [file for file in photos_in_folder(photos) if file.file in ("cat/0.png", "cat/notes.jpg")]
    list(nodes.prepare_images(files, **options)(earlier))
    assert {file.file for file in files if file.read() in decoded} == prepared_anew


def test_pictures_that_come_out_the_same_in_wider_limits_make_nothing_stale(photos: Path, tmp_path: Path):
    ingest(photos, tmp_path / "store")
    store = PreparedImagesDataset(str(tmp_path / "store"))
    before, files = store.fingerprint(), photos_in_folder(photos)
    store.save(nodes.prepare_images(files, **{**PREPARING, "max_bytes": 10**7}))
    assert store.fingerprint() == before


@pytest.mark.parametrize("as_before_versions", [False, True])
def test_what_an_earlier_version_prepared_is_prepared_anew_and_does_not_stay(
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    as_before_versions: bool,
):
    ingest(photos, tmp_path / "store")
    index = tmp_path / "store" / "index.csv"
    if as_before_versions:  # which noted a word for all options
        table = pd.read_csv(index, dtype="str", keep_default_na=False).drop(columns=["bounds", "version"])
        table.rename(columns={"way": "options"}).to_csv(index, index=False)
    before = set((tmp_path / "store").glob("*.jpg"))
    (tmp_path / "store" / "mine.jpg").write_bytes(b"a person's")
    monkeypatch.setitem(VERSIONS, "prepared_pictures", version := VERSIONS["prepared_pictures"] + 1)
    as_now = preparing.prepare
    monkeypatch.setattr(preparing, "prepare", lambda content, side, *others: as_now(content, side // 2, *others))
    with caplog.at_level("INFO", "guitar_kedro"):
        table, _ = ingest(photos, tmp_path / "store")
    assert f"8 files were prepared by an earlier version: they are prepared anew (version {version})" in caplog.messages
    there = {path.stem for path in (tmp_path / "store").glob("*.jpg")}
    assert there == {*table["image_id"], "mine"}
    assert not before & set((tmp_path / "store").glob("*.jpg"))


def test_what_was_prepared_before_a_crash_is_used_and_nothing_half_done_counts(photos: Path, tmp_path: Path):
    store = PreparedImagesDataset(str(tmp_path / "store"))
    prepare = nodes.prepare_images(photos_in_folder(photos), **PREPARING)

    def interrupted(earlier: dict[str, FileRecord]):
        for number, item in enumerate(prepare(earlier)):
            if number == 3:
                raise KeyboardInterrupt
            yield item

    with pytest.raises(KeyboardInterrupt):
        store.save(interrupted)
    assert not store.exists()
    journal = tmp_path / "store" / "index.journal.csv"
    journal.write_bytes(journal.read_bytes() + "half an é".encode()[:-1])  # as a full disk leaves it
    assert len(PreparedImagesDataset(str(tmp_path / "store")).earlier()) == 3
    assert len(ingest(photos, tmp_path / "store")[0]) == 8


def test_one_class_is_refused_with_its_name(photos: Path, tmp_path: Path):
    for path in (photos / "dog").iterdir():
        path.write_text("no picture")
    with pytest.raises(UserError, match="only one, cat, is left of 8 files"):
        ingest(photos, tmp_path / "store")


def test_prepared_pictures_are_jpegs_of_at_most_the_longest_side(photos: Path, tmp_path: Path):
    draw(photos / "cat" / "large.png", 55, size=(300, 100))
    table, _ = ingest(photos, tmp_path / "store")
    row = table.set_index("file").loc["cat/large.png"]
    assert (row["width"], row["height"]) == (300, 100)
    with Image.open(PreparedImages(tmp_path / "store", table).path(row["image_id"])) as picture:
        assert (picture.format, picture.mode, picture.size) == ("JPEG", "RGB", (64, 21))


def test_only_the_decisions_about_these_images_count_as_applied(photos: Path, tmp_path: Path):
    prepared = PreparedImagesDataset(str(tmp_path / "store"))
    prepared.save(nodes.prepare_images(photos_in_folder(photos), **PREPARING))
    decisions = decide(("dog/1.png", "drop", ""), ("bird/1.png", "drop", ""), ("cat/2.png", "keep", ""))
    _, _, applied = nodes.build_image_table(prepared.load(), decisions, OPTIONS.duplicate_distance)
    assert applied["file"].tolist() == ["cat/2.png", "dog/1.png"]


def said(caplog: pytest.LogCaptureFixture, level: int) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno == level]


def test_a_folder_that_cannot_be_listed_is_warned_of(photos: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    unlisted = RawImage("fox", "", photos / "fox", ("folder_not_readable", "It is a folder that cannot be listed."))
    prepared = PreparedImagesDataset(str(tmp_path / "store"))
    prepared.save(nodes.prepare_images([*photos_in_folder(photos), unlisted], **PREPARING))
    nodes.build_image_table(prepared.load(), NO_CURATION, OPTIONS.duplicate_distance)
    assert said(caplog, logging.WARNING) == [
        "Whatever lies in fox is left out, for it cannot be listed: give yourself the right to read it"
    ]


def test_a_class_of_which_no_picture_is_left_is_told(photos: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture):
    (photos / "bad").mkdir()
    for number in range(4):
        (photos / "bad" / f"{number}.png").write_bytes(b"no picture")
    (photos / "cat" / "bad.png").write_bytes(b"no picture")
    ingest(photos, tmp_path / "store")
    (line,) = (record.getMessage() for record in caplog.records if record.levelno == logging.WARNING)
    assert line.startswith("No picture is left of what would be classes, bad (rejected: 4 ")
    assert "For example bad/0.png: " in line


def test_classes_are_listed_with_their_numbers_of_images(
    photos: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    (photos / "cat" / "0.png").write_text("no picture")
    with caplog.at_level(logging.INFO):
        ingest(photos, tmp_path / "store")
    assert "2 classes: cat 3, dog 4" in said(caplog, logging.INFO)


def test_of_very_many_classes_the_largest_and_the_smallest_are_listed(tmp_path: Path, caplog: pytest.LogCaptureFixture):
    labels = [f"class{number:04d}" for number in range(1000) for _ in range(1 + (number == 500))]
    columns = dict.fromkeys(
        ("width", "height", "file_hash", "source", "reason", "detail", "note", "given_split", "group"), ""
    )
    records = pd.DataFrame({"label": labels}).assign(**columns)
    records["file"] = records["prepared"] = records["pixel_hash"] = [f"{number:064x}" for number in range(len(labels))]
    rng = np.random.default_rng(0)
    records["perceptual_hash"] = [rng.bytes(32).hex() for _ in labels]
    with caplog.at_level(logging.INFO):
        nodes.build_image_table(PreparedImages(tmp_path, records), NO_CURATION, OPTIONS.duplicate_distance)
    (line,) = (line for line in said(caplog, logging.INFO) if "classes" in line)
    assert line.startswith("1000 classes: class0500 2, class0000 1, ")
    assert "class0999 1" in line
    assert len(line) < 800


@pytest.mark.parametrize("other", ["cat ", "Cat", "CAT", " cat", "cat_", "cat\u200b", "\uff43at"])
def test_classes_whose_names_look_alike_are_told(
    photos: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture, other: str
):
    _, rejected = ingest(photos, tmp_path / "store", decide(("dog/0.png", "relabel", other)))
    (line,) = said(caplog, logging.WARNING)
    assert repr("cat") in line
    assert repr(other) in line
    assert rejected.empty


def test_classes_that_are_shown_alike_are_told_and_others_are_not(
    photos: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    (photos / "cat").rename(photos / "a_b")
    (photos / "dog").rename(photos / "a  b")
    draw(photos / "ab" / "1.png", 300)
    ingest(photos, tmp_path / "store")
    (line,) = said(caplog, logging.WARNING)
    assert line.startswith("'a  b' and 'a_b' are different classes")


def test_a_decision_is_about_a_file_however_its_accents_are_written(photos: Path, tmp_path: Path):
    composed, decomposed = (unicodedata.normalize(form, "é") for form in ("NFC", "NFD"))
    (photos / "dog").rename(photos / f"d{decomposed}")
    (photos / "cat").rename(photos / f"c{composed}")
    decisions = decide((f"d{composed}/1.png", "drop", ""), (f"d{decomposed}/2.png", "relabel", f"c{decomposed}"))
    table, rejected = ingest(photos, tmp_path / "store", decisions)
    assert rejected["file"].tolist() == [f"d{decomposed}/1.png"]
    assert table["label"].value_counts().to_dict() == {f"c{composed}": 5, f"d{composed}": 2}
    twice = decide((f"d{composed}/1.png", "drop", ""), (f"d{decomposed}/1.png", "keep", ""))
    with pytest.raises(UserError, match="stands twice in the curation file"):
        ingest(photos, tmp_path / "store", twice)


def test_decisions_of_all_workspaces_act_where_they_name_an_image_and_its_own_say_nothing(
    photos: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    own = decide(("cat/1.png", "keep", ""))
    shared = decide(("cat/1.png", "drop", ""), ("cat/2.png", "drop", ""), ("bird/1.png", "drop", ""))
    _, rejected = ingest(photos, tmp_path / "store", pd.concat([own, shared.assign(source="all.csv")]))
    assert rejected["file"].tolist() == ["cat/2.png"]
    (line,) = said(caplog, logging.WARNING)
    assert line.startswith("Curation: 1 decision about these images read from all.csv, which all workspaces read")


def test_that_an_unreadable_file_is_dropped_is_no_line_that_names_nothing(
    photos: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    (photos / "cat" / "x.png").write_bytes(b"no picture")
    _, rejected = ingest(photos, tmp_path / "store", decide(("cat/x.png", "drop", "")))
    assert rejected["reason"].tolist() == ["not_an_image"]
    assert "name files that are none of these images" not in caplog.text


def test_of_two_files_that_differ_in_how_accents_are_written_a_decision_is_about_the_one_it_names(
    photos: Path, tmp_path: Path
):
    composed, decomposed = (unicodedata.normalize(form, "cat/é.png") for form in ("NFC", "NFD"))
    for seed, name in enumerate((composed, decomposed)):
        draw(photos / name, 200 + seed)
    _, rejected = ingest(photos, tmp_path / "store", decide((composed, "drop", "")))
    assert rejected["file"].tolist() == [composed]


def test_a_name_with_a_line_break_takes_one_row(photos: Path, tmp_path: Path):
    (photos / "cat" / "Icon\r").write_bytes(b"")
    draw(photos / "cat" / "line\nbreak.png", 7)
    table, rejected = ingest(photos, tmp_path / "store", decide(("cat/line\\nbreak.png", "drop", "")))
    assert rejected["file"].tolist() == ["cat/Icon\\r", "cat/line\\nbreak.png"]
    assert len(table) == 8


def test_the_reason_for_which_most_files_are_refused_is_the_one_that_is_told(photos: Path, tmp_path: Path):
    (photos / "a.txt").write_text("a note")
    for path in photos.rglob("*.png"):
        path.write_bytes(b"%PDF-1.7")
    with pytest.raises(
        UserError, match=r"None of the 9 files.*8 format_not_allowed.*For example cat/0.png: It is a PDF"
    ):
        ingest(photos, tmp_path / "store")


def test_where_one_class_is_left_it_is_told_why_the_others_are_not(photos: Path, tmp_path: Path):
    (photos / "cat" / "a.txt").write_text("a note")
    for path in (photos / "dog").iterdir():
        path.write_bytes(b"%PDF-1.7")
    with pytest.raises(UserError, match=r"only one, cat, is left of 9 files .*For example dog/0.png: It is a PDF"):
        ingest(photos, tmp_path / "store")


def test_a_class_has_its_display_name_however_its_accents_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(StagesConfigLoader, "current", None)
    composed, decomposed = (unicodedata.normalize(form, "Kätzchen") for form in ("NFC", "NFD"))
    conf = shutil.copytree(ROOT / "conf", tmp_path / "conf")
    (conf / "photos" / "parameters.yml").write_text(f"display_names:\n  {decomposed}: Kitten\n", encoding="utf-8")
    loader = StagesConfigLoader(str(conf), "photos", base_env="base", default_run_env="local")
    assert loader["parameters"]["display_names"] == {composed: "Kitten"}


def test_of_5000_classes_a_contact_sheet_opens_no_more_pictures_than_it_shows(tmp_path: Path):
    draw(tmp_path / "photo.png", 1)
    Image.open(tmp_path / "photo.png").convert("RGB").save(tmp_path / "abc.jpg")
    table = pd.DataFrame({"label": [f"class {place % 5000:04d}" for place in range(15_000)]})
    table["image_id"] = [f"abc-{place}" for place in range(15_000)]
    opened = []

    class Store(PreparedImages):
        def path(self, image_id: str) -> Path:
            opened.append(image_id)
            return tmp_path / "abc.jpg"

    nodes.show_classes(table, Store(tmp_path, table), {})
    assert len(opened) == 240
