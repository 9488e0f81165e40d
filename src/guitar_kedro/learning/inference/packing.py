"""Networks that only answer, on a CPU: weights arranged once for oneDNN, and layers joined that it does in one pass.

Left to itself, torch arranges the weights of each convolution anew in each call, and reads and writes all feature maps
once more for each addition and ReLU. See https://uxlfoundation.github.io/oneDNN/dev_guide_inference.html, and what
torch's own compiler does, for which users would need one for C++.
"""

from __future__ import annotations

import operator
from typing import Any

import torch
from torch.fx import GraphModule, Node
from torch.fx.experimental.optimization import fuse
from torch.fx.passes.shape_prop import ShapeProp
from torch.nn import Conv2d, Module, ReLU

_ADD = (operator.add, torch.add)
_RELU = (torch.relu, torch.nn.functional.relu)
# for how many pictures weights are arranged, one and several: of 1, 4, 16 and 32 the fastest with a ResNet-50. In
# float32, what is best for one picture is slower for others, and the other way round; in bfloat16, 4 is best for all
_PICTURES = {torch.float32: (1, 4), torch.bfloat16: (4,)}


def pack(network: Module, size: int, precision: torch.dtype, device: torch.device) -> Module:
    """Prepares a network in evaluation mode for answering; what it answers stays the same, but for rounding.

    Args:
        network: On the CPU. It is left as it is.
        size: Pixels of a side of what it looks at.
        precision: In which convolutions will compute.
        device: Where; elsewhere than on a CPU for whose precision oneDNN has code, only BatchNorm is done away with.

    Returns:
        A faster network; the one given, if its code cannot be traced, or not rightly.
    """
    picture = torch.rand(1, 3, size, size, generator=torch.Generator().manual_seed(0))
    picture = picture.contiguous(memory_format=torch.channels_last)
    with torch.no_grad():
        try:
            # convolutions do the work of the BatchNorm layers that follow them
            fused = fuse(network)
            expected, found = network(picture), ShapeProp(fused).propagate(picture)
        except Exception:  # whatever code that cannot be traced raises
            return network
        # what works in place can be traced as something else
        if torch.dist(found, expected) > 1e-3 * expected.norm():
            return network
        if device.type != "cpu" or not can_pack(precision):
            return fused
        for node in list(fused.graph.nodes):
            if isinstance(_module(fused, node), Conv2d):
                _pack(fused, node, precision)
    fused.delete_all_unused_submodules()
    fused.recompile()
    return fused


def can_pack(precision: torch.dtype) -> bool:
    """Whether oneDNN computes in a precision on this CPU; in bfloat16 that takes AVX-512 or AVX-NE-CONVERT."""
    if not torch.backends.mkldnn.is_available():
        return False
    return precision is torch.float32 or torch.ops.mkldnn._is_mkldnn_bf16_supported()


class PackedConvolution(Module):
    """A convolution, and what may follow it: the addition of other feature maps, a ReLU."""

    def __init__(self, layer: Conv2d, shape: torch.Size, precision: torch.dtype, relu: bool) -> None:
        """Arranges the weights for feature maps of a shape."""
        super().__init__()
        self._precision, self._relu = precision, "relu" if relu else None
        bias = layer.bias
        self._bias = None if bias is None else bias.detach().to(precision)
        self._how = ([*layer.padding], [*layer.stride], [*layer.dilation], layer.groups)
        weight = layer.weight.detach().to(precision).to_mkldnn()
        arrange = torch._C._nn.mkldnn_reorder_conv2d_weight
        self._weights = [arrange(weight, *self._how, [count, *shape[1:]]) for count in _PICTURES[precision]]

    def forward(self, images: torch.Tensor, others: torch.Tensor | None = None) -> torch.Tensor:
        """Convolves, adds, cuts off below 0."""
        images = images.to(self._precision)
        layer = (self._weights[0 if len(images) == 1 else -1], self._bias, *self._how)
        if others is None:
            return torch.ops.mkldnn._convolution_pointwise(images, *layer, self._relu or "none", [], "")
        others = others.to(self._precision)
        return torch.ops.mkldnn._convolution_pointwise(images, others, *layer, "add", 1.0, self._relu, [], None)


def _pack(network: GraphModule, node: Node, precision: torch.dtype) -> None:
    """Replaces a convolution, and what can be joined to it."""
    layer = _module(network, node)
    if layer.padding_mode != "zeros" or isinstance(layer.padding, str) or not node.args:
        return
    last, others = node, ()
    following = _only_user(last)
    if following is not None and _adds_to(following, node):
        last, others = following, tuple(each for each in following.args if each is not node)
        following = _only_user(last)
    relu = following is not None and _is_relu(network, following)
    if relu:
        last = following
    name = f"packed_{node.name}"
    network.add_submodule(name, PackedConvolution(layer, _shape(node.args[0]), precision, relu))
    with network.graph.inserting_after(last):
        packed = network.graph.call_module(name, (node.args[0], *others))
    packed.meta = last.meta
    last.replace_all_uses_with(packed)
    while last is not node:
        before = node if node in last.args else next(each for each in last.args if node in each.args)
        network.graph.erase_node(last)
        last = before
    network.graph.erase_node(node)


def _adds_to(node: Node, feature_maps: Node) -> bool:
    """Whether a node adds others of their shape to feature maps."""
    if node.op != "call_function" or node.target not in _ADD or len(node.args) != 2 or node.kwargs:
        return False
    others = [each for each in node.args if each is not feature_maps]
    return [_shape(each) for each in others] == [_shape(feature_maps)]


def _module(network: GraphModule, node: Node) -> Module | None:
    return network.get_submodule(node.target) if node.op == "call_module" else None


def _only_user(node: Node) -> Node | None:
    return next(iter(node.users)) if len(node.users) == 1 else None


def _shape(node: Any) -> torch.Size | None:
    found = node.meta.get("tensor_meta") if isinstance(node, Node) else None
    return getattr(found, "shape", None)


def _is_relu(network: GraphModule, node: Node) -> bool:
    if isinstance(_module(network, node), ReLU):
        return True
    return node.op == "call_function" and node.target in _RELU
