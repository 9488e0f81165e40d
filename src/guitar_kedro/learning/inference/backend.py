"""What torch and ONNX Runtime share where they answer; without torch, for a service with ONNX Runtime has none."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from guitar_kedro.errors import UserError
from guitar_kedro.learning.data.pictures import open_with_note, resize
from guitar_kedro.learning.networks.checkpoint import ModelSpec
from guitar_kedro.sizes import height_width


class NoFeatureMaps(UserError):
    """The body of a network does not end in feature maps, so that there is nothing to lay over a picture."""


@dataclass(frozen=True)
class Predictions:
    """What a network says of n pictures.

    Attributes:
        probabilities: float64 of n x classes, at the checkpoint's temperature.
        energies: float64 of n: negative log of the sum of the exponentials of the logits, high where no class fits (Liu
            et al. 2020, "Energy-based out-of-distribution detection", NeurIPS).

    Raises:
        UserError: If one is infinite or not a number.
    """

    probabilities: np.ndarray
    energies: np.ndarray

    def __post_init__(self) -> None:
        """Refuse what is no number."""
        if not (np.isfinite(self.probabilities).all() and np.isfinite(self.energies).all()):
            raise UserError(
                "The network's answers are infinite or no numbers, for its weights are too large: train again with a "
                "lower learning_rate, or go back to an earlier version of the model."
            )


class Reader:
    """The one way from a file to what a network looks at.

    Attributes:
        spec: What the network is.
    """

    def __init__(self, spec: ModelSpec) -> None:
        """Take the spec of the network."""
        self.spec = spec

    def read(self, source: bytes | Path | str) -> np.ndarray:
        """Read a picture.

        Args:
            source: A file's path or content.

        Returns:
            uint8 of 3 x height x width, as validation sees it.

        Raises:
            UserError: If it cannot be read as an image; its cause is an ``UnreadableImage`` with the reason.
        """
        return self.read_with_note(source)[0]

    def read_with_note(self, source: bytes | Path | str) -> tuple[np.ndarray, str]:
        """Read a picture like ``read``, and return also what was not followed of what its file says of its colours."""
        size, method, interpolation = self.spec.image_size, self.spec.resize_method, self.spec.interpolation
        picture, note = open_with_note(source, longest_side=2 * max(height_width(size)))
        return np.array(resize(picture, size, method, interpolation)).transpose(2, 0, 1), note
