"""Numbers, pages and figures of reports."""

from __future__ import annotations

import base64
import io
import json
import re
import zlib
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from kedro.io import Version
from kedro_datasets._typing import HTMLPreview, ImagePreview, JSONPreview, PlotlyPreview
from pydantic import BaseModel, ValidationError

from guitar_kedro.datasets.artifacts import Artifact
from guitar_kedro.errors import UserError
from guitar_kedro.files import strict_json

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from PIL.Image import Image
    from plotly.graph_objects import Figure as Explorer


class FigureDataset(Artifact):
    """A matplotlib figure as a PNG file, which loads as a picture."""

    def _read(self, path: Path) -> Image:
        # not Image.open, whose limit of pixels is there for other people's files
        from PIL.PngImagePlugin import PngImageFile

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


class ExplorerDataset(Artifact):
    """A plotly figure as JSON, whose points tell more when one points at them."""

    def _read(self, path: Path) -> Explorer:
        from plotly.io import from_json

        return from_json(path.read_text(encoding="utf-8"))

    def _write(self, data: Explorer, path: Path) -> None:
        path.write_text(data.to_json(), encoding="utf-8")

    def preview(self) -> PlotlyPreview:
        """Return the figure, for kedro-viz."""
        return PlotlyPreview(json.loads(self._load_path().read_text(encoding="utf-8")))


class MetricsDataset(Artifact):
    """Numbers as a JSON file; what is infinite or not a number is saved as ``null``, and loads as ``None``."""

    def __init__(
        self,
        *,
        filepath: str,
        schema: str | None = None,
        version: Version | None = None,
        metadata: dict[str, Any] | None = None,
    ) -> None:
        """Take note of where the numbers lie and what they are.

        Args:
            filepath: Of the file.
            schema: Name, with its module, of the pydantic model that is saved and loaded; without one, dictionaries and
                lists are. Fields that were not set are not written.
            version: Of the file.
            metadata: For Kedro's plugins.
        """
        super().__init__(filepath, version, metadata)
        self._schema = schema

    def _read(self, path: Path) -> Any:
        data = json.loads(path.read_text(encoding="utf-8"))
        try:
            return resolve_name(self._schema).model_validate(data) if self._schema else data
        except ValidationError as error:
            place = ".".join(map(str, error.errors()[0]["loc"]))
            raise UserError(
                f"{path} is not what this version of the project saves ({place}: {error.errors()[0]['msg']}): remove "
                "it, and the next run makes it anew."
            ) from None

    def _write(self, data: Any, path: Path) -> None:
        if self._schema and not isinstance(data, resolve_name(self._schema)):
            raise TypeError(f"{type(data).__name__} is not {self._schema}")
        plain = data.model_dump(mode="json", exclude_unset=True) if isinstance(data, BaseModel) else data
        path.write_text(strict_json(plain, indent=2), encoding="utf-8")

    def preview(self) -> JSONPreview:
        """Return the numbers, for kedro-viz."""
        return JSONPreview(self._load_path().read_text(encoding="utf-8"))


class OptionalMetricsDataset(MetricsDataset):
    """Numbers that need not be there; until they were computed, there is ``None``."""

    def load(self) -> Any:
        """Load the numbers, or ``None``."""
        return super().load() if self.exists() else None


class DocumentDataset(Artifact):
    """Text, as Markdown."""

    def _read(self, path: Path) -> str:
        return path.read_text(encoding="utf-8")

    def _write(self, data: str, path: Path) -> None:
        path.write_text(data, encoding="utf-8")


class OptionalDocumentDataset(DocumentDataset):
    """Text that need not be there; until it was made, it is empty."""

    def load(self) -> str:
        """Load the text, or nothing."""
        return super().load() if self.exists() else ""


class PageDataset(DocumentDataset):
    """A page that needs nothing but itself."""

    def preview(self) -> HTMLPreview:
        """Return the page, for kedro-viz, which shows each line break as one."""
        return HTMLPreview(re.sub(r">\n+", ">", self.load()))


class OptionalPageDataset(OptionalDocumentDataset, PageDataset):
    """A page that need not be there; until it was made, it is empty."""
