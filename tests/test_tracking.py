"""What a user may rely on who lets MLflow and TensorBoard know of runs."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from multiprocessing.synchronize import Barrier
from pathlib import Path

import pandas as pd
import pytest
from mlflow import MlflowClient
from mlflow.entities import Run
from small_project import IMPORTED, Command, kedro_in
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from guitar_kedro.errors import UserError
from guitar_kedro.tracking import ModelResults, ModelRun, ResultFile, Tracker, TrackingOptions
from guitar_kedro.tracking.mlflow import MlflowPlace

HERE = "127.0.0.1"
RUN = ModelRun("2026-01-01T00.00.00.000Z", "two epochs more", "pets", "here", {"training.mixup": 0.2, "seed": 42})
ROW = {"train_loss": 2.0, "valid_loss": 1.5, "error_rate": 0.5, "learning_rate": 1e-3, "seconds": 1.0}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HERE, 0))
        return probe.getsockname()[1]


class Server:
    """A real MLflow server."""

    def __init__(self, folder: Path) -> None:
        """Starts it, with a database and files in a folder."""
        self.port = free_port()
        self.address = f"http://{HERE}:{self.port}"
        command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--host", HERE, "--port", str(self.port)]
        with (folder / "log").open("w") as log:
            self._process = subprocess.Popen(
                command,
                cwd=folder,
                env={**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self.client = MlflowClient(self.address)
        self._log, self._until = folder / "log", time.monotonic() + 180

    def wait(self) -> Server:
        """Waits until it answers."""
        while not self._answers():
            assert self._process.poll() is None and time.monotonic() < self._until, self._log.read_text()
            time.sleep(0.1)
        return self

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), urllib.request.urlopen(f"{self.address}/health", timeout=5) as answer:
            return answer.status == 200
        return False

    def runs(self, experiment: str) -> list[Run]:
        """The runs of an experiment, the newest first."""
        found = self.client.get_experiment_by_name(experiment)
        return list(self.client.search_runs([found.experiment_id])) if found else []

    def stop(self) -> None:
        """Ends it, with all processes that it has started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)
        self._process.wait(10)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    server = Server(tmp_path_factory.mktemp("mlflow"))
    try:
        yield server.wait()
    finally:
        server.stop()


def files_of(client: MlflowClient, run: Run, folder: str | None = None) -> set[str]:
    return {file.path for file in client.list_artifacts(run.info.run_id, folder)}


def epochs_of(client: MlflowClient, run: Run, metric: str) -> list[int]:
    return [each.step for each in client.get_metric_history(run.info.run_id, metric)]


def test_a_model_that_is_there_is_told_to_mlflow_without_training_and_what_comes_later_is_added(
    used_project: Path, server: Server, tmp_path: Path
):
    told = f"tracking.mlflow={server.address},tracking.tensorboard={tmp_path / 'events'}"
    run = kedro_in(used_project, "run", f"--params={told}")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "Completed train" not in run.stdout
    (found,) = server.runs("guitar-kedro.demo")
    assert found.info.status == "FINISHED"
    assert found.data.params["stages.small.architecture"] == "squeezenet1_1"
    assert not any(name.startswith("tracking") for name in found.data.params)
    assert epochs_of(server.client, found, "small.unfrozen/valid_loss") == [0, 1]
    assert {"test/accuracy", "validation/error_rate"} <= found.data.metrics.keys()
    assert {"model_card.html", "confusion_matrix.png", "small"} <= files_of(server.client, found)
    run = kedro_in(used_project, "run", "--pipeline=export", f"--params={told}")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "WARNING" not in run.stdout, run.stdout
    assert [each.info.run_id for each in server.runs("guitar-kedro.demo")] == [found.info.run_id]
    assert {"bundle/model.onnx", "bundle/spec.json"} <= files_of(server.client, found, "bundle")
    run = kedro_in(used_project, "run", "--pipeline=export", f"--params={told}")
    assert f"runs/{found.info.run_id} has this model already" in run.stdout, run.stdout + run.stderr


