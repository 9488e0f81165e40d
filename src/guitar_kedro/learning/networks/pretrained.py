"""Weights to start from: torchvision's ImageNet weights, or a state dict in a file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from guitar_kedro.errors import UserError
from guitar_kedro.files import local_path, sha256_of_file

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class PretrainedWeights:
    """Finds weights by what a stage's ``weights`` says.

    Attributes:
        folder: Where downloads are kept.
        url: Where torchvision's weights lie, up to the file name; ``None`` takes torchvision's own address.
    """

    folder: Path
    url: str | None = None

    def load(self, architecture: str, weights: str) -> dict[str, torch.Tensor]:
        """Load a state dict.

        Args:
            architecture: Name of the network.
            weights: ``imagenet`` or the path of a file (``.pth``, ``.pt`` or ``.safetensors``).

        Returns:
            The tensors, in float32 where they are floating-point numbers.

        Raises:
            UserError: If there are no such weights, they cannot be fetched, or the file holds anything but tensors.
        """
        self.check(architecture, weights)
        path = self._imagenet(architecture) if weights == "imagenet" else local_path(weights)
        return {name: value.float() if value.is_floating_point() else value for name, value in _read(path).items()}

    def check(self, architecture: str, weights: str) -> None:
        """Check that there are such weights, without fetching or reading any.

        Args:
            architecture: As of ``load``.
            weights: As of ``load``.

        Raises:
            UserError: If there are none.
        """
        if weights == "imagenet":
            _torchvision_weights(architecture)
            return
        try:
            path = local_path(weights)
        except UserError as error:
            raise UserError(f"weights: {error}") from None
        if not path.is_file():
            raise UserError(f"weights: there is no file {path}. Give the path of a state dict, imagenet, or none.")

    def _imagenet(self, architecture: str) -> Path:
        from guitar_kedro.images.downloads import download

        # the first training recipe: the one of the article, and the one that every network has
        entry = next(iter(_torchvision_weights(architecture)))
        name = entry.url.rsplit("/", 1)[1]
        url = f"{self.url.rstrip('/')}/{name}" if self.url else entry.url
        path = download(url, self.folder, instead="give a file's path as the weights of the stage")
        # torchvision's file names end in the first digits of their SHA-256
        if (start := re.search(r"-([0-9a-f]{8,})\.", name)) and not sha256_of_file(path).startswith(start.group(1)):
            path.unlink()
            raise UserError(
                f"{url} did not bring what its name promises (checksum {start.group(1)}...); try again later."
            )
        return path


def _torchvision_weights(architecture: str) -> Any:
    import torchvision

    try:
        return torchvision.models.get_model_weights(architecture)
    except ValueError:
        raise UserError(
            f"weights: imagenet stands for torchvision's weights, and torchvision has none for {architecture}; "
            "give the path of a state dict instead."
        ) from None


def _read(path: Path) -> dict[str, torch.Tensor]:
    import torch

    try:
        if path.suffix == ".safetensors":
            from safetensors.torch import load_file

            state: Any = load_file(path)
        else:
            state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception:  # what a broken file raises depends on where it is broken; what torch advises is not safe
        raise UserError(
            f"weights: {path} cannot be read as a state dict: it is cut off or no such file, or holds more than "
            "tensors. Save one with torch.save(model.state_dict(), ...)."
        ) from None
    if isinstance(state, dict) and isinstance(state.get("state_dict"), dict):
        state = state["state_dict"]
    if (
        not isinstance(state, dict)
        or not state
        or not all(isinstance(name, str) and isinstance(value, torch.Tensor) for name, value in state.items())
    ):
        raise UserError(
            f"weights: {path} is no state dict of tensors; save one with torch.save(model.state_dict(), ...)."
        )
    return state
