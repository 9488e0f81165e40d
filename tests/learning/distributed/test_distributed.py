"""What a user may rely on when several processes train together."""

from __future__ import annotations

import contextlib
import dataclasses
import random
import threading
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import psutil
import pytest
import torch
from together import fail, first_batch, overlapped, run_out_of_memory, train_without_batch_norm
from torture import KILLS, SEED

from guitar_kedro.errors import UserError
from guitar_kedro.learning import (
    Checkpoint,
    Phase,
    Pixels,
    Processes,
    StageOptions,
    TrainingState,
    train_distributed,
    train_phase,
)

pytestmark = pytest.mark.process
RESTARTS = max(1, KILLS // 10)
STILL = {"max_rotate": 0, "max_zoom": 1, "max_lighting": 0, "max_warp": 0, "p_affine": 0, "p_lighting": 0}


@pytest.fixture
def two(tmp_path: Path) -> Processes:
    return Processes(nproc_per_node=2, max_restarts=RESTARTS, folder=tmp_path / "processes")


def with_options(phase: Phase, **options: object) -> Phase:
    return dataclasses.replace(phase, stage=StageOptions(**{**phase.stage.model_dump(), **options}))


def still(phase: Phase, decode: Callable[..., Pixels]) -> Phase:
    """Without augmentation and presizing, which round in another way for another number of images."""
    augmentation = phase.training.augmentation.model_copy(update=STILL)
    training = phase.training.model_copy(update={"augmentation": augmentation, "presize": 1.0})
    return dataclasses.replace(phase, training=training, pixels=decode(32, presize=1.0))


def test_two_processes_train_as_one_and_validate_each_image_once(
    phase: Phase, two: Processes, decode: Callable[..., Pixels]
):
    phase = with_options(still(phase, decode), batch_size=64)
    last = phase.table.index[phase.table["split"] == "validation"][-1]
    phase = dataclasses.replace(phase, table=phase.table.drop(last))  # 15 do not fall into equal shares
    weights, history, count = train_without_batch_norm(phase)
    together, their_history, their_count = train_distributed(two, train_without_batch_norm, phase)
    assert count == their_count == 15
    assert np.abs(weights - together).max() < 1e-6
    assert np.abs(np.array(history) - np.array(their_history)).max() < 1e-6


@pytest.mark.parametrize("balance", ["class_weights", "sampling"])
def test_two_processes_train_as_one_with_all_that_is_not_random_in_the_recipe(
    phase: Phase, two: Processes, decode: Callable[..., Pixels], balance: str
):
    phase = dataclasses.replace(still(phase, decode), epochs=4)
    recipe = {"label_smoothing": 0.1, "balance": balance, "weight_decay": 0.1, "clip": 0.5, "accumulate": 3}
    weights_kept = {"ema": 0.9, "best_epoch": True, "stop_after": 2}
    phase = dataclasses.replace(phase, training=phase.training.model_copy(update={**recipe, **weights_kept}))
    rare = phase.table.query("label == 'disc' and split == 'train'").index[4:]
    phase = dataclasses.replace(phase, table=phase.table.drop(rare))
    weights, history, _ = train_without_batch_norm(phase)
    together, their_history, _ = train_distributed(two, train_without_batch_norm, phase)
    assert np.abs(weights - together).max() < 1e-5
    assert np.abs(np.array(history) - np.array(their_history)).max() < 1e-5


@pytest.mark.parametrize(
    ("name", "architecture", "options"),
    [
        ("unfrozen", "squeezenet1_1", {"accumulate": 3, "clip": 0.5, "ema": 0.9, "balance": "class_weights"}),
        ("frozen", "squeezenet1_1", {}),
        ("frozen", "squeezenet1_1", {"frozen_views": 1}),
        ("unfrozen", "mobilenetv3_small_050", {"freeze_to": 1}),  # leaves layers unused that timm pools with
    ],
)
def test_gradients_that_are_averaged_as_on_gpus_give_the_same_network(
    phase: Phase, two: Processes, decode: Callable[..., Pixels], name: str, architecture: str, options: dict
):
    phase = with_options(still(phase, decode), architecture=architecture)
    last = phase.table.index[phase.table["split"] == "validation"][-1]
    training = phase.training.model_copy(update=options)
    phase = dataclasses.replace(phase, name=name, training=training, table=phase.table.drop(last))
    if architecture != "squeezenet1_1":
        phase = dataclasses.replace(phase, pixels=decode(32, interpolation="bicubic", presize=1.0))
    weights, history, count = train_distributed(two, train_without_batch_norm, phase)
    again, their_history, their_count = train_distributed(two, partial(overlapped, train_without_batch_norm), phase)
    assert count == their_count == 15
    assert np.abs(weights - again).max() < 1e-6
    assert np.abs(np.array(history) - np.array(their_history)).max() < 1e-6


def test_processes_augment_each_in_its_own_way(phase: Phase, two: Processes):
    row = phase.table[phase.table["split"] == "train"].iloc[[0]]
    one_class = phase.table[(phase.table["label"] == row["label"].iloc[0])]
    validation = one_class[one_class["split"] == "validation"]
    phase = dataclasses.replace(phase, table=pd.concat([*[row] * 8, validation]))  # a single picture
    batches = train_distributed(two, first_batch, phase)
    pictures = np.concatenate(batches)
    assert len(pictures) == 8
    assert len({picture.tobytes() for picture in pictures}) == 8


_of_others: set[int] = set()


@pytest.fixture(autouse=True)
def _what_other_tests_have_started() -> None:
    """Services of other tests may go on; they are forked from the same process, and nothing of these tests."""
    _of_others.clear()
    _of_others.update(process.pid for process in workers())


def workers() -> list[psutil.Process]:
    """The processes that train; each is forked from the one that has imported torch."""
    found = []
    for server in psutil.Process().children():
        with contextlib.suppress(psutil.Error):  # it has just ended
            if "forkserver" in " ".join(server.cmdline()):
                found += server.children()
    return [process for process in found if process.pid not in _of_others]


class Killer(threading.Thread):
    """Kills one of the processes, so many times, each time after another epoch was recorded."""

    def __init__(self, state: TrainingState, kills: int) -> None:
        super().__init__(daemon=True)
        self.state, self.kills, self.killed = state, kills, []

    def run(self) -> None:
        moments = random.Random(SEED)
        recorded = 0
        while len(self.killed) < self.kills:
            facts = self.state.facts()
            if facts and facts["epoch"] > recorded:
                recorded = facts["epoch"]
                time.sleep(moments.uniform(0, 0.3))
                if victims := workers():
                    victim = victims[moments.randrange(len(victims))]
                    victim.kill()
                    self.killed.append(victim.pid)
            time.sleep(0.01)


def long(phase: Phase) -> Phase:
    return dataclasses.replace(phase, epochs=6 + 4 * RESTARTS)


def same(checkpoint: Checkpoint, other: Checkpoint) -> bool:
    return all(torch.equal(checkpoint.weights[name], other.weights[name]) for name in checkpoint.weights)


@pytest.mark.torture
def test_killed_processes_are_started_again_the_weights_are_the_same_and_each_epoch_is_reported_here(
    phase: Phase, two: Processes, tmp_path: Path
):
    phase = long(phase)
    expected, history = train_distributed(two, train_phase, phase, (1e-3,))
    state = TrainingState(tmp_path / "state.safetensors")
    killer = Killer(state, RESTARTS)
    killer.start()
    reported: list[dict[str, float]] = []
    checkpoint, again = train_distributed(two, train_phase, phase, (1e-3,), state, reported.append)
    # a process that goes on reports the earlier epochs as well
    last = {row["epoch"]: row["valid_loss"] for row in reported}
    assert last == dict(zip(again["epoch"], again["valid_loss"], strict=True))
    assert len(reported) < (1 + RESTARTS) * len(again)  # one process reports
    assert len(killer.killed) == RESTARTS
    assert same(checkpoint, expected)
    assert again.drop(columns="seconds").equals(history.drop(columns="seconds"))
    assert not two.folder.exists()
    assert not workers()


def test_processes_that_average_gradients_as_on_gpus_go_on_after_one_was_killed(
    phase: Phase, two: Processes, tmp_path: Path
):
    phase = long(phase)
    train = partial(overlapped, train_phase)
    expected, history = train_distributed(two, train, phase, (1e-3,))
    state = TrainingState(tmp_path / "state.safetensors")
    killer = Killer(state, 1)
    killer.start()
    checkpoint, again = train_distributed(two, train, phase, (1e-3,), state)
    assert len(killer.killed) == 1
    assert list(again["epoch"]) == list(history["epoch"])
    assert checkpoint.weights.keys() == expected.weights.keys()
    for weights, theirs in zip(checkpoint.weights.values(), expected.weights.values(), strict=True):
        torch.testing.assert_close(weights, theirs, rtol=1e-3, atol=1e-4)  # sums may be rounded in another way


def test_a_process_that_is_killed_too_often_ends_the_phase_with_its_rank_and_signal(
    phase: Phase, two: Processes, tmp_path: Path
):
    state = TrainingState(tmp_path / "state.safetensors")
    Killer(state, 1).start()
    none = two.model_copy(update={"max_restarts": 0})
    with pytest.raises(UserError, match=r"small, unfrozen: process [01] of 2 was ended by SIGKILL.*max_restarts=0"):
        train_distributed(none, train_phase, long(phase), (1e-3,), state)


def test_a_process_that_fails_otherwise_ends_the_phase_with_what_it_said(phase: Phase, two: Processes):
    none = two.model_copy(update={"max_restarts": 0})
    with pytest.raises(UserError, match=r"process [01] of 2 failed \(RuntimeError: no luck with small, unfrozen\)"):
        train_distributed(none, fail, phase)


def test_a_process_that_alone_has_too_little_memory_ends_the_phase_with_what_to_lower(phase: Phase, two: Processes):
    none = two.model_copy(update={"max_restarts": 0})
    with pytest.raises(UserError, match=r"process 1 of 2 failed \(UserError: .*too little memory.*lower batch_size"):
        train_distributed(none, run_out_of_memory, phase)


def test_a_mistake_is_told_as_by_one_process(phase: Phase, two: Processes):
    with pytest.raises(UserError, match="batch_size is 7, which 2 processes cannot share evenly"):
        train_distributed(two, train_phase, with_options(phase, batch_size=7), (1e-3,))
