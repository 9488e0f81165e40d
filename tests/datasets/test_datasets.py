"""What a user may rely on about files that the project writes."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from kedro.io import DatasetError, Version
from matplotlib.figure import Figure

from guitar_kedro.datasets import (
    CheckpointDataset,
    CurationDataset,
    DrawnImagesDataset,
    DrawnOthersDataset,
    EarlierImagesDataset,
    FigureDataset,
    ImagesToPredictDataset,
    LogDataset,
    MetricsDataset,
    OtherPhotosDataset,
    PhotosDataset,
    PredictionsBeforeCurationDataset,
    PreparedImagesDataset,
    TableDataset,
)
from guitar_kedro.errors import UserError, user_error_behind
from guitar_kedro.images import FileRecord
from guitar_kedro.learning import Checkpoint, ModelSpec

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
    dataset = TableDataset(filepath=str(tmp_path / "table.csv"))
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
    place = str(tmp_path / "table.csv")
    TableDataset(filepath=place, version=Version(None, "1")).save(pd.DataFrame({"label": ["good"]}))
    with pytest.raises(DatasetError):
        TableDataset(filepath=place, version=Version(None, "2")).save(dying_table())
    assert TableDataset(filepath=place, version=Version(None, None)).load()["label"].tolist() == ["good"]
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


def curation(tmp_path: Path, text: str) -> CurationDataset:
    (tmp_path / "curation.csv").write_text(text)
    return CurationDataset(filepath=str(tmp_path / "curation.csv"))


def test_no_curation_file_means_no_decisions(tmp_path: Path):
    assert CurationDataset(filepath=str(tmp_path / "none.csv")).load().empty


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("file,action,label\na.jpg,delete,\n", "line 2: the action 'delete' is none of keep, drop, relabel"),
        ("file,action,label\na.jpg,keep,\nb.jpg,relabel,\n", "line 3: a relabel needs the new label"),
        ("file,action,label\na.jpg,keep,\na.jpg,drop,\n", "a.jpg stands in it twice"),
        ("name,action\na.jpg,keep\n", "the column file is missing"),
    ],
)
def test_a_mistake_in_the_curation_file_is_named_with_its_line(tmp_path: Path, text: str, wrong: str):
    with pytest.raises(DatasetError) as caught:
        curation(tmp_path, text).load()
    assert wrong in sentence(caught.value)


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


def test_a_drawn_set_of_no_images_is_refused(tmp_path: Path):
    with pytest.raises(UserError, match="images_per_class=0"):
        DrawnImagesDataset(str(tmp_path), images_per_class=0, size=48, seed=1)


def test_a_workspace_remembers_its_images(tmp_path: Path):
    from PIL import Image

    photos = tmp_path / "photos"
    for label in ("cat", "dog"):
        (photos / label).mkdir(parents=True)
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(photos / label / "a.png")
    first = PhotosDataset(str(tmp_path / "pets"), str(photos)).load()
    assert PhotosDataset(str(tmp_path / "pets")).load() == first
    with pytest.raises(DatasetError) as caught:
        PhotosDataset(str(tmp_path / "birds")).load()
    assert "Workspace birds has no images yet" in sentence(caught.value)


def test_the_drawn_others_lie_beside_the_guitars_and_are_labelled_by_their_kind(tmp_path: Path):
    from guitar_kedro.images.drawing import OTHERS

    guitars = DrawnImagesDataset(str(tmp_path), images_per_class=1, size=24, seed=1)
    others = DrawnOthersDataset(str(tmp_path), images_per_kind=2, size=24, seed=1).load()
    assert [raw.label for raw in others] == [kind for kind in OTHERS for _ in range(2)]
    assert len(guitars.load()) == 11
    times = [raw.path.stat().st_mtime_ns for raw in others]
    again = DrawnOthersDataset(str(tmp_path), images_per_kind=2, size=24, seed=1).load()
    assert [raw.path.stat().st_mtime_ns for raw in again] == times


def test_drawn_others_of_no_images_are_refused(tmp_path: Path):
    with pytest.raises(UserError, match="images_per_kind=0"):
        DrawnOthersDataset(str(tmp_path), images_per_kind=0, size=24, seed=1)


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
    log = LogDataset(filepath=str(tmp_path / "log.csv"))
    for errors in (3, 2):
        log.save(pd.DataFrame({"model_version": ["0e12"], "errors": [errors]}))
    assert log.load()["errors"].tolist() == [3, 2]
    assert log.load()["model_version"].tolist() == ["0e12", "0e12"]
    assert pd.to_datetime(log.load()["time"]).is_monotonic_increasing


def test_a_number_that_is_missing_comes_back_as_missing_and_a_text_as_empty(tmp_path: Path):
    dataset = TableDataset(filepath=str(tmp_path / "table.csv"))
    dataset.save(pd.DataFrame({"label": ["", "b"], "seconds": [np.nan, 1.5]}))
    assert dataset.load()["label"].tolist() == ["", "b"]
    assert dataset.load()["seconds"].isna().tolist() == [True, False]
    assert dataset.load()["seconds"].sum() == 1.5


class Runs:
    """What runs at different times saved as predictions and applied_curation."""

    def __init__(self, folder: Path) -> None:
        self.paths = {name: str(folder / f"{name}.csv") for name in ("predictions", "applied_curation")}

    def run(self, version: str, decision: str | None = None, *, evaluates: bool = True) -> None:
        columns = {"file": [decision], "action": ["drop"], "label": [""]} if decision else {"file": []}
        tables = {"applied_curation": columns, **({"predictions": {"file": [version]}} if evaluates else {})}
        for name, table in tables.items():
            TableDataset(filepath=self.paths[name], version=Version(None, version)).save(pd.DataFrame(table))

    def before_curation(self) -> list[str]:
        dataset = PredictionsBeforeCurationDataset(self.paths["predictions"], self.paths["applied_curation"])
        return dataset.load().get("file", pd.Series(dtype=str)).tolist()


def test_the_last_predictions_before_the_curation_changed_are_found(tmp_path: Path):
    runs = Runs(tmp_path)
    assert runs.before_curation() == []
    runs.run("2026-01-01")
    runs.run("2026-01-02")
    assert runs.before_curation() == []
    runs.run("2026-01-03", "a.jpg")
    runs.run("2026-01-04", "a.jpg")
    assert runs.before_curation() == ["2026-01-02"]
    runs.run("2026-01-05", "b.jpg", evaluates=False)
    assert runs.before_curation() == ["2026-01-04"]
    runs.run("2026-01-06")
    assert runs.before_curation() == ["2026-01-04"]


def test_raw_images_are_known_by_name_size_and_time_wherever_they_lie(tmp_path: Path):
    from PIL import Image

    photos = tmp_path / "photos"
    for label in ("cat", "dog"):
        (photos / label).mkdir(parents=True)
        Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(photos / label / "a.png")
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
    dataset.save(each for each in [(record, b"jpeg"), (broken, None)])
    assert dataset.fingerprint() is not None
    lose(tmp_path / "abc.jpg")
    assert dataset.fingerprint() is None
    assert list(EarlierImagesDataset(str(tmp_path)).load()) == ["cat/b.jpg"]
    dataset.save(each for each in [(record, b"jpeg"), (broken, None)])
    assert (tmp_path / "abc.jpg").read_bytes() == b"jpeg"
