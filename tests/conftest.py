"""Clones of the project for tests: fresh ones, and one in which a run has ended; and a browser."""

from __future__ import annotations

import inspect
import os
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest
from filelock import FileLock
from kedro.io import Version
from small_project import Kedro, collect_garbage_seldom, kedro_in, make_project, stack_without_lines, without_sync

if TYPE_CHECKING:
    from playwright.sync_api import Browser

# what a shell runs in the background ignores Ctrl-C, and so would all that tests start
signal.signal(signal.SIGINT, signal.default_int_handler)
# the same examples in each run, however busy the machine is
hypothesis.settings.register_profile("steady", deadline=None, derandomize=True)
hypothesis.settings.load_profile("steady")
os.fsync = without_sync
inspect.stack = stack_without_lines
# no processes that draw pictures, or there are as many as cores for each worker, and each imports for seconds
os.environ.setdefault("LOKY_MAX_CPU_COUNT", "1")
BROWSERS = ("chromium", "chromium-browser", "google-chrome")
LONG = ("test_bounds", "test_families")  # that start nothing, and take a minute
MARKERS = {"kedro": "process", "finished_project": "process", "browser": "browser"}  # of tests that ask for fixtures


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks what starts processes or browsers, and lets files with such tests, which take longest, come first.

    First of all are those that need no finished project: while one worker makes it, the others have something to do.
    The longest of the others follow, so that no worker is left alone with one of them at the end.
    """
    for item in items:
        for marker in {MARKERS[fixture] for fixture in MARKERS.keys() & set(item.fixturenames)}:
            item.add_marker(marker)
    long = {item.path for item in items if item.get_closest_marker("process") or item.get_closest_marker("cluster")}
    finished = {item.path for item in items if "finished_project" in item.fixturenames}
    items.sort(key=lambda item: (item.path not in long, item.path in finished, item.path.stem not in LONG))
    collect_garbage_seldom()


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A fresh clone."""
    return make_project(tmp_path / "project")


@pytest.fixture
def kedro(project: Path) -> Kedro:
    """The command line in the fresh clone."""
    return lambda *arguments, **environment: kedro_in(project, *arguments, **environment)


def made_once(make: Callable[[Path], None], name: str, folders: pytest.TempPathFactory, worker_id: str) -> Path:
    """A copy of a project that is made once for all processes of the tests."""
    own = folders.getbasetemp()
    made = (own if worker_id == "master" else own.parent) / name
    with FileLock(made.with_suffix(".lock")):
        if not (made / "console.txt").exists():
            shutil.rmtree(made, ignore_errors=True)
            make(made)
    return shutil.copytree(made, folders.mktemp(name) / "project")


def run_in(project: Path, *arguments: str, **how: Any) -> None:
    """Runs a command that ends well, and keeps what it says in ``console.txt``."""
    run = kedro_in(project, *arguments, **how)
    assert run.returncode == 0, run.stdout + run.stderr
    (project / "console.txt").write_text(run.stdout + run.stderr)


@pytest.fixture(scope="session")
def finished_project(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A clone in which ``kedro run`` has ended; tests only look at it."""

    def finish(made: Path) -> None:
        run_in(make_project(made), "run", LOKY_MAX_CPU_COUNT="2")  # as a user's machine does

    return made_once(finish, "finished", tmp_path_factory, worker_id)


@pytest.fixture
def used_project(finished_project: Path, tmp_path: Path) -> Path:
    """A clone in which ``kedro run`` has ended, for a test of its own."""
    return shutil.copytree(finished_project, tmp_path / "used")


@pytest.fixture(scope="session")
def exported_project(finished_project: Path, tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """A clone in which ``kedro run``, and then an export with a pickle, have ended.

    Its model has the weights of the run, but is surer of itself, so that answers to different pictures differ.
    """
    from guitar_kedro.datasets import CheckpointDataset
    from guitar_kedro.learning import Checkpoint

    def export(made: Path) -> None:
        shutil.copytree(finished_project, made, ignore=shutil.ignore_patterns("console.txt"))
        models = made / "data/06_models/demo/model"
        checkpoint = Checkpoint.load(next(models.glob("*/model")))
        surer = Checkpoint(checkpoint.weights, checkpoint.spec.model_copy(update={"temperature": 1.0}))
        CheckpointDataset(str(models), Version(None, "2999-01-01T00.00.00.000Z")).save(surer)
        run_in(made, "run", "--pipeline=export", "--params=export.pickle=true")

    return made_once(export, "exported", tmp_path_factory, worker_id)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """The browser of this computer, without a window."""
    found = next(filter(None, map(shutil.which, BROWSERS)), None)
    if found is None:
        pytest.fail("This test looks at a page in a browser, and there is none; install it: apt install chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=found, args=["--no-sandbox", "--disable-dev-shm-usage", "--disable-gpu"]
        )
        yield browser
        browser.close()
