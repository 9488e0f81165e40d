"""What `kedro package` makes runs from anywhere, on each Python that has what is pinned."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path

import pytest
from small_project import ONE_STAGE, ROOT, kedro_in

pytestmark = pytest.mark.process
# the build has what it needs here, so that it need not fetch it
WITHOUT_NETWORK = (
    "import kedro.framework.cli.project as project; call = project.call;"
    "project.call = lambda command, **how: call([*command, *['--no-isolation'] * ('build' in command)], **how)"
)


def index_of_pip() -> list[str]:
    """Where pip is told to look, which uv does not ask: a mirror of the package registry, for example."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    said = subprocess.run(command, capture_output=True, encoding="utf-8", check=True)
    return [f"--default-index={url}" for url in re.findall(r"^\S+\.index-url='(.*)'$", said.stdout, re.MULTILINE)][-1:]


def resolved(python: str) -> subprocess.CompletedProcess[str]:
    """What users install on a Python, taken from the package registry as wheels."""
    command = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--no-annotate", "--no-header"]
    wanted = ["--extra=cluster", "--extra=export", "--only-binary=:all:", f"--python-version={python}", *index_of_pip()]
    command += [*wanted, "--constraints=constraints.txt", "pyproject.toml"]
    return subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", check=False)


@pytest.fixture(scope="module", autouse=True)
def resolving(request: pytest.FixtureRequest) -> Iterator[dict[str, Future[subprocess.CompletedProcess[str]]]]:
    """Asks the registry for each Python, if a test wants to know; meanwhile the other test goes on."""
    asked = any(item.get_closest_marker("registry") for item in request.session.items)
    pythons = re.findall(r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text(encoding="utf-8")) if asked else []
    with ThreadPoolExecutor() as pool:
        yield {python: pool.submit(resolved, python) for python in pythons}


@pytest.fixture
def packaged(project: Path) -> Path:
    """The folder with the wheel and the archive of the configuration."""
    for name in ("LICENSE", "README.md"):
        shutil.copy(ROOT / name, project / name)
    shutil.copytree(project / "conf/local", project / "conf/tiny")  # what is local stays at home
    (project / "conf/tiny/parameters_training.yml").write_text(ONE_STAGE)
    run = kedro_in(project, "package", first=WITHOUT_NETWORK)
    assert run.returncode == 0, run.stdout + run.stderr
    return project / "dist"


def test_the_wheel_trains_a_model_of_the_drawn_set_in_an_empty_folder(packaged: Path, tmp_path: Path):
    [wheel] = packaged.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "installed")
        names = archive.namelist()
    for part in ("serving/page/page.html.j2", "cards/templates/model_card.html.j2", "py.typed"):
        assert f"guitar_kedro/{part}" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)

    half_as_sharp = tmp_path / "matplotlibrc"
    half_as_sharp.write_text("savefig.dpi: 72\n")
    empty = tmp_path / "empty"
    empty.mkdir()
    [conf] = packaged.glob("*.tar.gz")
    command = [sys.executable, "-m", "guitar_kedro", "--env=tiny", f"--conf-source={conf}"]
    run = subprocess.run(
        command,
        cwd=empty,
        env={
            **os.environ,
            "PYTHONPATH": str(tmp_path / "installed"),
            "OMP_NUM_THREADS": "1",
            "MATPLOTLIBRC": str(half_as_sharp),
        },
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert "Accuracy on test" in run.stdout
    assert (empty / "data/08_reporting/demo/latest/model_card.html").read_text(encoding="utf-8").startswith("<!")
    assert list((empty / "data/06_models/demo/model").glob("*/model/weights.safetensors"))


@pytest.mark.registry
def test_each_python_has_wheels_of_what_is_pinned(resolving: dict[str, Future[subprocess.CompletedProcess[str]]]):
    pinned = re.findall(r"^(\S+==\S+)", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE)
    runs = {python: run.result() for python, run in resolving.items()}
    assert runs
    assert {python: run.stderr for python, run in runs.items() if run.returncode} == {}
    assert {package for run in runs.values() for package in run.stdout.split()} <= set(pinned)
