"""Depthwise convolutions on feature maps smaller than their kernel, as the last layers of small pictures have them.

Without AVX-512, oneDNN has no kernel for the gradient of their weights, and multiplies matrices for each channel
instead: with an EfficientNet-Lite0 at 128 px, three layers take a quarter of a training step. Adding up products for
each place of the kernel takes an eighth of that.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch.nn import Conv2d, Module
from torch.nn.functional import conv2d, pad
from torch.nn.grad import conv2d_input


def speed_up_small_maps(network: Module) -> None:
    """Compute the gradients of depthwise weights faster where the feature maps are smaller than the kernel.

    Outputs stay the same, gradients too, but for rounding. Nothing changes on a CPU with AVX-512.

    Args:
        network: That is trained on a CPU, in float32.
    """
    if torch.backends.cpu.get_cpu_capability() != "AVX2":
        return
    for layer in network.modules():
        if type(layer) is Conv2d and _is_depthwise(layer):
            layer.forward = partial(_forward, layer)  # type: ignore[method-assign]


def _is_depthwise(layer: Conv2d) -> bool:
    plain = layer.stride == layer.dilation == (1, 1) and layer.bias is None
    padded = layer.padding_mode == "zeros" and not isinstance(layer.padding, str)
    return plain and padded and layer.groups == layer.in_channels == layer.out_channels


def _forward(layer: Conv2d, maps: torch.Tensor) -> torch.Tensor:
    if min(maps.shape[2:]) < max(layer.kernel_size):
        return _Depthwise.apply(maps, layer.weight, layer.padding)
    return conv2d(maps, layer.weight, padding=layer.padding, groups=layer.groups)


class _Depthwise(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, maps: torch.Tensor, weight: torch.Tensor, padding: tuple[int, int]) -> torch.Tensor:
        """Convolve n x channels x rows x columns with channels x 1 x kernel rows x kernel columns."""
        ctx.save_for_backward(maps, weight)
        ctx.padding = padding
        return conv2d(maps, weight, padding=padding, groups=len(weight))

    @staticmethod
    def backward(ctx: Any, gradient: torch.Tensor) -> tuple[torch.Tensor | None, torch.Tensor | None, None]:
        """Return the gradients of the maps and of the weights."""
        maps, weight = ctx.saved_tensors
        of_maps = of_weight = None
        if ctx.needs_input_grad[0]:
            of_maps = conv2d_input(maps.shape, weight, gradient, padding=ctx.padding, groups=len(weight))
        if ctx.needs_input_grad[1]:
            down, across = ctx.padding
            padded = pad(maps, (across, across, down, down)).permute(0, 2, 3, 1)  # channels last, as they lie in memory
            gradient = gradient.permute(0, 2, 3, 1)
            rows, columns = gradient.shape[1:3]
            of_weight = torch.empty_like(weight)
            for top in range(weight.shape[2]):
                for left in range(weight.shape[3]):
                    seen = padded[:, top : top + rows, left : left + columns]
                    of_weight[:, 0, top, left] = (seen * gradient).sum((0, 1, 2))
        return of_maps, of_weight, None
