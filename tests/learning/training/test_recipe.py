"""What each option of the recipe does."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Literal

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from fastai.callback.core import Callback

from guitar_kedro.errors import UserError
from guitar_kedro.learning import (
    Checkpoint,
    Phase,
    TrainingState,
    find_learning_rate,
    train_phase,
    training_batch,
)
from guitar_kedro.learning.data.targets import SoftTargets
from guitar_kedro.learning.training import fit
from guitar_kedro.learning.training.fit import prepared_learner
from guitar_kedro.learning.training.frozen_views import train_on_features


def with_recipe(phase: Phase, **options: object) -> Phase:
    return dataclasses.replace(
        phase, training=phase.training.model_validate({**phase.training.model_dump(), **options})
    )


class Watch(Callback):
    """Keeps what a step is made of."""

    order = 50

    def __init__(self) -> None:
        self.norms: list[float] = []
        self.steps, self.losses, self.images = 0, [], []

    def after_loss(self) -> None:
        self.images.append(self.x.clone())
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


def soft_targets(phase: Phase, **options: object) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Gives four pictures of one colour each and of three classes, mixed, and their shares of the classes."""
    before = torch.arange(4.0).view(4, 1, 1, 1).expand(4, 3, 16, 16).contiguous(memory_format=torch.channels_last)
    soften = SoftTargets(with_recipe(phase, **options).training, torch.tensor([6, 3, 1]))
    images, shares = soften(before.clone(), torch.tensor([0, 1, 2, 0]))
    assert images.is_contiguous(memory_format=torch.channels_last)
    return images, shares, before


def test_mixup_blends_pictures_as_it_blends_labels(phase: Phase):
    mixed = False
    for _ in range(10):
        images, shares, before = soft_targets(phase, mixup=1)
        assert torch.allclose(shares.sum(dim=1), torch.ones(4))
        assert (images.std(dim=(1, 2, 3)) < 1e-5).all()  # each pixel alike
        colours = images[:, 0, 0, 0]
        own = shares[1, 1]
        assert any(torch.isclose(colours[1], own + (1 - own) * other, atol=1e-4) for other in (0, 1, 2, 3))
        mixed |= not torch.allclose(images, before)
    assert mixed


def test_cutmix_exchanges_a_box_whose_area_is_the_share_of_the_label(phase: Phase):
    torch.manual_seed(0)
    boxes = 0
    for _ in range(20):
        images, shares, before = soft_targets(phase, cutmix=1)
        kept = (images == before).all(dim=1).float().mean(dim=(1, 2))
        assert torch.allclose(shares.sum(dim=1), torch.ones(4))
        if 0 < kept[1] < 1:
            boxes += 1
            assert float(shares[1, 1]) == pytest.approx(float(kept[1]))
    assert boxes > 5


def test_with_mixup_and_cutmix_a_coin_decides_for_each_batch(phase: Phase):
    torch.manual_seed(0)
    spreads = [float(soft_targets(phase, mixup=5, cutmix=1)[0].std(dim=(2, 3)).max()) for _ in range(30)]
    assert 5 < sum(spread < 1e-5 for spread in spreads) < 25


def test_random_erasing_paints_boxes_in_the_mean_colour(phase: Phase):
    plain, erased = (watched(with_recipe(phase, random_erasing=share)).images[0] for share in (0, 1))
    boxes = (erased == 0).all(dim=1).float().mean(dim=(1, 2))
    assert ((boxes > 0.01) & (boxes < 0.5)).all()
    assert not (plain == 0).all(dim=1).any()


def few_discs(phase: Phase) -> Phase:
    """Leaves 2 of the 16 discs for training."""
    rare = phase.table.query("label == 'disc' and split == 'train'").index[2:]
    return dataclasses.replace(phase, table=phase.table.drop(rare))


def test_class_weights_let_each_class_count_alike(phase: Phase):
    _, shares, _ = soft_targets(phase, balance="class_weights")
    weights = shares.sum(dim=1)[:3]
    assert torch.allclose(weights * torch.tensor([6, 3, 1]), torch.full((3,), 10 / 3))
    watch = watched(with_recipe(few_discs(phase), balance="class_weights"))
    for training, scores, targets, loss in watch.losses:
        if training:
            weighed = F.cross_entropy(scores, targets.argmax(dim=1), torch.tensor([18 / 4, 18 / 32]), reduction="sum")
            assert loss == pytest.approx(float(weighed) / len(scores), abs=1e-5)
        else:
            assert loss == pytest.approx(float(F.cross_entropy(scores, targets)), abs=1e-6)


