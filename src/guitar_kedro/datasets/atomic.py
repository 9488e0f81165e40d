"""Write beside, then replace: a process that dies while saving leaves no half-written version behind."""

from __future__ import annotations

import os
import shutil
from pathlib import Path, PurePosixPath
from typing import Any


class AtomicSave:
    """Mixin for a Kedro dataset that saves one local file or folder at ``_get_save_path()``.

    The dataset writes to a name of its own in the same folder; only what is complete and on disk gets the real name.
    Kedro finds versions by that name, so that the version before stays the latest until then.
    """

    _beside: PurePosixPath | None = None

    def save(self, data: Any) -> None:
        """Saves ``data`` whole or not at all.

        Raises:
            DatasetError: If it cannot be written, or if this version is there already.
        """
        target = Path(self._get_save_path())
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = target.with_name(f".{target.stem}.{os.getpid()}{target.suffix}")
        self._beside = PurePosixPath(beside)
        try:
            # the undecorated method: Kedro's decoration would choose a second version
            super().save.__wrapped__(self, data)
            _sync(beside)
            os.replace(beside, target)
            _sync_folder(target.parent)
        finally:
            self._beside = None
            _remove(beside)

    def _get_save_path(self) -> PurePosixPath:
        return self._beside or super()._get_save_path()


def _sync(path: Path) -> None:
    files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
    for file in files:
        with file.open("rb") as handle:
            os.fsync(handle.fileno())


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":  # elsewhere a folder cannot be opened
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    if path.parent.is_dir() and not any(path.parent.iterdir()):
        path.parent.rmdir()  # the folder of a version that did not come to be
