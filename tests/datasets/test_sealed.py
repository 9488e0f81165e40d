"""No prediction of the test part is judged without a line in the log, however a run is started or ends."""

from __future__ import annotations

import time
from pathlib import Path

import pandas as pd
import pytest
from kedro.framework.session import KedroSession
from kedro.framework.startup import bootstrap_project
from kedro.io import DatasetError
from small_project import Command, kedro_in

from guitar_kedro.datasets import LogDataset, SealedLabelsDataset
from guitar_kedro.datasets.sealed import OpeningRow
from guitar_kedro.errors import UserError
from guitar_kedro.learning import ModelSpec
from guitar_kedro.pipelines.splitting.schemas import SplitRow

LOG = "data/08_reporting/demo/test_log.csv"


@pytest.fixture
def sealed(tmp_path: Path) -> SealedLabelsDataset:
    splits = pd.DataFrame({"image_id": [*"abcd"], "label": [*"xyxy"], "split": ["test", "train", "test", "test"]})
    splits.to_csv(tmp_path / "splits.csv", index=False)
    return SealedLabelsDataset(str(tmp_path / "splits.csv"), str(tmp_path / "test_log.csv"), SplitRow)


def predicted(*pairs: str) -> pd.DataFrame:
    return pd.DataFrame([tuple(pair) for pair in pairs], columns=["image_id", "predicted"])


def test_labels_are_given_for_predictions_and_leave_a_line_with_the_result(sealed: SealedLabelsDataset, tmp_path: Path):
    labels = sealed.load().open(predicted("dx", "ax", "cx"), "abc", "large")
    assert labels.to_dict() == {"a": "x", "c": "x", "d": "y"}
    sealed.load().open(predicted("dy", "ax", "cx"), "def", "large")
    log = LogDataset(filepath=str(tmp_path / "test_log.csv"), schema=OpeningRow).load()
    assert log["model_version"].tolist() == ["abc", "def"]
    assert log["errors"].tolist() == [1, 0]
    assert log["accuracy"].tolist() == [1 - 1 / 3, 1]


def test_looking_at_nothing_leaves_no_line(sealed: SealedLabelsDataset, tmp_path: Path):
    sealed.load()
    with pytest.raises(UserError, match="not of the images of the test part"):
        sealed.load().open(predicted("ax"), "abc", "large")
    assert not (tmp_path / "test_log.csv").exists()


def test_labels_stay_sealed_where_the_log_cannot_be_written(sealed: SealedLabelsDataset, tmp_path: Path):
    (tmp_path / "test_log.csv").mkdir()
    with pytest.raises((DatasetError, OSError)):
        sealed.load().open(predicted("dx", "ax", "cx"), "abc", "large")


def openings(project: Path) -> int:
    return len(pd.read_csv(project / LOG))


def judged(project: Path) -> int:
    return len(list((project / "data/07_model_output/demo/predictions.csv").iterdir()))


@pytest.mark.parametrize(
    "options",
    [
        ("--pipeline=evaluation", "--to-outputs=metrics", "--params=resume=false"),
        ("--nodes=evaluate.predict_test",),
    ],
    ids=["to_outputs", "nodes"],
)
def test_no_option_of_a_run_predicts_the_test_part_without_a_line(used_project: Path, options: tuple[str, ...]):
    run = kedro_in(used_project, "run", *options)
    assert run.returncode == 0, run.stdout + run.stderr
    assert openings(used_project) == 2


def test_a_notebook_leaves_a_line_too(used_project: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.chdir(used_project)
    bootstrap_project(used_project)
    with KedroSession.create(used_project) as session:
        returned = session.run(node_names=["evaluate.predict_test"])
    test = returned["test_predictions"].load()
    log = pd.read_csv(used_project / LOG)
    assert len(log) == 2
    assert log["errors"].iloc[-1] == (test["label"] != test["predicted"]).sum()
    model = ModelSpec.read(next((used_project / "data/06_models/demo/model").glob("*/model/spec.json")))
    assert log["model_version"].iloc[-1] == model.checksum[:12]


def test_a_run_that_is_killed_after_it_opened_the_test_part_has_left_its_line(used_project: Path):
    running = Command(used_project, "run", "--from-nodes=evaluate.predict_test", output=used_project)
    while running.poll() is None and openings(used_project) == 1:
        time.sleep(0.01)
    running.kill()
    running.wait(timeout=20)
    assert openings(used_project) == 2 >= judged(used_project)
    again = kedro_in(used_project, "run")
    assert again.returncode == 0, again.stdout + again.stderr
    assert openings(used_project) >= judged(used_project)
    card = max((used_project / "data/08_reporting/demo/model_card.md").glob("*/*.md")).read_text()
    assert "The test part was opened" in card
