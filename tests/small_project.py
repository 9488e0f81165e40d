"""A small copy of the project, in which the real pipelines and the real command line run in seconds."""

from __future__ import annotations

import atexit
import gc
import inspect
import json
import multiprocessing
import os
import pkgutil
import runpy
import shutil
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any

import guitar_kedro

ROOT = Path(__file__).parents[1]
TINY_STAGES = """
stages:
  small:
    architecture: squeezenet1_1
    image_size: 32
    batch_size: 16
    weights: none
    frozen: {epochs: 1, learning_rate: suggested}
    unfrozen: {epochs: 2, learning_rate: [1.0e-4, 1.0e-3]}
  larger:
    architecture: squeezenet1_1
    image_size: 48
    batch_size: 16
    start_from: small
    finder: false
    frozen: {epochs: 0, learning_rate: 1.0e-3}
    unfrozen: {epochs: 1, learning_rate: 1.0e-3}

training:
  resize_method: squish
  presize: 1.15
  finder_iterations: 20
  precision: float32 # so that training and evaluation agree to the last image
  augmentation:
    max_rotate: 10.0
    min_zoom: 1.0
    max_zoom: 1.1
    max_lighting: 0.2
    max_warp: 0.2
    p_affine: 0.75
    p_lighting: 0.75
"""
ONE_STAGE = """
stages:
  small:
    architecture: squeezenet1_1
    image_size: 32
    batch_size: 16
    weights: none
    finder: false
    frozen: {epochs: 0, learning_rate: 1.0e-3}
    unfrozen: {epochs: 1, learning_rate: 0.5} # nothing is learnt with it: any trial is better
training: {finder_iterations: 20, precision: float32}
"""
TINY_SEARCH = """
search:
  trials: 3
  fresh_folds: 2
  space:
    stages.small.unfrozen.learning_rate: [1.0e-3, [1.0e-4, 1.0e-3]]
    training.label_smoothing: {low: 0.0, high: 0.2}
"""
TINY_DRAWN = """
raw_images:
  type: guitar_kedro.datasets.DrawnImagesDataset
  filepath: data/02_intermediate/${globals:workspace}
  images_per_class: ${runtime_params:images_per_class, 8}
  size: ${runtime_params:image_pixels, 64}
  seed: ${runtime_params:seed, ${globals:seed}}
  metadata: {kedro-viz: {layer: raw}}

ood_images:
  type: guitar_kedro.datasets.DrawnOthersDataset
  filepath: data/02_intermediate/${globals:workspace}/others
  images_per_class: 2
  size: 64
  seed: ${globals:seed}
  metadata: {kedro-viz: {layer: raw}}
"""
GUITARS = {
    "fender_jaguar": "Fender Jaguar",
    "fender_jazzmaster": "Fender Jazzmaster",
    "fender_mustang": "Fender Mustang",
    "fender_stratocaster": "Fender Stratocaster",
    "fender_telecaster": "Fender Telecaster",
    "gibson_ES": "Gibson ES",
    "gibson_Flying_V": "Gibson Flying V",
    "gibson_SG": "Gibson SG",
    "gibson_explorer": "Gibson Explorer",
    "gibson_firebird": "Gibson Firebird",
    "gibson_les_paul": "Gibson Les Paul",
}

# what commands import, apart from the settings: they ask in which folder they are imported
_MODULES = [module.name for module in pkgutil.walk_packages(guitar_kedro.__path__, "guitar_kedro.")]
_LIBRARIES = [
    "cleanlab.filter",
    "fastai.vision.learner",
    "kedro.framework.cli.cli",
    "kedro_airflow.plugin",
    "kedro_telemetry.plugin",
    "kedro_viz.integrations.kedro.hooks",
    "kedro_viz.integrations.kedro.run_hooks",
    "kedro_viz.launchers.cli.main",
    "plotly.graph_objects",
    "plotly.offline",
    "pyarrow.parquet",
    "sklearn.model_selection",
    "uvicorn",
]
# starts processes, forked from one that has imported what commands do
# or pyarrow's allocator runs a thread in the server, and a process that is forked beside a thread may crash
os.environ.setdefault("JE_ARROW_MALLOC_CONF", "background_thread:false")
IMPORTED = multiprocessing.get_context("forkserver")
IMPORTED.set_forkserver_preload(
    [*_LIBRARIES, *(name for name in _MODULES if name not in ("guitar_kedro.settings", "guitar_kedro.__main__"))]
)
Kedro = Callable[..., subprocess.CompletedProcess[str]]


def make_project(folder: Path) -> Path:
    """Copies what a clone of the project has, with a recipe that takes seconds."""
    for name in ("conf", "notebooks", "src"):
        # with what Python has compiled, or each command of a process of its own would compile it all
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("*.egg-info"))
    for name in ("pyproject.toml", ".telemetry"):
        shutil.copy(ROOT / name, folder / name)
    (folder / "logs").mkdir()
    (folder / "data" / "01_raw").mkdir(parents=True)
    local = folder / "conf" / "local"
    shutil.rmtree(local, ignore_errors=True)
    local.mkdir()
    (local / "parameters_training.yml").write_text(TINY_STAGES)
    (local / "parameters_search.yml").write_text(TINY_SEARCH)
    # what base says too, where its pictures are the drawn ones
    (local / "catalog.yml").write_text(TINY_DRAWN)
    (local / "globals.yml").write_text("workspace: demo\n")
    (local / "parameters_images.yml").write_text(json.dumps({"display_names": GUITARS}))
    return folder


