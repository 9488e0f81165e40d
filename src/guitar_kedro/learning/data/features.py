"""Features of pictures: what the body of a network makes of them, pooled, before a head sees it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Features:
    """Features of n pictures.

    Attributes:
        image_ids: Of the pictures.
        values: float32 of n x features: the maximum of each feature map, then its mean (fastai's
            ``AdaptiveConcatPool2d``).
        seconds: That it took to read the pictures and to compute them.
    """

    image_ids: tuple[str, ...]
    values: np.ndarray
    seconds: float

    def of(self, image_ids: Sequence[str]) -> np.ndarray:
        """Return the features of some of the pictures, in the order in which they are named.

        Raises:
            KeyError: If there are none of one.
        """
        row = {image_id: number for number, image_id in enumerate(self.image_ids)}
        return self.values[[row[image_id] for image_id in image_ids]]


@dataclass(frozen=True)
class FeatureStream:
    """Features that are computed as they are stored.

    Attributes:
        key: Equal for equal weights, size, preprocessing and precision: with it, features of a picture stay valid.
        image_ids: The pictures that are wanted; their ids are content hashes.
        compute: Computes the features of some of them, a few hundred at a time.
    """

    key: str
    image_ids: tuple[str, ...]
    compute: Callable[[Sequence[str]], Iterator[Features]]
