"""Clones of the project for tests: fresh ones, and one in which a run has ended; and a browser."""

from __future__ import annotations

import shutil
import signal
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from filelock import FileLock
from kedro.io import Version
from playwright.sync_api import Browser, sync_playwright
from small_project import Kedro, kedro_in, make_project

from guitar_kedro.datasets import CheckpointDataset
from guitar_kedro.learning import Checkpoint

# what a shell runs in the background ignores Ctrl-C, and so would all that tests start
signal.signal(signal.SIGINT, signal.default_int_handler)
# the same examples in each run, however busy the machine is
hypothesis.settings.register_profile("steady", deadline=None, derandomize=True)
hypothesis.settings.load_profile("steady")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A fresh clone."""
    return make_project(tmp_path / "project")


@pytest.fixture
def kedro(project: Path) -> Kedro:
    """The command line in the fresh clone."""
    return lambda *arguments, **environment: kedro_in(project, *arguments, **environment)


@pytest.fixture(scope="session")
def finished_project(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A clone in which ``kedro run`` has ended; tests only look at it."""
    own = tmp_path_factory.getbasetemp()
    run_once = (own if worker_id == "master" else own.parent) / "run_once"  # for all processes of the tests
    with FileLock(run_once.with_suffix(".lock")):
        if not (run_once / "console.txt").exists():
            shutil.rmtree(run_once, ignore_errors=True)
            run = kedro_in(make_project(run_once), "run")
            assert run.returncode == 0, run.stdout + run.stderr
            (run_once / "console.txt").write_text(run.stdout + run.stderr)
    return shutil.copytree(run_once, tmp_path_factory.mktemp("finished") / "project")


@pytest.fixture
def used_project(finished_project: Path, tmp_path: Path) -> Path:
    """A clone in which ``kedro run`` has ended, for a test of its own."""
    shutil.copytree(finished_project, tmp_path / "used")
    return tmp_path / "used"


@pytest.fixture(scope="session")
def exported_project(finished_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone in which ``kedro run``, and then an export with a pickle, have ended.

    Its model has the weights of the run, but is surer of itself, so that answers to different pictures differ.
    """
    folder = tmp_path_factory.mktemp("exported") / "project"
    shutil.copytree(finished_project, folder)
    models = folder / "data/06_models/demo/model"
    checkpoint = Checkpoint.load(next(models.glob("*/model")))
    surer = Checkpoint(checkpoint.weights, checkpoint.spec.model_copy(update={"temperature": 1.0}))
    CheckpointDataset(str(models), Version(None, "2999-01-01T00.00.00.000Z")).save(surer)
    run = kedro_in(folder, "run", "--pipeline=export", "--params=export.pickle=true")
    assert run.returncode == 0, run.stdout + run.stderr
    (folder / "console.txt").write_text(run.stdout + run.stderr)
    return folder


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The browser of this computer, without a window."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.fail("This test looks at a page in a browser, and there is none; install it: apt install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found, args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        )
        yield browser
        browser.close()
