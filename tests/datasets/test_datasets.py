"""What a user may rely on about files that the project writes."""

from __future__ import annotations

import json
import time
import zipfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
import torch
from kedro.io import AbstractDataset, DatasetError, Version
from matplotlib.figure import Figure
from rows import row, table_of

from guitar_kedro.datasets import (
    CheckpointDataset,
    CollectedImagesDataset,
    CurationDataset,
    DrawnImagesDataset,
    DrawnOthersDataset,
    ExplorerDataset,
    FeaturesDataset,
    FigureDataset,
    ImagesToPredictDataset,
    LogDataset,
    MetricsDataset,
    ModelBeforeChangeDataset,
    OptionalMetricsDataset,
    OtherPhotosDataset,
    PhotosDataset,
    PixelsDataset,
    PreparedImagesDataset,
    PretrainedWeightsDataset,
    StudyDataset,
    TableBeforeChangeDataset,
    TableDataset,
    TrialCacheDataset,
)
from guitar_kedro.datasets.changes import ImageLabelRow
from guitar_kedro.errors import UserError
from guitar_kedro.files import strict_json
from guitar_kedro.images import FileRecord
from guitar_kedro.images.downloads import name_for
from guitar_kedro.learning import Checkpoint, ModelSpec
from guitar_kedro.metrics.errors import Errors
from guitar_kedro.metrics.predictions import PredictionRow, UnlabelledPredictionRow
from guitar_kedro.metrics.tta import TtaGain
from guitar_kedro.mistakes import user_error_behind
from guitar_kedro.versions import VERSIONS

SPEC = ModelSpec(
    architecture="resnet18",
    classes=("a", "b"),
    display_names={"a": "A", "b": "B"},
    image_size=32,
    resize_method="squish",
    mean=(0.5, 0.5, 0.5),
    std=(0.2, 0.2, 0.2),
)


def sentence(error: BaseException) -> str:
    found = user_error_behind(error)
    assert found is not None
    return str(found)


def test_classes_called_007_and_na_come_back_as_they_were(tmp_path: Path):
    table = pd.DataFrame({"label": ["007", "NA", "None", "1e3"], "loss": [0.1, 1 / 3, 1e-17, 2.0]})
    dataset = TableDataset(filepath=str(tmp_path / "table.csv"), schema=row(label=str, loss=float))
    dataset.save(table)
    loaded = dataset.load()
    assert loaded["label"].tolist() == table["label"].tolist()
    assert loaded["loss"].tolist() == table["loss"].tolist()


class Dies(Exception):
    """Stands for whatever ends a process while it saves."""


def dying_table() -> pd.DataFrame:
    class Trap:
        def __str__(self) -> str:
            raise Dies

    return pd.DataFrame({"label": ["a"] * 5000 + [Trap()]})


def test_a_save_that_dies_leaves_the_version_before_as_the_latest(tmp_path: Path):
    table = partial(TableDataset, filepath=str(tmp_path / "table.csv"), schema=row(label=str))
    table(version=Version(None, "1")).save(pd.DataFrame({"label": ["good"]}))
    with pytest.raises(DatasetError):
        table(version=Version(None, "2")).save(dying_table())
    assert table(version=Version(None, None)).load()["label"].tolist() == ["good"]
    assert [path.name for path in (tmp_path / "table.csv").iterdir()] == ["1"]


@pytest.mark.parametrize(
    ("dataset", "data"),
    [
        (FigureDataset, Figure()),
        (MetricsDataset, {"accuracy": 1.0}),
        (CheckpointDataset, Checkpoint({"weight": torch.ones(3)}, SPEC)),
    ],
)
def test_nothing_but_the_artifact_and_its_checksums_is_left_behind(tmp_path: Path, dataset: type, data: object):
    place = tmp_path / "artifact"
    dataset(filepath=str(place), version=Version(None, "1")).save(data)
    assert {path.name for path in (place / "1").iterdir()} == {"SHA256SUMS", "artifact"}


def test_a_version_is_never_overwritten(tmp_path: Path):
    dataset = MetricsDataset(filepath=str(tmp_path / "metrics.json"), version=Version(None, "1"))
    dataset.save({"accuracy": 1.0})
    with pytest.raises(DatasetError, match="must not exist"):
        dataset.save({"accuracy": 0.0})


def test_a_checkpoint_comes_back_bit_by_bit(tmp_path: Path):
    weights = {"weight": torch.randn(4, 3), "count": torch.tensor(7)}
    dataset = CheckpointDataset(str(tmp_path / "model"), Version(None, None))
    dataset.save(Checkpoint(weights, SPEC))
    loaded = dataset.load()
    assert all(torch.equal(loaded.weights[name], tensor) for name, tensor in weights.items())
    assert loaded.spec.model_copy(update={"sha256": ""}) == SPEC


