"""Artifacts that can be trusted: saved whole or not at all, and loaded only as they were saved."""

from __future__ import annotations

import glob
import hashlib
import os
import shutil
import socket
from pathlib import Path, PurePosixPath
from typing import Any

import psutil
from kedro.io import AbstractVersionedDataset, Version

from guitar_kedro.errors import UserError, listed
from guitar_kedro.files import sha256_of_file

SUMS_FILE = "SHA256SUMS"  # in the folder of a version; `sha256sum --check` reads it


class Artifact(AbstractVersionedDataset[Any, Any]):
    """A dataset of one local file or folder; a subclass says how it is read and written.

    Saving writes to a name of its own in the same folder; only what is complete and on disk gets the real name. Kedro
    finds versions by that name, so that the version before stays the latest until then. The checksums of a version lie
    beside it before it gets its name, and are compared each time it is loaded.
    """

    def __init__(self, filepath: str, version: Version | None = None, metadata: dict[str, Any] | None = None) -> None:
        """Take note of where it lies.

        Args:
            filepath: Of the file or folder.
            version: Of it; ``None`` where only the latest is kept.
            metadata: For Kedro's plugins.
        """
        super().__init__(PurePosixPath(filepath), version)
        self.metadata = metadata

    def _read(self, path: Path) -> Any:
        raise NotImplementedError

    def _write(self, data: Any, path: Path) -> None:
        raise NotImplementedError

    def load(self) -> Any:
        """Load what was saved.

        Raises:
            UserError: If it is not as it was saved, or if there is no such version.
        """
        self.check()
        return self._read(self._load_path())

    def save(self, data: Any) -> None:
        """Save ``data`` whole or not at all.

        Raises:
            DatasetError: If it cannot be written, or if this version is there already.
        """
        target = Path(self._get_save_path())
        self._sweep()
        target.parent.mkdir(parents=True, exist_ok=True)
        beside = target.with_name(f"{_beginning(target)}{os.getpid()}{target.suffix}")
        try:
            self._write(data, beside)
            _sync(beside)
            if self._version:
                sums = target.with_name(SUMS_FILE)
                sums.write_text(_lines(_checksums(beside, target.name)), encoding="utf-8")
                _sync(sums)
            os.replace(beside, target)
            _sync_folder(target.parent)
            _sync_folder(target.parent.parent)
        finally:
            _remove(beside)

    def check(self) -> None:
        """Compare a version with the checksums that were saved with it.

        Raises:
            UserError: If they differ, or if there is no such version; it names the version before.
        """
        if not self._version:
            return
        path = self._load_path()
        if not path.exists():
            versions = listed(self.list_versions(full_path=False)) or "none"
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
        path = self._load_path()
        return hashlib.sha256(_lines(_checksums(path)).encode()).hexdigest()

    def _way_out(self, folder: Path) -> str:
        anew = f"remove {folder} to have it made again"
        before = next((version for version in self.list_versions(full_path=False) if version < folder.name), None)
        if before is None:
            return f"There is no version before it: {anew}."
        return f"The version before it is {before}: go back with --load-versions=<dataset>:{before}, or {anew}."

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

    def _load_path(self) -> Path:
        return Path(self._get_load_path())

    def _exists(self) -> bool:
        # Kedro would keep in mind which version is the latest, and another dataset may save one here
        return bool(self.list_versions()) if self._version else Path(self._filepath).exists()

    def _describe(self) -> dict[str, Any]:
        return {"filepath": self._filepath, "version": self._version}


def versions_of(path: Path) -> list[str]:
    """List the versions that are there of an artifact with this path in the catalog, the oldest first."""
    return sorted(version.parent.name for version in path.glob(f"*/{path.name}"))


def _beginning(path: Path) -> str:
    """How the names begin under which this machine writes a file; the number of the process follows."""
    return f".{path.stem}.{socket.gethostname()}-"


def _pattern(path: Path) -> str:
    return f"{glob.escape(_beginning(path))}[0-9]*{glob.escape(path.suffix)}"


def _checksums(path: Path, name: str | None = None) -> dict[str, str]:
    """Compute the SHA-256 of a file, or of each file of a folder, by its path from the folder of the version.

    What Python keeps of an example that was run there is left out.
    """
    files = [path]
    if path.is_dir():
        files = [file for file in path.rglob("*") if file.is_file() and file.parent.name != "__pycache__"]
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
