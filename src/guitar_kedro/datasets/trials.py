"""What a search keeps: the study with its trials, and what trials share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from filelock import FileLock
from kedro.io import AbstractDataset

from guitar_kedro.datasets.bases import DescribedDataset, IndexedFolder, ReadOnlyDataset
from guitar_kedro.datasets.features import FeaturesDataset
from guitar_kedro.datasets.pixels import PixelsDataset
from guitar_kedro.errors import UserError
from guitar_kedro.files import local_path
from guitar_kedro.images.downloads import is_address

if TYPE_CHECKING:
    from optuna.storages import BaseStorage


class StudyDataset(ReadOnlyDataset):
    """Where Optuna keeps the studies of a workspace: a journal in a file, or a database that several machines share.

    Each line of the journal is written at once, by any number of processes; one that is killed loses nothing.
    """

    REFUSAL = "{0._place} is a study, to which only a search writes."
    made_by_loading = True

    def __init__(self, filepath: str, storage: str | None = None, metadata: dict[str, Any] | None = None) -> None:
        """Take note of the place.

        Args:
            filepath: Of the journal.
            storage: Instead of it: the path of another one, or the address of a database that SQLAlchemy reads.
            metadata: For Kedro's plugins.
        """
        self._storage, self._place = storage, str(storage or filepath)
        self._journal = None if is_address(self._place) else local_path(self._place) if storage else Path(filepath)
        self.metadata = metadata

    def load(self) -> BaseStorage:
        """Open it; a journal that is not there is begun.

        Raises:
            UserError: If the journal or the database cannot be opened.
        """
        import optuna

        if self._journal:
            from optuna.storages.journal import JournalFileBackend, JournalStorage

            try:
                self._journal.parent.mkdir(parents=True, exist_ok=True)
                _cut_unfinished_line(self._journal)
                return JournalStorage(JournalFileBackend(os.path.abspath(self._journal)))
            except (OSError, ValueError, KeyError) as error:
                reason = getattr(error, "strerror", None) or "it is no journal of a search, or damaged"
                raise UserError(
                    f"{self._journal} cannot be read as a study ({reason}): remove it to begin the search anew, or "
                    "name another file with --params=study=FILE."
                ) from error
        try:
            return optuna.storages.RDBStorage(_from_here(self._place))
        except Exception as error:  # of the database, its driver, or SQLAlchemy
            reason = " ".join(str(error).split())[:200]
            raise UserError(
                f"--params=study={self._place}: the database cannot be opened ({reason}); start it, install its "
                "driver, or give the path of a file on a disk that the machines share."
            ) from error

    def fingerprint(self) -> str | None:
        """Return the place: a study grows, and is asked for what it lacks."""
        return self._storage or "" if self._exists() else None

    def _exists(self) -> bool:
        return self._journal is None or self._journal.exists()


class TrialCache:
    """Decoded pictures and features of trials: those that several need are made once."""

    def __init__(self, folder: Path) -> None:
        """Take note of the folder in which they lie."""
        self.folder = folder

    def pixels(self) -> AbstractDataset[Any, Any]:
        """Return a dataset for decoded pictures."""
        return _ByKey(PixelsDataset, self.folder / "pixels")

    def features(self) -> AbstractDataset[Any, Any]:
        """Return a dataset for features."""
        return _ByKey(FeaturesDataset, self.folder / "features")


class TrialCacheDataset(ReadOnlyDataset):
    """Where trials find what others have made already; it may be removed at any time."""

    REFUSAL = "{0.folder} is filled by trials."

    def __init__(self, filepath: str, metadata: dict[str, Any] | None = None) -> None:
        """Take note of the folder.

        Args:
            filepath: The folder.
            metadata: For Kedro's plugins.
        """
        self.folder = Path(filepath)
        self.metadata = metadata

    def load(self) -> TrialCache:
        """Return what trials look into."""
        return TrialCache(self.folder)

    def fingerprint(self) -> str:
        """Return the same for whatever is there: no result depends on it."""
        return ""

    def unneeded(self) -> Iterator[Path]:
        """List all of it: what a search still needs, it makes again."""
        return (path for path in sorted(self.folder.glob("*/*")) if path.is_dir())


class _ByKey(DescribedDataset):
    """A folder for each key, and the one of what was saved last."""

    def __init__(self, kind: type[IndexedFolder], folder: Path) -> None:
        self._kind, self._folder = kind, folder

    def save(self, data: Any) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        self._kept = self._kind(str(self._folder / data.key))
        with FileLock(self._folder / f".{data.key}.lock"):  # another trial may just make the same
            self._kept.save(data)

    def load(self) -> Any:
        return self._kept.load()


def _from_here(address: str) -> str:
    """Return the address with the whole path of SQLite's file: a worker of a cluster runs in another folder."""
    database, is_file, path = address.partition(":///")
    relative = database.startswith("sqlite") and is_file and path and not path.startswith((":memory:", "file:"))
    return f"{database}:///{os.path.abspath(path)}" if relative else address


def _cut_unfinished_line(journal: Path) -> None:
    """Remove from a journal what a process was writing when the disk was full or the power went, for optuna would not.

    Optuna's own lock is held meanwhile: nobody is in the middle of a line.
    """
    from optuna.storages.journal import JournalFileSymlinkLock

    if not journal.is_file() or journal.read_bytes()[-1:] in (b"", b"\n"):
        return
    lock = JournalFileSymlinkLock(str(journal))
    lock.acquire()
    try:
        os.truncate(journal, journal.read_bytes().rfind(b"\n") + 1)
    finally:
        lock.release()