def test_a_checkpoint_with_one_flipped_bit_is_refused(tmp_path: Path):
    dataset = CheckpointDataset(str(tmp_path / "model"), Version(None, "1"))
    dataset.save(Checkpoint({"weight": torch.randn(100)}, SPEC))
    file = tmp_path / "model" / "1" / "model" / "weights.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(DatasetError) as caught:
        CheckpointDataset(str(tmp_path / "model"), Version("1", None)).load()
    assert "not as it was saved" in sentence(caught.value)


def curation(tmp_path: Path, text: str | bytes) -> CurationDataset:
    (tmp_path / "curation.csv").write_bytes(text if isinstance(text, bytes) else text.encode())
    return CurationDataset(filepath=str(tmp_path / "curation.csv"))


def test_a_curation_file_that_is_a_link_to_nothing_is_told(tmp_path: Path):
    (tmp_path / "curation.csv").symlink_to("mine.csv")
    with pytest.raises(DatasetError, match=r"curation\.csv is a link to mine\.csv, which is not there"):
        CurationDataset(filepath=str(tmp_path / "curation.csv")).load()


def test_no_curation_file_means_no_decisions(tmp_path: Path):
    assert CurationDataset(filepath=str(tmp_path / "none.csv")).load().empty


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("file,action,label\na,b.jpg,drop,\n", "line 2: it has 4 fields, and the first line names 3"),
        ("file,action,label\na.jpg,drop,\na,b.jpg,relabel,cat\n", "line 3: it has 4 fields"),
        ("file,action,label\na.jpg,drop\n", "line 2: it has 2 fields"),
        ("file,action,label,,\na.jpg,drop,,x,\n", "line 2: it has 5 fields, and the first line names 3"),
        ("file,action,label,hint\na.jpg,drop,,blurred\n", "there is no column 'hint'"),
        ("file,action,label,label\na.jpg,drop,,\n", "the column label stands in the first line twice"),
        ("a.jpg,drop,\n", "there is no column 'a.jpg'; the first line can name file, action, label"),
        ("file,action,label\n,drop,\n", "line 2: the name of the file is missing"),
        ('file,action,label\na.jpg,drop,\n"b.jpg,drop,\n', "line 3: it cannot be read"),
        ('file,action,label\n\n"a\nb.jpg",delete,\n', "line 4: the action 'delete' is none of"),
        ("file,action,label\na.jpg,delete,\n", "line 2: the action 'delete' is none of keep, drop, relabel"),
        ("file,action,label\na.jpg,keep,\nb.jpg,relabel,\n", "line 3: a relabel needs the new label"),
        ("file,action,label\na.jpg,keep,\na.jpg,drop,\n", "a.jpg stands in it twice"),
        ("action,label\nkeep,\n", "the column file is missing"),
    ],
)
def test_a_mistake_in_the_curation_file_is_named_with_its_line(tmp_path: Path, text: str, wrong: str):
    with pytest.raises(DatasetError) as caught:
        curation(tmp_path, text).load()
    assert wrong in sentence(caught.value)


DECISIONS = 'file,action,label\n"caf\u00e9, 1.jpg",drop,\n\n2.jpg, relabel , cat\n'


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_the_curation_file_may_come_from_any_spreadsheet(tmp_path: Path, encoding: str, separator: str, end: str):
    text = DECISIONS.replace("\u00e9,", "\u00e9;").replace(",", separator).replace("\u00e9;", "\u00e9,")
    table = curation(tmp_path, text.replace("\n", end).encode(encoding)).load()
    decided = table[["file", "action", "label"]].to_numpy().tolist()
    assert decided == [["caf\u00e9, 1.jpg", "drop", ""], ["2.jpg", "relabel", "cat"]]


@pytest.mark.parametrize("text", ["", "\n \n\n", "file,action,label", "file;action;label\n", ",,\n"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_curation_file_without_lines_decides_nothing(tmp_path: Path, text: str, encoding: str):
    table = curation(tmp_path, text.encode(encoding)).load()
    assert list(table.columns) == ["file", "action", "label", "by", "when", "why", "source"]
    assert table.empty


@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        (DECISIONS.encode("cp1252"), "line 2: byte 23 of the file, 0xe9, is no UTF-8: save it as UTF-8"),
        (DECISIONS.encode("utf-16")[:-1], "line 4: byte 121 of the file, 0x0a, is no UTF-16: save it as UTF-8"),
        ("file,action".encode("utf-16-le"), "line 1: it has a zero byte"),
        (DECISIONS.encode("utf-32"), "line 1: it has a zero byte"),
        (b"PK\x03\x04\x14\0\x06\0 a workbook", "line 1: it has a zero byte"),
    ],
)
def test_a_curation_file_that_is_no_text_is_told_with_the_line_and_what_to_do(
    tmp_path: Path, content: bytes, wrong: str
):
    with pytest.raises(DatasetError) as caught:
        curation(tmp_path, content).load()
    assert f"{tmp_path / 'curation.csv'}, {wrong}" in sentence(caught.value)


