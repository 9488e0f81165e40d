"""What `kedro prune` removes."""

from __future__ import annotations

import json
import os
import zipfile
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from kedro.io import DataCatalog, Version
from kedro.pipeline import Node, Pipeline
from PIL import Image
from rows import table_of

from guitar_kedro.datasets import (
    CheckpointDataset,
    DrawnImagesDataset,
    FeaturesDataset,
    ImagesToPredictDataset,
    LearnerDataset,
    MetricsDataset,
    PixelsDataset,
    PredictionsDataset,
    PreparedImagesDataset,
    TableBeforeChangeDataset,
    TableDataset,
)
from guitar_kedro.datasets.changes import ImageLabelRow
from guitar_kedro.errors import UserError
from guitar_kedro.images import FileRecord
from guitar_kedro.learning import Checkpoint, ModelSpec, decode_pictures, pixel_sizes
from guitar_kedro.learning.inference.chunk import predictor_key
from guitar_kedro.metrics.predictions import PredictionRow
from guitar_kedro.runs.prune import prune_workspace


class Workspace:
    """A folder in which runs save metrics, and a record of which versions belong to each."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def catalog(self, version: str | None = None) -> DataCatalog:
        saved = Version(None, version)
        return DataCatalog(
            {
                "run_cache": MetricsDataset(filepath=str(self.folder / "run_cache.json")),
                "metrics": MetricsDataset(filepath=str(self.folder / "metrics.json"), version=saved),
                "learner": LearnerDataset(str(self.folder / "metrics.json"), saved),  # another view of the same files
                "model": MetricsDataset(filepath=str(self.folder / "model.json"), version=saved),
                "run_record": MetricsDataset(filepath=str(self.folder / "run_record.json"), version=saved),
                "table": TableDataset(filepath=str(self.folder / "table.csv"), schema=ImageLabelRow),
            }
        )

    def run(self, version: str, metrics: str | None = None) -> None:
        """Saves metrics of this version, or uses earlier ones."""
        catalog = self.catalog(version)
        if metrics is None:
            catalog.save("metrics", {"accuracy": 1.0})
        saved, loaded = ({"metrics": version}, {}) if metrics is None else ({}, {"metrics": metrics})
        catalog.save("run_record", {"saved": saved, "loaded": loaded})

    def prune(self, keep: int, dry_run: bool = False) -> list[str]:
        train = Node(print, ["table", "params:seed"], "metrics", name="train_small", tags="training")
        show = Node(func=print, inputs="learner", outputs="table", name="show")
        return list(prune_workspace("mine", self.catalog(), [Pipeline([train]), Pipeline([show])], keep, dry_run))

    def versions(self, name: str) -> list[str]:
        return sorted(path.name for path in (self.folder / f"{name}.json").iterdir())


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    workspace = Workspace(tmp_path)
    for version in ("1", "2", "3"):
        workspace.run(version)
    return workspace


def test_what_the_report_on_changes_of_the_images_compares_with_stays(tmp_path: Path):
    schemas = {"predictions": PredictionRow, "image_labels": ImageLabelRow}
    paths = {name: str(tmp_path / f"{name}.csv") for name in schemas}

    def catalog(version: str | None = None) -> DataCatalog:
        tables = {
            name: TableDataset(filepath=path, schema=schemas[name], version=Version(None, version))
            for name, path in paths.items()
        }
        before = TableBeforeChangeDataset(paths["predictions"], **paths, schema=PredictionRow)
        run_cache = MetricsDataset(filepath=str(tmp_path / "run_cache.json"))
        record = MetricsDataset(filepath=str(tmp_path / "run_record.json"), version=Version(None, version))
        return DataCatalog({**tables, "before": before, "run_cache": run_cache, "run_record": record})

    for version, image in {"1": 0, "2": 0, "3": 1, "4": 1, "5": 1}.items():
        catalog(version).save("image_labels", table_of(ImageLabelRow, file=[f"{image}.jpg"]))
        catalog(version).save("predictions", table_of(PredictionRow, file=[version]))
        catalog(version).save("run_record", {"saved": dict.fromkeys(paths, version), "loaded": {}})
    assert catalog().load("before")["file"].tolist() == ["2"]
    report = Node(func=print, inputs=["predictions", "image_labels", "before"], outputs=None, name="report")
    list(prune_workspace("mine", catalog(), [Pipeline([report])], keep=1, dry_run=False))
    assert catalog().load("before")["file"].tolist() == ["2"]
    assert sorted(path.name for path in Path(paths["predictions"]).iterdir()) == ["2", "5"]


def test_a_workspace_that_there_is_not_is_told_and_not_made(tmp_path: Path):
    with pytest.raises(UserError, match="There is no workspace pest: nothing was ever run in it"):
        Workspace(tmp_path / "pest").prune(keep=1)
    assert not (tmp_path / "pest").exists()


def test_the_versions_of_the_kept_runs_stay(workspace: Workspace):
    lines = workspace.prune(keep=2)
    assert workspace.versions("metrics") == workspace.versions("run_record") == ["2", "3"]
    assert lines[-1].startswith("2 in all, ")
    assert "bytes" in lines[-1]


def test_a_version_that_a_kept_run_used_stays(workspace: Workspace):
    workspace.run("4", metrics="1")
    workspace.prune(keep=1)
    assert workspace.versions("metrics") == ["1", "3"]
    assert workspace.versions("run_record") == ["4"]


def test_the_record_of_a_model_that_stays_stays_with_all_that_its_run_made(workspace: Workspace):
    for version in ("4", "5"):
        catalog = workspace.catalog(version)
        catalog.save("model", {"accuracy": 1.0})
        catalog.save("metrics", {"accuracy": 1.0})
        catalog.save("run_record", {"saved": {"model": version, "metrics": version}, "loaded": {}})
    workspace.run("6")
    catalog = workspace.catalog("7")
    catalog.save("run_record", {"saved": {}, "loaded": {"model": "4"}})
    workspace.prune(keep=1)
    assert workspace.versions("run_record") == ["4", "5", "7"]
    assert workspace.versions("model") == ["4", "5"]
    assert workspace.versions("metrics") == ["4", "5", "6"]
    workspace.run("8")
    workspace.prune(keep=1)
    assert workspace.versions("run_record") == ["5", "8"]
    assert workspace.versions("model") == ["5"]


def test_an_entry_that_left_the_catalog_does_not_matter(workspace: Workspace):
    catalog = workspace.catalog("4")
    catalog.save("metrics", {"accuracy": 1.0})
    catalog.save("run_record", {"saved": {"metrics": "4", "entry_of_long_ago": "4"}, "loaded": {}})
    workspace.prune(keep=1)
    assert workspace.versions("metrics") == ["4"]


def test_a_dry_run_says_the_same_and_removes_nothing(workspace: Workspace):
    told = workspace.prune(keep=1, dry_run=True)
    assert workspace.versions("metrics") == ["1", "2", "3"]
    done = workspace.prune(keep=1)
    assert [line.replace("would remove", "removed") for line in told[:-1]] == done[:-1]
    assert told[-1] == f"{done[-1]}; nothing was removed"


def test_the_latest_version_stays_although_no_run_ended_with_it(workspace: Workspace):
    workspace.catalog("4").save("metrics", {"accuracy": 0.5})
    workspace.prune(keep=1)
    assert workspace.versions("metrics") == ["3", "4"]


def test_what_dead_writes_left_goes_on_whatever_machine_they_were(workspace: Workspace):
    for left in ("metrics.json/4/.metrics.elsewhere-17.json", ".table.elsewhere-17.csv"):
        (workspace.folder / left).parent.mkdir(exist_ok=True)
        (workspace.folder / left).write_text("{")
    workspace.catalog().save("table", table_of(ImageLabelRow, file=["a"]))
    workspace.prune(keep=3)
    assert workspace.versions("metrics") == ["1", "2", "3"]
    assert not list(workspace.folder.rglob("*elsewhere*"))
    assert (workspace.folder / "table.csv").exists()


def test_what_a_person_put_there_stays(workspace: Workspace):
    (workspace.folder / "metrics.json" / "notes").mkdir()
    (workspace.folder / "metrics.json" / "notes" / "mine.txt").write_text("...")
    workspace.prune(keep=1)
    assert workspace.versions("metrics") == ["3", "notes"]


class Pictures:
    """A workspace with all that is made on the way to a model."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.images = folder, folder / "holiday.zip"
        self.catalog_of: dict[str, Any] = {
            "run_cache": MetricsDataset(filepath=str(folder / "run_cache.json")),
            "run_record": MetricsDataset(filepath=str(folder / "run_record.json"), version=Version(None, None)),
            "raw_images": DrawnImagesDataset(str(folder), images_per_class=1, size=24, seed=1),
            "images_to_predict": ImagesToPredictDataset(str(folder / "to_predict")),
            "prepared_images": PreparedImagesDataset(str(folder / "prepared")),
            "pixels_64px": PixelsDataset(str(folder / "pixels_64px")),
            "cross_validation_pixels": PixelsDataset(str(folder / "cross_validation_pixels")),
            "model": CheckpointDataset(str(folder / "model"), Version(None, "1")),
            "image_predictions": PredictionsDataset(str(folder / "image_predictions.parquet"), Version(None, None)),
        }

    def prune(self, dry_run: bool = False) -> list[str]:
        others = [name for name in self.catalog_of if name != "pixels_64px"]
        train = Node(print, ["pixels_64px", "params:seed"], "history", name="train", tags="training")
        cross_validation = Node(func=print, inputs=others, outputs=None, name="cross_validation")
        pipelines = [Pipeline([train]), Pipeline([cross_validation])]
        lines = list(prune_workspace("mine", DataCatalog(self.catalog_of), pipelines, keep=1, dry_run=dry_run))
        return sorted(line.split()[-3].removeprefix(f"{os.path.relpath(self.folder)}/") for line in lines[:-1])

    def write(self, *names: str) -> None:
        for name in names:
            path = self.folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(b"x")


