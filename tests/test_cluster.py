"""What a user may rely on when a Dask cluster prepares or predicts the images, or searches."""

from __future__ import annotations

import hashlib
import os
import pickle
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from class_folders import find_photos
from distributed import Client
from joblib import Parallel, delayed
from optuna.study import StudyDirection
from optuna.trial import TrialState
from PIL import Image
from small_project import ONE_STAGE, Command
from storage import serve_folder
from torture import KILLS, SEED

from guitar_kedro.cluster import work_on
from guitar_kedro.datasets import PredictionsDataset, PreparedImagesDataset, StudyDataset, TrialCache
from guitar_kedro.errors import UserError
from guitar_kedro.images.ingest import FileRecord
from guitar_kedro.images.sources import ImageStream
from guitar_kedro.images.store import PreparedImages
from guitar_kedro.learning import Checkpoint, ModelSpec, Predictor, PretrainedWeights
from guitar_kedro.learning.inference import prediction
from guitar_kedro.learning.inference.learner import inference_loaders
from guitar_kedro.learning.networks.learner import build_learner, state_on_cpu
from guitar_kedro.mistakes import user_error_behind
from guitar_kedro.pipelines.ingestion import nodes as ingestion
from guitar_kedro.pipelines.ingestion.options import IngestionOptions
from guitar_kedro.pipelines.prediction.nodes import predict_images
from guitar_kedro.pipelines.search.nodes import run_trials
from guitar_kedro.pipelines.search.options import SearchOptions

