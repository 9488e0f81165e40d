"""A network's weights, and all that is needed to use them again."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict, ValidationError

from guitar_kedro.errors import UserError
from guitar_kedro.files import sha256_of_file
from guitar_kedro.sizes import ImageSize

if TYPE_CHECKING:
    import torch

WEIGHTS_FILE, SPEC_FILE = "weights.safetensors", "spec.json"


class ModelSpec(BaseModel):
    """What a checkpoint is, apart from its weights; preprocessing is read from here and from nowhere else.

    Attributes:
        architecture: Name of the network of torchvision or timm, where it has one with the tag of its weights.
        classes: Labels in the order of the network's outputs.
        head: ``fastai``, that of its ``vision_learner``, or ``linear``, one layer on the standardised ones.
        display_names: What people call them, from ``distinct_names``; the checkpoint of a phase has none, for it trains
            under any.
        image_size: Of its input, in pixels: the side of a square, or height and width.
        resize_method: How pictures get that shape: squish, crop, or pad.
        mean: Of each channel of RGB scaled to 0..1, subtracted before ...
        std: ... dividing by this.
        interpolation: How pictures are resized: bilinear, bicubic or lanczos.
        temperature: By which logits are divided before they become probabilities.
        confidence_threshold: An answer counts as sure from this probability on; ``None`` where no threshold was found.
        ood_threshold: A picture with a higher energy counts as none of the classes; ``None`` where none was chosen.
        precision: In which the body of the network computes its answers: float32 or bfloat16.
        tta_views: So many augmented views of a picture are predicted beside the plain one.
        augmentation: How they are made: ``AugmentationOptions``.
        provenance: Stage, phase, what it started from, seed, how long it trained, versions of the libraries.
        sha256: Of the file of weights.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    architecture: str
    classes: tuple[str, ...]
    head: Literal["fastai", "linear"] = "fastai"
    display_names: dict[str, str] = {}
    image_size: ImageSize
    resize_method: str
    mean: tuple[float, float, float]
    std: tuple[float, float, float]
    interpolation: str = "bilinear"
    temperature: float = 1.0
    confidence_threshold: float | None = None
    ood_threshold: float | None = None
    precision: Literal["float32", "bfloat16"] = "float32"
    tta_views: int = 0
    augmentation: dict[str, Any] = {}
    provenance: dict[str, Any] = {}
    sha256: str = ""

    @property
    def checksum(self) -> str:
        """SHA-256 of all of this, and so of the model: with the same weights it may answer in another precision."""
        return hashlib.sha256(self.model_dump_json().encode()).hexdigest()

    @classmethod
    def read(cls, path: Path) -> ModelSpec:
        """Read a spec from its JSON file.

        Raises:
            UserError: If it is no spec.
        """
        try:
            return cls.model_validate_json(path.read_bytes())
        except ValidationError as error:
            wrong = error.errors()[0]
            reason = ": ".join(map(str, (*wrong["loc"], wrong["msg"])))
            raise UserError(
                f"{path} describes no model ({reason}): it was altered or cut off; put the file back, or remove "
                f"{path.parent}."
            ) from None


@dataclass(frozen=True)
class Checkpoint:
    """Weights and their spec.

    Attributes:
        weights: The state dict of the network, on the CPU.
        spec: What it is.
    """

    weights: dict[str, torch.Tensor]
    spec: ModelSpec

    @classmethod
    def of(cls, weights: dict[str, torch.Tensor], spec: ModelSpec) -> Checkpoint:
        """Make a checkpoint whose spec names the SHA-256 that the file of its weights will have.

        Args:
            weights: The state dict of a network, on the CPU.
            spec: What it is.
        """
        sha256 = hashlib.sha256(content_of(weights)).hexdigest()
        return cls(weights, spec.model_copy(update={"sha256": sha256}))

    def answering_like(self, other: ModelSpec) -> Checkpoint:
        """Return a checkpoint that predicts as another one does, so that the two can be compared."""
        how = {name: getattr(other, name) for name in ("precision", "tta_views", "augmentation")}
        return Checkpoint(self.weights, self.spec.model_copy(update=how))

    def save(self, folder: Path) -> None:
        """Write ``weights.safetensors`` and ``spec.json`` into a new folder."""
        from safetensors.torch import save_file

        folder.mkdir(parents=True)
        save_file({name: tensor.contiguous() for name, tensor in self.weights.items()}, folder / WEIGHTS_FILE)
        spec = self.spec.model_copy(update={"sha256": sha256_of_file(folder / WEIGHTS_FILE)})
        (folder / SPEC_FILE).write_text(spec.model_dump_json(indent=2), encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Checkpoint:
        """Read a folder that ``save`` wrote.

        Raises:
            UserError: If the weights are not those that were saved.
        """
        from safetensors.torch import load_file

        spec = ModelSpec.read(folder / SPEC_FILE)
        if sha256_of_file(folder / WEIGHTS_FILE) != spec.sha256:
            raise UserError(
                f"{folder / WEIGHTS_FILE} is not as it was saved (its SHA-256 is not the one in {SPEC_FILE}); "
                "go back to an earlier version, or train again."
            )
        return cls(load_file(folder / WEIGHTS_FILE), spec)


def content_of(weights: dict[str, torch.Tensor]) -> bytes:
    """Return what the file of weights holds."""
    from safetensors.torch import save

    return save({name: tensor.contiguous() for name, tensor in weights.items()})