def test_the_label_column_may_be_left_out_when_nothing_is_relabelled(tmp_path: Path):
    assert curation(tmp_path, "file,action\na.jpg,drop\n").load()["action"].tolist() == ["drop"]


def test_the_drawn_set_is_drawn_once_and_another_one_beside_it(tmp_path: Path):
    first = DrawnImagesDataset(str(tmp_path), images_per_class=1, size=48, seed=1)
    drawn = first.load()
    assert len(drawn) == 11
    times = {raw.path: raw.path.stat().st_mtime_ns for raw in drawn}
    assert {raw.path: raw.path.stat().st_mtime_ns for raw in first.load()} == times
    other = DrawnImagesDataset(str(tmp_path), images_per_class=1, size=48, seed=2).load()
    assert not {raw.read() for raw in drawn} & {raw.read() for raw in other}


def test_a_set_that_is_drawn_in_a_newer_way_lies_beside_the_one_of_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    before = DrawnImagesDataset(str(tmp_path), images_per_class=1, size=24, seed=1).load()
    monkeypatch.setitem(VERSIONS, "drawn_pictures", VERSIONS["drawn_pictures"] + 1)
    after = DrawnImagesDataset(str(tmp_path), images_per_class=1, size=24, seed=1).load()
    assert not {raw.path for raw in before} & {raw.path for raw in after}
    assert all(raw.path.exists() for raw in before)


@pytest.mark.parametrize(
    "kind",
    [
        PreparedImagesDataset,
        PixelsDataset,
        FeaturesDataset,
        CollectedImagesDataset,
        PretrainedWeightsDataset,
        TrialCacheDataset,
        StudyDataset,
    ],
)
def test_a_dataset_says_where_it_lies_as_kedro_viz_asks_for_it(tmp_path: Path, kind: type[AbstractDataset]):
    place = tmp_path / "place"
    described = str(kind(filepath=str(place)))
    assert "filepath=" in described
    assert str(place) in described


def _drawing_processes() -> list[psutil.Process]:
    return [each for each in psutil.Process().children() if "LokyProcess" in " ".join(each.cmdline())]


@pytest.mark.process
def test_drawing_that_begins_ahead_stops_without_a_word_and_goes_on_when_pictures_are_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, recwarn: pytest.WarningsRecorder, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "2")
    dataset = DrawnImagesDataset(str(tmp_path), images_per_class=6, size=48, seed=1)
    dataset.begin_drawing()
    end = time.monotonic() + 60
    while not (drawn := set(tmp_path.rglob("*.jpg"))):
        assert time.monotonic() < end
        time.sleep(0.05)
    dataset.stop_drawing()
    assert len(list(tmp_path.rglob("*.jpg"))) < 66
    assert not _drawing_processes()
    assert not recwarn and not caplog.records
    times = {path: path.stat().st_mtime_ns for path in drawn}
    assert len(dataset.load()) == 66
    assert {path: path.stat().st_mtime_ns for path in drawn} == times


@pytest.mark.process
def test_a_drawing_process_that_is_killed_is_told_in_a_sentence_and_the_pictures_are_drawn_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "2")
    dataset = DrawnImagesDataset(str(tmp_path), images_per_class=6, size=48, seed=1)
    dataset.begin_drawing()
    _drawing_processes()[0].kill()
    with pytest.raises(DatasetError) as caught:
        dataset.load()
    assert str(user_error_behind(caught.value)).endswith("run the same command again. What was finished is kept.")
    assert len(dataset.load()) == 66


def test_a_set_that_is_drawn_in_part_counts_as_not_there(tmp_path: Path):
    dataset = DrawnImagesDataset(str(tmp_path), images_per_class=1, size=24, seed=1)
    dataset.load()[0].path.unlink()
    assert dataset.fingerprint() is None
    dataset.load()
    assert dataset.fingerprint() is not None


def test_a_drawn_set_of_no_images_is_refused(tmp_path: Path):
    with pytest.raises(UserError, match="images_per_class=0"):
        DrawnImagesDataset(str(tmp_path), images_per_class=0, size=48, seed=1)


