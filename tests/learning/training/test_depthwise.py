"""Depthwise convolutions, whose gradients are computed faster without AVX-512."""

from __future__ import annotations

import dataclasses
from copy import deepcopy
from pathlib import Path

import pytest
import torch

from guitar_kedro.learning import Phase, Pixels, decode_pictures, pixel_sizes
from guitar_kedro.learning.training.depthwise import speed_up_small_maps
from guitar_kedro.learning.training.fit import prepared_learner


@pytest.fixture(autouse=True)
def avx2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.backends.cpu, "get_cpu_capability", lambda: "AVX2")


def gradients(network: torch.nn.Module, images: torch.Tensor) -> list[torch.Tensor]:
    images = images.clone().requires_grad_()
    scores = network(images)
    (scores * torch.linspace(-1, 1, scores.numel()).view(scores.shape)).sum().backward()
    return [scores, images.grad, *(each.grad for each in network.parameters())]


@pytest.mark.parametrize(
    ("kernel", "padding", "size"),
    [
        (5, 2, (4, 4)),
        (5, 2, (1, 1)),
        (5, 2, (2, 3)),
        (5, 2, (3, 12)),
        (5, 2, (9, 9)),
        (5, 1, (3, 4)),
        (7, 3, (4, 6)),
        ((3, 5), (1, 2), (4, 2)),
    ],
)
def test_outputs_and_gradients_are_those_of_torch(kernel, padding, size):
    torch.manual_seed(1)
    layer = torch.nn.Conv2d(6, 6, kernel, padding=padding, groups=6, bias=False)
    plain = torch.nn.Sequential(torch.nn.Conv2d(3, 6, 1), layer, torch.nn.Conv2d(6, 2, 1)).double()
    plain = plain.to(memory_format=torch.channels_last)
    faster = deepcopy(plain)
    speed_up_small_maps(faster)
    images = torch.randn(4, 3, *size, dtype=torch.float64).contiguous(memory_format=torch.channels_last)
    small = min(size) < max(layer.kernel_size)
    assert ("Depthwise" in faster[1](faster[0](images)).grad_fn.name()) == small  # or there would be nothing to compare
    for found, expected in zip(gradients(faster, images), gradients(plain, images), strict=True):
        torch.testing.assert_close(found, expected)


def test_a_copy_computes_with_its_own_weights_and_a_frozen_layer_gets_no_gradient():
    layer = torch.nn.Conv2d(4, 4, 5, padding=2, groups=4, bias=False)
    speed_up_small_maps(layer)
    other = deepcopy(layer)
    torch.nn.init.zeros_(other.weight)
    images = torch.randn(2, 4, 3, 3, requires_grad=True)
    assert not other(images).any()
    assert layer(images).any()
    layer.requires_grad_(False)
    layer(images).sum().backward()
    assert layer.weight.grad is None
    assert images.grad.any()


def test_other_convolutions_are_left_as_they_are():
    layers = [
        torch.nn.Conv2d(4, 4, 5, padding=2, bias=False),
        torch.nn.Conv2d(4, 8, 5, padding=2, groups=4, bias=False),
        torch.nn.Conv2d(4, 4, 5, padding=2, groups=4),
        torch.nn.Conv2d(4, 4, 5, padding=2, groups=4, stride=2, bias=False),
        torch.nn.Conv2d(4, 4, 5, padding=4, groups=4, dilation=2, bias=False),
        torch.nn.Conv2d(4, 4, 5, padding=2, groups=4, padding_mode="reflect", bias=False),
        torch.nn.Conv2d(4, 4, 5, padding="same", groups=4, bias=False),
    ]
    images = torch.randn(2, 4, 4, 4)
    expected = [layer(images) for layer in layers]
    speed_up_small_maps(torch.nn.ModuleList(layers))
    assert all(torch.equal(layer(images), result) for layer, result in zip(layers, expected, strict=True))


@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_network_of_such_layers_is_trained_in_each_precision(phase: Phase, tmp_path: Path, precision: str):
    stage = phase.stage.model_copy(update={"architecture": "mobilenetv3_small_050"})
    training = phase.training.model_copy(update={"precision": precision})
    sizes = pixel_sizes(stage.image_size, training.presize, training.resize_method, "bicubic")
    Pixels.save(decode_pictures(phase.table, sizes), tmp_path)
    changes = {"stage": stage, "training": training, "pixels": Pixels(tmp_path), "device": "cpu"}
    learner = prepared_learner(dataclasses.replace(phase, **changes))
    learner.fit(1, 1e-3)
    assert learner.recorder.values[-1][0] > 0
