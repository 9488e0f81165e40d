"""Models of real runs, compared and published through the real command line."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import run_in
from hub import TOKEN, Hub
from huggingface_hub import ModelCard
from small_project import kedro_in

pytestmark = pytest.mark.process
REPORTS = "data/08_reporting/demo"


@pytest.fixture(scope="module")
def project(finished_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone in which three models were made, the last one on another split."""
    project = shutil.copytree(finished_project, tmp_path_factory.mktemp("tried") / "project")
    run_in(project, "run", "--pipeline=train", "--params=note=two epochs, no more,stages.larger.unfrozen.epochs=2")
    run_in(project, "run", "--pipeline=train", "--params=splitting.validation=0.4,stages.small.frozen.epochs=0")
    return project


def compared(project: Path, *arguments: str) -> str:
    run = kedro_in(project, "compare", *arguments)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stdout


def table_of(text: str) -> list[str]:
    """The rows of the table, the newest first."""
    lines = text.splitlines()
    head = next(number for number, line in enumerate(lines) if line.startswith("model "))
    return lines[head + 1 : lines.index("", head)]


def versions(project: Path) -> list[str]:
    return sorted(path.name for path in (project / "data/06_models/demo/model").iterdir())


def test_all_models_stand_in_a_table_with_what_differs(project: Path):
    first, second, third = versions(project)
    text = compared(project)
    rows = {cells[0]: cells for cells in (re.split(r"\s{2,}", line.strip()) for line in table_of(text))}
    assert list(rows) == [third, second, first]
    assert rows[second][-1] == "two epochs, no more"
    assert [rows[version][1] for version in (first, second, third)] == ["1", "1", "2"]
    assert [rows[version][4] == "-" for version in (first, second, third)] == [False, True, True], "the test part"
    assert "stages.larger.unfrozen.epochs is 2, was 1" in text
    assert "splitting.validation is 0.4, was 0.2" in text
    assert "errors on different images do not compare. Fixed and broken do" in text

    assert f"{third} from {first}" in compared(project, f"--against={first}").splitlines()


def test_two_models_are_told_apart_up_to_the_pictures(project: Path):
    first, _, third = versions(project)
    text = compared(project, first[:-3], "two epochs, no more")
    assert "stages.larger.unfrozen.epochs is 2, was 1." in text
    assert "Fixed" in text or "Broken" in text or "it changed nothing" in text
    assert "They are of different splits" in compared(project, first, third)


def test_what_cannot_be_compared_is_told_in_a_sentence(project: Path, tmp_path: Path):
    for arguments, sentence in [
        (["1999", versions(project)[0]], "There is no model 1999; choose one of"),
        ([versions(project)[0]], "kedro compare takes two models, to tell what changed; or none"),
        ([f"--html={tmp_path}/nowhere/page.html"], "/nowhere; make it, or name another one."),
        (["--env=photos"], "The workspace photos has no model yet: run `kedro run --env=photos` first."),
    ]:
        run = kedro_in(project, "compare", *arguments)
        assert run.returncode == 1
        assert "Traceback" not in run.stderr
        assert sentence in run.stderr.splitlines()[-1]


def test_a_damaged_record_costs_what_it_says_and_no_file_beside_the_page_is_touched(project: Path, tmp_path: Path):
    (record, *_) = sorted((project / "data/08_reporting").rglob("run_record.json/*/run_record.json"))
    content = record.read_bytes()
    (tmp_path / ".page").write_text("of somebody else")
    record.write_bytes(content[:-9])
    try:
        run = kedro_in(project, "compare", f"--html={tmp_path / 'page'}")
    finally:
        record.write_bytes(content)
    assert run.returncode == 0, run.stderr
    assert "was altered or damaged: what it says of its run is left out" in " ".join((run.stdout + run.stderr).split())
    assert all(version in run.stdout for version in versions(project))
    assert (tmp_path / ".page").read_text() == "of somebody else"


def test_a_note_that_is_given_afterwards_names_the_model_that_is_there_and_figures_are_kept(project: Path):
    parameters = "splitting.validation=0.4,stages.small.frozen.epochs=0,note=007"
    run_in(project, "run", "--pipelines=train,compare", f"--params={parameters}")
    record = json.loads(sorted((project / REPORTS).glob("run_record.json/*/*"))[-1].read_text())
    assert record["note"] == "007"
    page = project / "page.html"
    text = compared(project, "--html=page.html")
    assert table_of(text)[0].split()[-1] == "007"
    assert text.splitlines()[-1] == "page.html"
    assert "splitting.validation" in page.read_text(encoding="utf-8")
    for name in ("experiment_coordinates_explorer.json", "experiment_curves_explorer.json"):
        [figure] = (project / REPORTS).glob(f"{name}/*/{name}")
        assert json.loads(figure.read_text())["data"]


def test_comparing_waits_for_no_library_of_training(project: Path):
    command = [sys.executable, "-X", "importtime", "-m", "kedro", "compare"]
    run = subprocess.run(command, cwd=project, capture_output=True, encoding="utf-8", check=True)
    imported = {line.rpartition("|")[2].strip() for line in run.stderr.splitlines()}
    assert not imported & {"torch", "fastai", "matplotlib", "plotly"}


def test_a_model_is_published_with_a_card_that_the_library_of_the_hub_reads(used_project: Path, tmp_path: Path):
    to = "to=hf://ada/guitars,publish.license=apache-2.0,publish.datasets=[ada/photos]"
    hub = Hub()
    here = f"from huggingface_hub import constants as c; c.ENDPOINT = {hub.url!r}; c.HF_HUB_DISABLE_XET = True"
    how = {"first": here, "HF_TOKEN": TOKEN}
    run = kedro_in(used_project, "run", "--pipeline=publish", f"--params={to},dry_run=true", **how)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "would send model.onnx" in run.stdout
    assert hub.asked == []

    run = kedro_in(used_project, "run", "--pipeline=publish", f"--params={to}", **how)
    hub.shutdown()
    assert run.returncode == 0, run.stdout + run.stderr
    assert "export_model: unchanged since" in run.stdout
    assert {path.split("/")[1] for path in hub.asked} == {"api", "ada", "large"}
    assert not [path for path in hub.asked if "harness" in path], "nothing tells who uses it"

    sent = hub.files["ada/guitars"]
    [bundle] = (used_project / "data/06_models/demo/bundle").glob("*/bundle")
    files = {path.name: path.read_bytes() for path in bundle.iterdir() if path.name != "model_card.html"}
    assert {name: content for name, content in sent.items() if name != "README.md"} == files
    for name, content in sent.items():
        (tmp_path / name).write_bytes(content)
    photo = next((used_project / "data/03_primary/demo/prepared_images").glob("*.jpg"))
    subprocess.run([sys.executable, tmp_path / "example.py", photo], check=True)

    card = ModelCard.load(tmp_path / "README.md")
    head = card.data.to_dict()
    assert [head[name] for name in ("license", "library_name", "datasets")] == ["apache-2.0", "onnx", ["ada/photos"]]
    [test] = card.data.eval_results
    metrics = json.loads(next((used_project / REPORTS).glob("metrics.json/*/*")).read_text())
    assert test.metric_value == pytest.approx(metrics["test"]["larger"]["accuracy"], abs=1e-6)
