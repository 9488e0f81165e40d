"""What a user may rely on who has pictures predicted."""

from __future__ import annotations

import csv
import json
import shutil
import zipfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from figures import count_pictures
from kedro.io import Version
from PIL import Image
from pyarrow import parquet
from rows import row
from small_project import Kedro, kedro_in

from guitar_kedro.datasets import PredictionsDataset, SpreadsheetDataset
from guitar_kedro.images import ImageStream, RawImage
from guitar_kedro.learning import Checkpoint, predict_in_chunks
from guitar_kedro.learning.inference import prediction
from guitar_kedro.pipelines.prediction.nodes import predict_images, show_predictions

COLUMNS = ["file", "predicted", "probability", "second_guess", "decision", "error", "note"]


def latest(project: Path, layer: str, name: str) -> Path:
    return max((project / "data" / layer / "demo" / name).glob(f"*/{name}"))


@pytest.fixture(scope="module")
def predicted(finished_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone in which the drawn guitars were predicted, with some files among them that are none or badly named."""
    folder = tmp_path_factory.mktemp("predicted") / "project"
    shutil.copytree(finished_project, folder)
    (drawn,) = (folder / "data/02_intermediate/demo").glob("drawn_*")
    pictures = folder.parent / "pictures"
    shutil.copytree(drawn, pictures)
    some = next(drawn.rglob("*.jpg")).read_bytes()
    (pictures / "=1+1.jpg").write_bytes(some)
    (pictures / "gibson_SG" / "notes.jpg").write_text("no picture")
    (pictures / "gibson_SG" / "half.jpg").write_bytes(some[: len(some) // 2])
    as_sharp_as_for_people = "import matplotlib; matplotlib.rcParams['savefig.dpi'] = 'figure'"
    images = f"--params=images={pictures}"
    run = kedro_in(folder, "run", "--pipeline=predict", images, first=as_sharp_as_for_people)
    assert run.returncode == 0, run.stdout + run.stderr
    (folder / "console.txt").write_text(run.stdout + run.stderr)
    return folder


@pytest.fixture(scope="module")
def table(predicted: Path) -> pd.DataFrame:
    return pd.read_csv(latest(predicted, "07_model_output", "predictions_table.csv"), keep_default_na=False)


def test_the_numbers_are_those_of_the_evaluation(predicted: Path):
    evaluated = pd.read_csv(latest(predicted, "07_model_output", "predictions.csv"))
    evaluated = evaluated[evaluated["stage"] == "larger"].set_index("file")
    found = parquet.read_table(latest(predicted, "07_model_output", "image_predictions.parquet")).to_pandas()
    found = found.set_index("file").loc[evaluated.index]
    probabilities = [column for column in evaluated if column.startswith("probability_")]
    assert len(found) > 20
    assert np.abs(found[probabilities].to_numpy() - evaluated[probabilities].to_numpy()).max() < 1e-5
    assert (found["predicted"] == evaluated["predicted"]).all()
    assert (found["label"] == evaluated["label"]).all()


def test_every_file_has_a_row_with_its_answer_or_why_there_is_none(table: pd.DataFrame):
    assert list(table.columns) == COLUMNS
    assert len(table) == 8 * 11 + 3
    unread = table[table["error"] != ""].set_index("file")
    assert set(unread.index) == {"gibson_SG/notes.jpg", "gibson_SG/half.jpg"}
    assert "not a picture" in unread.loc["gibson_SG/notes.jpg", "error"]
    assert (unread[["predicted", "probability", "second_guess", "decision"]] == "").all(axis=None)
    read = table[table["error"] == ""]
    assert read["probability"].astype(float).between(1 / 11, 1).all()
    assert set(read["decision"]) <= {"sure", "not sure", "not one of these"}
    assert (read["predicted"] != read["second_guess"]).all()


def test_a_name_that_is_a_formula_is_no_formula_in_the_table(table: pd.DataFrame, tmp_path: Path):
    assert "'=1+1.jpg" in list(table["file"])
    names = ["=1", "+1", "-1", "@a", "\ta", "\ra", "a;=1", "a=1"]
    dataset = SpreadsheetDataset(filepath=str(tmp_path / "table.csv"), schema=row(file=str))
    dataset.save(iter([pd.DataFrame({"file": names[:4]}), pd.DataFrame({"file": names[4:]})]))
    with (tmp_path / "table.csv").open(newline="") as file:
        header, *rows = csv.reader(file)
    assert header == ["file"]
    assert [row[0] for row in rows] == [f"'{name}" for name in names[:6]] + names[6:]
    assert '"a;=1"' in (tmp_path / "table.csv").read_text()
    assert len(dataset.load()) == 8


def test_folders_that_are_called_like_classes_are_compared_with_the_predictions(predicted: Path, table: pd.DataFrame):
    read = table[table["error"] == ""]
    right = sum(row.file.startswith(f"{row.predicted}/") for row in read.itertuples())
    summary = json.loads(latest(predicted, "08_reporting", "predictions_summary.json").read_text())
    assert summary["images"] == 91
    assert summary["unreadable"] == 2
    assert (summary["folders"]["images"], summary["folders"]["right"]) == (88, right)
    console = " ".join((predicted / "console.txt").read_text().split())
    assert (
        f"In folders called like classes, the predictions of {right} of 88 images agree with them: accuracy" in console
    )
    assert "89 images predicted" in console


def test_a_contact_sheet_shows_what_was_predicted(predicted: Path):
    with Image.open(latest(predicted, "08_reporting", "predictions_sheet.png")) as sheet:
        assert min(sheet.size) > 400


def test_the_same_pictures_are_not_predicted_again(predicted: Path):
    run = kedro_in(predicted, "run", "--pipeline=predict", f"--params=images={predicted.parent / 'pictures'}")
    assert "predict_images: unchanged since" in run.stdout
    assert "images agree with them: accuracy" in " ".join(run.stdout.split())


def test_an_archive_is_predicted_by_the_version_of_the_model_that_is_named(used_project: Path, tmp_path: Path):
    models = used_project / "data/06_models/demo/model"
    (version,) = (path.name for path in models.iterdir())
    shutil.copytree(models / version, models / "2999-01-01T00.00.00.000Z")
    archive = tmp_path / "pictures.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        for number, path in enumerate((used_project / "data/02_intermediate/demo").rglob("000[01].jpg")):
            packed.write(path, f"{number}.jpg")
    images = f"--params=images={archive}"
    run = kedro_in(used_project, "run", "--pipeline=predict", images, f"--load-versions=model:{version}")
    assert run.returncode == 0, run.stdout + run.stderr
    record = json.loads(latest(used_project, "08_reporting", "run_record.json").read_text())
    assert record["loaded"]["model"] == version
    assert len(pd.read_csv(latest(used_project, "07_model_output", "predictions_table.csv"))) >= 22


@pytest.fixture
def checkpoint(finished_project: Path) -> Checkpoint:
    return Checkpoint.load(latest(finished_project, "06_models", "model"))


def test_what_was_predicted_before_a_crash_is_not_predicted_again(
    finished_project: Path, checkpoint: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(prediction, "CHUNK", 8)
    files = ImageStream(next((finished_project / "data/02_intermediate/demo").glob("drawn_*")))
    predicted = []

    def predict(kept: frozenset[str], stop_at: int | None) -> Iterator[tuple[str, pd.DataFrame | None]]:
        for number, (key, rows) in enumerate(predict_images(files, checkpoint, "cpu", None)(kept)):
            if number == stop_at:
                raise MemoryError
            predicted.extend([] if rows is None else [key])
            yield key, rows

    dataset = PredictionsDataset(str(tmp_path / "p.parquet"), Version(None, "2026-01-01T00.00.00.000Z"))
    with pytest.raises(Exception, match="Failed while saving"):
        dataset.save(partial(predict, stop_at=5))
    assert len(predicted) == 5
    assert not dataset.exists()
    dataset.save(partial(predict, stop_at=None))
    assert len(predicted) == len(set(predicted)) == 11
    table = dataset.load().read().to_pandas()
    assert list(table["file"]) == [image.file for image in files]
    assert {path.name for path in tmp_path.iterdir()} == {"p.parquet"}


def test_of_many_predicted_classes_the_sheet_shows_the_most_frequent(tmp_path: Path):
    labels = [f"class {place:03d}" for place in range(300) for _ in range(1 + place // 100)]
    files = [f"{number:04d}.jpg" for number in range(len(labels))]
    for file in files[-300:]:  # those of the last 100 classes: no others are opened
        Image.new("RGB", (8, 8)).save(tmp_path / file)
    table = pd.DataFrame({"file": files, "label": "", "predicted": labels, "probability": 0.5, "decision": "sure"})
    table.assign(reason="").to_parquet(tmp_path / "predictions.parquet")
    pictures = [RawImage(file, "", tmp_path / file) for file in files]
    model = SimpleNamespace(spec=SimpleNamespace(display_names={}))
    figure = show_predictions(parquet.ParquetFile(tmp_path / "predictions.parquet"), pictures, model)
    assert count_pictures(figure, (0, 0, 0)) == 20 * 3
    words = " ".join(text.get_text() for text in figure.texts)
    assert "the 20 most frequent of 300 predicted classes" in words


def test_another_model_or_another_file_is_predicted_anew(checkpoint: Checkpoint, tmp_path: Path):
    def keys(temperature: float) -> list[str]:
        spec = checkpoint.spec.model_copy(update={"temperature": temperature})
        return [chunk.key for chunk in predict_in_chunks(Checkpoint(checkpoint.weights, spec), ImageStream(tmp_path))]

    (tmp_path / "a.jpg").write_bytes(b"one")
    first = keys(1.0)
    assert keys(1.0) == first
    assert keys(1.1) != first
    (tmp_path / "a.jpg").write_bytes(b"other")
    assert keys(1.0) != first


def test_pictures_of_which_none_can_be_read_have_rows_all_the_same(checkpoint: Checkpoint, tmp_path: Path):
    (tmp_path / "a.jpg").write_text("no picture")
    (chunk,) = predict_in_chunks(checkpoint, ImageStream(tmp_path))
    (row,) = chunk.predict(chunk.predictor).to_dict(orient="records")
    assert (row["file"], row["reason"], row["predicted"]) == ("a.jpg", "not_an_image", "")
    assert np.isnan(row["probability"])
    assert row["note"] == ""


def test_a_colour_profile_that_is_not_followed_is_noted_beside_the_answer(checkpoint: Checkpoint, tmp_path: Path):
    Image.new("RGB", (40, 30), (200, 90, 20)).save(tmp_path / "a.jpg", icc_profile=b"no profile")
    Image.new("RGB", (40, 30), (20, 90, 200)).save(tmp_path / "b.jpg")
    (chunk,) = predict_in_chunks(checkpoint, ImageStream(tmp_path))
    notes = chunk.predict(chunk.predictor).set_index("file")["note"]
    assert notes.to_dict() == {
        "a.jpg": "Its colour profile is damaged or too large; it was read without it.",
        "b.jpg": "",
    }


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        (["--pipeline=predict"], "There are no images to predict: name them with --params=images=PATH"),
        (["--pipeline=predict", "--params=images=nowhere"], "nowhere does not exist. Give the path of a folder"),
        (["--pipeline=predict", "--params=images=conf"], "is not there yet: run `kedro run` first"),
        (["--pipeline=predict", "--env=photos"], "There are no images to predict"),
        (["--params=images=conf"], "this environment draws its own images; predict yours with --pipeline=predict"),
    ],
)
def test_a_mistake_is_answered_with_one_sentence(kedro: Kedro, arguments: list[str], wrong: str):
    run = kedro("run", *arguments)
    output = run.stdout + run.stderr
    assert run.returncode != 0
    assert "Traceback" not in output
    assert wrong in output.strip().splitlines()[-1]
