"""The real command line between runs: resuming, status, records, pruning, and what stops a run."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from small_project import kedro_in

from guitar_kedro.metrics.formatting import percent
from guitar_kedro.runs.lock import WorkspaceLock

MODELS, REPORTS = "data/06_models/demo", "data/08_reporting/demo"
pytestmark = pytest.mark.process


def latest(project: Path, name: str) -> Path:
    """The latest version of an artifact."""
    return max(project.glob(f"{name}/*/{Path(name).name}"))


def record(project: Path) -> dict[str, Any]:
    return json.loads(latest(project, f"{REPORTS}/run_record.json").read_text())


def one_line(run: subprocess.CompletedProcess[str]) -> str:
    """The sentence a failed command ends with."""
    output = run.stdout + run.stderr
    assert run.returncode != 0, output
    assert "Traceback" not in output
    sentence = output.strip().splitlines()[-1]
    assert sentence.startswith("Error: ")
    return sentence


def test_the_next_run_of_a_finished_project_does_nothing_again(used_project: Path):
    began = time.monotonic()
    run = kedro_in(used_project, "run")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "train.small.train_unfrozen: unchanged since" in run.stdout
    assert "Completed " not in run.stdout
    assert "Accuracy on test" in run.stdout
    assert time.monotonic() - began < 60
    assert len(pd.read_csv(used_project / REPORTS / "test_log.csv")) == 1
    assert len(list((used_project / MODELS / "model").iterdir())) == 1
    assert len(record(used_project)["skipped"]) > 30


def test_named_versions_give_the_result_of_the_run_that_they_come_from(used_project: Path):
    before, metrics = record(used_project), latest(used_project, f"{REPORTS}/metrics.json").read_text()
    to_metrics = ("run", "--to-outputs=metrics")
    run = kedro_in(used_project, *to_metrics, "--params=stages.larger.unfrozen.learning_rate=1.0e-2")
    assert run.returncode == 0, run.stdout + run.stderr
    assert latest(used_project, f"{REPORTS}/metrics.json").read_text() != metrics
    names = [name for name in before["saved"] if name.endswith("_checkpoint") or name == "model"]
    versions = ",".join(f"{name}:{before['version']}" for name in names)
    run = kedro_in(used_project, *to_metrics, "--pipeline=evaluation", f"--load-versions={versions}")
    assert run.returncode == 0, run.stdout + run.stderr
    assert latest(used_project, f"{REPORTS}/metrics.json").read_text() == metrics
    assert record(used_project)["loaded"]["model"] == before["version"]
    log = pd.read_csv(used_project / REPORTS / "test_log.csv")
    rows = [line.split() for line in kedro_in(used_project, "status").stdout.splitlines()]
    [shown] = [row for row in rows if row[:3] == ["model", "test", "part"]]
    newest = latest(used_project, f"{MODELS}/model").parent.name
    assert shown[3:] == ["stale", newest, *percent(1 - log["accuracy"].iloc[1], 2).split()]


def test_a_run_record_says_what_ran_with_what(finished_project: Path):
    told = record(finished_project)
    assert told["exit"] == "finished"
    assert told["parameters"]["stages"]["small"]["image_size"] == 32
    assert told["packages"]["torch"]
    assert told["device"]
    assert set(told["data"]) == {"image_table", "splits"}
    assert set(told["code"]) == {"version", "commit", "modified"}
    trained = told["nodes"]["train.small.train_unfrozen"]
    assert 0 < trained["seconds"] < told["seconds"]
    assert trained["peak_memory"] > 100e6
    assert not told["skipped"]
    for name, place in {"model": f"{MODELS}/model", "metrics": f"{REPORTS}/metrics.json"}.items():
        assert told["saved"][name] == latest(finished_project, place).parent.name


def test_the_status_of_a_finished_project(finished_project: Path):
    run = kedro_in(finished_project, "status")
    assert run.returncode == 0, run.stdout + run.stderr
    rows = [line.split() for line in run.stdout.splitlines()]
    history = pd.read_csv(latest(finished_project, f"{REPORTS}/small/frozen_history.csv"))
    version = latest(finished_project, f"{MODELS}/small/frozen").parent.name
    assert ["small", "frozen", "done", version, *percent(history["error_rate"].iloc[-1], 2).split()] in rows
    assert ["cross_validation", "7", "missing"] in rows
    assert "Would run again" not in run.stdout


def test_the_status_says_what_a_changed_parameter_would_do(finished_project: Path):
    run = kedro_in(finished_project, "status", "--params=calibration.selective_accuracy=0.5")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "calibration.selective_accuracy is 0.5, was 0.99" in run.stdout
    rows = [line.split()[:3] for line in run.stdout.splitlines()]
    assert ["larger", "unfrozen", "done"] in rows
    assert ["model", "test", "part"] in rows


def test_the_status_of_a_project_whose_last_stage_got_another_name_still_tells_of_its_model(used_project: Path):
    recipe = used_project / "conf" / "local" / "parameters_training.yml"
    recipe.write_text(recipe.read_text().replace("  larger:", "  largest:"))
    run = kedro_in(used_project, "status")
    assert run.returncode == 0, run.stdout + run.stderr
    rows = [line.split() for line in run.stdout.splitlines()]
    assert ["largest", "unfrozen", "missing"] in rows
    metrics = json.loads(latest(used_project, f"{REPORTS}/metrics.json").read_text())
    [model] = [row for row in rows if row[:3] == ["model", "test", "part"]]
    assert model[-2:] == percent(1 - metrics["test"]["larger"]["accuracy"], 2).split()


def test_the_status_of_a_fresh_clone_names_every_stage_as_missing(project: Path):
    run = kedro_in(project, "status", "--env=guitars")
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.count("missing") == 3 * 2 + 1 + 7
    assert not [path for path in (project / "data").rglob("*") if path.is_file()]


@pytest.mark.parametrize("command", ["status", "run"])
def test_that_all_is_unchanged_is_told_without_the_libraries_that_make_it(used_project: Path, command: str):
    code = (
        f"import sys; sys.argv = ['kedro', '{command}']; from kedro.framework.cli import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "heavy = {'torch', 'fastai', 'matplotlib', 'scipy', 'sklearn', 'cleanlab', 'joblib', 'plotly'}\n"
        "sys.exit(str(heavy) if (heavy := heavy & set(sys.modules)) else 0)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code], cwd=used_project, capture_output=True, encoding="utf-8", check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert ("Workspace demo" if command == "status" else "report.write_model_card: unchanged since") in run.stdout


def test_a_project_within_the_repository_of_something_else_names_no_commit_of_that(project: Path):
    git = ("git", "-C", str(project.parent), "-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    for command in (("init", "--quiet"), ("commit", "--quiet", "--allow-empty", "--message=A thesis")):
        subprocess.run([*git, *command], check=True)
    code = "from guitar_kedro.runs.record import environment; print(environment('cpu')['code']['commit'])"
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": str(project / "src")},
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    assert run.stdout == "None\n"


def test_old_versions_are_pruned_and_what_is_left_is_a_finished_project(used_project: Path):
    reports = used_project / REPORTS
    again = "--nodes=calibrate.calibrate_model,report.compute_metrics,report.write_model_card"
    run = kedro_in(used_project, "run", again, "--params=resume=false")
    assert run.returncode == 0, run.stdout + run.stderr
    assert len(list((reports / "metrics.json").iterdir())) == 2
    run = kedro_in(used_project, "prune", "--keep=1")
    assert run.returncode == 0, run.stdout + run.stderr
    assert "removed data/08_reporting/demo/metrics.json/" in run.stdout
    assert "MB" in run.stdout.splitlines()[-1]
    assert len(list((reports / "metrics.json").iterdir())) == 1
    assert len(list((used_project / MODELS / "model").iterdir())) == 1
    status = kedro_in(used_project, "status").stdout
    assert "stale" not in status
    assert "damaged" not in status


def test_a_second_run_in_the_same_workspace_is_answered_with_who_is_there(project: Path):
    lock = WorkspaceLock(project / REPORTS)
    lock.acquire()
    sentence = one_line(kedro_in(project, "run"))
    assert "Workspace demo is in use by" in sentence
    assert f"process {os.getpid()}" in sentence
    assert one_line(kedro_in(project, "prune", "--keep=1")) == sentence


def test_a_run_without_room_for_a_checkpoint_ends_in_one_line_and_the_next_one_completes(used_project: Path):
    before = latest(used_project, f"{MODELS}/model")
    again = ("run", "--nodes=calibrate.calibrate_model")
    no_room = "import resource as r; r.setrlimit(r.RLIMIT_FSIZE, (1_000_000, r.RLIM_INFINITY))"
    full = kedro_in(used_project, *again, first=no_room, COLUMNS="400")
    sentence = one_line(full)
    assert "there is no room for it" in sentence
    assert f"{MODELS}/model" in sentence
    assert latest(used_project, f"{MODELS}/model") == before
    assert record(used_project)["exit"].startswith("failed: ")
    run = kedro_in(used_project, *again)
    assert run.returncode == 0, run.stdout + run.stderr
    assert latest(used_project, f"{MODELS}/model") > before


def test_a_folder_without_the_right_to_write_ends_the_run_in_one_line(project: Path):
    catalog = project / "conf" / "local" / "catalog.yml"
    catalog.write_text(
        catalog.read_text()
        + "\nrun_cache: {type: guitar_kedro.datasets.MetricsDataset, filepath: /sys/run_cache.json}\n"
    )
    assert "may not be read or written" in one_line(kedro_in(project, "run"))


def test_a_failed_training_leaves_the_last_good_model_the_latest(used_project: Path):
    models = used_project / MODELS / "model"
    before = sorted(models.iterdir())
    run = kedro_in(used_project, "run", "--pipeline=train", "--params=stages.larger.architecture=resnet18")
    assert "stages.larger.architecture is resnet18, but it starts from small" in one_line(run)
    assert sorted(models.iterdir()) == before


@pytest.mark.parametrize(
    ("parameter", "sentence"),
    [
        ("image_size=64", "has image_size 48, but stages.larger.image_size is 64"),
        ("image_size=[64,48]", "has image_size 48, but stages.larger.image_size is [64, 48]"),
        ("architecture=resnet18", "has architecture squeezenet1_1, but stages.larger.architecture is resnet18"),
    ],
)
def test_a_checkpoint_of_another_kind_than_configured_is_refused(used_project: Path, parameter: str, sentence: str):
    told = one_line(
        kedro_in(
            used_project, "run", "--nodes=report.compute_metrics", f"--params=stages.larger.{parameter}", COLUMNS="600"
        )
    )
    assert sentence in told
    assert str(latest(used_project, f"{MODELS}/model_spec.json")) in told
    assert "train it again with `kedro run --pipeline=train`, or ask for what it is with --params=" in told


def test_a_checkpoint_of_other_classes_than_the_split_is_refused(used_project: Path):
    splits = used_project / "data/05_model_input/demo/splits.csv"
    table = pd.read_csv(splits)
    table[table["label"] != "gibson_SG"].to_csv(splits, index=False)
    told = one_line(kedro_in(used_project, "run", "--nodes=report.find_suspect_labels", COLUMNS="900"))
    assert "has classes fender_jaguar" in told
    assert "but splits has fender_jaguar" in told
    assert "name a version with these classes with --load-versions" in told


def test_damage_is_told_in_one_line_and_not_repaired_in_silence(used_project: Path):
    damaged = latest(used_project, f"{MODELS}/small/unfrozen") / "weights.safetensors"
    damaged.write_bytes(damaged.read_bytes()[:1000])
    told = one_line(kedro_in(used_project, "run", COLUMNS="600"))
    assert f"{damaged} is not as it was saved" in told
    status = kedro_in(used_project, "status")
    assert "damaged" in status.stdout
    shutil.rmtree(damaged.parents[1])
    assert "train.small.unfrozen_checkpoint is missing" in kedro_in(used_project, "status").stdout