def test_epochs_come_as_they_are_trained_and_a_run_that_goes_on_after_kill_9_has_all_of_them(
    used_project: Path, server: Server, tmp_path: Path
):
    events, epochs = tmp_path / "events", 20
    stages = f"stages.larger.unfrozen.epochs={epochs},note=killed"
    told = f"--params={stages},tracking.mlflow={server.address},tracking.tensorboard={events}"
    command = ("run", "--pipeline=train", told)
    before = {run.info.run_id for run in server.runs("guitar-kedro.demo")}
    killed = Command(used_project, *command, output=tmp_path)
    until, found = time.monotonic() + 120, None
    while found is None or "larger.unfrozen/valid_loss" not in found.data.metrics:
        assert killed.poll() is None and time.monotonic() < until, killed.said()
        found = next((run for run in server.runs("guitar-kedro.demo") if run.info.run_id not in before), None)
        time.sleep(0.05)
    assert found.info.status == "RUNNING"
    killed.kill()
    killed.wait(60)
    run = kedro_in(used_project, *command)
    assert run.returncode == 0, run.stdout + run.stderr
    whole, stopped, *_ = server.runs("guitar-kedro.demo")
    assert stopped.info.run_id == found.info.run_id
    assert (stopped.info.status, whole.info.status) == ("KILLED", "FINISHED")
    assert epochs_of(server.client, whole, "larger.unfrozen/valid_loss") == list(range(epochs))
    assert epochs_of(server.client, whole, "small.unfrozen/valid_loss") == [0, 1]  # which this run did not train
    assert len(epochs_of(server.client, stopped, "larger.unfrozen/valid_loss")) < epochs
    history = pd.read_csv(used_project / "data/08_reporting/demo/latest/larger/unfrozen_history.csv")
    curves = EventAccumulator(str(max((events / "demo").iterdir()))).Reload()
    written = curves.Scalars("larger.unfrozen/valid_loss")
    assert [each.step for each in written] == list(range(epochs))
    assert [each.value for each in written] == pytest.approx(history["valid_loss"].to_list(), rel=1e-5)


def test_a_server_that_is_down_costs_a_run_one_warning(used_project: Path):
    address = f"http://{HERE}:{free_port()}"
    began = time.monotonic()
    run = kedro_in(used_project, "run", "--pipeline=reporting", f"--params=tracking.mlflow={address}")
    assert run.returncode == 0, run.stdout + run.stderr
    assert time.monotonic() - began < 120
    assert run.stdout.count("WARNING") == 1, run.stdout
    assert f"tracking.mlflow={address}: this run is not tracked further" in run.stdout
    assert "Connection refused" in run.stdout
    assert "Traceback" not in run.stdout + run.stderr


@pytest.fixture
def tracker() -> Callable[..., Tracker]:
    return lambda **options: Tracker.of_options(TrackingOptions(**options), RUN)


