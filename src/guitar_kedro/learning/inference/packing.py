"""Networks that only predict: BatchNorm layers fused, and on a CPU in bfloat16, weights packed once for oneDNN.

Left to itself, torch arranges the weights of each convolution anew in each call, and reads and writes all feature maps
once more for each addition and ReLU (https://uxlfoundation.github.io/oneDNN/dev_guide_inference.html). Nothing public
spares that: torch's compiler needs one for C++ on the user's machine, and fused layers with weights in bfloat16 take
14 to 17 % more CPU time for one picture of 224 px (ResNet-34 and ResNet-18; none more for 32). So operators are called
here that torch keeps for its compiler and may change; float32, the reference, does without them.
"""

from __future__ import annotations

import operator
from typing import Any, cast

import torch
from torch.fx import GraphModule, Node
from torch.fx.experimental.optimization import fuse
from torch.fx.passes.shape_prop import ShapeProp
from torch.nn import Conv2d, Module, ReLU

from guitar_kedro.sizes import ImageSize, height_width

_ADD = (operator.add, torch.add)
_RELU = (torch.relu, torch.nn.functional.relu)
_PICTURES = 4  # for which weights are packed: of 1, 4, 16 and 32 the fastest for all of these with a ResNet-50


def pack(network: Module, size: ImageSize, precision: torch.dtype, device: torch.device) -> Module:
    """Prepare a network in evaluation mode for prediction; its outputs stay the same, but for rounding.

    Args:
        network: On the CPU. It is left as it is.
        size: Of the pictures that it is shown.
        precision: In which convolutions will compute.
        device: Where. Weights are packed for a CPU that has instructions for bfloat16, if that is the precision;
            elsewhere, only BatchNorm is done away with.

    Returns:
        A faster network; the one given, if its code cannot be traced, or not rightly.
    """
    picture = torch.rand(1, 3, *height_width(size), generator=torch.Generator().manual_seed(0))
    picture = picture.contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        try:
            # convolutions do the work of the BatchNorm layers that follow them
            fused = cast(GraphModule, fuse(network))
            expected, found = network(picture), ShapeProp(fused).propagate(picture)
        except Exception:  # whatever code that cannot be traced raises
            return network
        # what works in place can be traced as something else
        if torch.dist(found, expected) > 1e-3 * expected.norm():
            return network
        if precision is torch.bfloat16 and device.type == "cpu" and can_pack():
            for node in list(fused.graph.nodes):
                if isinstance(layer := _module(fused, node), Conv2d):
                    _pack(fused, node, layer)
    fused.delete_all_unused_submodules()
    fused.recompile()
    return fused


def can_pack() -> bool:
    """Return whether oneDNN computes in bfloat16 on this CPU, which takes AVX-512 or AVX-NE-CONVERT."""
    return torch.backends.mkldnn.is_available() and torch.ops.mkldnn._is_mkldnn_bf16_supported()


class PackedConvolution(Module):
    """A convolution in bfloat16, and what may follow it: the addition of other feature maps, a ReLU."""

    def __init__(self, layer: Conv2d, shape: torch.Size, relu: bool) -> None:
        """Pack the weights.

        Args:
            layer: The convolution.
            shape: Of the images or feature maps that it takes: n x channels x rows x columns.
            relu: Whether a ReLU follows.
        """
        super().__init__()
        bias = None if layer.bias is None else layer.bias.detach().bfloat16()
        how = ([*layer.padding], [*layer.stride], [*layer.dilation], layer.groups)
        weight = layer.weight.detach().bfloat16().to_mkldnn()
        pack: Any = torch._C._nn.mkldnn_reorder_conv2d_weight  # whose stub lacks the last argument
        weight = pack(weight, *how, [_PICTURES, *shape[1:]])
        self._layer, self._relu = (weight, bias, *how), "relu" if relu else None

    def forward(self, images: torch.Tensor, others: torch.Tensor | None = None) -> torch.Tensor:
        """Convolve, add, cut off below 0.

        Args:
            images: n x channels x rows x columns, images or feature maps.
            others: Feature maps to add, of the shape of the result.

        Returns:
            bfloat16 of n x channels x rows x columns, as the convolution gives them.
        """
        images = images.bfloat16()
        if others is None:
            return torch.ops.mkldnn._convolution_pointwise(images, *self._layer, self._relu or "none", [], "")
        pair = images, others.bfloat16(), *self._layer
        return torch.ops.mkldnn._convolution_pointwise(*pair, "add", 1.0, self._relu, [], None)


def _pack(network: GraphModule, node: Node, layer: Conv2d) -> None:
    """Replace a convolution, and what can be joined to it."""
    shape = _shape(node.args[0]) if node.args else None
    if layer.padding_mode != "zeros" or isinstance(layer.padding, str) or shape is None:
        return
    last, relu = node, False
    others: tuple[Any, ...] = ()
    following = _only_user(last)
    if following is not None and _adds_to(following, node):
        last, others = following, tuple(each for each in following.args if each is not node)
        following = _only_user(last)
    if following is not None and _is_relu(network, following):
        last, relu = following, True
    name = f"packed_{node.name}"
    network.add_submodule(name, PackedConvolution(layer, shape, relu))
    with network.graph.inserting_after(last):
        packed = network.graph.call_module(name, (node.args[0], *others))
    packed.meta = last.meta
    last.replace_all_uses_with(packed)
    while last is not node:
        nodes = [each for each in last.args if isinstance(each, Node)]
        before = node if node in nodes else next(each for each in nodes if node in each.args)
        network.graph.erase_node(last)
        last = before
    network.graph.erase_node(node)


def _adds_to(node: Node, feature_maps: Node) -> bool:
    """Return whether a node adds others of their shape to feature maps."""
    if node.op != "call_function" or node.target not in _ADD or len(node.args) != 2 or node.kwargs:
        return False
    others = [each for each in node.args if each is not feature_maps]
    return [_shape(each) for each in others] == [_shape(feature_maps)]


def _module(network: GraphModule, node: Node) -> Module | None:
    return network.get_submodule(str(node.target)) if node.op == "call_module" else None


def _only_user(node: Node) -> Node | None:
    return next(iter(node.users)) if len(node.users) == 1 else None


def _shape(node: Any) -> torch.Size | None:
    found = node.meta.get("tensor_meta") if isinstance(node, Node) else None
    return getattr(found, "shape", None)


def _is_relu(network: GraphModule, node: Node) -> bool:
    if isinstance(_module(network, node), ReLU):
        return True
    return node.op == "call_function" and node.target in _RELU