def class_folders(folder: Path, *classes: str) -> Path:
    from PIL import Image

    for label in classes or ("cat", "dog"):
        (folder / label).mkdir(parents=True)
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(folder / label / "a.png")
    return folder


@pytest.mark.parametrize("seed", ["one", -1, 1.5, None, True])
@pytest.mark.parametrize("dataset", [DrawnImagesDataset, DrawnOthersDataset])
def test_a_seed_that_is_no_number_is_refused(tmp_path: Path, dataset: type, seed: object):
    with pytest.raises(UserError, match=r"--params=seed=.*: a seed is a whole number"):
        dataset(str(tmp_path), 1, size=48, seed=seed)


def test_a_workspace_remembers_its_images(tmp_path: Path):
    given = PhotosDataset(str(tmp_path / "pets"), str(class_folders(tmp_path / "photos")))
    given.remember()
    assert PhotosDataset(str(tmp_path / "pets")).load() == given.load()
    with pytest.raises(DatasetError) as caught:
        PhotosDataset(str(tmp_path / "birds")).load()
    assert "Workspace birds has no images yet" in sentence(caught.value)


def test_a_remembered_place_that_is_gone_is_told_as_the_remembered_one(tmp_path: Path):
    PhotosDataset(str(tmp_path / "pets"), str(class_folders(tmp_path / "photos"))).remember()
    (tmp_path / "photos").rename(tmp_path / "moved")
    with pytest.raises(DatasetError) as caught:
        PhotosDataset(str(tmp_path / "pets")).load()
    assert f"{tmp_path / 'photos'} does not exist any more, and an earlier run noted it" in sentence(caught.value)


def test_a_remembered_table_that_is_gone_is_told_as_the_remembered_one(tmp_path: Path):
    photos, table = class_folders(tmp_path / "photos"), tmp_path / "labels.csv"
    table.write_text("file,label\n")
    PhotosDataset(str(tmp_path / "pets"), str(photos), labels=str(table)).remember()
    table.unlink()
    with pytest.raises(DatasetError) as caught:
        PhotosDataset(str(tmp_path / "pets")).load()
    assert f"{table} does not exist any more, and an earlier run noted it as the table" in sentence(caught.value)


def test_a_checksum_is_one_and_is_compared_where_a_run_may_skip_loading(tmp_path: Path):
    for wrong in ("abc", "g" * 64, 7):
        with pytest.raises(UserError, match="a SHA-256 has 64 hexadecimal digits"):
            PhotosDataset(str(tmp_path / "pets"), "photos.tgz", sha256=wrong)
    (tmp_path / "photos.tgz").write_bytes(b"an archive")
    with pytest.raises(UserError, match="has the SHA-256 checksum"):
        PhotosDataset(str(tmp_path / "pets"), str(tmp_path / "photos.tgz"), sha256="0" * 64).fingerprint()


def test_a_photo_that_comes_while_a_run_checks_its_images_is_taken_with_them(tmp_path: Path):
    files = [f"{label}/{number}.jpg" for label in ("cat", "dog") for number in range(3)]
    for name in files:
        (tmp_path / "pets" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "pets" / name).write_bytes(b"x")
    photos = PhotosDataset(str(tmp_path / "ours"), str(tmp_path / "pets"))
    listed = photos.at_hand()
    assert photos.load() is listed
    photos.at_hand()
    (tmp_path / "pets/cat/late.jpg").write_bytes(b"x")
    assert sorted(image.file for image in photos.load()) == sorted([*files, "cat/late.jpg"])


@pytest.mark.parametrize("given", ["nowhere", "one_class", "empty", "a_file"])
def test_a_place_that_cannot_be_used_is_not_remembered(tmp_path: Path, given: str):
    PhotosDataset(str(tmp_path / "pets"), str(class_folders(tmp_path / "photos"))).remember()
    class_folders(tmp_path / "one_class", "cat")
    (tmp_path / "empty").mkdir()
    (tmp_path / "a_file").write_text("no archive", encoding="utf-8")
    PhotosDataset(str(tmp_path / "pets"), str(tmp_path / given)).remember()
    assert PhotosDataset(str(tmp_path / "pets")).place() == tmp_path / "photos"


