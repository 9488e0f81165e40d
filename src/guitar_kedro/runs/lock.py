"""One run at a time in a workspace."""

from __future__ import annotations

import json
import os
import socket
import sys
from datetime import datetime
from pathlib import Path

from filelock import FileLock, Timeout

from guitar_kedro.errors import UserError


class WorkspaceLock:
    """A lock that the operating system holds for a process, and lets go with it however it ends."""

    def __init__(self, folder: Path) -> None:
        """Names the lock.

        Args:
            folder: Of the workspace's reports.
        """
        self._folder = folder
        # a process that the holder has just forked may keep the lock for a moment; and where the file system has no
        # such locks, a file that a dead run leaves behind would be a bad one
        self._lock = FileLock(folder / ".lock", timeout=1, fallback_to_soft=False)
        self._holder = folder / ".lock.json"

    def acquire(self) -> None:
        """Take the lock.

        Raises:
            UserError: If another run has it; it says which.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        try:
            self._lock.acquire()
        except Timeout:
            raise UserError(
                f"Workspace {self._folder.name} is in use{self._by_whom()}: run this again when that has ended."
            ) from None
        command = " ".join([Path(sys.argv[0]).name, *sys.argv[1:]])
        since = datetime.now().isoformat(sep=" ", timespec="minutes")
        holder = {"process": os.getpid(), "host": socket.gethostname(), "since": since, "command": command}
        self._holder.write_text(json.dumps(holder), encoding="utf-8")

    def release(self) -> None:
        """Let others run."""
        self._lock.release()

    def _by_whom(self) -> str:
        try:
            holder = json.loads(self._holder.read_text(encoding="utf-8"))
            return " by '{command}' (process {process} on {host}, since {since})".format(**holder)
        except (OSError, ValueError, KeyError, TypeError):  # it may just be written
            return ""