class Command:
    """A command of a project, in a process that is forked from one that has imported what commands do."""

    def __init__(
        self,
        project: Path,
        *arguments: str,
        output: Path,
        folder: str = ".",
        first: str = "",
        program: str = "kedro",
        **environment: str,
    ) -> None:
        """Starts it.

        Args:
            project: The project.
            arguments: What stands behind the program's name.
            output: A folder for ``stdout`` and ``stderr``.
            folder: Of the project: where it is started.
            first: Python code that changes the process before.
            program: The module that is run.
            environment: What differs from this process.
        """
        environment = {**os.environ, **_environment(project), **environment}
        self._output = output
        self._process = IMPORTED.Process(
            target=_become_command_line, args=(project / folder, program, arguments, environment, output, first)
        )
        self._process.start()
        self.pid = self._process.pid
        atexit.register(self._process.kill)  # a test that fails leaves it, and Python would wait for it

    def said(self) -> str:
        """What it has written up to now."""
        files = [self._output / name for name in ("stdout", "stderr")]
        return "".join(file.read_text(encoding="utf-8") for file in files if file.exists())

    def poll(self) -> int | None:
        """Its exit code; ``None`` as long as it runs."""
        return self._process.exitcode

    def wait(self, timeout: float) -> int:
        """Waits for its exit code, at most so many seconds."""
        self._process.join(timeout)
        if self._process.exitcode is None:
            raise subprocess.TimeoutExpired("kedro", timeout)
        return self._process.exitcode

    def wait_for(self, words: str, seconds: float = 300) -> None:
        """Waits until it says something."""
        end = time.monotonic() + seconds
        while words not in self.said():
            assert self.poll() is None and time.monotonic() < end, self.said()
            time.sleep(0.05)

    def send_signal(self, number: int) -> None:
        """Signals it, unless it has ended."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def terminate(self) -> None:
        """Asks it to end."""
        self._process.terminate()

    def kill(self) -> None:
        """Ends it."""
        self._process.kill()


def without_sync(_: int) -> None:
    """Waits for no disk, as ``os.fsync`` does: what is killed here is a process, and never the machine."""


def stack_without_lines(context: int = 0) -> list[inspect.FrameInfo]:
    """The stack, without its lines of code, for which Python would look through the thousands of modules imported.

    Dynaconf asks for it four times in each command, and torch whenever processes meet; both read names alone.
    """
    frames = traceback.walk_stack(sys._getframe(1))
    return [
        inspect.FrameInfo(frame, frame.f_code.co_filename, line, frame.f_code.co_name, None, None)
        for frame, line in frames
    ]


def collect_garbage_seldom() -> None:
    """Spares Python the search through all that was imported, whose memory stays shared; it takes a tenth of the time.

    New objects are looked through as well, a hundred times as many at once.
    """
    gc.freeze()
    atexit.register(gc.unfreeze)  # or what libraries leave at the end of Python would look like leaks to them
    gc.set_threshold(70_000)


def _become_command_line(
    start: Path, program: str, arguments: Sequence[str], environment: Mapping[str, str], output: Path, first: str
) -> None:
    from kedro.framework.project import LOGGING
    from matplotlib import rcParams

    rcParams["savefig.dpi"] = 72  # half as sharp as people want them
    collect_garbage_seldom()
    inspect.stack = stack_without_lines
    os.fsync = without_sync
    for stream, name in ((sys.stdout, "stdout"), (sys.stderr, "stderr")):
        os.dup2(os.open(output / name, os.O_WRONLY | os.O_CREAT), stream.fileno())
    os.chdir(start)
    os.environ.clear()
    os.environ.update(environment)
    multiprocessing.set_start_method(None, force=True)
    sys.argv = [program, *arguments]
    try:
        exec(first, {})
        LOGGING.__init__()  # it has looked for a configuration where it was imported
        runpy.run_module(program, run_name="__main__", alter_sys=True)
    finally:
        atexit._run_exitfuncs()  # as at the end of Python; a forked process ends without


def kedro_in(project: Path, *arguments: str, **how: Any) -> subprocess.CompletedProcess[str]:
    """Runs a command in a project; how, is said as to ``Command``."""
    with tempfile.TemporaryDirectory() as output:
        command = Command(project, *arguments, output=Path(output), **how)
        try:
            exit_code = command.wait(timeout=600)
        except subprocess.TimeoutExpired:
            command.kill()
            raise
        stdout, stderr = (Path(output, name).read_text(encoding="utf-8") for name in ("stdout", "stderr"))
    return subprocess.CompletedProcess(arguments, exit_code, stdout, stderr)


def _environment(project: Path) -> dict[str, str]:
    return {"PYTHONPATH": str(project / "src"), "COLUMNS": "200"}


def start_kedro(folder: Path, *arguments: str, output: int | IO[str] = subprocess.PIPE) -> subprocess.Popen[str]:
    """Starts the command line in a project as a user does, in a process of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "kedro", *arguments],
        cwd=folder,
        env={**os.environ, **_environment(folder)},
        stdout=output,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )
