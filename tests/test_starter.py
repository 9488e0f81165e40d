"""The starter makes projects under other names, which run and whose tests pass."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image
from small_project import ROOT, kedro_in

from guitar_kedro.demo import draw_guitar

pytestmark = [
    pytest.mark.process,
    pytest.mark.skipif(not (ROOT / ".git").exists(), reason="the starter is made of what git tracks"),
]
TINY = "architecture=squeezenet1_1,weights=none,epochs=1,image_size=64"


@pytest.fixture(scope="module")
def starter(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``make starter`` makes."""
    folder = tmp_path_factory.mktemp("starter") / "starter"
    subprocess.run([sys.executable, ROOT / "tools/starter", folder], check=True)
    return folder


def new_project(starter: Path, folder: Path, **answers: str) -> tuple[int, str]:
    (folder / "answers.yml").write_text(json.dumps({"images": "", "demo": "yes", **answers}), encoding="utf-8")
    run = kedro_in(folder, "new", f"--starter={starter}", "--config=answers.yml", DO_NOT_TRACK="1")
    return run.returncode, run.stdout + run.stderr


def python_in(project: Path, *arguments: str) -> None:
    run = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(project / "src")},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr


def texts_of(project: Path) -> dict[str, str]:
    files = [path for path in project.rglob("*") if path.is_file() and path.suffix not in (".jpg", ".webp", ".pyc")]
    return {path.relative_to(project).as_posix(): path.read_text(encoding="utf-8") for path in files}


def test_a_project_with_the_demo_set_is_this_one_under_another_name(starter: Path, tmp_path: Path):
    code, said = new_project(starter, tmp_path, project_name="Pet Pictures of my own")
    assert code == 0, said
    project = tmp_path / "pet-pictures-of-my-own"
    texts = texts_of(project)
    named = {name for name, text in texts.items() if re.search("guitar[_-]kedro", name + text)}
    assert named == {"CHANGELOG.md"}, "which says of what it was made"
    assert not [name for name, text in texts.items() if "{{ cookiecutter" in text or "make starter" in text]
    assert texts["README.md"].startswith("# Pet Pictures of my own\n")
    assert 'name = "pet_pictures_of_my_own"' in texts["pyproject.toml"]
    assert texts["LICENSE"] == (ROOT / "LICENSE").read_text(encoding="utf-8")
    # what Jinja writes in a project is left to it
    for name in ("conf/airflow.j2", ".github/workflows/tests.yml", "src/{}/serving/page/page.html.j2"):
        ours = (ROOT / name.format("guitar_kedro")).read_text(encoding="utf-8")
        theirs = texts[name.format("pet_pictures_of_my_own")]
        assert theirs == ours.replace("guitar_kedro", "pet_pictures_of_my_own")

    for command in (["ruff", "check"], ["ruff", "format", "--check"]):
        python_in(project, *command, "--no-cache", ".")
    run = kedro_in(project, "run", "--to-nodes=split_images", "--params=images_per_class=4,image_pixels=48")
    assert run.returncode == 0, run.stdout + run.stderr
    assert (project / "data/05_model_input/demo/splits.csv").exists()


def test_a_project_without_the_demo_set_runs_on_the_photos_and_its_tests_pass(starter: Path, tmp_path: Path):
    for label in ("gibson_SG", "fender_jaguar"):
        (tmp_path / "my #1, photos" / label).mkdir(parents=True)
        for number in range(10):
            picture: Image.Image = draw_guitar(label, 64, number)
            picture.save(tmp_path / "my #1, photos" / label / f"{number}.jpg")
    code, said = new_project(starter, tmp_path, project_name="Cats", images="my #1, photos", demo="no")
    assert code == 0, said
    project = tmp_path / "cats"
    run = kedro_in(project, "run", f"--params={TINY}")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "Accuracy on test" in run.stdout
    assert (project / "data/08_reporting/main/latest/model_card.html").exists()
    python_in(project, "pytest", "-q", "-p", "no:cacheprovider", "tests/test_config.py", "tests/test_repository.py")


@pytest.mark.parametrize(
    ("answers", "sentence"),
    [
        ({"project_name": "7 cats"}, "python_package would be '7_cats'"),
        ({"project_name": "Cats", "demo": "perhaps"}, "demo is 'perhaps'; choose yes or no."),
    ],
)
def test_answers_with_which_nothing_would_work_are_refused(starter: Path, tmp_path: Path, answers: dict, sentence: str):
    code, said = new_project(starter, tmp_path, **answers)
    assert code
    assert sentence in said
    assert [path.name for path in tmp_path.iterdir()] == ["answers.yml"]
