"""Figures of reports."""

from __future__ import annotations

import base64
import io
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from kedro_datasets._typing import ImagePreview
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from guitar_kedro.datasets.artifacts import Artifact

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class FigureDataset(Artifact):
    """A matplotlib figure as a PNG file, which loads as a picture."""

    def _read(self, path: Path) -> Image.Image:
        # not Image.open, whose limit of pixels is there for other people's files
        with PngImageFile(path) as picture:
            return picture.convert("RGB")

    def _write(self, data: Figure, path: Path) -> None:
        # looking for repetitions takes most of the time of a sheet of photos, which have none; charts grow little by it
        content = io.BytesIO()
        data.savefig(content, format="png", pil_kwargs={"compress_type": zlib.Z_RLE})
        path.write_bytes(content.getvalue())

    def preview(self) -> ImagePreview:
        """Return the picture, for kedro-viz."""
        return ImagePreview(base64.b64encode(self._load_path().read_bytes()).decode("ascii"))
