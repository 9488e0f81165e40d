"""How long commands take that only look at the project, against those of an empty Kedro project."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from harness import Line
from small_project import make_project

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
    """Yields a line for each command, and one for a run that finds all unchanged."""
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
