"""Models for use without this project."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro.io import Version
from kedro_datasets._typing import JSONPreview

from guitar_kedro.datasets.artifacts import Artifact
from guitar_kedro.errors import UserError
from guitar_kedro.files import strict_json
from guitar_kedro.learning.export.bundle import FACTS_FILE, ONNX_FILE
from guitar_kedro.learning.networks.checkpoint import SPEC_FILE, WEIGHTS_FILE, Checkpoint, ModelSpec

if TYPE_CHECKING:
    from guitar_kedro.learning import Bundle


class BundleDataset(Artifact):
    """A model for use without this project, in a folder that is written whole or not at all.

    In it are ``weights.safetensors`` and ``spec.json``, ``model.onnx``, ``example.py`` and ``preprocessing.py``,
    perhaps more, and ``bundle.json``, which says which version of the model it is and what was measured. A pickle is
    only written.
    """

    def __init__(
        self, filepath: str, model: str, version: Version | None = None, metadata: dict[str, Any] | None = None
    ) -> None:
        """Take note of the folders.

        Args:
            filepath: Of the bundles.
            model: Of the checkpoints that they are made of.
            version: Of the bundle.
            metadata: For Kedro's plugins.
        """
        super().__init__(filepath, version, metadata)
        self._model = Path(model)

    def _read(self, path: Path) -> Bundle:
        from guitar_kedro.learning import Bundle

        own = {SPEC_FILE, WEIGHTS_FILE, FACTS_FILE}
        files = {file.name: file.read_bytes() for file in path.iterdir() if file.is_file() and file.name not in own}
        return Bundle(Checkpoint.load(path), files, _facts(path))

    def _write(self, data: Bundle, path: Path) -> None:
        data.checkpoint.save(path)
        for name, content in data.files.items():
            (path / name).write_bytes(content)
        facts = {"model_version": self._version_of(data.checkpoint.spec), **data.facts}
        (path / FACTS_FILE).write_text(strict_json(facts, indent=2), encoding="utf-8")

    def preview(self) -> JSONPreview:
        """Which model it is, and what was measured, for kedro-viz."""
        return JSONPreview((self._load_path() / FACTS_FILE).read_text(encoding="utf-8"))

    def version_made_of(self, model_version: str) -> str | None:
        """Find the latest bundle of a version of the model."""
        for folder in sorted(Path(self._filepath).glob(f"*/{self._filepath.name}"), reverse=True):
            if _facts(folder).get("model_version") == model_version:
                return folder.parent.name
        return None

    def _version_of(self, spec: ModelSpec) -> str | None:
        """Find the version of a model; its spec holds the checksum of its weights."""
        folders = sorted(self._model.glob(f"*/{self._model.name}"), reverse=True)
        return next((folder.parent.name for folder in folders if ModelSpec.read(folder / SPEC_FILE) == spec), None)

    def load_onnx(self) -> tuple[ModelSpec, bytes]:
        """Load what ONNX Runtime needs, the spec and the network, without torch.

        Raises:
            UserError: If the bundle is not as it was saved, or if there is no such version.
        """
        self.check()
        folder = self._load_path()
        return ModelSpec.read(folder / SPEC_FILE), (folder / ONNX_FILE).read_bytes()


def _facts(folder: Path) -> dict[str, Any]:
    try:
        facts = json.loads((folder / FACTS_FILE).read_bytes())
    except (OSError, ValueError):
        facts = None
    if not isinstance(facts, dict):
        raise UserError(f"{folder / FACTS_FILE} cannot be read: remove {folder.parent}, and export the model again.")
    return facts
