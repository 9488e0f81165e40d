"""What a user may rely on when a phase is trained."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch
from fastai.vision.augment import Resize

from guitar_kedro.errors import UserError
from guitar_kedro.learning import Phase, StageOptions, find_learning_rate, train_phase
from guitar_kedro.learning.data import TrainingSize, data_loaders
from guitar_kedro.learning.training import _spec


def changed(phase: Phase, **options: object) -> Phase:
    return dataclasses.replace(phase, stage=StageOptions(**{**phase.stage.model_dump(), **options}))


def test_the_same_seed_gives_bit_identical_weights(phase: Phase):
    torch.rand(7)  # whatever ran before does not matter
    first, history, _ = train_phase(phase, (1e-4, 1e-3))
    torch.rand(3)
    second, again, _ = train_phase(phase, (1e-4, 1e-3))
    assert all(torch.equal(first.weights[name], second.weights[name]) for name in first.weights)
    assert history.drop(columns="seconds").equals(again.drop(columns="seconds"))


def test_another_seed_gives_other_weights(phase: Phase):
    first, _, _ = train_phase(phase, (1e-3,))
    second, _, _ = train_phase(dataclasses.replace(phase, seed=2), (1e-3,))
    assert any(not torch.equal(first.weights[name], second.weights[name]) for name in first.weights)


def test_training_learns(phase: Phase):
    phase = changed(phase, architecture="resnet18", unfrozen={"epochs": 6, "learning_rate": 1e-3})
    _, history, _ = train_phase(phase, (1e-3,))
    assert history["train_loss"].iloc[-1] < history["train_loss"].iloc[0]


def test_a_frozen_phase_leaves_the_body_as_it_was(phase: Phase):
    start, _, _ = train_phase(phase, (1e-3,))
    frozen = dataclasses.replace(phase, name="frozen", start=start)
    after, _, _ = train_phase(frozen, (1e-3,))
    body = [name for name in start.weights if name.startswith("0.")]
    head = [name for name in start.weights if name.startswith("1.") and name.endswith("weight")]
    assert all(torch.equal(start.weights[name], after.weights[name]) for name in body)
    assert any(not torch.equal(start.weights[name], after.weights[name]) for name in head)


def test_a_stage_goes_on_with_the_network_of_another_at_another_size(phase: Phase):
    start, _, _ = train_phase(phase, (1e-3,))
    larger = changed(dataclasses.replace(phase, start=start, stage_name="larger"), image_size=48)
    after, _, pictures = train_phase(larger, (1e-9,))
    assert after.spec.image_size == 48
    assert after.spec.provenance["started_from"] == "small, unfrozen"
    assert pictures[0][0].size == (48, 48)
    assert torch.allclose(after.weights["0.0.0.weight"], start.weights["0.0.0.weight"], atol=1e-5)


def test_the_batch_sheet_shows_augmented_pictures_as_the_network_sees_them(phase: Phase):
    _, _, pictures = train_phase(phase, (1e-3,))
    assert len(pictures) == 8
    assert {label for _, label in pictures} <= {"disc", "square"}
    assert all(picture.size == (32, 32) for picture, _ in pictures)
    assert np.std([np.asarray(picture).mean() for picture, _ in pictures]) > 1


def test_the_suggested_rate_is_used_when_it_is_asked_for(phase: Phase):
    phase = changed(phase, unfrozen={"epochs": 1, "learning_rate": "suggested"})
    curve, rate = find_learning_rate(phase)
    assert rate["used"] == [rate["suggested"]]
    assert np.isfinite(curve.to_numpy()).all()
    assert list(curve.columns) == ["learning_rate", "loss", "smoothed_loss"]


def test_a_loss_that_is_no_number_ends_training_with_a_sentence(phase: Phase):
    with pytest.raises(UserError, match=r"small, unfrozen: the loss became (nan|inf) in epoch \d, step \d+"):
        train_phase(phase, (1e12,))


def test_a_class_without_training_images_is_named(phase: Phase):
    table = phase.table.copy()
    table.loc[table["label"] == "square", "split"] = "validation"
    with pytest.raises(UserError, match="class square has no images in the training part"):
        train_phase(dataclasses.replace(phase, table=table), (1e-3,))


def test_a_batch_larger_than_the_dataset_trains_on_all_of_it(phase: Phase):
    _, history, _ = train_phase(changed(phase, batch_size=500), (1e-3,))
    assert len(history) == 2


def test_a_stage_cannot_go_on_with_another_architecture(phase: Phase):
    start, _, _ = train_phase(phase, (1e-3,))
    with pytest.raises(UserError, match=r"small.architecture is resnet18, but what it starts from is a squeezenet"):
        train_phase(changed(dataclasses.replace(phase, start=start), architecture="resnet18"), (1e-3,))


def test_training_pictures_are_loaded_larger_and_validation_ones_are_not(phase: Phase):
    table = phase.table.assign(is_valid=phase.table["split"] == "validation")
    loaders = data_loaders(table, _spec(phase, {}), 8, phase.training)
    resize = next(item for item in loaders.train.after_item.fs if isinstance(item, Resize))
    assert isinstance(resize, TrainingSize)
    for loader, size in ((loaders.train, 40), (loaders.valid, 32)):
        loader.before_iter()  # fastai tells the transforms here whether this is training
        picture, _ = loader.do_item(0)
        assert tuple(picture.shape[-2:]) == (size, size)
        assert loader.one_batch()[0].shape[-2:] == (32, 32)


def test_validation_pictures_are_not_changed_at_random(phase: Phase):
    table = phase.table.assign(is_valid=phase.table["split"] == "validation")
    loaders = data_loaders(table, _spec(phase, {}), 8, phase.training)
    first, again = loaders.valid.one_batch()[0], loaders.valid.one_batch()[0]
    assert torch.equal(first, again)
    assert not torch.equal(loaders.train.one_batch()[0], loaders.train.one_batch()[0])
