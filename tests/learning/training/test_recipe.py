"""What each option of the recipe does."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from fastai.callback.core import Callback

from guitar_kedro.errors import UserError
from guitar_kedro.learning import (
    Phase,
    Pixels,
    decode_pictures,
    find_learning_rate,
    pixel_sizes,
    train_phase,
    training_batch,
)
from guitar_kedro.learning.training import fit
from guitar_kedro.learning.training.fit import prepared_learner


def with_recipe(phase: Phase, **options: object) -> Phase:
    return dataclasses.replace(
        phase, training=phase.training.model_validate({**phase.training.model_dump(), **options})
    )


@pytest.fixture
def transformer(phase: Phase, tmp_path: Path) -> Phase:
    """The phase with a network of timm, whose layers are known."""
    Pixels.save(decode_pictures(phase.table, pixel_sizes(32, 1.25, "squish", "bicubic")), tmp_path / "bicubic")
    stage = phase.stage.model_copy(update={"architecture": "test_vit"})
    return dataclasses.replace(phase, stage=stage, pixels=Pixels(tmp_path / "bicubic"))


class Watch(Callback):
    """Keeps what a step is made of."""

    order = 50

    def __init__(self) -> None:
        self.norms: list[float] = []
        self.steps, self.losses = 0, []

    def after_loss(self) -> None:
        self.losses.append((self.training, self.pred.detach(), self.y, float(self.loss)))

    def before_step(self) -> None:
        gradients = [each.grad.norm() for each in self.model.parameters() if each.grad is not None]
        self.norms.append(float(torch.stack(gradients).norm()))

    def after_step(self) -> None:
        self.steps += 1


def watched(phase: Phase) -> Watch:
    learner, watch = prepared_learner(phase), Watch()
    learner.add_cb(watch)
    learner.fit(1)
    return watch


def test_labels_are_smoothed_in_training_and_not_in_validation(phase: Phase):
    for training, scores, targets, loss in watched(with_recipe(phase, label_smoothing=0.2)).losses:
        classes = targets.argmax(dim=1) if training else targets
        expected = F.cross_entropy(scores, classes, label_smoothing=0.2 if training else 0)
        assert loss == pytest.approx(float(expected), abs=1e-6)


def test_weights_decay_by_as_much_as_is_asked_for(phase: Phase):
    none, much = (train_phase(with_recipe(phase, weight_decay=decay), (1e-3,))[0] for decay in (0, 1))
    one, other = (checkpoint.weights["1.8.weight"].norm() for checkpoint in (none, much))
    assert other < one


def test_gradients_are_clipped_to_a_norm(phase: Phase):
    free = watched(phase).norms
    clipped = watched(with_recipe(phase, clip=min(free) / 2)).norms
    assert max(clipped) == pytest.approx(min(free) / 2, rel=1e-3)


def test_the_rate_decays_from_layer_to_layer(transformer: Phase):
    phase = with_recipe(transformer, layer_decay=0.5)
    learner = prepared_learner(phase)
    rates = fit.rates_of_layers(learner, 1e-3, 0.5)
    assert rates[-1] == 1e-3
    assert np.allclose(rates[1:] / rates[:-1], 2)
    patches, head = learner.model[0].model.patch_embed.proj.weight, learner.model[1][-1].weight
    groups = learner.opt.param_lists
    assert len(groups) == len(rates) == len(learner.model[0].model.blocks) + 2
    assert any(each is patches for each in groups[0])
    assert any(each is head for each in groups[-1])
    curve, _ = find_learning_rate(phase, 20)
    assert curve["learning_rate"].iloc[0] == pytest.approx(1e-7)  # of the head
    train_phase(phase, (1e-3,))


def test_layer_decay_is_refused_with_a_pair_of_rates_and_for_networks_without_layers(phase: Phase, transformer: Phase):
    with pytest.raises(UserError, match="layer_decay is for networks of timm and for transformers, not for squeezenet"):
        train_phase(with_recipe(phase, layer_decay=0.5), (1e-3,))
    with pytest.raises(UserError, match=r"small\.unfrozen\.learning_rate is a pair, and training.layer_decay says"):
        train_phase(with_recipe(transformer, layer_decay=0.5), (1e-4, 1e-3))


def test_the_spec_lists_what_is_switched_on(phase: Phase):
    plain, _ = train_phase(phase, (1e-3,))
    assert plain.spec.provenance["recipe"] == {}
    flip = {**phase.training.augmentation.model_dump(), "flip": "horizontal"}
    checkpoint, _ = train_phase(with_recipe(phase, augmentation=flip, clip=1, label_smoothing=0.1), (1e-3,))
    listed = checkpoint.spec.provenance["recipe"]
    assert listed == {"flip": "horizontal", "label_smoothing": 0.1, "clip": 1}
    assert json.loads(json.dumps(listed)) == listed


def test_a_batch_of_softened_targets_is_shown_with_its_labels(phase: Phase):
    plain = training_batch(phase)
    softened = training_batch(with_recipe(phase, label_smoothing=0.3))
    assert [label for _, label in plain] == [label for _, label in softened]