def warnings_in(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_server_that_never_answers_is_not_waited_for_long(
    tracker: Callable[..., Tracker], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("guitar_kedro.tracking.tracker.SECONDS_AFTER_RUN", 1)
    with socket.create_server((HERE, 0)) as silent:
        one = tracker(mlflow=f"http://{HERE}:{silent.getsockname()[1]}")
        began = time.monotonic()
        one.epoch("small.frozen", {"epoch": 0, **ROW})
        assert time.monotonic() - began < 0.5
        one.end(RUN, ModelResults())
        assert 1 <= time.monotonic() - began < 5
    (warning,) = warnings_in(caplog)
    assert "it was not done after 1 seconds" in warning


def test_a_folder_takes_what_a_server_does(tracker: Callable[..., Tracker], tmp_path: Path):
    card = tmp_path / "model_card.html"
    card.write_text("<p>card</p>")
    files = {"model_card.html": ResultFile(card, True), "bundle/model_card.html": ResultFile(card, True)}
    one = tracker(mlflow=str(tmp_path / "runs"))
    for epoch in (0, 1, 0, 1, 2):  # training that goes on begins with what it knows
        one.epoch("small.frozen", {"epoch": epoch, **ROW, "train_loss": float("nan")})
    one.end(RUN, ModelResults({}, {"test/accuracy": 0.9}, files))
    client = MlflowClient(f"sqlite:///{tmp_path / 'runs/mlflow.db'}")
    experiment = client.get_experiment_by_name("guitar-kedro.pets")
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.run_name == "two epochs more"
    assert run.data.params == {"training.mixup": "0.2", "seed": "42"}
    assert run.data.metrics["test/accuracy"] == 0.9
    assert "small.frozen/train_loss" not in run.data.metrics
    assert epochs_of(client, run, "small.frozen/valid_loss") == [0, 1, 2]
    assert Path(client.download_artifacts(run.info.run_id, "bundle/model_card.html")).read_bytes() == card.read_bytes()


def tell_an_epoch(folder: Path, together: Barrier) -> None:
    place = MlflowPlace(str(folder))
    together.wait(60)
    place.begin(RUN)
    place.epoch("small.frozen", {"epoch": 0, **ROW})


@pytest.mark.process
def test_two_runs_at_once_share_a_new_folder(tmp_path: Path):
    together = IMPORTED.Barrier(2)
    both = [IMPORTED.Process(target=tell_an_epoch, args=(tmp_path / "runs", together)) for _ in range(2)]
    for one in both:
        one.start()
    for one in both:
        one.join(120)
    assert [one.exitcode for one in both] == [0, 0]
    client = MlflowClient(f"sqlite:///{tmp_path / 'runs/mlflow.db'}")
    experiment = client.get_experiment_by_name("guitar-kedro.pets")
    runs = client.search_runs([experiment.experiment_id])
    assert [run.data.metrics["small.frozen/valid_loss"] for run in runs] == [1.5, 1.5]


@pytest.mark.process
def test_a_run_that_fails_is_marked_with_its_reason(tracker: Callable[..., Tracker], server: Server):
    one = tracker(mlflow=server.address)
    one.begin()
    one.stop("the loss became nan", failed=True)
    (run,) = server.runs("guitar-kedro.pets")
    assert (run.info.status, run.data.tags["mlflow.note.content"]) == ("FAILED", "the loss became nan")


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"mlflow": "http://me:secret@127.0.0.1:5000"}, "must not hold a password"),
        ({"tensorboard": "s3://bucket/events"}, "must be a folder on this machine"),
        ({"mlfow": "runs"}, "did you mean mlflow"),
        ({"mlflow": "127.0.0.1:5000"}, "write http://HOST:PORT for a server, and ./127.0.0.1:5000 for a folder"),
        ({"mlflow": "http:/127.0.0.1"}, "write http://HOST:PORT"),
        ({"mlflow": "http://"}, "must be http://HOST:PORT"),
        ({"mlflow": "sqlite:///runs.db"}, "or a folder"),
    ],
)
def test_a_place_that_cannot_be_is_refused_without_repeating_a_password(options: dict[str, str], problem: str):
    with pytest.raises(UserError, match=problem) as refused:
        TrackingOptions.of_parameter("tracking", options)
    assert "secret" not in str(refused.value)


@pytest.mark.process
def test_a_server_that_dies_in_the_middle_costs_a_run_one_warning(  # the last test that needs it
    tracker: Callable[..., Tracker], server: Server, caplog: pytest.LogCaptureFixture
):
    one = tracker(mlflow=server.address)
    one.epoch("small.frozen", {"epoch": 0, **ROW})
    until = time.monotonic() + 30
    while not (runs := server.runs("guitar-kedro.pets")) or not runs[0].data.metrics:
        assert time.monotonic() < until
    server.stop()
    began = time.monotonic()
    for epoch in range(1, 50):
        one.epoch("small.frozen", {"epoch": epoch, **ROW})
    assert time.monotonic() - began < 1
    one.end(RUN, ModelResults())
    assert time.monotonic() - began < 20
    (warning,) = warnings_in(caplog)
    assert "run the same command again" in warning
