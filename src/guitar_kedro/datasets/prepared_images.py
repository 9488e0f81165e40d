"""Prepared pictures and the index of what they were made from."""

from __future__ import annotations

import csv
import io
import os
import re
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pandas as pd
from kedro_datasets._typing import TablePreview

from guitar_kedro.datasets.bases import IndexedFolder
from guitar_kedro.errors import UserError
from guitar_kedro.files import sha256_of_lines
from guitar_kedro.images.ingest import HOW_COLUMNS, RECORD_COLUMNS, FileRecord
from guitar_kedro.images.store import PreparedImages
from guitar_kedro.images.thumbnails import THUMBNAILS
from guitar_kedro.versions import VERSIONS

_PREPARED_FILE = re.compile(r"[0-9a-f]{20}\.(jpg|part)")  # the name of its content: see PreparedImage.name


Preparation = Callable[[dict[str, FileRecord]], Generator[tuple[FileRecord, bytes | None], None, None]]


class PreparedImagesDataset(IndexedFolder):
    """A folder of prepared JPEGs named by their content, with an index of all files that ingestion was given.

    It is saved from a function that is told what is there already, and streams what is to be stored. The index is
    written last: without it, nothing counts as ingested. Until then the records go to a journal, from which the next
    run takes what was done before a crash.
    """

    INDEX = "index.csv"

    def save(self, data: Preparation) -> None:
        """Write pictures as they come, then the index; remove those that only an earlier version made.

        Args:
            data: Makes the stream of (record, prepared JPEG) from the records of ``earlier``.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        if self._journal.exists():
            self._journal.write_bytes(_whole_rows(self._journal))
        now = str(VERSIONS["prepared_pictures"])
        outdated = {name for table in self._tables() for name in table.loc[table["version"] != now, "prepared"] if name}
        beside = self._index.with_suffix(".part")
        with (
            # where it cannot be written, what is at work ends now, and not when Python does
            closing(data(self.earlier())) as stream,
            _record_writer(self._journal, "a") as to_journal,
            _record_writer(beside, "w") as to_index,
        ):
            for record, jpeg in stream:
                if jpeg is not None:
                    _write_once(self.folder / f"{record.prepared}.jpg", jpeg)
                outdated.discard(record.prepared)
                to_journal(record)
                to_index(record)
        os.replace(beside, self._index)
        self._journal.unlink()
        for prepared in outdated:
            (self.folder / f"{prepared}.jpg").unlink(missing_ok=True)

    def load(self) -> PreparedImages:
        """Load the index; the pictures stay on disk."""
        return PreparedImages(self.folder, _read_records(self._index))

    def earlier(self) -> dict[str, FileRecord]:
        """Return what earlier runs noted, finished or not, by file name; empty where there was none.

        Records whose prepared picture is not there are left out.
        """
        rows = (row for table in self._tables() for row in table.to_dict(orient="records"))
        records = {row["file"]: FileRecord(**row) for row in rows}
        there = _pictures_in(self.folder)
        return {file: record for file, record in records.items() if record.reason or record.prepared in there}

    def fingerprint(self) -> str | None:
        """Return the checksum of the index, in which each picture stands with its own; ``None`` if one is missing.

        How a picture came about does not count: the same pictures in wider limits are the same.
        """
        if not self._index.exists():
            return None
        records, there = _read_records(self._index), _pictures_in(self.folder) | {""}
        if not there.issuperset(records["prepared"]):
            return None
        return sha256_of_lines([records.drop(columns=list(HOW_COLUMNS)).to_csv(index=False)])

    def unneeded(self) -> Iterator[Path]:
        """List the pictures that stand in no record; what else lies there is not the project's."""
        named = {prepared for table in self._tables() for prepared in table["prepared"]}
        places = [*sorted(self.folder.glob("*")), *sorted((self.folder / THUMBNAILS).glob("*"))]
        files = (path for path in places if _PREPARED_FILE.fullmatch(path.name))
        return (path for path in files if path.suffix == ".part" or path.stem not in named)

    def preview(self, nrows: int = 5) -> TablePreview:
        """Return the first rows of the index, for kedro-viz."""
        return TablePreview(_read_records(self._index).head(nrows).to_dict(orient="split"))

    @property
    def _journal(self) -> Path:
        return self.folder / "index.journal.csv"

    def _tables(self) -> list[pd.DataFrame]:
        """Read the index and the journal, as far as they are there; of a file in both, the journal is right."""
        return [_read_records(path) for path in (self._index, self._journal) if path.exists()]


class OptionalPreparedImagesDataset(PreparedImagesDataset):
    """Prepared pictures that need not be there; until they were made, there are none."""

    def load(self) -> PreparedImages:
        """Load the index, or an empty one."""
        return super().load() if self.exists() else PreparedImages(self.folder, pd.DataFrame(columns=RECORD_COLUMNS))


def _read_records(path: Path) -> pd.DataFrame:
    dtypes = {name: "int64" if name in ("width", "height") else "str" for name in RECORD_COLUMNS}
    try:
        # a disk that was full may not have taken the first row
        rows = _whole_rows(path) or ",".join(RECORD_COLUMNS).encode("utf-8")
        records = pd.read_csv(io.BytesIO(rows), dtype=dtypes, keep_default_na=False)
    except ValueError:  # also of pandas, and of bytes that are no UTF-8
        records = pd.DataFrame()
    if not {"file", "prepared", "reason"} <= set(records.columns) or not isinstance(records.index, pd.RangeIndex):
        raise UserError(f"{path} is not as it was written: remove it, and the images are prepared again.")
    # an earlier version may have noted other things of a file
    return records.reindex(columns=list(RECORD_COLUMNS), fill_value="")


def _pictures_in(folder: Path) -> set[str]:
    return {path.stem for path in folder.glob("*.jpg") if _is_written(path)}


def _is_written(path: Path) -> bool:
    return path.exists() and path.stat().st_size > 0  # a power cut soon after a write may leave a file without content


def _whole_rows(path: Path) -> bytes:
    """Read what is whole: a process that died, or a full disk, may have left half a row, and of it half a character.

    A row ends with a line that has no text open, so that before it quotation marks come in pairs.
    """
    content = path.read_bytes()
    end = content.rfind(b"\n") + 1
    while content.count(b'"', 0, end) % 2:
        end = content.rfind(b"\n", 0, end - 1) + 1
    return content[:end]


@contextmanager
def _record_writer(path: Path, mode: str) -> Iterator[Callable[[FileRecord], None]]:
    """Open a table of records; what was written is on disk when it closes."""
    with path.open(mode, newline="", encoding="utf-8") as file:
        lines = csv.DictWriter(file, RECORD_COLUMNS, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
        if file.tell() == 0:
            lines.writeheader()
        yield lambda record: lines.writerow(vars(record))
        file.flush()
        os.fsync(file.fileno())


def _write_once(path: Path, content: bytes) -> None:
    """Write a file that is named by its content, and so need not be written again where it is there already."""
    if _is_written(path):
        return
    beside = path.with_suffix(".part")
    beside.write_bytes(content)
    os.replace(beside, path)