OPTIONS = IngestionOptions(
    max_side=128, quality=90, duplicate_distance=4, max_bytes=10**6, max_pixels=10**6, max_frames=10
)
PREPARING = OPTIONS.model_dump(exclude={"duplicates", "duplicate_distance"})
AS_IN_A_NEW_PROCESS = "import dask; dask.config.refresh()"
WITHOUT_OPTUNA = """
import sys
for name in [name for name in sys.modules if name.partition(".")[0] in ("guitar_kedro", "optuna")]:
    del sys.modules[name]
sys.path.insert(0, {!r})
"""
WORKER_KILLS = max(1, KILLS // 20)
pytestmark = pytest.mark.cluster


class Cluster:
    """A scheduler and workers, each a process of its own, on this machine."""

    def __init__(self, folder: Path, first: str = "") -> None:
        self._folder, self.workers = folder, list[Command]()
        self._first = f"{AS_IN_A_NEW_PROCESS}\n{first}"
        file = folder / "scheduler.json"
        self._scheduler = self._start("scheduler", "--host=127.0.0.1", "--port=0", f"--scheduler-file={file}")
        while not file.exists():
            time.sleep(0.05)
        with Client(scheduler_file=str(file)) as client:
            self.address = client.scheduler.address

    def _start(self, *arguments: str) -> Command:
        output = Path(tempfile.mkdtemp(dir=self._folder))
        arguments += ("--no-dashboard",)
        return Command(self._folder, *arguments, output=output, first=self._first, program="dask")

    def have_workers(self, count: int) -> None:
        """Starts workers until there are so many."""
        for _ in range(count - sum(worker.poll() is None for worker in self.workers)):
            self.workers.append(self._start("worker", self.address, "--no-nanny", "--nthreads=1"))
        with Client(self.address) as client:
            client.wait_for_workers(count, timeout=60)

    def steps(self) -> int:
        """How many steps of all tasks the scheduler has counted."""
        with Client(self.address) as client:
            return client.run_on_scheduler(lambda dask_scheduler: dask_scheduler.transition_counter)

    def kill_worker(self) -> None:
        victim = next(worker for worker in self.workers if worker.poll() is None)
        victim.kill()
        victim.wait(20)

    def close(self) -> None:
        for process in (*self.workers, self._scheduler):
            process.kill()
            process.wait(20)


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    cluster = Cluster(tmp_path_factory.mktemp("cluster"))
    try:
        yield cluster
    finally:
        cluster.close()


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty pictures of two classes, one that is none, and one twice."""
    folder = tmp_path_factory.mktemp("photos")
    generator = np.random.default_rng(0)
    for number in range(60):
        path = folder / ("cat", "dog")[number % 2] / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        blocks = generator.integers(0, 256, (6, 6, 3), dtype=np.uint8)
        Image.fromarray(blocks).resize((300, 200), Image.Resampling.BICUBIC).save(path)
    (folder / "cat" / "notes.jpg").write_text("no picture")
    (folder / "cat" / "again.png").write_bytes((folder / "cat" / "0.png").read_bytes())
    return folder


def ingest(
    photos: Path | str, store: Path, address: str | None, cluster: Cluster | None = None, kill_after: int = -1
) -> Any:
    """Ingests, and kills a worker after so many pictures; gives the tables and the checksum of each file."""

    def stream(_: dict[str, FileRecord]) -> Iterator[Any]:
        prepare = ingestion.prepare_images(find_photos(str(photos), store), **PREPARING, cluster=address)
        for number, item in enumerate(prepare({})):
            if number == kill_after:
                cluster.kill_worker()
            yield item

    prepared = PreparedImagesDataset(str(store))
    prepared.save(stream)
    curation = pd.DataFrame(columns=["file", "action", "label", "source"], dtype="str")
    tables = [
        table.to_csv() for table in ingestion.build_image_table(prepared.load(), curation, OPTIONS.duplicate_distance)
    ]
    return tables, {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in store.iterdir()}


@pytest.mark.torture
def test_a_cluster_whose_workers_are_killed_gives_what_one_machine_gives(
    cluster: Cluster, photos: Path, tmp_path: Path
):
    alone = ingest(photos, tmp_path / "alone", None)
    moments = random.Random(SEED)
    for number in range(WORKER_KILLS):
        cluster.have_workers(2)
        before = cluster.steps()
        assert ingest(photos, tmp_path / str(number), cluster.address, cluster, moments.randrange(1, 50)) == alone
        assert cluster.steps() - before > 62


def test_workers_read_images_from_storage_that_no_folder_shares(cluster: Cluster, photos: Path, tmp_path: Path):
    alone = ingest(photos, tmp_path / "alone", None)
    with serve_folder(tmp_path / "storage") as storage:
        shutil.copytree(photos, storage.folder / "photos")
        cluster.have_workers(1)
        there = ingest(f"{storage.address}/photos", tmp_path / "there", cluster.address)
        here = ingest(f"{storage.address}/photos", tmp_path / "here", None)
    assert there == here
    pictures, kept = there[1], alone[1]
    assert {name for name in pictures if name.endswith(".jpg")} == {name for name in kept if name.endswith(".jpg")}
    assert len(pictures) == 61


@pytest.mark.torture
def test_a_cluster_whose_workers_are_killed_predicts_what_one_machine_predicts(
    cluster: Cluster, photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(prediction, "CHUNK", 4)
    spec = ModelSpec(
        architecture="resnet18",
        classes=("cat", "dog"),
        display_names={},
        image_size=64,
        resize_method="squish",
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
    )
    checkpoint = Checkpoint(state_on_cpu(build_learner(inference_loaders(spec), spec)), spec)
    sent, reduce = [], Predictor.__reduce__
    monkeypatch.setattr(Predictor, "__reduce__", lambda predictor: sent.append(predictor) or reduce(predictor))

    def predict(name: str, address: str | None, kill_after: int = -1) -> pd.DataFrame:
        def stream(kept: frozenset[str]) -> Iterator[Any]:
            for number, chunk in enumerate(predict_images(ImageStream(photos), checkpoint, "cpu", address)(kept)):
                if number == kill_after:
                    cluster.kill_worker()
                yield chunk

        dataset = PredictionsDataset(str(tmp_path / f"{name}.parquet"))
        dataset.save(stream)
        return dataset.load().read().to_pandas()

    alone = predict("alone", None)
    assert len(alone) == 62
    assert (alone["reason"] != "").sum() == 1
    moments = random.Random(SEED)
    for number in range(WORKER_KILLS):
        cluster.have_workers(2)
        before = cluster.steps()
        there = predict(str(number), cluster.address, moments.randrange(1, 15))
        pd.testing.assert_frame_equal(there, alone, rtol=0, atol=1e-6)  # another process, other threads
        assert cluster.steps() - before > 16
        assert len(sent) == number + 1  # not with each chunk


def test_a_cluster_that_cannot_be_used_is_answered_with_one_sentence(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr("guitar_kedro.cluster.SECONDS_TO_CONNECT", 1)
    with pytest.raises(UserError, match="no Dask scheduler answers there"), work_on("tcp://127.0.0.1:9"):
        pass
    with pytest.raises(UserError, match="no Dask scheduler answers there"), work_on("ftp://nonsense"):
        pass
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(UserError, match="which is not installed"), work_on("tcp://127.0.0.1:9"):
        pass


def test_a_cluster_that_has_no_workers_or_loses_them_is_answered_with_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("DASK_DISTRIBUTED__SCHEDULER__ALLOWED_FAILURES", "0")
    cluster = Cluster(tmp_path)
    try:
        with pytest.raises(UserError, match="has no workers"), work_on(cluster.address):
            pass
        cluster.have_workers(1)
        with (
            pytest.raises(UserError, match=r"the cluster gave up .* on 1 different workers") as caught,
            work_on(cluster.address),
        ):
            list(Parallel(n_jobs=-1, prefer="threads", return_as="generator")([delayed(os._exit)(1)]))
        assert user_error_behind(caught.value) is caught.value
    finally:
        cluster.close()


def test_a_worker_that_lacks_what_a_search_imports_is_named(tmp_path: Path):
    (tmp_path / "optuna.py").write_text("raise ModuleNotFoundError(\"No module named 'optuna'\")")
    cluster = Cluster(tmp_path, WITHOUT_OPTUNA.format(str(tmp_path)))
    try:
        cluster.have_workers(1)
        with (
            pytest.raises(UserError, match=r"the worker tcp:\S+ lacks .*'optuna'\); install the project there"),
            work_on(cluster.address, "guitar_kedro.pipelines.search.study"),
        ):
            pass
    finally:
        cluster.close()


def test_work_that_the_last_worker_leaves_waits_for_another_one_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr("guitar_kedro.cluster.SECONDS_BETWEEN_LOOKS", 0.1)
    cluster = Cluster(tmp_path)
    try:
        cluster.have_workers(1)
        with work_on(cluster.address):
            results = Parallel(n_jobs=-1, return_as="generator")(delayed(time.sleep)(1) for _ in range(2))
            cluster.kill_worker()
            end = time.monotonic() + 30
            while "the last worker is gone" not in caplog.text:
                assert time.monotonic() < end
                time.sleep(0.05)
            cluster.have_workers(1)
            assert list(results) == [None, None]
    finally:
        cluster.close()


@pytest.mark.parametrize("place", ["sqlite:///study.db", "study.journal"])
def test_a_study_in_a_file_is_the_same_one_for_workers_in_another_folder(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.chdir(tmp_path)
    storage = StudyDataset("unused", place).load()
    number = storage.create_new_study([StudyDirection.MINIMIZE], "mine")
    (tmp_path / "other").mkdir()
    monkeypatch.chdir(tmp_path / "other")
    assert pickle.loads(pickle.dumps(storage)).get_study_name_from_id(number) == "mine"
    assert not list((tmp_path / "other").iterdir())


def search_on(cluster: Cluster, project: Path, output: Path, trials: int) -> Command:
    """Starts a search on a cluster."""
    how = f"--params=cluster={cluster.address},search.trials={trials},search.fresh_folds=0"
    output.mkdir()
    return Command(project, "run", "--pipeline=search", how, output=output)


def trials_that_run(project: Path) -> int:
    """How many trials of the workspace's study have begun and not ended."""
    storage = StudyDataset(str(project / "data/06_models/demo/study.journal")).load()
    return sum(
        trial.state == TrialState.RUNNING
        for study in storage.get_all_studies()
        for trial in storage.get_all_trials(study._study_id, deepcopy=False)
    )


def test_workers_run_the_trials_of_a_search_and_what_dead_ones_or_ctrl_c_leave_is_no_trial(
    cluster: Cluster, used_project: Path, tmp_path: Path
):
    longer = ONE_STAGE.replace("epochs: 1, learning_rate: 0.5", "epochs: 40, learning_rate: 1.0e-3")
    (used_project / "conf/local/parameters_training.yml").write_text(longer)
    cluster.have_workers(2)
    search = search_on(cluster, used_project, tmp_path / "killed", trials=3)
    while not trials_that_run(used_project):
        assert search.poll() is None, search.said()
    cluster.kill_worker()
    cluster.kill_worker()  # one of them may not have begun yet
    cluster.have_workers(2)
    assert search.wait(240) == 0, search.said()
    trials = pd.read_csv(used_project / "data/08_reporting/demo/latest/trials.csv")
    assert (trials["state"] != "failed").sum() in (3, 4)  # two may begin the last one at once
    assert (trials["state"] == "failed").any()
    stopped = search_on(cluster, used_project, tmp_path / "stopped", trials=9)
    stopped.wait_for("Trial ")
    stopped.send_signal(signal.SIGINT)
    assert stopped.wait(60) == 1
    assert trials_that_run(used_project) == 0


def test_a_worker_that_does_not_see_the_workspace_is_answered_with_one_sentence(cluster: Cluster, tmp_path: Path):
    cluster.have_workers(1)
    recipe = {"stages": {}, "training": {}, "seed": 1, "device": "cpu"}
    with pytest.raises(UserError, match=r"does not find .*gone; for a search, workers must see the workspace"):
        run_trials(
            StudyDataset(str(tmp_path / "study.journal")).load(),
            pd.DataFrame({"image_id": ["1"], "label": ["cat"], "split": ["train"]}),
            PreparedImages(tmp_path / "gone", pd.DataFrame()),
            PretrainedWeights(tmp_path),
            TrialCache(tmp_path / "trials"),
            SearchOptions.model_validate({"space": {"training.mixup": [0.0, 0.1]}}),
            cluster.address,
            **recipe,
        )