def test_sampling_shows_rare_classes_as_often(phase: Phase):
    learner = prepared_learner(with_recipe(few_discs(phase), balance="sampling"))
    shown = torch.cat([targets for _ in range(20) for _, targets in learner.dls.train])
    assert 0.4 < shown.float().mean() < 0.6
    assert len(torch.cat([targets for _, targets in learner.dls.valid])) == 16


@pytest.mark.parametrize(
    ("architecture", "decay"), [("squeezenet1_1", 1), ("mobilenet_v2", 1), ("test_efficientnet", 1), ("test_vit", 0.8)]
)
def test_the_first_half_of_the_body_stays_as_it_is_where_training_leaves_it_out(
    phase: Phase, transformer: Phase, architecture: str, decay: float
):
    phase = transformer if architecture.startswith("test") else phase  # timm's
    stage = phase.stage.model_copy(update={"architecture": architecture, "weights": "none"})
    phase = with_recipe(dataclasses.replace(phase, stage=stage), freeze_to=1, layer_decay=decay)
    learner = prepared_learner(phase)
    before = {name: tensor.clone() for name, tensor in learner.model.state_dict().items()}
    learner.fit(1, 1e-2)
    after = learner.model.state_dict()
    same = [torch.equal(before[name], after[name]) for name in before]
    half = same.index(False)
    assert all(same[:half])  # running means of BatchNorm too
    assert 0.2 < half / len(same) < 0.8
    assert not any(torch.equal(before[name], after[name]) for name in list(before)[half:] if name.endswith("weight"))


@pytest.mark.parametrize(
    ("name", "begins"),
    [("frozen", "trained"), ("unfrozen", "trained"), ("unfrozen", "random"), ("unfrozen", "random, then frozen")],
)
def test_batch_norm_keeps_the_statistics_of_a_trained_body_where_training_asks_for_it(
    phase: Phase, name: Literal["frozen", "unfrozen"], begins: str
):
    stage = phase.stage.model_copy(update={"architecture": "mobilenet_v2", "weights": "none"})
    phase = with_recipe(dataclasses.replace(phase, stage=stage, name=name), batch_norm="eval")
    if begins != "random":
        frozen = dataclasses.replace(phase, name="frozen")
        checkpoint, _ = train_phase(dataclasses.replace(frozen, epochs=1), (1e-3,))
        if begins == "trained":
            del checkpoint.spec.provenance["from_scratch"]
        start = checkpoint
        phase = dataclasses.replace(phase, stage=stage.model_copy(update={"weights": None}), start=start)
    learner = prepared_learner(phase)
    before = {name: tensor.clone() for name, tensor in learner.model.state_dict().items()}
    learner.fit(1, 1e-2)
    changed = {name for name, tensor in learner.model.state_dict().items() if not torch.equal(before[name], tensor)}
    kept = {name for name in before if name.startswith("0.") and "running" in name}
    assert kept.isdisjoint(changed) == (name == "unfrozen" and begins == "trained")
    assert {name for name in before if name.startswith("1.") and "running" in name} <= changed  # began at random
    assert {name for name in before if name.startswith("0.") and name.endswith("weight")} <= changed or name == "frozen"


def test_a_head_that_is_trained_on_features_is_validated_as_the_whole_network_is(phase: Phase):
    stage = phase.stage.model_copy(update={"architecture": "resnet18"})
    phase = dataclasses.replace(phase, stage=stage, name="frozen")
    pictures = prepared_learner(phase)
    checkpoint, history = train_phase(with_recipe(phase, frozen_views=2, balance="sampling", mixup=0.2), (1e-2,))
    before = pictures.model.state_dict()
    changed = {name for name, tensor in before.items() if not torch.equal(checkpoint.weights[name], tensor)}
    assert changed
    assert all(name.startswith("1.") for name in changed)  # of the body not even what BatchNorm measures
    pictures.model.load_state_dict(checkpoint.weights)
    loss, error_rate = pictures.validate()
    assert history["valid_loss"].iloc[-1] == pytest.approx(loss, abs=1e-5)
    assert history["error_rate"].iloc[-1] == pytest.approx(error_rate)


