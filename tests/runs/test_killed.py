"""Runs that are killed, at any moment, and the runs after them."""

from __future__ import annotations

import random
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pandas as pd
import psutil
import pytest
from small_project import Command, kedro_in, start_kedro
from torture import KILLS, PRECISIONS, SEED

MODELS, REPORTS = "data/06_models/demo", "data/08_reporting/demo"
LONGER = "--params=stages.larger.unfrozen.epochs=6"
EVERYTHING = ",".join(
    [
        *(f"stages.{stage}.architecture=test_convnext" for stage in ("small", "larger")),
        "stages.small.unfrozen.learning_rate=1.0e-3",
        "training.augmentation.flip=dihedral",
        "training.label_smoothing=0.1",
        "training.mixup=0.2",
        "training.cutmix=1.0",
        "training.random_erasing=0.5",
        "training.balance=class_weights",
        "training.weight_decay=0.05",
        "training.clip=1.0",
        "training.layer_decay=0.8",
        "training.accumulate=2",
        "training.ema=0.9",
        "training.best_epoch=true",
        "training.stop_after=2",
    ]
)
STATE = f"{MODELS}/epoch_states/train.larger.train_unfrozen.safetensors"
pytestmark = pytest.mark.process


TRAIN_LONGER = ("run", "--pipeline=train", LONGER)


def results(project: Path) -> dict[str, bytes | str]:
    """What training leaves behind: the latest weights of each phase, and its history apart from the seconds."""
    weights = {max(phase.glob(f"*/{phase.name}/weights.safetensors")) for phase in project.glob(f"{MODELS}/*/*frozen")}
    histories = {max(history.glob("*/*.csv")) for history in project.glob(f"{REPORTS}/*/*_history.csv")}
    found: dict[str, bytes | str] = {str(path.relative_to(project).parents[2]): path.read_bytes() for path in weights}
    for path in histories:
        found[str(path.relative_to(project).parents[1])] = pd.read_csv(path).drop(columns="seconds").to_csv()
    return found


def forget_training(project: Path) -> None:
    for path in (project / MODELS, project / REPORTS):
        shutil.rmtree(path)


@pytest.mark.torture
@pytest.mark.parametrize("precision", PRECISIONS)
def test_training_with_everything_on_that_is_killed_again_and_again_ends_bit_identical(
    used_project: Path, precision: str
):
    train = ("run", "--pipeline=train", f"--params={EVERYTHING},training.precision={precision}")
    began = time.monotonic()
    undisturbed = kedro_in(used_project, *train)
    seconds = time.monotonic() - began
    assert undisturbed.returncode == 0, undisturbed.stdout + undisturbed.stderr
    expected = results(used_project)
    assert len(expected) == 6
    forget_training(used_project)
    moments, kills = random.Random(SEED), 0
    while True:
        running = Command(used_project, *train, output=used_project)
        try:
            exit_code = running.wait(timeout=moments.uniform(0, seconds) if kills < KILLS else 600)
        except subprocess.TimeoutExpired:
            running.kill()
            running.wait(timeout=20)
            kills += 1
            continue
        assert exit_code == 0, running.said()
        assert results(used_project) == expected
        if kills >= KILLS:
            break
        forget_training(used_project)
    assert not list((used_project / MODELS / "epoch_states").iterdir())


@pytest.fixture(scope="module")
def killed_project(finished_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A clone in which a run with more epochs was killed after one of them; tests copy it."""
    project = tmp_path_factory.mktemp("killed") / "project"
    shutil.copytree(finished_project, project)
    running = Command(project, *TRAIN_LONGER, output=project)
    while not (project / STATE).exists():
        assert running.poll() is None, running.said()
        time.sleep(0.02)
    running.kill()
    running.wait(timeout=20)
    return project


def test_a_phase_that_was_killed_is_shown_in_progress_and_goes_on(killed_project: Path, tmp_path: Path):
    project = shutil.copytree(killed_project, tmp_path / "project")
    status = kedro_in(project, "status", LONGER)
    assert "in progress, epoch" in status.stdout
    assert "of 6" in status.stdout
    assert "stages.larger.unfrozen.epochs is 6, was 1" in status.stdout
    assert len(list((project / MODELS / "model").iterdir())) == 1
    run = kedro_in(project, "run", "--pipeline=train", LONGER)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "train.small.train_unfrozen: unchanged since" in run.stdout
    assert "train.larger.train_unfrozen runs again" in run.stdout
    assert "larger, unfrozen: goes on after epoch" in run.stdout
    assert not (project / STATE).exists()
    assert len(list((project / MODELS / "model").iterdir())) == 2


def test_a_state_of_something_else_is_not_used_and_the_log_says_why(killed_project: Path, tmp_path: Path):
    project = shutil.copytree(killed_project, tmp_path / "project")
    changed = f"{LONGER},stages.larger.unfrozen.learning_rate=1.0e-4"
    assert "in progress" not in kedro_in(project, "status", changed).stdout
    run = kedro_in(project, "run", "--pipeline=train", changed)
    assert run.returncode == 0, run.stdout + run.stderr
    assert "train.larger.train_unfrozen begins at its first epoch again:" in run.stdout
    assert "stages.larger.unfrozen.learning_rate is 0.0001, was 0.001" in " ".join(run.stdout.split())
    assert "goes on after epoch" not in run.stdout


def test_ctrl_c_ends_training_within_two_seconds_and_says_how_to_go_on(used_project: Path):
    running = start_kedro(used_project, *TRAIN_LONGER)  # as from a terminal
    while not (used_project / STATE).exists():
        assert running.poll() is None, running.communicate()
        time.sleep(0.05)
    children = psutil.Process(running.pid).children(recursive=True)
    began = time.monotonic()
    running.send_signal(signal.SIGINT)
    output, _ = running.communicate(timeout=60)
    assert time.monotonic() - began < 2
    assert running.returncode != 0
    assert "Traceback" not in output
    assert output.strip().splitlines()[-1] == (
        "Error: Stopped. Whatever was finished is kept; the same command goes on after it."
    )
    assert not psutil.wait_procs(children, timeout=1)[1]
    assert (used_project / STATE).exists()
