"""What is collected: the table of searches and addresses, and the pictures that came of it."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from guitar_kedro.collecting.journal import Collection, Journal
from guitar_kedro.datasets.bases import DescribedDataset, ReadOnlyDataset
from guitar_kedro.datasets.handwritten import read_handwritten_table
from guitar_kedro.errors import UserError
from guitar_kedro.files import composed, local_path, sha256_of_file

_COLUMNS = ("query", "label", "url", "license", "author", "file")
_NO_NAME = re.compile(r"""[\x00-\x1f\x7f/\\:*?"<>|]|^[.~]|[.]$""")  # of a folder, on one of the systems
_LONGEST_NAME = 100


class QueriesDataset(ReadOnlyDataset):
    """A table of a person, of what is to be collected; it is only read.

    A line is a search, with ``query`` and ``label``, or a picture, with ``url``, ``label``, ``license`` and perhaps
    ``author`` and ``file``.
    """

    REFUSAL = "{0._queries} is written by hand: the project only reads it."

    def __init__(self, queries: str | None = None, metadata: dict[str, Any] | None = None) -> None:
        """Take note of the file.

        Args:
            queries: Its path; ``None`` where none was named.
            metadata: For Kedro's plugins.
        """
        self._queries = queries
        self.metadata = metadata

    def load(self) -> pd.DataFrame:
        """Load the table, with all columns; what a line does not say is empty.

        Raises:
            UserError: If no file was named, or a line of it cannot be used.
        """
        if self._queries is None:
            raise UserError(
                "What is to be collected? Name a table with --params=queries=FILE.csv: its first line is query,label, "
                "and each other one is a search and its class."
            )
        path = local_path(self._queries)
        table = read_handwritten_table(path, _COLUMNS, optional=_COLUMNS)
        for column in _COLUMNS:
            table[column] = table[column].str.strip()
        table["label"] = table["label"].map(composed)
        for row in table.itertuples():
            _check(row, f"{path}, line {row.Index}")
        if table.empty:
            raise UserError(f"{path} has no line but the first one: add a search and its class, such as tabby cat,cat.")
        return table.drop_duplicates().reset_index(drop=True)

    def fingerprint(self) -> str | None:
        """Return the checksum of the file, or ``None`` where there is none."""
        path = local_path(self._queries) if self._queries else None
        return sha256_of_file(path) if path and path.is_file() else None

    def _exists(self) -> bool:
        return self._queries is not None


def _check(row: Any, place: str) -> None:
    if bool(row.query) == bool(row.url):
        raise UserError(f"{place}: it needs a query or the url of a picture, one of the two.")
    if not row.label:
        raise UserError(f"{place}: the label is missing, the class of these pictures.")
    if _NO_NAME.search(row.label) or len(row.label) > _LONGEST_NAME:
        raise UserError(
            f"{place}: the label {row.label!r} cannot name a folder; leave out slashes and the like, a dot at its "
            f"beginning or end, and more than {_LONGEST_NAME} letters."
        )


class CollectedImagesDataset(DescribedDataset):
    """Class folders of collected pictures, and beside them the journal of what was asked, found and kept.

    It is saved from a function that adds to the journal of earlier runs. It keeps no checksum: whether there is more to
    be had, only the sources know.
    """

    def __init__(self, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Take note of the folder.

        Args:
            filepath: Of the class folders.
            metadata: For Kedro's plugins.
        """
        self.folder = Path(filepath)
        self._journal = self.folder.with_name(f"{self.folder.name}.jsonl")
        self.metadata = metadata

    def save(self, data: Callable[[Journal], None]) -> None:
        """Let a function collect.

        Args:
            data: Takes the journal, to which it notes what it does.
        """
        with Journal.open(self.folder, self._journal) as journal:
            data(journal)

    def load(self) -> Collection:
        """Load what was noted; the pictures stay on disk.

        Raises:
            UserError: If the journal was altered.
        """
        return Collection.read(self.folder, self._journal)

    def _exists(self) -> bool:
        return self._journal.exists()
