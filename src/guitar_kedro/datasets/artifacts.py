"""Artifacts that can be trusted: saved whole or not at all, and loaded only as they were saved."""

from __future__ import annotations

import glob
import hashlib
import os
import shutil
import socket
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import psutil

from guitar_kedro.errors import UserError, listed
from guitar_kedro.files import sha256_of_file

SUMS_FILE = "SHA256SUMS"  # in the folder of a version; `sha256sum --check` reads it


if TYPE_CHECKING:
    _Dataset = Any  # whichever it is mixed into
else:
    _Dataset = object


class Artifact(_Dataset):
    """Mixin for a Kedro dataset of one local file or folder.

    Saving writes to a name of its own in the same folder; only what is complete and on disk gets the real name. Kedro
    finds versions by that name, so that the version before stays the latest until then. The checksums of a version lie
    beside it before it gets its name, and are compared each time it is loaded.
    """

    _beside: PurePosixPath | None = None

    def load(self) -> Any:
        """Load what was saved.

        Raises:
            UserError: If it is not as it was saved, or if there is no such version.
        """
        self.check()
        return undecorated(super().load)(self)  # Kedro's decoration would wrap errors twice

    def save(self, data: Any) -> None:
        """Save ``data`` whole or not at all.

        Raises:
            DatasetError: If it cannot be written, or if this version is there already.
        """
        target = Path(self._get_save_path())
        self._sweep()
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = target.with_name(f"{_beginning(target)}{os.getpid()}{target.suffix}")
        self._beside = PurePosixPath(beside)
        try:
            undecorated(super().save)(self, data)  # Kedro's decoration would choose a second version
            _sync(beside)
            if self._version:
                sums = target.with_name(SUMS_FILE)
                sums.write_text(_lines(_checksums(beside, target.name)), encoding="utf-8")
                _sync(sums)
            os.replace(beside, target)
            _sync_folder(target.parent)
            _sync_folder(target.parent.parent)
        finally:
            self._beside = None
            _remove(beside)

    def check(self) -> None:
        """Compare a version with the checksums that were saved with it.

        Raises:
            UserError: If they differ, or if there is no such version; it names the version before.
        """
        if not self._version:
            return
        path = Path(self._get_load_path())
        if not path.exists():
            versions = listed(self._version_names()) or "none"
            raise UserError(f"{self._filepath} has no version {path.parent.name}; it has {versions}.")
        found = _checksums(path)
        saved = _read_sums(path.with_name(SUMS_FILE))
        if found != saved:
            name = min(name for name in {*found, *saved} if found.get(name) != saved.get(name))
            raise UserError(
                f"{path.parent / name} is not as it was saved: it was truncated or altered, for its SHA-256 is not the "
                f"one in {SUMS_FILE}. {self._way_out(path.parent)}"
            )

    def fingerprint(self) -> str | None:
        """Return a checksum of what would be loaded, or ``None`` if there is nothing.

        Raises:
            UserError: As ``check``.
        """
        if not (self._version and self._version.load) and not self.exists():
            return None
        self.check()
        path = Path(self._get_load_path())
        return hashlib.sha256(_lines(_checksums(path)).encode()).hexdigest()

    def _way_out(self, folder: Path) -> str:
        anew = f"remove {folder} to have it made again"
        before = next((version for version in self._version_names() if version < folder.name), None)
        if before is None:
            return f"There is no version before it: {anew}."
        return f"The version before it is {before}: go back with --load-versions=<dataset>:{before}, or {anew}."

    def _version_names(self) -> list[str]:
        """All versions, the latest first."""
        paths = (Path(path) for path in glob.glob(f"{glob.escape(str(self._filepath))}/*/{self._filepath.name}"))
        return sorted((path.parent.name for path in paths), reverse=True)

    def _sweep(self) -> None:
        """Remove what processes of this machine left behind that died while they saved this artifact."""
        path = Path(self._filepath)
        for left in path.glob(f"*/{_pattern(path)}") if self._version else path.parent.glob(_pattern(path)):
            pid = left.name.removeprefix(_beginning(path)).removesuffix(path.suffix)
            if pid.isdecimal() and (int(pid) == os.getpid() or not psutil.pid_exists(int(pid))):
                _remove(left)
        for version in path.glob("*") if self._version else ():
            if version.is_dir() and not any(version.iterdir()):
                version.rmdir()

    def _get_save_path(self) -> PurePosixPath:
        return self._beside or super()._get_save_path()


class TextArtifact(Artifact):
    """Mixin for a Kedro dataset of one text file: it is UTF-8 whatever encoding the machine is set to."""

    DEFAULT_FS_ARGS: dict[str, Any] = {  # noqa: RUF012 - the way kedro-datasets gives defaults
        "open_args_save": {"mode": "w", "encoding": "utf-8"},
        "open_args_load": {"mode": "r", "encoding": "utf-8"},
    }


def undecorated(method: Any) -> Any:
    """Return a method of a dataset without Kedro's decoration: a function of the dataset and the method's arguments."""
    return method.__wrapped__


def _beginning(path: Path) -> str:
    """How the names begin under which this machine writes a file; the number of the process follows."""
    return f".{path.stem}.{socket.gethostname()}-"


def _pattern(path: Path) -> str:
    return f"{glob.escape(_beginning(path))}[0-9]*{glob.escape(path.suffix)}"


def _checksums(path: Path, name: str | None = None) -> dict[str, str]:
    """Compute the SHA-256 of a file, or of each file of a folder, by its path from the folder of the version."""
    files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
    top = PurePosixPath(name or path.name)
    return {(top / file.relative_to(path)).as_posix(): sha256_of_file(file) for file in files}


def _lines(checksums: dict[str, str]) -> str:
    return "".join(f"{checksum}  {name}\n" for name, checksum in sorted(checksums.items()))


def _read_sums(path: Path) -> dict[str, str]:
    if not path.exists():
        return {}
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    return {name: checksum for checksum, _, name in (line.partition("  ") for line in lines)}


def _sync(path: Path) -> None:
    files = [file for file in path.rglob("*") if file.is_file()] if path.is_dir() else [path]
    for file in files:
        with file.open("rb+") as handle:  # Windows syncs only what is open for writing
            os.fsync(handle.fileno())


def _sync_folder(folder: Path) -> None:
    if os.name == "posix":  # elsewhere a folder cannot be opened
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _remove(beside: Path) -> None:
    """Remove an unfinished write, and the folder of a version that did not come to be."""
    if beside.is_dir():
        shutil.rmtree(beside)
    else:
        beside.unlink(missing_ok=True)
    folder = beside.parent
    if {path.name for path in folder.iterdir()} <= {SUMS_FILE}:
        shutil.rmtree(folder)
