"""What `kedro package` makes runs from anywhere."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from small_project import ROOT, kedro_in

pytestmark = pytest.mark.process
# the build has what it needs here, so that it need not fetch it
WITHOUT_NETWORK = (
    "import kedro.framework.cli.project as project; call = project.call;"
    "project.call = lambda command, **how: call([*command, *['--no-isolation'] * ('build' in command)], **how)"
)


@pytest.fixture
def packaged(project: Path) -> Path:
    """The folder with the wheel and the archive of the configuration."""
    for name in ("LICENSE", "README.md"):
        shutil.copy(ROOT / name, project / name)
    shutil.copytree(project / "conf/local", project / "conf/tiny")  # what is local stays at home
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
