"""Checkpoints, as they are and as fastai Learners."""

from __future__ import annotations

from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from kedro.io import AbstractVersionedDataset, Version
from kedro_datasets._typing import JSONPreview
from kedro_datasets.text import TextDataset

from guitar_kedro.datasets.artifacts import Artifact, TextArtifact, undecorated
from guitar_kedro.errors import UserError
from guitar_kedro.learning.networks.checkpoint import SPEC_FILE, Checkpoint, ModelSpec

if TYPE_CHECKING:
    from fastai.learner import Learner


class _CheckpointFolder(AbstractVersionedDataset[Checkpoint, Checkpoint]):
    """A folder with ``weights.safetensors`` and ``spec.json``."""

    def __init__(self, filepath: str, version: Version | None = None, metadata: dict[str, Any] | None = None) -> None:
        super().__init__(PurePosixPath(filepath), version)
        self.metadata = metadata

    def load(self) -> Checkpoint:
        return Checkpoint.load(Path(self._get_load_path()))

    def save(self, data: Checkpoint) -> None:
        data.save(Path(self._get_save_path()))

    def preview(self) -> JSONPreview:
        """Return the spec, for kedro-viz."""
        return JSONPreview(ModelSpec.read(Path(self._get_load_path()) / SPEC_FILE).model_dump_json())

    def _exists(self) -> bool:
        return bool(self.list_versions()) if self._version else Path(self._filepath).exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath, "version": self._version}


class CheckpointDataset(Artifact, _CheckpointFolder):
    """A network's weights and spec, in a folder that is written whole or not at all."""


class _SpecFile(TextDataset):
    """A spec as JSON."""

    def load(self) -> ModelSpec:
        return ModelSpec.read(Path(self._get_load_path()))

    def save(self, data: ModelSpec) -> None:
        undecorated(super().save)(self, data.model_dump_json(indent=2))


class ModelSpecDataset(TextArtifact, _SpecFile):
    """What a checkpoint is, without its weights."""

    def preview(self) -> JSONPreview:
        """Return the spec, for kedro-viz."""
        return JSONPreview(self.load().model_dump_json())


class LearnerDataset(CheckpointDataset):
    """A checkpoint that loads as a fastai Learner, ready to predict."""

    def __init__(
        self,
        filepath: str,
        version: Version | None = None,
        device: str = "auto",
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Take note of where it lies and where it is to predict.

        Args:
            filepath: Of the model.
            version: Of the model.
            device: Where the Learner predicts: see ``guitar_kedro.learning.networks.device.choose_device``.
            metadata: For Kedro's plugins.
        """
        super().__init__(filepath, version, metadata)
        self._device = device

    def load(self) -> Learner:
        """Rebuild the Learner.

        Raises:
            UserError: If the weights are not those that were saved.
        """
        from guitar_kedro.learning import learner_for_inference

        return learner_for_inference(undecorated(super().load)(self), self._device)

    def save(self, data: Any) -> None:
        """Refuse: a Learner comes from the checkpoint that training saved as ``model``.

        Raises:
            UserError: Always.
        """
        raise UserError("learner is the model as fastai sees it: it is read only. Save a checkpoint as model instead.")
