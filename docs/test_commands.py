"""Every command of README and docs/ that can run does, in the order in which they stand; ``make docs`` runs this."""

from __future__ import annotations

import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from documented import to_be_run
from small_project import kedro_in, make_project

from guitar_kedro.demo import MODELS, draw_guitar

# of the recipe for photos, so that a run takes seconds
TINY = {"image_size: 128": "image_size: 32", "image_size, 192": "image_size, 48", "epochs, 3": "epochs, 1"}
NAMES = {
    "images=PATH": "images=pets",
    "A,B:weights": "squeezenet1_1:none,test_efficientnet:none",
    "<workspace>": "demo",
}


def draw_photos(folder: Path, count: int) -> Path:
    """Draws class folders of two models of guitars."""
    for model in sorted(MODELS)[:2]:
        (folder / model).mkdir(parents=True)
        for number in range(count):
            draw_guitar(model, 64, number).save(folder / model / f"{number}.jpg")
    return folder


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone with small recipes, and what a reader of the pages has: photos of pets and of a holiday."""
    project = make_project(tmp_path_factory.mktemp("docs") / "project")
    recipe = project / "conf/photos/parameters_training.yml"
    text = recipe.read_text(encoding="utf-8")
    for long, short in TINY.items():
        assert long in text
        text = text.replace(long, short)
    recipe.write_text(text, encoding="utf-8")
    draw_photos(project / "pets", 12)
    shutil.make_archive(str(project / "holiday"), "zip", draw_photos(project / "holiday", 2))
    shutil.copy(next(project.glob("holiday/*/0.jpg")), project / "photo.jpg")
    return project


@pytest.mark.parametrize("command", to_be_run())
def test_a_command_of_the_pages_runs(project: Path, command: str) -> None:
    for name, value in NAMES.items():
        command = command.replace(name, value)
    if "<time>" in command:
        versions = project / "data/06_models/demo" / ("bundle" if "bundle/" in command else "model")
        command = command.replace("<time>", max(version.name for version in versions.iterdir()))
    tool, *words = shlex.split(command)
    if tool == "kedro":
        run = kedro_in(project, *words)
    else:
        assert tool == "python"
        run = subprocess.run([sys.executable, *words], cwd=project, capture_output=True, encoding="utf-8", check=False)
    assert run.returncode == 0, run.stdout + run.stderr