@pytest.fixture
def pictures(tmp_path: Path) -> Pictures:
    return Pictures(tmp_path)


def test_drawn_sets_of_other_parameters_go_unless_a_person_put_something_there(pictures: Pictures):
    pictures.catalog_of["raw_images"].load()
    other = DrawnImagesDataset(str(pictures.folder), images_per_class=1, size=32, seed=1).load()
    of_other = other[0].path.parents[1].name
    assert pictures.prune(dry_run=True) == [of_other]
    pictures.write(f"{of_other}/{other[0].label}/mine.jpg")
    assert pictures.prune() == []
    (pictures.folder / of_other / other[0].label / "mine.jpg").unlink()
    assert pictures.prune() == [of_other]
    assert pictures.catalog_of["raw_images"].fingerprint() is not None


def test_pixels_of_no_stage_go(pictures: Pictures):
    pixels = ("index.json", "1a.bin", ".1b.bin")
    for folder in ("cross_validation_pixels", "pixels_96px", "pixels_of_mine", "pixels_32px"):
        pictures.write(*(f"{folder}/{name}" for name in pixels))
    pictures.write("pixels_32px/notes.txt")
    assert pictures.prune() == ["cross_validation_pixels", "pixels_96px"]
    assert pictures.prune() == []


def test_features_of_no_stage_go_and_nothing_that_only_lies_beside_them(pictures: Pictures):
    # those of a stage lie in a folder of their own, those of all pictures beside the split
    for name in ("features/small", "image_features"):
        pictures.catalog_of[name] = FeaturesDataset(str(pictures.folder / name))
    files = ("index.json", f"{'1a' * 10}-{'2b' * 10}.npz", f".{'1a' * 10}-{'3c' * 10}.npz.part")
    for folder in ("features/small", "features/removed", "features/networks/lite0", "image_features"):
        pictures.write(*(f"{folder}/{name}" for name in files))
        (pictures.folder / folder / "index.json").write_text(json.dumps({"key": "1a" * 10, "image_ids": []}))
    pictures.write("splits.csv", "folds.csv", "features/mine/mine.npz", "empty/x")
    (pictures.folder / "empty" / "x").unlink()
    assert pictures.prune() == ["features/removed"]
    assert (pictures.folder / "splits.csv").exists()
    assert pictures.prune() == []


