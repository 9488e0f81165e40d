"""Figures of reports."""

from __future__ import annotations

import base64
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from kedro_datasets._typing import ImagePreview
from kedro_datasets.text import TextDataset
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from guitar_kedro.datasets.artifacts import Artifact

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class _FigureFile(TextDataset):
    """A matplotlib figure as a PNG file, which loads as a picture.

    That of kedro-datasets brings pyplot, for which every command would wait.
    """

    def load(self) -> Image.Image:
        # not Image.open, whose limit of pixels is there for other people's files
        with PngImageFile(Path(self._get_load_path())) as picture:
            return picture.convert("RGB")

    def save(self, data: Figure) -> None:
        # looking for repetitions takes most of the time of a sheet of photos, which have none; charts become little
        # larger
        data.savefig(Path(self._get_save_path()), format="png", pil_kwargs={"compress_type": zlib.Z_RLE})


class FigureDataset(Artifact, _FigureFile):
    """A matplotlib figure as a PNG file, which loads as a picture."""

    def preview(self) -> ImagePreview:
        """Return the picture, for kedro-viz."""
        return ImagePreview(base64.b64encode(Path(self._get_load_path()).read_bytes()).decode())
