"""What a user may rely on when a phase is trained."""

from __future__ import annotations

import copy
import dataclasses
from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
import pytest
import torch
from fastai.data.core import DataLoaders
from fastai.learner import Learner
from fastai.losses import CrossEntropyLossFlat
from fastai.optimizer import Adam
from torch import nn

from guitar_kedro.errors import UserError
from guitar_kedro.learning import (
    Checkpoint,
    Phase,
    Pixels,
    StageOptions,
    TrainingOptions,
    find_learning_rate,
    train_phase,
    training_batch,
)
from guitar_kedro.learning.networks.architectures import check_size
from guitar_kedro.learning.networks.device import set_precision
from guitar_kedro.learning.networks.learner import ADAM
from guitar_kedro.pipelines.training.nodes import show_phase


def changed(phase: Phase, **options: object) -> Phase:
    return dataclasses.replace(phase, stage=StageOptions(**{**phase.stage.model_dump(), **options}))


def test_the_same_seed_gives_bit_identical_weights(phase: Phase, trained: tuple[Checkpoint, pd.DataFrame]):
    first, history = trained
    torch.rand(3)  # whatever ran before does not matter
    second, again = train_phase(phase, (1e-3,))
    assert all(torch.equal(first.weights[name], second.weights[name]) for name in first.weights)
    assert history.drop(columns="seconds").equals(again.drop(columns="seconds"))


def test_another_seed_gives_other_weights(phase: Phase, trained: tuple[Checkpoint, pd.DataFrame]):
    first, _ = trained
    second, _ = train_phase(dataclasses.replace(phase, seed=2), (1e-3,))
    assert any(not torch.equal(first.weights[name], second.weights[name]) for name in first.weights)


def test_training_learns(phase: Phase):
    phase = dataclasses.replace(changed(phase, architecture="resnet18"), epochs=6)
    _, history = train_phase(phase, (1e-3,))
    assert history["train_loss"].iloc[-1] < history["train_loss"].iloc[0]


def test_a_frozen_phase_leaves_the_body_as_it_was(phase: Phase, trained: tuple[Checkpoint, pd.DataFrame]):
    start, _ = trained
    frozen = dataclasses.replace(phase, name="frozen", start=start)
    after, _ = train_phase(frozen, (1e-3,))
    body = [name for name in start.weights if name.startswith("0.")]
    head = [name for name in start.weights if name.startswith("1.") and name.endswith("weight")]
    assert all(torch.equal(start.weights[name], after.weights[name]) for name in body)
    assert any(not torch.equal(start.weights[name], after.weights[name]) for name in head)


def test_a_stage_goes_on_with_the_network_of_another_at_another_size(
    phase: Phase, trained: tuple[Checkpoint, pd.DataFrame], decode: Callable[..., Pixels]
):
    start, _ = trained
    larger = dataclasses.replace(phase, start=start, stage_name="larger", pixels=decode(48))
    larger = changed(larger, image_size=48)
    after, _ = train_phase(larger, (1e-9,))
    assert after.spec.image_size == 48
    assert after.spec.provenance["started_from"] == "small, unfrozen"
    assert training_batch(larger)[0][0].size == (48, 48)
    assert torch.allclose(after.weights["0.0.0.weight"], start.weights["0.0.0.weight"], atol=1e-5)


def test_the_batch_sheet_shows_augmented_pictures_as_the_network_sees_them(phase: Phase):
    pictures = training_batch(phase)
    assert len(pictures) == 8
    assert {label for _, label in pictures} <= {"disc", "square"}
    assert all(picture.size == (32, 32) for picture, _ in pictures)
    assert np.std([np.asarray(picture).mean() for picture, _ in pictures]) > 1


def test_a_search_suggests_a_rate_and_shows_what_it_tried(phase: Phase):
    curve, suggested = find_learning_rate(phase, 20)
    assert curve["learning_rate"].min() < suggested < curve["learning_rate"].max()
    assert np.isfinite(curve.to_numpy()).all()
    assert list(curve.columns) == ["learning_rate", "loss", "smoothed_loss"]


def test_a_network_that_knows_its_images_gets_a_curve_although_its_first_losses_are_near_zero(
    phase: Phase, monkeypatch: pytest.MonkeyPatch
):
    losses = iter([0.004, 0.03, *[0.05] * 98])
    forward = CrossEntropyLossFlat.__call__
    monkeypatch.setattr(
        CrossEntropyLossFlat,
        "__call__",
        lambda self, *both, **options: (loss := forward(self, *both, **options)) * (next(losses) / loss.detach()),
    )
    curve, suggested = find_learning_rate(phase, 20)
    assert len(curve) >= 10
    assert np.isfinite(suggested)