def test_pixels_that_a_dead_run_left_beside_those_of_a_stage_go(pictures: Pictures):
    Image.new("RGB", (8, 8)).save(pictures.folder / "a.png")
    table = pd.DataFrame({"image_id": ["a"], "path": [str(pictures.folder / "a.png")], "split": ["train"]})
    decoding = decode_pictures(table, pixel_sizes(8, 1, "squish"))
    pictures.catalog_of["pixels_64px"].save(decoding)
    pictures.write("pixels_64px/.1b.bin")
    assert pictures.prune() == ["pixels_64px/.1b.bin"]
    assert pictures.catalog_of["pixels_64px"].fingerprint() == decoding.key


def test_prepared_pictures_that_stand_in_no_record_go(pictures: Pictures):
    named, unnamed = "0123456789abcdef0123", "f123456789abcdef0123"
    record = FileRecord("cat/a.jpg", "cat", "cat/a.jpg", 8, 8, prepared=named)
    pictures.catalog_of["prepared_images"].save(lambda _earlier: (each for each in [(record, b"jpeg")]))
    pictures.write(f"prepared/{unnamed}.jpg", "prepared/mine.jpg")
    assert pictures.prune() == [f"prepared/{unnamed}.jpg"]
    assert pictures.catalog_of["prepared_images"].fingerprint() is not None