def test_the_place_that_an_earlier_version_noted_among_the_raw_images_is_found_and_the_note_taken_from_there(
    tmp_path: Path,
):
    pets = tmp_path / "01_raw" / "pets"
    (pets / "downloads").mkdir(parents=True)
    address = "https://127.0.0.1:9/pets.zip"
    fetched = f"downloads/{name_for(address)}"
    (pets / fetched).write_bytes(b"fetched")
    (pets / "source.json").write_text(json.dumps({"images": address}), encoding="utf-8")
    dataset = PhotosDataset(str(tmp_path / "02_intermediate" / "pets"))
    before = dataset.fingerprint()
    assert before is not None
    dataset.remember()
    assert dataset.fingerprint() == before
    assert list(pets.iterdir()) == []
    assert (tmp_path / "02_intermediate/pets" / fetched).exists()


def test_a_folder_of_the_users_that_is_called_like_ours_is_left_where_it_is(tmp_path: Path):
    pets = class_folders(tmp_path / "01_raw" / "pets", "downloads", "unpacked")
    Path(pets, "downloads", "a.png").rename(pets / "downloads" / "IMG-20240101.png")
    (pets / "source.json").write_text(json.dumps({"images": str(pets)}), encoding="utf-8")
    dataset = PhotosDataset(str(tmp_path / "02_intermediate" / "pets"))
    dataset.remember()
    assert [raw.file for raw in dataset.load()] == ["downloads/IMG-20240101.png", "unpacked/a.png"]


@pytest.mark.parametrize("content", [b"", b"[]", b'{"images": 7}', b'"pets"', b'{"images": "caf\xe9"}', b"\xff\xfe{"])
def test_a_note_that_somebody_spoilt_is_told_with_what_to_do(tmp_path: Path, content: bytes):
    (tmp_path / "source.json").write_bytes(content)
    with pytest.raises(UserError, match=r"source\.json does not say where .* remove it, and name them with --params="):
        PhotosDataset(str(tmp_path)).fingerprint()


@pytest.mark.parametrize("made", [PhotosDataset, OtherPhotosDataset, ImagesToPredictDataset])
@pytest.mark.parametrize("inside", ["", "data", "data/02_intermediate", "data/03_primary/pets"])
def test_pictures_in_a_folder_to_which_the_project_writes_are_refused(tmp_path: Path, made: type, inside: str):
    class_folders(tmp_path / "data/02_intermediate/pets/photos")
    prepared = class_folders(tmp_path / "data/03_primary/pets") / "prepared_images"
    with pytest.raises(UserError, match=r"is no place for pictures, since this project writes to .*/pets"):
        made(str(tmp_path / "data/02_intermediate/pets"), str(tmp_path / inside)).refuse_written([prepared])


@pytest.mark.parametrize("made", [PhotosDataset, OtherPhotosDataset, ImagesToPredictDataset])
def test_a_folder_of_pictures_is_as_it_was_after_it_and_an_archive_in_it_were_used(tmp_path: Path, made: type):
    pets = class_folders(tmp_path / "data/01_raw/pets")
    with zipfile.ZipFile(pets / "pets.zip", "w") as archive:
        for path in pets.glob("*/a.png"):
            archive.write(path, path.relative_to(pets))
    before = sorted(pets.rglob("*"))
    for place in (pets, pets / "pets.zip"):
        dataset = made(str(tmp_path / "data/02_intermediate/pets"), str(place))
        dataset.refuse_written([tmp_path / "data/03_primary/pets"])
        if isinstance(dataset, PhotosDataset):
            dataset.remember()
        assert len([raw for raw in dataset.load() if raw.file.endswith("a.png")]) == 2
    assert sorted(pets.rglob("*")) == before


@pytest.mark.parametrize("made", [PhotosDataset, OtherPhotosDataset, ImagesToPredictDataset])
@pytest.mark.parametrize(
    ("place", "wrong"),
    [
        ("~nobody_is_called_so/pets", "begins with a home folder that there is not"),
        ("~nobody_is_called_so", "or ./~nobody_is_called_so if something here is called so"),
        ("x" * 300, "cannot be looked at (File name too long)"),
        ("a\0b", "cannot be looked at (embedded null byte)"),
        ("loop/pets", "cannot be looked at (Too many levels of symbolic links)"),
        ("http://[pets", "is no address (Invalid IPv6 URL)"),
    ],
)
def test_a_place_at_which_nobody_can_look_is_told_in_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, made: type, place: str, wrong: str
):
    monkeypatch.chdir(tmp_path)
    Path("loop").symlink_to("loop")
    for ask in ("load", "fingerprint"):
        with pytest.raises((UserError, DatasetError)) as caught:
            getattr(made(str(tmp_path / "own"), place), ask)()
        assert wrong in sentence(caught.value)


