"""How long commands take that only look at the project, and what a run does besides training."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from harness import Line
from small_project import make_project

from guitar_kedro.datasets import DrawnImagesDataset

COMMANDS = (("registry", "list"), ("catalog", "list-patterns"), ("viz", "build"))
PYPROJECT = """
[tool.kedro]
package_name = "empty"
project_name = "empty"
kedro_init_version = "1.7.0"
source_dir = "src"
"""
REGISTRY = """
from kedro.pipeline import Pipeline


def register_pipelines():
    return {"__default__": Pipeline([])}
"""


def lines(quick: bool) -> Iterator[Line]:
    """Yields a line for each command, one for a run that finds all unchanged, and one for a run on photos."""
    with tempfile.TemporaryDirectory() as folder:
        ours, theirs = make_project(Path(folder) / "ours"), make_empty_project(Path(folder) / "theirs")
        for command in COMMANDS:
            for project in (ours, theirs):
                run_kedro(project, *command)  # whichever comes first reads the libraries from the disk
            yield Line(
                what=f"kedro {' '.join(command)}",
                against="an empty Kedro project's",
                ours=partial(run_kedro, ours, *command),
                theirs=partial(run_kedro, theirs, *command),
                at_most=2,
            )
        run_kedro(ours, "run")
        yield Line(
            what="kedro run where all is unchanged",
            against="importing fastai.vision.all",
            ours=partial(run_kedro, ours, "run"),
            theirs=import_fastai,
            at_most=1,
        )
        per_class = 20 if quick else 200
        DrawnImagesDataset(str(Path(folder) / "photos"), per_class, 300, 0).load()
        [photos] = (Path(folder) / "photos").iterdir()
        run = RunOnPhotos(ours, photos)
        yield Line(
            what=f"kedro run --env=photos on {11 * per_class:,} drawn photos of 300 px, all but its training",
            against="its training: features, probe and epochs",
            ours=partial(run.seconds_of, "all else"),
            theirs=partial(run.seconds_of, "training"),
            at_least=5,
        )


class RunOnPhotos:
    """Runs on photos, each of which two figures are taken from."""

    def __init__(self, project: Path, photos: Path) -> None:
        """Takes the project and the photos."""
        self._project, self._photos = project, photos
        self._seconds: dict[str, float] = {}

    def seconds_of(self, what: str) -> float:
        """Gives the seconds of `training`, or of `all else`; it runs anew where the last run was asked for both."""
        if what not in self._seconds:
            self._seconds = self._run()
        return self._seconds.pop(what)

    def _run(self) -> dict[str, float]:
        folder = self._project / "data"
        name = f"photos{len([*folder.glob('08_reporting/photos*')])}"
        began = time.perf_counter()
        run_kedro(self._project, "run", "--env=photos", f"--params=images={self._photos},name={name}")
        seconds = time.perf_counter() - began
        [record] = folder.glob(f"08_reporting/{name}/run_record.json/*/run_record.json")
        nodes = json.loads(record.read_text(encoding="utf-8"))["nodes"]
        training = sum(
            node["seconds"]
            for title, node in nodes.items()
            if title.startswith("train.") and title.split(".")[-1].startswith(("compute_", "fit_", "train_"))
        )
        return {"training": training, "all else": seconds - training}


def import_fastai() -> None:
    """Starts Python, and imports what a script for training begins with."""
    subprocess.run([sys.executable, "-c", "import fastai.vision.all"], capture_output=True, check=True)


def make_empty_project(folder: Path) -> Path:
    """Makes what `kedro new` makes, as far as Kedro reads it."""
    for name in ("conf/base", "conf/local", "src/empty"):
        (folder / name).mkdir(parents=True)
    for name, content in {
        "pyproject.toml": PYPROJECT,
        ".telemetry": "consent: false\n",
        "conf/base/catalog.yml": "",
        "conf/base/parameters.yml": "",
        "src/empty/__init__.py": "",
        "src/empty/settings.py": "",
        "src/empty/pipeline_registry.py": REGISTRY,
    }.items():
        (folder / name).write_text(content)
    return folder


def run_kedro(project: Path, *command: str) -> None:
    """Runs a command in a project."""
    subprocess.run(
        [sys.executable, "-m", "kedro", *command],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(project / "src")},
        capture_output=True,
        check=True,
    )