def test_a_gpu_with_too_little_memory_ends_training_with_a_sentence(phase: Phase, monkeypatch: pytest.MonkeyPatch):
    def full(*_: object, **__: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory.")

    monkeypatch.setattr(CrossEntropyLossFlat, "__call__", full)  # no machine that tests run on has a GPU to fill
    for train in (partial(find_learning_rate, iterations=20), partial(train_phase, rates=(1e-3,))):
        with pytest.raises(UserError, match=r"small, unfrozen: .* too little memory .* lower batch_size or image_size"):
            train(phase)


def test_a_loss_that_is_no_number_ends_training_with_a_sentence(phase: Phase):
    with pytest.raises(UserError, match=r"small, unfrozen: the loss became (nan|inf) in epoch \d, step \d+"):
        train_phase(phase, (1e12,))


def test_a_class_without_training_images_is_named(phase: Phase):
    table = phase.table.copy()
    table.loc[table["label"] == "square", "split"] = "validation"
    with pytest.raises(UserError, match="class square has no images in the training part"):
        train_phase(dataclasses.replace(phase, table=table), (1e-3,))


def test_a_batch_larger_than_the_dataset_trains_on_all_of_it(phase: Phase):
    _, history = train_phase(changed(phase, batch_size=500), (1e-3,))
    assert len(history) == 2


def test_a_stage_cannot_go_on_with_another_architecture(phase: Phase, trained: tuple[Checkpoint, pd.DataFrame]):
    start, _ = trained
    with pytest.raises(UserError, match=r"small.architecture is resnet18, but what it starts from is a squeezenet"):
        train_phase(changed(dataclasses.replace(phase, start=start), architecture="resnet18"), (1e-3,))


def test_pictures_decoded_for_another_size_are_refused(phase: Phase, decode: Callable[..., Pixels]):
    with pytest.raises(UserError, match="decoded for other parameters"):
        train_phase(dataclasses.replace(phase, pixels=decode(48)), (1e-3,))


def test_bfloat16_is_reproducible_too_and_keeps_float32_weights(phase: Phase, trained: tuple[Checkpoint, pd.DataFrame]):
    bfloat16 = phase.training.model_copy(update={"precision": "bfloat16"})
    reference, _ = trained
    phase = dataclasses.replace(phase, training=bfloat16, device="cpu")
    first, second = (train_phase(phase, (1e-3,))[0] for _ in range(2))
    assert all(torch.equal(first.weights[name], second.weights[name]) for name in first.weights)
    assert any(not torch.equal(first.weights[name], reference.weights[name]) for name in first.weights)
    assert all(tensor.dtype == reference.weights[name].dtype for name, tensor in first.weights.items())


def test_bfloat16_computes_nearly_what_float32_does():
    torch.manual_seed(0)
    network = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3), torch.nn.Flatten(), torch.nn.LazyLinear(4))
    images = torch.randn(8, 3, 16, 16)
    reference = network(images)
    set_precision(network, torch.bfloat16, torch.device("cpu"))
    assert network(images).dtype == torch.float32
    assert not torch.equal(network(images), reference)
    assert torch.allclose(network(images), reference, atol=0.02)


def test_device_and_precision_are_in_the_log(phase: Phase, caplog: pytest.LogCaptureFixture):
    with caplog.at_level("INFO"):
        train_phase(dataclasses.replace(phase, device="cpu"), (1e-3,))
    assert "small, unfrozen: on cpu in float32" in caplog.text


def test_the_optimizer_takes_the_steps_of_fastais_own():
    torch.manual_seed(0)
    ours = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Flatten(), nn.Linear(4 * 36, 2))
    theirs, images = copy.deepcopy(ours), torch.randn(8, 3, 8, 8)
    for model, optimizer in ((ours, ADAM), (theirs, partial(Adam, wd=0.01))):
        loaders = DataLoaders.from_dsets([(image, 0) for image in images], bs=8, shuffle=False)
        learner = Learner(loaders, model, loss_func=nn.CrossEntropyLoss(), opt_func=optimizer, lr=0.1)
        learner.create_opt()
        for _ in range(3):
            learner.loss_func(model(images), torch.zeros(8, dtype=torch.long)).backward()
            learner.opt.step()
            learner.opt.zero_grad()
    for one, other in zip(ours.parameters(), theirs.parameters(), strict=True):
        assert torch.allclose(one, other, atol=1e-5)


def test_to_learn_of_a_network_how_it_is_cut_takes_no_random_numbers():
    before = torch.get_rng_state()
    check_size("mobilenet_v3_small", 64)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_process_that_gets_one_image_at_a_time_is_refused(phase: Phase):
    alone = dataclasses.replace(phase, stage=phase.stage.model_copy(update={"batch_size": 1}))
    with pytest.raises(UserError, match=r"batch_size is 1 and \d+ images are for training. Make both 2 at least."):
        train_phase(alone, (1e-3,))


def test_a_training_part_of_one_image_is_refused(phase: Phase):
    discs = phase.table.query("label == 'disc'")
    table = pd.concat([discs.query("split == 'train'").head(1), discs.query("split == 'validation'")])
    with pytest.raises(UserError, match=r"and 1 images are for training"):
        train_phase(dataclasses.replace(phase, table=table), (1e-3,))


def test_zooms_in_the_wrong_order_are_refused(phase: Phase):
    options = phase.training.model_dump()
    with pytest.raises(UserError, match="min_zoom is the least magnification and must not be above max_zoom"):
        TrainingOptions.model_validate({**options, "augmentation": {**options["augmentation"], "min_zoom": 1.2}})


def test_a_batch_is_drawn_as_it_was_resized_for_the_weights_that_were_trained(
    phase: Phase, decode: Callable[..., Pixels]
):
    spec = phase.spec({"stage": "small", "phase": "unfrozen", "learning_rates": [1e-3]})
    history = pd.DataFrame(
        [
            {
                "epoch": 0,
                "train_loss": 1,
                "valid_loss": 1,
                "error_rate": 0,
                "learning_rate": 0,
                "seconds": 1,
                "kept": True,
            }
        ]
    )
    drawn = show_phase(
        phase.table,
        decode(32, interpolation="bicubic"),
        spec.model_copy(update={"interpolation": "bicubic"}),
        history,
        {},
        **phase.stage.model_dump(include={"architecture", "image_size", "batch_size"}),
        **phase.training.model_dump(),
        stage_name="small",
        phase="unfrozen",
        seed=1,
    )
    assert len(drawn) == 2
