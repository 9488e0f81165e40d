"""A folder of prepared pictures, and what is known of each."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PIL.Image import Image

if TYPE_CHECKING:
    import pandas as pd


Picture = Image


@dataclass(frozen=True)
class PreparedImages:
    """Prepared pictures on disk.

    Attributes:
        folder: Where they lie, as ``<content hash>.jpg``.
        records: A row for each file that ingestion was given, with the columns of ``FileRecord``.
    """

    folder: Path
    records: pd.DataFrame

    def path(self, image_id: str) -> Path:
        """Where a picture lies.

        Args:
            image_id: As in ``image_table``: the content hash, and ``-2``, ``-3`` ... for further files of the same
                content.
        """
        return self.folder / f"{image_id.partition('-')[0]}.jpg"
