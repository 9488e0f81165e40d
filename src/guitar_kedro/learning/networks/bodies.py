"""Bodies of networks that end in feature maps of batch x channels x rows x columns, whatever a network does inside.

The head that fastai puts on them pools the maps, and Grad-CAM lays them over pictures.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from typing import Any

import timm
import torch
from torchvision.models.vision_transformer import VisionTransformer, interpolate_embeddings

from guitar_kedro.sizes import ImageSize, height_width


class TimmBody(torch.nn.Module):
    """A network of timm without its classifier.

    Attributes:
        model: The network; weights keep its names behind ``model.``.
    """

    def __init__(self, name: str, image_size: ImageSize) -> None:
        """Build the network, without weights.

        Args:
            name: Of the network, with or without a tag.
            image_size: Of its pictures; networks with position embeddings are built for it.
        """
        super().__init__()
        size: dict[str, Any] = {"img_size": image_size} if config_of_timm(name).fixed_input_size else {}
        self.model: Any = timm.create_model(name, pretrained=False, num_classes=0, **size)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Compute feature maps.

        Args:
            images: float32 of batch x 3 x height x width.
        """
        features = self.model.forward_features(images)
        if features.ndim == 3:
            return maps_of_tokens(features, getattr(self.model, "num_prefix_tokens", 0), images.shape[2:])
        return features.permute(0, 3, 1, 2) if getattr(self.model, "output_fmt", "") == "NHWC" else features

    def adapt(self, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Fit the weights of a whole network to this one: position embeddings are resized as timm does it.

        Args:
            state: State dict of the network as timm, or who first published it, names it.
        """
        adapt = getattr(sys.modules[type(self.model).__module__], "checkpoint_filter_fn", None)
        return {f"model.{name}": value for name, value in (adapt(state, self.model) if adapt else state).items()}

    def layers(self) -> list[list[torch.nn.Parameter]]:
        """List the parameters layer by layer, as timm groups them: the stem first."""
        named = dict(self.model.named_parameters())
        groups = timm.models.group_parameters(self.model, self.model.group_matcher(coarse=False))
        return [[named[name] for name in names] for _, names in sorted(groups.items())]


class VisionTransformerBody(torch.nn.Module):
    """A vision transformer of torchvision without its classifier.

    Attributes:
        model: The network; weights keep its names behind ``model.``.
    """

    def __init__(self, builder: Any, image_size: ImageSize) -> None:
        """Build the network, without weights.

        Args:
            builder: torchvision's function that builds it.
            image_size: Of its pictures.

        Raises:
            ValueError: If they are no squares, of which alone torchvision makes position embeddings.
        """
        super().__init__()
        size, width = height_width(image_size)
        if size != width:
            raise ValueError(f"image_size is {image_size}; it must be the side of a square")
        patch = builder(weights=None).patch_size
        self.model: VisionTransformer = builder(weights=None, image_size=size // patch * patch)
        self.model.heads = torch.nn.Identity()

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Compute feature maps.

        Args:
            images: float32 of batch x 3 x size x size; what is left over of the last patch is not looked at.
        """
        model, size = self.model, self.model.image_size
        patches = model._process_input(images[..., :size, :size])
        tokens = torch.cat([model.class_token.expand(len(patches), -1, -1), patches], dim=1)
        return maps_of_tokens(model.encoder(tokens), 1, (size, size))

    def adapt(self, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """Fit the weights of a whole network to this one: position embeddings are resized as torchvision does it.

        Args:
            state: State dict of the network as torchvision names it.
        """
        model: Any = self.model
        fitting = interpolate_embeddings(model.image_size, model.patch_size, dict(state))
        return {f"model.{name}": value for name, value in fitting.items()}

    def layers(self) -> list[list[torch.nn.Parameter]]:
        """List the parameters layer by layer: the stem first."""
        model, encoder = self.model, self.model.encoder
        stem = [model.class_token, encoder.pos_embedding, *model.conv_proj.parameters()]
        return [stem, *(list(layer.parameters()) for layer in encoder.layers), list(encoder.ln.parameters())]


def config_of_timm(name: str) -> Any:
    """Return what timm says of one of its networks: input size, preprocessing, where its weights are."""
    return timm.get_pretrained_cfg(name)


def maps_of_tokens(tokens: torch.Tensor, prefix: int, picture: Sequence[int]) -> torch.Tensor:
    """Put the tokens of patches back on their grid.

    Args:
        tokens: batch x tokens x channels.
        prefix: So many of the first ones stand for no patch.
        picture: Height and width of what they were made of.

    Returns:
        batch x channels x rows x columns. Where there is a class token, its channels come behind those of the patches,
        the same at every place: so the head sees both, as in the linear evaluation of DINOv2 (Oquab et al. 2023).
    """
    patches, ratio = tokens[:, prefix:], int(picture[0]) / int(picture[1])
    count = int(patches.shape[1])
    grids = ((rows, count // rows) for rows in range(1, count + 1) if count % rows == 0)
    grid = min(grids, key=lambda grid: abs(math.log(grid[0] / grid[1] / ratio)))  # as high and wide as the picture
    if prefix:  # added and not expanded, and below -1: else an exporter takes the number of its pictures for fixed
        patches = torch.cat([patches, torch.zeros_like(patches) + tokens[:, :1]], dim=2)
    return patches.transpose(1, 2).reshape(-1, patches.shape[2], *grid)


def are_maps(features: torch.Tensor, picture: Sequence[int]) -> bool:
    """Return whether features are maps of batch x channels x rows x columns, and not of channels behind the others.

    Args:
        features: What a body makes of pictures.
        picture: Their height and width.
    """
    if features.ndim != 4:
        return False
    (rows, columns), (height, width) = features.shape[2:], picture
    # their ratio is that of the picture, apart from what is cut off at borders
    return abs(columns * height - rows * width) < 2 * max(height, width)
