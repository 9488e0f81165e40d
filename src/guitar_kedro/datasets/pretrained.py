"""Weights that training starts from."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from guitar_kedro.datasets.bases import ReadOnlyDataset

if TYPE_CHECKING:
    from guitar_kedro.learning import PretrainedWeights


class PretrainedWeightsDataset(ReadOnlyDataset):
    """Where a stage finds the weights that its ``weights`` names; a file is read only when a stage asks for it."""

    REFUSAL = "Pretrained weights are only read; put files into {0._folder} by hand."

    def __init__(self, filepath: str, url: str | None = None, metadata: dict[str, Any] | None = None) -> None:
        """Take note of the places.

        Args:
            filepath: The folder in which downloads are kept.
            url: Where torchvision's weights lie; left out, it is torchvision's own address.
            metadata: For Kedro's plugins.
        """
        self._folder, self._url = Path(filepath), url
        self.metadata = metadata

    def load(self) -> PretrainedWeights:
        """Make what a stage asks for its weights."""
        from guitar_kedro.learning import PretrainedWeights

        return PretrainedWeights(self._folder, self._url)

    def fingerprint(self) -> str:
        """Return what decides the weights beside the stage's own options: the address of torchvision's."""
        return self._url or ""