def test_of_many_prepared_pictures_their_number_is_told(pictures: Pictures):
    pictures.write(*(f"prepared/{number:020x}.jpg" for number in range(1200)))
    catalog, pipeline = DataCatalog(pictures.catalog_of), Pipeline([Node(print, "prepared_images", None, name="show")])
    told = list(prune_workspace("mine", catalog, [pipeline], keep=1, dry_run=False))
    folder = os.path.relpath(pictures.folder / "prepared")
    assert told == [f"removed 1,200 files of {folder} (1.2 kB)", "1200 in all, 1.2 kB"]
    assert list((pictures.folder / "prepared").iterdir()) == []


def test_an_unpacked_archive_goes_if_it_can_be_unpacked_again(pictures: Pictures):
    for name in ("holiday", "lost"):
        with zipfile.ZipFile(pictures.folder / f"{name}.zip", "w") as archive:
            archive.writestr("beach.jpg", b"x")
        ImagesToPredictDataset(str(pictures.folder / "to_predict"), str(pictures.folder / f"{name}.zip")).load()
    (pictures.folder / "lost.zip").unlink()  # what was unpacked is all that is left of it
    pictures.catalog_of["images_to_predict"] = ImagesToPredictDataset(
        str(pictures.folder / "to_predict"), str(pictures.folder / "holiday.zip")
    )
    assert pictures.prune() == []
    pictures.catalog_of["images_to_predict"] = ImagesToPredictDataset(str(pictures.folder / "to_predict"))
    [removed] = pictures.prune()
    assert removed.startswith("to_predict/holiday.zip-")


def test_chunks_that_another_model_predicted_go(pictures: Pictures):
    spec = ModelSpec(
        architecture="resnet18", classes=("a", "b"), image_size=32, resize_method="crop", mean=(0, 0, 0), std=(1, 1, 1)
    )
    pictures.catalog_of["model"].save(Checkpoint({"weight": torch.ones(3)}, spec))
    own = predictor_key(pictures.catalog_of["model"].load().spec)
    pictures.write(f"image_predictions.chunks/{own}-1a.parquet", "image_predictions.chunks/0f-version1-1a.parquet")
    assert pictures.prune() == ["image_predictions.chunks/0f-version1-1a.parquet"]


def test_states_of_phases_that_there_are_no_more_go(workspace: Workspace, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(workspace.folder)
    folder = workspace.folder / "data/06_models/mine/epoch_states"
    folder.mkdir(parents=True)
    for name in ("train_small.safetensors", "train_gone.safetensors", ".train_small.safetensors"):
        (folder / name).write_bytes(b"state")
    workspace.prune(keep=3)
    assert [path.name for path in folder.iterdir()] == ["train_small.safetensors"]
