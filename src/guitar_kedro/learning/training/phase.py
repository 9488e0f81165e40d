"""A phase of training: what is trained, where from, and on what."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import Any, Literal

import pandas as pd

from guitar_kedro.learning.data.pixels import Pixels
from guitar_kedro.learning.networks.architectures import preprocessing
from guitar_kedro.learning.networks.checkpoint import Checkpoint, ModelSpec
from guitar_kedro.learning.networks.pretrained import PretrainedWeights
from guitar_kedro.learning.training.recipe import LoopOptions, NetworkOptions
from guitar_kedro.splits import TRAIN

_LIBRARIES = ("torch", "torchvision", "fastai")


@dataclass(frozen=True)
class Phase:
    """What is trained, where from, and on what.

    Attributes:
        stage_name: Of the stage.
        name: Of the phase.
        stage: What the network is, and what it is shown.
        training: What the training of every phase shares.
        start: Where the network comes from: an earlier phase or stage, or pretrained weights; ``None`` where it is not
            looked at.
        table: A row per image: ``image_id``, ``label``, ``split``.
        pixels: The pictures of the training and the validation part, decoded; ``None`` where they are not looked at.
        seed: Decides weights, order and augmentation.
        epochs: How long it is trained; a search for a learning rate does not ask.
        device: Where: see ``choose_device``.
    """

    stage_name: str
    name: Literal["probe", "frozen", "unfrozen"]
    stage: NetworkOptions
    training: LoopOptions
    start: Checkpoint | PretrainedWeights | None
    table: pd.DataFrame
    pixels: Pixels | None
    seed: int
    epochs: int = 0
    device: str = "auto"

    @property
    def title(self) -> str:
        """How it is called in messages."""
        return f"{self.stage_name}, {self.name}"

    @property
    def on_features(self) -> bool:
        """Whether its head is trained on features that are computed once."""
        return self.name == "frozen" and self.training.frozen_views > 0

    @property
    def from_scratch(self) -> bool:
        """Whether its network began with random weights, however many phases ago."""
        if isinstance(self.start, Checkpoint):
            return bool(self.start.spec.provenance.get("from_scratch", False))
        return self.stage.weights == "none"

    @property
    def classes(self) -> tuple[str, ...]:
        """The labels of its images, sorted."""
        return tuple(sorted(self.table["label"].unique()))

    def spec(self, provenance: dict[str, Any] | None = None) -> ModelSpec:
        """Return the spec of the network that it trains."""
        if isinstance(self.start, Checkpoint):
            how: Any = self.start.spec
        else:
            how = preprocessing(self.stage.architecture, self.stage.weights)
        return ModelSpec(
            architecture=self.stage.architecture,
            classes=self.classes,
            image_size=self.stage.image_size,
            resize_method=self.training.resize_method,
            mean=how.mean,
            std=how.std,
            interpolation=how.interpolation,
            head=how.head if isinstance(how, ModelSpec) else "fastai",
            provenance=provenance or {},
        )

    def provenance(self, rates: tuple[float, ...], history: pd.DataFrame) -> dict[str, Any]:
        """Return what the spec of its checkpoint says of its training.

        Args:
            rates: Highest learning rate, or those of the first and the last layer group.
            history: A row per epoch.
        """
        started_from = self.stage.weights
        if isinstance(self.start, Checkpoint):
            before = self.start.spec.provenance
            started_from = f"{before['stage']}, {before['phase']}"
        return {
            "stage": self.stage_name,
            "phase": self.name,
            "started_from": started_from,
            **({"from_scratch": True} if self.from_scratch else {}),
            "epochs": len(history),
            **({"kept_epoch": int(history["kept"].idxmax())} if self.training.best_epoch else {}),
            "learning_rates": list(rates),
            "batch_size": self.stage.batch_size,
            "recipe": self.training.switched_on(),
            "seed": self.seed,
            "training_images": int((self.table["split"] == TRAIN).sum()),
            "versions": {library: version(library) for library in _LIBRARIES},
        }
