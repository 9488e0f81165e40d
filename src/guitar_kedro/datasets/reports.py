"""Figures and numbers of reports."""

from __future__ import annotations

import json
import re
import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kedro_datasets._typing import HTMLPreview, PlotlyPreview
from kedro_datasets.json import JSONDataset
from kedro_datasets.matplotlib import MatplotlibDataset
from kedro_datasets.text import TextDataset
from PIL import Image
from PIL.PngImagePlugin import PngImageFile

from guitar_kedro.datasets.artifacts import Artifact, TextArtifact, undecorated
from guitar_kedro.files import without_nan

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


class FigureDataset(Artifact, MatplotlibDataset):
    """A matplotlib figure as a PNG file, which loads as a picture."""

    # looking for repetitions takes most of the time of a sheet of photos, which have none; charts become little larger
    DEFAULT_SAVE_ARGS: dict[str, Any] = {"pil_kwargs": {"compress_type": zlib.Z_RLE}}  # noqa: RUF012 - as kedro-datasets

    def load(self) -> Image.Image:
        """Loads what was drawn.

        Raises:
            UserError: If it is not as it was saved.
        """
        self.check()
        # not Image.open, whose limit of pixels is there for other people's files
        with PngImageFile(Path(self._get_load_path())) as picture:
            return picture.convert("RGB")


class _PlotlyFile(TextDataset):
    """A plotly figure as JSON.

    That of kedro-datasets brings plotly's widgets and with them IPython, for which every command would wait.
    """

    def load(self) -> Figure:
        from plotly.io import from_json

        return from_json(undecorated(super().load)(self))

    def save(self, data: Figure) -> None:
        undecorated(super().save)(self, data.to_json())


class ExplorerDataset(TextArtifact, _PlotlyFile):
    """A plotly figure, whose points tell more when one points at them."""

    def preview(self) -> PlotlyPreview:
        """The figure, for kedro-viz."""
        return PlotlyPreview(json.loads(Path(self._get_load_path()).read_text(encoding="utf-8")))


class _StrictJSONFile(JSONDataset):
    """JSON that every program reads."""

    DEFAULT_SAVE_ARGS: dict[str, Any] = {"indent": 2, "allow_nan": False}  # noqa: RUF012 - as kedro-datasets does

    def save(self, data: Any) -> None:
        undecorated(super().save)(self, without_nan(data))


class MetricsDataset(TextArtifact, _StrictJSONFile):
    """Numbers as a JSON file; what is infinite or not a number is saved as ``null``, and loads as ``None``."""


class OptionalMetricsDataset(MetricsDataset):
    """Numbers that need not be there; until they were computed, they are empty."""

    def load(self) -> dict[str, Any]:
        """Loads the numbers, or none."""
        return undecorated(super().load)(self) if self.exists() else {}


class DocumentDataset(TextArtifact, TextDataset):
    """Text, as Markdown."""


class PageDataset(DocumentDataset):
    """A page that needs nothing but itself."""

    def preview(self) -> HTMLPreview:
        """The page, for kedro-viz, which shows each line break as one."""
        return HTMLPreview(re.sub(r">\n+", ">", self.load()))


class OptionalPageDataset(PageDataset):
    """A page that need not be there; until it was made, it is empty."""

    def load(self) -> str:
        """Loads the page, or nothing."""
        return undecorated(super().load)(self) if self.exists() else ""
