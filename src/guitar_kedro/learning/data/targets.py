"""Training targets that are shares of classes: smoothed, mixed, weighted."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch.distributions import Beta

from guitar_kedro.learning.data.options import BatchOptions


class SoftTargets:
    """Turns class numbers into shares of classes, which torch's cross-entropy takes as well, and mixes pictures.

    Random numbers are drawn on the CPU, so that they are the same on every device.
    """

    def __init__(self, options: BatchOptions, images: torch.Tensor) -> None:
        """Take what is to be done, and how many training images each class has (int64 of classes)."""
        self.options, self.classes = options, len(images)
        # of mean 1 over the images. As torch's CrossEntropyLoss(weight=...), but a batch is divided by its images and
        # not by their weights: so it is the mean of its shards
        self.weights = images.sum() / (self.classes * images) if options.balance == "class_weights" else None

    def __call__(self, images: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Soften the targets of a batch.

        Args:
            images: float32 of n x 3 x height x width.
            targets: int64 of n: the class of each image.

        Returns:
            The images, mixed, and float32 of n x classes.
        """
        smoothing = self.options.label_smoothing
        shares = F.one_hot(targets, self.classes) * (1 - smoothing) + smoothing / self.classes
        if self.options.mixup or self.options.cutmix:
            images, shares = self._mix(images, shares)
        return images, shares if self.weights is None else shares * self.weights.to(shares.device)

    def _mix(self, images: torch.Tensor, shares: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        mixup, cutmix = self.options.mixup, self.options.cutmix
        cut = bool(torch.rand(()) < 0.5) if mixup and cutmix else bool(cutmix)
        alpha = torch.tensor(cutmix if cut else mixup)
        other_share = 1 - float(Beta(alpha, alpha).sample())
        others = torch.randperm(len(images)).to(images.device)
        if cut:
            down, across = (_side(pixels, other_share**0.5) for pixels in images.shape[2:])
            images[:, :, down, across] = images[others, :, down, across]
            other_share = len(range(*down.indices(images.shape[2]))) * len(range(*across.indices(images.shape[3])))
            other_share /= images[0, 0].numel()
        else:
            images = images.lerp(images[others], other_share)
        return images, shares.lerp(shares[others], other_share)


def _side(pixels: int, share: float) -> slice:
    """Draw which pixels of a side lie in a box that has its centre in the picture."""
    centre, half = int(torch.randint(pixels, ())), round(pixels * share) // 2
    return slice(max(0, centre - half), min(pixels, centre + half))
