"""A small copy of the project, in which the real pipelines and the real command line run in seconds."""

from __future__ import annotations

import atexit
import multiprocessing
import os
import runpy
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

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
TINY_DRAWN = """
raw_images:
  type: guitar_kedro.datasets.DrawnImagesDataset
  filepath: data/02_intermediate/${globals:workspace}
  images_per_class: ${runtime_params:images_per_class, 8}
  size: ${runtime_params:image_pixels, 64}
  seed: ${runtime_params:seed, ${globals:seed}}
  metadata: {kedro-viz: {layer: raw}}

other_images:
  type: guitar_kedro.datasets.DrawnOthersDataset
  filepath: data/02_intermediate/${globals:workspace}/others
  images_per_kind: 2
  size: 64
  seed: ${globals:seed}
  metadata: {kedro-viz: {layer: raw}}
"""

_IMPORTED = multiprocessing.get_context("forkserver")
_IMPORTED.set_forkserver_preload(["fastai.vision.learner", "plotly.graph_objects"])
Kedro = Callable[..., subprocess.CompletedProcess[str]]


def make_project(folder: Path) -> Path:
    """Copies what a clone of the project has, with a recipe that takes seconds."""
    for name in ("conf", "notebooks", "src"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    for name in ("pyproject.toml", ".telemetry"):
        shutil.copy(ROOT / name, folder / name)
    (folder / "logs").mkdir()
    (folder / "data" / "01_raw").mkdir(parents=True)
    local = folder / "conf" / "local"
    shutil.rmtree(local, ignore_errors=True)
    local.mkdir()
    (local / "parameters_training.yml").write_text(TINY_STAGES)
    (local / "catalog.yml").write_text(TINY_DRAWN)
    return folder


def _command_line(start: Path, arguments: Sequence[str], environment: Mapping[str, str], output: Path) -> None:
    """Becomes the command line, started in a folder."""
    for stream, name in ((sys.stdout, "stdout"), (sys.stderr, "stderr")):
        os.dup2(os.open(output / name, os.O_WRONLY | os.O_CREAT), stream.fileno())
    os.chdir(start)
    os.environ.clear()
    os.environ.update(environment)
    multiprocessing.set_start_method(None, force=True)
    sys.path.insert(0, environment["PYTHONPATH"])
    sys.argv = ["kedro", *arguments]
    try:
        runpy.run_module("kedro", run_name="__main__", alter_sys=True)
    finally:
        atexit._run_exitfuncs()  # as at the end of Python; a forked process ends without


def kedro_in(project: Path, *arguments: str, folder: str = ".", **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs the command line in a project, or in a folder of it.

    Most of what a command takes is the import of torch and fastai, so its process is forked from one that has them.
    """
    environment = {**os.environ, "PYTHONPATH": str(project / "src"), "COLUMNS": "200", **environment}
    with tempfile.TemporaryDirectory() as output:
        command = _IMPORTED.Process(target=_command_line, args=(project / folder, arguments, environment, Path(output)))
        command.start()
        command.join(timeout=600)
        if command.is_alive():
            command.kill()
            raise subprocess.TimeoutExpired(arguments, 600)
        stdout, stderr = (Path(output, name).read_text(encoding="utf-8") for name in ("stdout", "stderr"))
    return subprocess.CompletedProcess(arguments, command.exitcode, stdout, stderr)


def start_kedro(folder: Path, *arguments: str, prefix: Sequence[str] = ()) -> subprocess.Popen[str]:
    """Starts the real command line in a project."""
    return subprocess.Popen(
        [*prefix, sys.executable, "-m", "kedro", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder / "src"), "COLUMNS": "200"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )


def start_until(there: Path, folder: Path, *arguments: str, prefix: Sequence[str] = ()) -> subprocess.Popen[str]:
    """Starts the command line, and comes back when it has written a file."""
    running = start_kedro(folder, *arguments, prefix=prefix)
    while not there.exists():
        assert running.poll() is None, running.communicate()
        time.sleep(0.05)
    return running
