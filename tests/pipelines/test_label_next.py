"""What a user may rely on about pictures that come without a label."""

from __future__ import annotations

import logging
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from class_folders import photos_in_folder
from PIL import Image
from small_project import Kedro

from guitar_kedro.datasets import OptionalPreparedImagesDataset, PreparedImagesDataset
from guitar_kedro.errors import UserError
from guitar_kedro.images.sources import find_images
from guitar_kedro.images.store import PreparedImages
from guitar_kedro.pipelines.cross_validation.nodes import split_at_random
from guitar_kedro.pipelines.ingestion import nodes as ingestion
from guitar_kedro.pipelines.ingestion.accepting import accept_images
from guitar_kedro.pipelines.label_next.nodes import list_unlabelled, prepare_unlabelled
from guitar_kedro.pipelines.splitting import nodes as splitting
from guitar_kedro.pipelines.splitting.options import SplittingOptions

PREPARING: dict[str, Any] = {
    "max_side": 64,
    "quality": 90,
    "max_bytes": 10**6,
    "max_pixels": 10**6,
    "max_frames": 10,
    "cluster": None,
}
DISTANCE = 4
SPLITTING = SplittingOptions(validation=0.2, test=0.1)


def draw(path: Path, seed: int, **options: object) -> None:
    """Draws coarse blocks, so that different seeds look different and small changes do not matter."""
    path.parent.mkdir(parents=True, exist_ok=True)
    blocks = np.random.default_rng(seed).integers(0, 256, (6, 6, 3), dtype=np.uint8)
    Image.fromarray(blocks).resize((48, 40), Image.Resampling.BICUBIC).save(path, **options)


def images_of(counts: dict[str, int]) -> pd.DataFrame:
    """Makes a table with so many images of each class."""
    rows = [(label, f"{label}{number}") for label, count in counts.items() for number in range(count)]
    table = pd.DataFrame(rows, columns=["label", "image_id"])
    file = table["label"] + "/" + table["image_id"] + ".jpg"
    return table.assign(duplicate_group=range(len(table)), file=file, given_split="", group="")


def split_images(table: pd.DataFrame, options: SplittingOptions, earlier: pd.DataFrame | None = None) -> pd.DataFrame:
    """Splits images, as the first run of a workspace does."""
    hashed = table.assign(file_hash="f" + table["image_id"], pixel_hash="p" + table["image_id"])
    return splitting.split_images(hashed, options, 1, pd.DataFrame() if earlier is None else earlier)[0]


class Folders:
    """Photos of two classes, and a folder of pictures without labels."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.photos, self.new = folder, folder / "photos", folder / "new"
        self.lines: list[tuple[str, str, str]] = []
        self.unlabelled = OptionalPreparedImagesDataset(str(folder / "unlabelled"))
        for number in range(4):
            draw(self.photos / "cat" / f"{number}.png", number)
            draw(self.photos / "zebra" / f"{number}.png", 100 + number)
        for number in range(3):
            draw(self.new / "summer" / f"{number}.png", 200 + number)

    @property
    def curation(self) -> pd.DataFrame:
        columns = ["file", "action", "label"]
        table = pd.DataFrame(self.lines, columns=columns, dtype="str")
        return table.assign(source="", by="ann", when="2026-11-29T12:00:00+00:00", why="predicted cat, 40 %")

    def look(self) -> pd.DataFrame:
        """Does what the pipeline does before it predicts."""
        found = find_images(str(self.new), self.folder)
        self.unlabelled.save(prepare_unlabelled(found, self.curation, **PREPARING))
        table, _ = self.ingest()
        return list_unlabelled(self.unlabelled.load(), table, self.curation, DISTANCE)

    def names(self) -> dict[str, str]:
        """Names in the curation file by those in the folder."""
        table = self.look()
        return dict(zip(table["name"], table["file"], strict=True))

    def decide(self, name: str, action: str, label: str = "") -> None:
        self.lines.append((name, action, label))

    def ingest(self) -> tuple[pd.DataFrame, pd.DataFrame]:
        """Ingests the photos and what was accepted."""
        unlabelled, store = self.unlabelled.load(), PreparedImagesDataset(str(self.folder / "prepared"))
        accepted = accept_images(unlabelled, self.curation)
        photos = photos_in_folder(self.photos)
        store.save(
            ingestion.prepare_images(photos, **PREPARING, accepted_images=accepted, unlabelled_pictures=unlabelled)
        )
        prepared = store.load()
        table, rejected, _ = ingestion.build_image_table(prepared, self.curation, DISTANCE, accepted)
        assert all(prepared.path(image_id).exists() for image_id in table["image_id"])
        return table, rejected


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    return Folders(tmp_path)


def test_every_file_is_in_the_table_with_the_reason_why_nobody_is_asked_about_it(folders: Folders):
    draw(folders.new / "copy.jpg", 200, quality=95)
    draw(folders.new / "known.jpg", 1, quality=95)
    (folders.new / "broken.jpg").write_bytes(b"no picture")
    table = folders.look().set_index("name")
    assert table["reason"].to_dict() == {
        "broken.jpg": "not_an_image",
        "copy.jpg": "",
        "known.jpg": "near_duplicate",
        "summer/0.png": "near_duplicate",
        "summer/1.png": "",
        "summer/2.png": "",
    }
    assert table.at["known.jpg", "detail"] == "It looks like cat/1.png."
    assert table.at["summer/0.png", "detail"] == "It looks like copy.jpg."


def test_where_nothing_is_left_to_ask_about_it_is_said(folders: Folders):
    for name in folders.names().values():
        folders.decide(name, "drop")
    with pytest.raises(UserError, match=r"No picture without a label is left to be asked about \(3 decided\)"):
        folders.look()


def test_what_was_accepted_has_its_class_and_says_where_it_came_from_who_decided_when_and_why(folders: Folders):
    names = folders.names()
    folders.decide(names["summer/0.png"], "keep", "cat")
    folders.decide(names["summer/1.png"], "relabel", "zebra")
    folders.decide(names["summer/2.png"], "drop")
    table, rejected = folders.ingest()
    accepted = table[table["accepted_by"] != ""]
    assert accepted["label"].tolist() == ["cat", "zebra"]
    assert accepted["source"].tolist() == [str(folders.new / "summer" / f"{number}.png") for number in (0, 1)]
    assert accepted.iloc[0][["accepted_by", "accepted_when", "accepted_why"]].tolist() == [
        "ann",
        "2026-11-29T12:00:00+00:00",
        "predicted cat, 40 %",
    ]
    assert rejected.empty


def test_a_decision_holds_though_the_folder_changes_or_goes_and_is_about_that_content_alone(folders: Folders):
    name = folders.names()["summer/0.png"]
    folders.decide(name, "keep", "cat")
    draw(folders.new / "summer" / "0.png", 300)  # another picture of the same name
    assert folders.names()["summer/0.png"] != name
    shutil.rmtree(folders.new)
    draw(folders.new / "other.png", 400)
    table = folders.look()
    assert table.set_index("file")["reason"].to_dict() == {
        name: "decided",
        table.loc[table["name"] == "other.png", "file"].iloc[0]: "",
    }
    assert name in set(folders.ingest()[0]["file"])


def test_a_picture_that_was_renamed_keeps_the_name_that_was_decided_about(folders: Folders):
    name = folders.names()["summer/0.png"]
    folders.decide(name, "keep", "cat")
    (folders.new / "summer" / "0.png").rename(folders.new / "renamed.png")
    assert folders.names()["renamed.png"] == name


def test_near_duplicates_of_images_and_new_classes_stay_out_and_leave_the_images_as_they_were(
    folders: Folders, caplog: pytest.LogCaptureFixture
):
    before, _ = folders.ingest()
    draw(folders.new / "alike.jpg", 101, quality=95)
    shutil.copy(folders.photos / "zebra" / "2.png", folders.new / "same.png")
    found = find_images(str(folders.new), folders.folder)
    folders.unlabelled.save(prepare_unlabelled(found, folders.curation, **PREPARING))
    table = list_unlabelled(folders.unlabelled.load(), before.iloc[:0], folders.curation, DISTANCE)
    for row in table.itertuples():
        folders.decide(row.file, "keep", "lion" if row.name == "summer/0.png" else "cat")
    with caplog.at_level(logging.INFO):
        after, rejected = folders.ingest()
    assert rejected["reason"].value_counts().to_dict() == {"near_duplicate": 2, "no_such_class": 1}
    assert after.iloc[: len(before)].equals(before)
    assert "Accepted: 2 pictures without labels for the training part" in caplog.text
    assert "Accepted, but left out: 3 pictures" in caplog.text


@pytest.mark.parametrize(
    ("lines", "sentence"),
    [
        ([("a.png", "keep", "")], "without a class"),
        ([("a.png", "keep", "cat"), ("b.png", "drop", "")], "has two lines about one picture"),
    ],
)
def test_a_line_that_cannot_be_followed_is_named(lines: list[tuple[str, str, str]], sentence: str, folders: Folders):
    for name, action, label in lines:
        folders.decide(f"unlabelled:{'0' * 20}/{name}", action, label)
    with pytest.raises(UserError, match=sentence):
        accept_images(folders.unlabelled.load(), folders.curation)


def test_what_was_accepted_and_is_not_at_hand_any_more_is_said(folders: Folders, caplog: pytest.LogCaptureFixture):
    folders.decide(f"unlabelled:{'0' * 20}/a.png", "keep", "cat")
    assert accept_images(PreparedImages(folders.new, folders.unlabelled.load().records), folders.curation).empty
    assert "Accepted, but not at hand any more: 1 picture" in caplog.text


def with_accepted(table: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Adds accepted pictures of these names to a table of images."""
    first = table["duplicate_group"].max() + 1
    files = [f"unlabelled:{number:020x}/{name}" for number, name in enumerate(names)]
    added = pd.DataFrame({"file": files, "label": "a", "image_id": files, "given_split": "", "group": ""})
    return pd.concat([table, added.assign(duplicate_group=range(first, first + len(files)))], ignore_index=True)


def test_accepted_pictures_are_for_training_alone_and_change_nothing_for_the_others():
    table = images_of({"a": 60, "b": 40})
    before = split_images(table, SPLITTING)
    splits = split_images(with_accepted(table, [f"{number}.jpg" for number in range(50)]), SPLITTING)
    assert splits[~splits["accepted"]].drop(columns="accepted").equals(before)
    assert splits.loc[splits["accepted"], "split"].tolist() == ["train"] * 50
    random = split_at_random(splits, 1)
    assert (random.loc[splits["accepted"], "split"] == "train").all()
    assert not random.loc[~splits["accepted"], "split"].equals(before["split"])


def test_an_accepted_picture_of_a_group_of_the_held_out_parts_stays_out(caplog: pytest.LogCaptureFixture):
    table = images_of({"a": 60, "b": 40})
    table["file"] = [f"{label}/guitar{number}_1.jpg" for number, label in enumerate(table["label"])]
    options = SplittingOptions(validation=0.2, test=0.1, group_from="(guitar\\d+)_")
    parts = split_images(table, options).set_index("image_id")["split"]
    everyone = with_accepted(table, [f"guitar{number}_2.jpg" for number in range(100)])
    splits = split_images(everyone, options)
    joined = splits.loc[splits["accepted"], "image_id"]
    assert len(joined) == (parts == "train").sum()
    assert f"{100 - len(joined)} accepted pictures stay out of the training part" in caplog.text


def test_a_picture_that_was_trained_on_without_a_label_is_never_tested_when_it_comes_with_one():
    table = images_of({"a": 60, "b": 40})
    hashed = table.assign(file_hash="f" + table["image_id"], pixel_hash="p" + table["image_id"])
    tested = splitting.split_images(hashed, SPLITTING, 1, pd.DataFrame())[0].query("split == 'test'")["image_id"]
    later = hashed["image_id"] == tested.iloc[0]
    accepted = hashed[later].assign(file=f"unlabelled:{'0' * 20}/a.jpg")
    _, earlier = splitting.split_images(pd.concat([hashed[~later], accepted]), SPLITTING, 1, pd.DataFrame())
    splits, _ = splitting.split_images(hashed, SPLITTING, 1, earlier)
    assert splits.loc[splits["image_id"] == tested.iloc[0], "split"].tolist() == ["train"]


def test_pictures_without_labels_are_named_to_no_other_pipeline(kedro: Kedro):
    run = kedro("run", "--params=unlabelled=new")
    assert run.returncode != 0
    assert "kedro run --pipeline=label_next" in run.stderr + run.stdout