def test_the_drawn_others_lie_beside_the_guitars_and_are_labelled_by_their_kind(tmp_path: Path):
    from guitar_kedro.demo import OTHERS

    guitars = DrawnImagesDataset(str(tmp_path), images_per_class=1, size=24, seed=1)
    others = DrawnOthersDataset(str(tmp_path), images_per_class=2, size=24, seed=1).load()
    assert [raw.label for raw in others] == [kind for kind in OTHERS for _ in range(2)]
    assert len(guitars.load()) == 11
    times = [raw.path.stat().st_mtime_ns for raw in others]
    again = DrawnOthersDataset(str(tmp_path), images_per_class=2, size=24, seed=1).load()
    assert [raw.path.stat().st_mtime_ns for raw in again] == times


def test_drawn_others_of_no_images_are_refused(tmp_path: Path):
    with pytest.raises(UserError, match="images_per_class=0"):
        DrawnOthersDataset(str(tmp_path), images_per_class=0, size=24, seed=1)


def test_no_other_photos_named_means_none(tmp_path: Path):
    assert OtherPhotosDataset(str(tmp_path / "others")).load() == []
    assert not (tmp_path / "others").exists()


def test_other_photos_need_no_class_folders(tmp_path: Path):
    photos = tmp_path / "photos"
    photos.mkdir()
    (photos / "a.png").write_bytes(b"one")
    assert [raw.file for raw in OtherPhotosDataset(str(tmp_path / "others"), str(photos)).load()] == ["a.png"]


def test_other_photos_that_are_not_there_are_named(tmp_path: Path):
    with pytest.raises(DatasetError) as caught:
        OtherPhotosDataset(str(tmp_path / "others"), str(tmp_path / "nowhere")).load()
    assert "nowhere does not exist" in sentence(caught.value)


def test_a_log_keeps_every_row_with_the_time_at_which_it_came(tmp_path: Path):
    log = LogDataset(filepath=str(tmp_path / "log.csv"), schema=row(model_version=str, errors=int, time=str))
    for errors in (3, 2):
        log.save(pd.DataFrame({"model_version": ["0e12"], "errors": [errors]}))
    assert log.load()["errors"].tolist() == [3, 2]
    assert log.load()["model_version"].tolist() == ["0e12", "0e12"]
    assert pd.to_datetime(log.load()["time"]).is_monotonic_increasing


def test_a_number_that_is_missing_comes_back_as_missing_and_a_text_as_empty(tmp_path: Path):
    dataset = TableDataset(filepath=str(tmp_path / "table.csv"), schema=row(label=str, seconds=float))
    dataset.save(pd.DataFrame({"label": ["", "b"], "seconds": [np.nan, 1.5]}))
    assert dataset.load()["label"].tolist() == ["", "b"]
    assert dataset.load()["seconds"].isna().tolist() == [True, False]
    assert dataset.load()["seconds"].sum() == 1.5


class Runs:
    """What runs at different times saved as predictions and image_labels."""

    def __init__(self, folder: Path) -> None:
        self.paths = {name: str(folder / f"{name}.csv") for name in ("predictions", "image_labels")}

    def run(self, version: str, *images: str, evaluates: bool = True) -> None:
        tables = {"image_labels": (ImageLabelRow, list(images))}
        tables |= {"predictions": (PredictionRow, [version])} if evaluates else {}
        for name, (schema, files) in tables.items():
            dataset = TableDataset(filepath=self.paths[name], schema=schema, version=Version(None, version))
            dataset.save(table_of(schema, file=files))

    def before_change(self, name: str = "predictions") -> list[str]:
        schema = {"predictions": PredictionRow, "image_labels": ImageLabelRow}[name]
        dataset = TableBeforeChangeDataset(self.paths[name], **self.paths, schema=schema)
        return dataset.load().get("file", pd.Series(dtype=str)).tolist()


def test_the_last_predictions_before_the_images_changed_are_found_with_their_images(tmp_path: Path):
    runs = Runs(tmp_path)
    assert runs.before_change() == []
    runs.run("2026-01-01")
    runs.run("2026-01-02")
    assert runs.before_change() == []
    runs.run("2026-01-03", "a.jpg")
    runs.run("2026-01-04", "a.jpg")
    assert runs.before_change() == ["2026-01-02"]
    runs.run("2026-01-05", "a.jpg", "b.jpg", evaluates=False)
    assert runs.before_change() == ["2026-01-04"]
    runs.run("2026-01-06", "c.jpg")
    assert runs.before_change() == ["2026-01-04"]
    assert runs.before_change("image_labels") == ["a.jpg"]


