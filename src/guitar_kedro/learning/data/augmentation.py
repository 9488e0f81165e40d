"""fastai's augmentation of a batch in one pass, from bytes to what the network takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from fastai.torch_core import TensorImage
from fastai.vision.augment import AffineCoordTfm, LightingTfm, aug_transforms, find_coeffs

from guitar_kedro.learning.data.options import AugmentationOptions
from guitar_kedro.sizes import ImageSize, height_width

_STEPS = 4  # in which a grey level is told apart when light is changed
_BLOCK = 1024  # images


class Normalise:
    """Turns bytes into float32 images, normalised."""

    def __init__(self, mean: Sequence[float], std: Sequence[float]) -> None:
        """Take mean and standard deviation of each channel of RGB scaled to 0..1."""
        self.mean, self.std = (torch.tensor(stat)[:, None, None] for stat in (mean, std))

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        """Normalise a batch.

        Args:
            pixels: uint8 of n x 3 x height x width.

        Returns:
            float32 of the same shape, in channels_last.
        """
        mean, std = (255 * stat.to(pixels.device, non_blocking=True) for stat in (self.mean, self.std))
        return ((pixels - mean) / std).contiguous(memory_format=torch.channels_last)


class Augment:
    """Flips, rotates, zooms, warps, lights and normalises a batch.

    fastai's own transforms draw the parameters, in their order, so that the distribution (and with the same seed, each
    picture) is theirs. What they compute in a dozen passes over the batch takes two here: all moves are one homography
    and one interpolation (bilinear, borders mirrored), and light and normalisation are one look-up. On a CPU, a few
    images at a time stay in its caches.
    """

    def __init__(
        self,
        options: AugmentationOptions,
        size: ImageSize,
        mean: Sequence[float],
        std: Sequence[float],
        same_for_all: bool = False,
    ) -> None:
        """Set up the transforms.

        Args:
            options: What is done.
            size: Of the images that come out.
            mean: Of each channel of RGB scaled to 0..1.
            std: Of each channel.
            same_for_all: Whether all images of a batch are changed alike.
        """
        self.size, self.normalise = height_width(size), Normalise(mean, std)
        transforms = fastai_transforms(options, size, same_for_all)
        self._moves = next((each for each in transforms if isinstance(each, AffineCoordTfm)), None)
        self._light = next((each for each in transforms if isinstance(each, LightingTfm)), None)

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        """Augment a batch at random.

        Args:
            pixels: uint8 of n x 3 x height x width, in channels_last.

        Returns:
            float32 of n x 3 x height x width, in channels_last.
        """
        images, device = len(pixels), pixels.device
        # parameters are drawn on the CPU, so that they are the same on every device
        homographies = self._draw_homographies(pixels).to(device, non_blocking=True)
        tables = self._draw_tables(images).to(device, non_blocking=True)
        result = torch.empty((images, 3, *self.size), device=device, memory_format=torch.channels_last)
        at_once = 4 * torch.get_num_threads() if device.type == "cpu" else images
        parts = (each.split(at_once) for each in (pixels, homographies, tables, result))
        for part, homography, table, out in zip(*parts, strict=True):
            out.copy_(_look_up(table, self._move(part.float(), homography)))
        return result

    def _draw_homographies(self, pixels: torch.Tensor) -> torch.Tensor:
        """Draw where the pixels of each image come from, in coordinates from -1 to 1: images x 3 x 3."""
        images = len(pixels)
        result = torch.eye(3).repeat(images, 1, 1)
        if self._moves:
            self._moves.before_call(_blank(*pixels.shape), split_idx=0)
            result[:, :2] = self._moves.mat.as_subclass(torch.Tensor)
            for warp in self._moves.coord_fs:
                coefficients = find_coeffs(warp.orig_pts, warp.targ_pts).as_subclass(torch.Tensor)[..., 0]
                result = F.pad(coefficients, (0, 1), value=1).view(images, 3, 3) @ result
        return result

    def _draw_tables(self, images: int) -> torch.Tensor:
        """Draw what becomes of each grey level: images x 3 x levels, normalised."""
        levels = (torch.arange(255 * _STEPS + 1) / (255 * _STEPS)).repeat(images, 1, 1, 1)
        if self._light:
            self._light.before_call(_blank(images, 3, 1, 1), split_idx=0)
            levels = self._light.encodes(TensorImage(levels)).as_subclass(torch.Tensor)
        return ((levels - self.normalise.mean) / self.normalise.std)[:, :, 0]

    def _move(self, images: torch.Tensor, homographies: torch.Tensor) -> torch.Tensor:
        """Move the pixels of images (float32 of n x 3 x height x width) by homographies (n x 3 x 3).

        Returns:
            float32 of n x 3 x height x width.
        """
        lines = (torch.linspace(-1, 1, side, device=images.device) for side in self.size)
        down, across = torch.meshgrid(*lines, indexing="ij")
        places = torch.stack([across, down, torch.ones_like(down)]).view(3, -1)
        x_y_z = (homographies @ places).view(-1, 3, *self.size)
        grid = torch.empty((len(images), *self.size, 2), device=images.device)
        torch.div(x_y_z[:, :2], x_y_z[:, 2:], out=grid.permute(0, 3, 1, 2))
        return F.grid_sample(images, grid, mode="bilinear", padding_mode="reflection", align_corners=True)


def fastai_transforms(options: AugmentationOptions, size: ImageSize, same_for_all: bool = False) -> list[Any]:
    """Build the transforms of fastai that ``Augment`` does the work of."""
    return aug_transforms(
        size=size,
        do_flip=options.flip != "none",
        flip_vert=options.flip == "dihedral",
        max_rotate=options.max_rotate,
        min_zoom=options.min_zoom,
        max_zoom=options.max_zoom,
        max_lighting=options.max_lighting,
        max_warp=options.max_warp,
        p_affine=options.p_affine,
        p_lighting=options.p_lighting,
        batch=same_for_all,
    )


def _blank(*shape: int) -> TensorImage:
    """Return a batch for fastai's transforms, which look at its length and ratio only when they draw."""
    return TensorImage(torch.zeros(1).expand(shape))


def _look_up(tables: torch.Tensor, images: torch.Tensor) -> torch.Tensor:
    """Look up each grey level in the table of its image and channel.

    Args:
        tables: float32 of n x 3 x levels.
        images: float32 of n x 3 x height x width, 0 to 255.

    Returns:
        float32 of n x 3 x height x width.
    """
    levels = tables.shape[2]
    starts = levels * torch.arange(3 * len(images), device=images.device).view(-1, 3, 1, 1)
    # in float32, halves are exact up to 2 ** 23 only: levels are counted from the start of a block of so many images
    within = starts % (3 * levels * _BLOCK)
    places = torch.add(within + 0.5, images, alpha=_STEPS).int()  # rounds
    if len(images) > _BLOCK:
        places += starts - within
    return tables.flatten().index_select(0, places.flatten()).view(images.shape)
