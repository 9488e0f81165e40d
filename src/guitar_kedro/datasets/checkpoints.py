"""Checkpoints, as they are and as fastai Learners."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.io import Version
from kedro_datasets._typing import JSONPreview

from guitar_kedro.datasets.artifacts import Artifact
from guitar_kedro.errors import UserError
from guitar_kedro.learning.networks.checkpoint import SPEC_FILE, Checkpoint, ModelSpec

if TYPE_CHECKING:
    from fastai.learner import Learner


class CheckpointDataset(Artifact):
    """A network's weights and spec, in a folder that is written whole or not at all."""

    def _read(self, path: Path) -> Any:
        return Checkpoint.load(path)

    def _write(self, data: Checkpoint, path: Path) -> None:
        data.save(path)

    def preview(self) -> JSONPreview:
        """Return the spec, for kedro-viz."""
        return JSONPreview(ModelSpec.read(self._load_path() / SPEC_FILE).model_dump_json())


class ModelSpecDataset(Artifact):
    """What a checkpoint is, without its weights, as JSON."""

    def _read(self, path: Path) -> ModelSpec:
        return ModelSpec.read(path)

    def _write(self, data: ModelSpec, path: Path) -> None:
        path.write_text(data.model_dump_json(indent=2), encoding="utf-8")

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

    def _read(self, path: Path) -> Learner:
        from guitar_kedro.learning import learner_for_inference

        return learner_for_inference(super()._read(path), self._device)

    def save(self, data: Any) -> None:
        """Refuse: a Learner comes from the checkpoint that training saved as ``model``.

        Raises:
            UserError: Always.
        """
        raise UserError("learner is the model as fastai sees it: it is read only. Save a checkpoint as model instead.")
