"""Training that was interrupted ends exactly as if nothing had happened."""

from __future__ import annotations

import dataclasses
import logging
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from guitar_kedro.errors import UserError
from guitar_kedro.learning import Phase, TrainingState, train_phase
from guitar_kedro.learning.training.callbacks import FiniteLoss

EPOCHS, STEPS = 3, 4  # 32 pictures in batches of 8
RATES = (1e-4, 1e-3)


class Killed(BaseException):
    """What nobody catches."""


@pytest.fixture
def state(tmp_path: Path) -> TrainingState:
    return TrainingState(tmp_path / "states" / "train.safetensors")


@pytest.fixture
def long_phase(phase: Phase) -> Phase:
    return dataclasses.replace(phase, epochs=EPOCHS)


@pytest.fixture(scope="module")
def undisturbed() -> Callable[[Phase], tuple[Any, ...]]:
    """Trains from the beginning to the end, once for each name and precision of the long phase."""
    trained: dict[tuple[str, str], tuple[Any, ...]] = {}

    def train(phase: Phase) -> tuple[Any, ...]:
        key = phase.name, phase.training.precision
        if key not in trained:
            trained[key] = train_phase(phase, RATES)
        return trained[key]

    return train


@pytest.fixture
def train_until(monkeypatch: pytest.MonkeyPatch) -> Callable[[Phase, TrainingState, int], None]:
    """Trains, and dies in a step."""

    def train(phase: Phase, state: TrainingState, last_step: int, rates: tuple[float, ...] = RATES) -> None:
        steps = 0

        def after_batch(callback: FiniteLoss) -> None:
            nonlocal steps
            steps += callback.training
            if steps == last_step:
                raise Killed

        with monkeypatch.context() as patch, pytest.raises(Killed):
            patch.setattr(FiniteLoss, "after_batch", after_batch)
            train_phase(phase, rates, state)

    return train


def assert_same(one: tuple[Any, ...], other: tuple[Any, ...]) -> None:
    """Weights and history are alike, bit for bit."""
    assert all(torch.equal(one[0].weights[name], weights) for name, weights in other[0].weights.items())
    assert one[0].spec == other[0].spec
    assert one[1].drop(columns="seconds").equals(other[1].drop(columns="seconds"))


@pytest.mark.parametrize(
    ("name", "last_step", "precision"),
    [
        ("frozen", STEPS + 1, "float32"),
        ("unfrozen", 2 * STEPS, "float32"),
        ("unfrozen", 3 * STEPS, "float32"),
        ("unfrozen", STEPS + 1, "bfloat16"),
    ],
)
def test_a_phase_that_died_ends_bit_identical(
    long_phase: Phase,
    state: TrainingState,
    train_until: Callable[..., None],
    undisturbed: Callable[[Phase], tuple[Any, ...]],
    name: str,
    last_step: int,
    precision: str,
):
    training = long_phase.training.model_copy(update={"precision": precision})
    long_phase = dataclasses.replace(long_phase, name=name, training=training)
    train_until(long_phase, state, last_step)
    torch.rand(3)
    assert_same(train_phase(long_phase, RATES, state), undisturbed(long_phase))


@pytest.mark.parametrize("last_step", [STEPS + 1, 3 * STEPS])
def test_a_phase_that_died_with_everything_on_ends_bit_identical(
    phase: Phase, transformer: Phase, state: TrainingState, train_until: Callable[..., None], last_step: int
):
    layers = last_step > 2 * STEPS
    everything = {
        "label_smoothing": 0.1,
        "mixup": 0.2,
        "cutmix": 1.0,
        "random_erasing": 0.5,
        "balance": "class_weights" if layers else "sampling",
        "weight_decay": 0.05,
        "clip": 1.0,
        **({"layer_decay": 0.8} if layers else {"freeze_to": 1, "batch_norm": "eval"}),
        "accumulate": 3,
        "ema": 0.9,
        "best_epoch": True,
        "stop_after": 2,
    }
    flip = phase.training.augmentation.model_copy(update={"flip": "dihedral"})
    training = phase.training.model_copy(update={**everything, "augmentation": flip})
    phase = dataclasses.replace(transformer if layers else phase, training=training, epochs=EPOCHS)
    undisturbed = train_phase(phase, (0.01,))
    train_until(phase, state, last_step, (0.01,))
    torch.rand(3)
    random.random()
    checkpoint, history = train_phase(phase, (0.01,), state)
    assert_same((checkpoint, history), undisturbed)
    assert checkpoint.spec.provenance["recipe"] == {"flip": "dihedral", **everything}


def test_a_frozen_phase_on_features_that_died_ends_bit_identical(
    long_phase: Phase, state: TrainingState, train_until: Callable[..., None]
):
    training = long_phase.training.model_copy(update={"frozen_views": 2, "mixup": 0.2, "ema": 0.9})
    phase = dataclasses.replace(long_phase, name="frozen", training=training)
    undisturbed = train_phase(phase, RATES)
    train_until(phase, state, STEPS + 1)
    torch.rand(3)
    assert_same(train_phase(phase, RATES, state), undisturbed)


def test_a_phase_may_die_again_and_again(
    long_phase: Phase,
    state: TrainingState,
    train_until: Callable[..., None],
    undisturbed: Callable[[Phase], tuple[Any, ...]],
):
    for last_step in (1, STEPS + 2, STEPS + 3, STEPS):
        train_until(long_phase, state, last_step)
    assert_same(train_phase(long_phase, RATES, state), undisturbed(long_phase))


def test_a_phase_that_was_trained_to_the_end_is_not_trained_again(
    long_phase: Phase, state: TrainingState, caplog: pytest.LogCaptureFixture
):
    first = train_phase(long_phase, RATES, state)
    caplog.set_level(logging.INFO)
    again = train_phase(long_phase, RATES, state)
    assert_same(again, first)
    assert again[1].equals(first[1])  # even the seconds
    assert "small, unfrozen: goes on after epoch 3 of 3" in caplog.text


def test_the_state_can_be_recorded_less_often(
    long_phase: Phase, state: TrainingState, train_until: Callable[..., None]
):
    state = dataclasses.replace(state, every=2)
    train_until(long_phase, state, 2 * STEPS)
    assert state.facts() is None
    train_until(long_phase, state, 2 * STEPS + 1)
    assert state.facts()["epoch"] == 2
    train_phase(long_phase, RATES, state)
    assert state.facts()["epoch"] == EPOCHS


@pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="elsewhere nobody says what a process has mapped")
def test_a_state_that_was_read_can_be_replaced_while_its_tensors_are_in_use(state: TrainingState):
    state.write({"weights": torch.arange(100_000.0)}, {"epoch": 1})
    tensors = state.tensors()
    assert str(state.path) not in Path("/proc/self/maps").read_text(encoding="utf-8")
    assert torch.equal(tensors["weights"], torch.arange(100_000.0))


def test_a_damaged_state_is_named(long_phase: Phase, state: TrainingState):
    train_phase(long_phase, RATES, state)
    state.path.write_bytes(state.path.read_bytes()[:1000])
    with pytest.raises(UserError, match=r"train\.safetensors cannot be read: remove it"):
        train_phase(long_phase, RATES, state)
