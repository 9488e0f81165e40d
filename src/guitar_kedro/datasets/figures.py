"""Figures of reports; apart from all else, for who shows a page or numbers should not wait for matplotlib."""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

from kedro_datasets.matplotlib import MatplotlibDataset
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from guitar_kedro.datasets.artifacts import Artifact


class FigureDataset(Artifact, MatplotlibDataset):
    """A matplotlib figure as a PNG file, which loads as a picture."""

    # looking for repetitions takes most of the time of a sheet of photos, which have none; charts become little larger
    DEFAULT_SAVE_ARGS: dict[str, Any] = {"pil_kwargs": {"compress_type": zlib.Z_RLE}}  # noqa: RUF012 - as kedro-datasets

    def load(self) -> Image.Image:
        """Load what was drawn.

        Raises:
            UserError: If it is not as it was saved.
        """
        self.check()
        # not Image.open, whose limit of pixels is there for other people's files
        with PngImageFile(Path(self._get_load_path())) as picture:
            return picture.convert("RGB")