def test_the_model_before_the_images_changed_is_the_one_of_those_predictions(tmp_path: Path):
    runs = Runs(tmp_path)
    model = str(tmp_path / "model")
    dataset = ModelBeforeChangeDataset(model, **runs.paths)
    assert dataset.load() == {}
    for day, size in (("2026-01-01", 32), ("2026-01-03", 64)):
        spec = SPEC.model_copy(update={"image_size": size})
        CheckpointDataset(model, Version(None, day)).save(Checkpoint({"weight": torch.ones(1)}, spec))
    runs.run("2026-01-01")
    runs.run("2026-01-02")
    runs.run("2026-01-03", "a.jpg")
    assert dataset.load()["image_size"] == 32
    assert tmp_path / "model" / "2026-01-01" in dataset.needed()


def test_numbers_that_are_none_are_saved_as_null_and_load_as_none(tmp_path: Path):
    place = tmp_path / "metrics.json"
    numbers = {"loss": np.float64("inf"), "rates": (float("nan"), 0.5), "deep": [{"low": -np.inf}], "images": 3}
    dataset = MetricsDataset(filepath=str(place))
    dataset.save(numbers)
    assert dataset.load() == {"loss": None, "rates": [None, 0.5], "deep": [{"low": None}], "images": 3}
    assert not {"Infinity", "NaN"} & set(place.read_text().replace(",", " ").split())
    assert strict_json({"loss": float("nan")}) == '{"loss": null}'


def test_typed_numbers_load_as_what_they_were_saved_as(tmp_path: Path):
    place = tmp_path / "tta_gain.json"
    dataset = MetricsDataset(filepath=str(place), schema="guitar_kedro.metrics.tta.TtaGain")
    dataset.save(TtaGain(views=0))
    assert json.loads(place.read_text()) == json.loads(dataset.preview()) == {"views": 0}
    assert dataset.load() == TtaGain(views=0)
    with pytest.raises(DatasetError, match=r"dict is not guitar_kedro\.metrics\.tta\.TtaGain"):
        dataset.save({"views": 0})
    place.write_text('{"views": "many"}')
    with pytest.raises(DatasetError, match=r"tta_gain\.json is not what .* saves \(views: .*\): remove it"):
        dataset.load()


def test_a_typed_number_that_is_none_is_null_or_refused():
    numbers = {"images": 3, "errors": 1, "error_low": 0.1, "error_high": 0.8}
    assert Errors(**numbers, error_rate=float("nan")).error_rate is None
    with pytest.raises(ValueError, match="finite"):
        Errors(**{**numbers, "error_low": float("nan")}, error_rate=0.3)


def test_numbers_that_were_not_computed_yet_are_none(tmp_path: Path):
    place, schema = str(tmp_path / "x.json"), "guitar_kedro.metrics.random_split.Leakage"
    assert OptionalMetricsDataset(filepath=place, schema=schema).load() is None


def test_a_figure_to_point_at_holds_no_nan_either(tmp_path: Path):
    from plotly.graph_objects import Figure, Heatmap

    dataset = ExplorerDataset(filepath=str(tmp_path / "explorer.json"))
    dataset.save(Figure(Heatmap(z=[[float("nan"), float("inf"), 1.0]])))
    assert json.loads((tmp_path / "explorer.json").read_text(), parse_constant=pytest.fail)["data"]


def test_a_spec_is_strict_json_whatever_is_in_its_provenance():
    spec = SPEC.model_copy(update={"provenance": {"learning_rates": [float("inf"), float("nan")]}})
    assert json.loads(spec.model_dump_json(), parse_constant=pytest.fail)["provenance"] == {
        "learning_rates": [None, None]
    }


def test_raw_images_are_known_by_name_size_and_time_wherever_they_lie(tmp_path: Path):
    photos = class_folders(tmp_path / "photos")
    before = PhotosDataset(str(tmp_path / "pets"), str(photos)).fingerprint()
    assert before is not None
    photos.rename(tmp_path / "moved")
    moved = PhotosDataset(str(tmp_path / "pets"), str(tmp_path / "moved"))
    assert moved.fingerprint() == before
    (tmp_path / "moved" / "cat" / "b.png").write_bytes(b"one more")
    assert moved.fingerprint() != before


def test_asking_whether_images_changed_draws_and_fetches_none(tmp_path: Path):
    assert DrawnImagesDataset(str(tmp_path / "drawn"), images_per_class=1, size=48, seed=1).fingerprint() is None
    assert PhotosDataset(str(tmp_path / "pets")).fingerprint() is None
    assert PhotosDataset(str(tmp_path / "pets"), "https://127.0.0.1:9/photos.zip").fingerprint() is not None
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("dataset", [PhotosDataset, OtherPhotosDataset, ImagesToPredictDataset])
def test_a_name_that_was_read_as_a_number_is_refused(tmp_path: Path, dataset: type):
    with pytest.raises(UserError, match=r"images=202405 is read as a number; put ./ before the name"):
        dataset(str(tmp_path), images=202405)