def test_a_search_before_a_phase_on_features_shows_each_picture_to_the_body_once(phase: Phase):
    seen: list[int] = []

    def count(layer: torch.nn.Module, arguments: tuple[torch.Tensor, ...], _: object) -> None:
        if isinstance(layer, torch.nn.Conv2d) and arguments[0].shape[1] == 3:  # the first layer
            seen.append(len(arguments[0]))

    frozen = with_recipe(dataclasses.replace(phase, name="frozen", device="cpu"), frozen_views=1)
    watching = torch.nn.modules.module.register_module_forward_hook(count)
    try:
        curve, suggested = find_learning_rate(frozen, 100)
    finally:
        watching.remove()
    assert seen.pop(0) == 1  # to see the size of the features
    assert sum(seen) == len(phase.table)
    assert len(curve) > len(phase.table) / phase.stage.batch_size  # it took more steps than an epoch has
    assert curve["learning_rate"].min() < suggested < curve["learning_rate"].max()


def test_the_first_view_is_the_plain_picture_and_the_others_are_not(phase: Phase):
    def features(views: int, **options: object) -> torch.Tensor:
        frozen = with_recipe(dataclasses.replace(phase, name="frozen"), frozen_views=views, **options)
        learner = prepared_learner(frozen)
        train_on_features(learner, frozen)
        return learner.dls.train.dataset.features

    one, three = features(1, random_erasing=1.0), features(3)
    assert torch.equal(one[0], three[0])
    assert not torch.equal(three[1], three[0])
    assert not torch.equal(three[1], three[2])


def test_accumulated_batches_make_the_step_of_a_large_one(phase: Phase, monkeypatch: pytest.MonkeyPatch):
    small = watched(with_recipe(phase, accumulate=3))
    assert small.steps == 2  # of 4 batches: an epoch ends with a step
    assert watched(phase).steps == 4

    still = {**phase.training.augmentation.model_dump(), "p_affine": 0, "p_lighting": 0}
    phase = with_recipe(dataclasses.replace(phase, name="frozen", device="cpu"), augmentation=still, weight_decay=0)
    monkeypatch.setattr(torch.nn.Dropout, "forward", lambda self, images: images)
    large = dataclasses.replace(phase, stage=phase.stage.model_copy(update={"batch_size": 16}))
    networks = []
    for each in (large, with_recipe(phase, accumulate=2)):
        learner = prepared_learner(each)
        for module in learner.model[1]:
            if isinstance(module, torch.nn.BatchNorm1d):
                module.eval()
                module.train = lambda mode=True, module=module: module
        learner.fit(1, 1e-4)
        networks.append(learner.model[1][-1].weight)
    assert torch.allclose(*networks, atol=1e-5)


def validation_loss(phase: Phase, checkpoint: Checkpoint) -> float:
    return prepared_learner(dataclasses.replace(phase, start=checkpoint)).validate()[0]


def test_the_average_of_the_weights_is_validated_and_kept(phase: Phase):
    kept, history = train_phase(with_recipe(phase, ema=0.9), (1e-3,))
    own, plain = train_phase(phase, (1e-3,))
    assert history["train_loss"].equals(plain["train_loss"])  # training itself is as it was
    assert not history["valid_loss"].equals(plain["valid_loss"])
    assert any(not torch.equal(kept.weights[name], own.weights[name]) for name in own.weights)
    assert validation_loss(phase, kept) == pytest.approx(history["valid_loss"].iloc[-1], rel=1e-5)


def test_the_best_epoch_is_kept_and_named(phase: Phase, caplog: pytest.LogCaptureFixture):
    phase = with_recipe(dataclasses.replace(phase, epochs=4), best_epoch=True)
    with caplog.at_level("INFO"):
        checkpoint, history = train_phase(phase, (0.03,))
    best = int(history["valid_loss"].idxmin())
    assert list(history["kept"]) == [number == best for number in range(4)]
    assert f"small, unfrozen: keeps the weights of epoch {best}, whose validation loss is the lowest" in caplog.text
    assert checkpoint.spec.provenance["kept_epoch"] == best
    assert validation_loss(phase, checkpoint) == pytest.approx(history["valid_loss"].min(), rel=1e-5)


def test_training_stops_when_validation_gets_no_better(phase: Phase, tmp_path: Path):
    phase = with_recipe(dataclasses.replace(phase, epochs=30), stop_after=2)
    state = TrainingState(tmp_path / "state.safetensors", every=7)
    checkpoint, history = train_phase(phase, (0.03,), state)
    assert len(history) < 30
    assert history["valid_loss"].idxmin() == len(history) - 3
    assert list(history["kept"][-2:]) == [False, True]
    assert checkpoint.spec.provenance["epochs"] == len(history)
    assert state.is_complete()
    again, same = train_phase(phase, (0.03,), state)
    assert same.equals(history)
    assert all(torch.equal(again.weights[name], weights) for name, weights in checkpoint.weights.items())
