"""Labels of training batches as shares of classes."""

from __future__ import annotations

import torch
import torch.nn.functional as F

from guitar_kedro.learning.data.options import BatchOptions


class SoftTargets:
    """Turns class numbers into shares of classes, which torch's cross-entropy takes as well."""

    def __init__(self, options: BatchOptions, classes: int) -> None:
        """Take what is to be done, and how many classes there are."""
        self.options, self.classes = options, classes

    def __call__(self, images: torch.Tensor, targets: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Soften the targets of a batch.

        Args:
            images: float32 of n x 3 x height x width.
            targets: int64 of n: the class of each image.

        Returns:
            The images, and float32 of n x classes.
        """
        smoothing = self.options.label_smoothing
        return images, F.one_hot(targets, self.classes) * (1 - smoothing) + smoothing / self.classes
