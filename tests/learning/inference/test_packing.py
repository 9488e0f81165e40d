"""What a user may rely on when a network is prepared for answering on a CPU."""

from __future__ import annotations

import copy
from collections.abc import Callable
from functools import cache

import pytest
import torch
import torchvision
from torch import Tensor
from torch.nn import Conv2d, Module, ReLU, Sequential

from guitar_kedro.learning.inference.packing import PackedConvolution, can_pack, pack
from guitar_kedro.learning.networks.device import set_precision

CPU = torch.device("cpu")
SIZE = 64


def packed_in(network: Module) -> list[PackedConvolution]:
    return [module for module in network.modules() if isinstance(module, PackedConvolution)]


def images(count: int) -> Tensor:
    return torch.randn(count, 3, SIZE, SIZE, generator=torch.Generator().manual_seed(0)).contiguous(
        memory_format=torch.channels_last
    )


@cache
def lively(name: str) -> Module:
    """A network whose BatchNorm layers have measured something; packing leaves it as it is."""
    torch.manual_seed(0)
    network = torchvision.models.get_model(name, weights=None)
    with torch.no_grad():
        network(torch.randn(8, 3, SIZE, SIZE))
    return network.eval()


@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("name", ["resnet18", "densenet121", "squeezenet1_1", "mobilenet_v3_small", "convnext_tiny"])
def test_a_packed_network_answers_what_it_answered(name: str, precision: torch.dtype):
    network = lively(name)
    packed = pack(network, SIZE, precision, CPU)
    convolutions = [module for module in packed.modules() if isinstance(module, Conv2d)]
    can = precision is torch.bfloat16 and can_pack()
    assert (bool(packed_in(packed)), bool(convolutions)) == (can, not can)
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, precision is torch.bfloat16):
        expected = network(images(4)).float()
        error = (packed(images(4)).float() - expected).norm() / expected.norm()
    assert error < (1e-5 if precision is torch.float32 else 0.05)


def test_in_bfloat16_feature_maps_do_not_depend_on_how_many_pictures_are_asked_for():
    body = pack(Sequential(*list(lively("resnet18").children())[:-2]), SIZE, torch.bfloat16, CPU)
    set_precision(body, torch.bfloat16, CPU)
    with torch.inference_mode():
        together = body(images(17))
        for count in (1, 2, 3, 8):
            assert torch.equal(body(images(17)[:count]), together[:count])


def test_additions_and_relus_are_joined_to_the_convolutions_before_them():
    packed = pack(lively("resnet18"), SIZE, torch.bfloat16, CPU)
    left = [module for module in packed.modules() if isinstance(module, (Conv2d, ReLU))]
    assert bool(left) == ("add" in packed.code) == (not can_pack())


class Odd(Module):
    """A network of one convolution, with whose feature maps something is done."""

    def __init__(self, use: Callable[[Tensor, Tensor], Tensor], **layer: str) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.use, self.layer, self.scale = use, Conv2d(3, 3, 3, padding=1, **layer), torch.randn(3, 1, 1)

    def forward(self, pixels: Tensor) -> Tensor:
        """Convolves, and does that."""
        return self.use(self, self.layer(pixels), pixels)


def add_to_what_is_used_again(_: Odd, maps: Tensor, pixels: Tensor) -> Tensor:
    pixels = pixels * 2
    same = pixels
    pixels += maps
    return torch.relu(pixels) + same


ODD = {
    "added to what is used again": Odd(add_to_what_is_used_again),
    "added twice as much of": Odd(lambda _, maps, pixels: torch.relu(torch.add(maps, pixels, alpha=2))),
    "added to themselves": Odd(lambda _, maps, __: torch.relu(maps + maps)),
    "added to other shapes": Odd(lambda odd, maps, _: torch.relu(maps + odd.scale)),
    "used twice": Odd(lambda _, maps, __: torch.relu(maps) + maps),
    "added without a relu": Odd(lambda _, maps, pixels: pixels + maps),
    "reflected at the border": Odd(lambda _, maps, __: maps, padding_mode="reflect"),
    "not traceable": Odd(lambda _, maps, __: maps if maps.mean() > 0 else -maps),
}


@pytest.mark.parametrize("what", ODD)
def test_what_cannot_be_joined_is_left_as_it_is(what: str):
    network = ODD[what].eval()
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        expected = copy.deepcopy(network)(images(2)).float()
        error = pack(network, SIZE, torch.bfloat16, CPU)(images(2)).float() - expected
    assert error.norm() < 0.01 * expected.norm()
