"""Numbers, pages and figures to point at of reports."""

from __future__ import annotations

import json
import re
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from kedro.io import Version
from kedro_datasets._typing import HTMLPreview, JSONPreview, PlotlyPreview
from kedro_datasets.json import JSONDataset
from kedro_datasets.text import TextDataset
from pydantic import BaseModel, ValidationError

from guitar_kedro.datasets.artifacts import TextArtifact, undecorated
from guitar_kedro.errors import UserError
from guitar_kedro.files import without_nan

if TYPE_CHECKING:
    from plotly.graph_objects import Figure


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
        """Return the figure, for kedro-viz."""
        return PlotlyPreview(json.loads(Path(self._get_load_path()).read_text(encoding="utf-8")))


class _StrictJSONFile(JSONDataset):
    """JSON that every program reads."""

    DEFAULT_SAVE_ARGS: dict[str, Any] = {"indent": 2, "allow_nan": False}  # noqa: RUF012 - as kedro-datasets does

    _schema: str | None = None

    def load(self) -> Any:
        data = undecorated(super().load)(self)
        return resolve_name(self._schema).model_validate(data) if self._schema else data

    def save(self, data: Any) -> None:
        if self._schema and not isinstance(data, resolve_name(self._schema)):
            raise TypeError(f"{type(data).__name__} is not {self._schema}")
        undecorated(super().save)(self, _plain(data))


class MetricsDataset(TextArtifact, _StrictJSONFile):
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
        super().__init__(filepath=filepath, version=version, metadata=metadata)
        self._schema = schema

    def load(self) -> Any:
        """Load the numbers.

        Raises:
            UserError: If they are not as they were saved, or not what the schema says.
        """
        try:
            return super().load()
        except ValidationError as error:
            place = ".".join(map(str, error.errors()[0]["loc"]))
            raise UserError(
                f"{self._get_load_path()} is not what this version of the project saves ({place}: "
                f"{error.errors()[0]['msg']}): remove it, and the next run makes it anew."
            ) from None

    def preview(self) -> JSONPreview:
        """Return the numbers for kedro-viz."""
        return JSONPreview(json.dumps(_plain(undecorated(type(self).load)(self))))


class OptionalMetricsDataset(MetricsDataset):
    """Numbers that need not be there; until they were computed, there is ``None``."""

    def load(self) -> Any:
        """Load the numbers, or ``None``."""
        return undecorated(super().load)(self) if self.exists() else None


def _plain(data: Any) -> Any:
    return data.model_dump(mode="json", exclude_unset=True) if isinstance(data, BaseModel) else without_nan(data)


class DocumentDataset(TextArtifact, TextDataset):
    """Text, as Markdown."""


class PageDataset(DocumentDataset):
    """A page that needs nothing but itself."""

    def preview(self) -> HTMLPreview:
        """Return the page, for kedro-viz, which shows each line break as one."""
        return HTMLPreview(re.sub(r">\n+", ">", self.load()))


class OptionalPageDataset(PageDataset):
    """A page that need not be there; until it was made, it is empty."""

    def load(self) -> str:
        """Load the page, or nothing."""
        return undecorated(super().load)(self) if self.exists() else ""