@pytest.mark.parametrize("dataset", [PhotosDataset, OtherPhotosDataset, ImagesToPredictDataset])
def test_images_whose_names_are_read_in_another_encoding_are_other_images(tmp_path: Path, dataset: type):
    import tarfile

    with tarfile.open(tmp_path / "a.tar", "w", encoding="cp866", format=tarfile.GNU_FORMAT) as archive:
        for name in ("кот/1.jpg", "dog/1.jpg"):
            archive.addfile(tarfile.TarInfo(name))
    before, after = (dataset(str(tmp_path), str(tmp_path / "a.tar"), names_encoding=each) for each in (None, 866))
    assert "кот" not in {raw.label for raw in before.load()}
    assert {raw.label for raw in after.load()} == {"кот", "dog"}
    assert before.fingerprint() != after.fingerprint()
    with pytest.raises(UserError, match="names_encoding=cp9999: there is no such encoding"):
        dataset(str(tmp_path), str(tmp_path / "a.tar"), names_encoding="cp9999")


@pytest.mark.parametrize("lose", [Path.unlink, partial(Path.write_bytes, data=b"")], ids=["removed", "emptied"])
def test_prepared_images_of_which_one_is_lost_count_as_missing(tmp_path: Path, lose: Callable[[Path], object]):
    dataset = PreparedImagesDataset(str(tmp_path))
    record = FileRecord("cat/a.jpg", "cat", "cat/a.jpg", 8, 8, prepared="abc")
    broken = FileRecord("cat/b.jpg", "cat", "cat/b.jpg", reason="broken")
    dataset.save(lambda _: (each for each in [(record, b"jpeg"), (broken, None)]))
    assert dataset.fingerprint() is not None
    lose(tmp_path / "abc.jpg")
    assert dataset.fingerprint() is None
    assert list(PreparedImagesDataset(str(tmp_path)).earlier()) == ["cat/b.jpg"]
    dataset.save(lambda _: (each for each in [(record, b"jpeg"), (broken, None)]))
    assert (tmp_path / "abc.jpg").read_bytes() == b"jpeg"


def test_what_a_run_drew_and_prepared_is_opened_whatever_pillow_refuses(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    from PIL import Image

    from guitar_kedro.images import open_thumbnail

    Image.new("RGB", (300, 200)).save(tmp_path / "prepared.jpg")
    figure = FigureDataset(filepath=str(tmp_path / "figure.png"))
    figure.save(Figure())
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with ThreadPoolExecutor(8) as threads:
        jobs = [threads.submit(figure.load) for _ in range(20)]
        jobs += [threads.submit(open_thumbnail, tmp_path / "prepared.jpg", 64) for _ in range(20)]
        assert {job.result().size for job in jobs} == {(640, 480), (64, 43)}
        with pytest.raises(Image.DecompressionBombError):
            Image.open(tmp_path / "prepared.jpg")
    assert Image.MAX_IMAGE_PIXELS == 10


def test_a_preview_of_5000_probabilities_has_few_columns_and_says_so(tmp_path: Path):
    columns = {f"probability_{place:04d}": [0.5] * 9 for place in range(5000)}
    table = table_of(UnlabelledPredictionRow, file=["007"] * 9, predicted=["cat"] * 9)
    table = pd.concat([table, pd.DataFrame(columns)], axis=1)
    dataset = TableDataset(filepath=str(tmp_path / "predictions.csv"), schema=UnlabelledPredictionRow)
    dataset.save(table)
    preview = dataset.preview(nrows=3)
    assert preview["columns"][:3] == ["file", "predicted", "energy"]
    assert preview["data"][0][:3] == ["007", "cat", 0.0]
    assert (len(preview["columns"]), preview["columns"][-1], preview["data"][0][-1]) == (41, "…", "4,963 more columns")
    assert len(json.dumps(preview)) < 5_000


def test_a_preview_of_few_columns_is_the_table(tmp_path: Path):
    dataset = TableDataset(filepath=str(tmp_path / "table.csv"), schema=row(label=str, seconds=float))
    dataset.save(pd.DataFrame({"label": ["a", "b"], "seconds": [1.0, np.nan]}))
    preview = dataset.preview()
    assert preview["columns"] == ["label", "seconds"]
    assert preview["data"][0] == ["a", 1.0]
