"""Two runs at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from guitar_kedro.errors import UserError
from guitar_kedro.runs.lock import WorkspaceLock

pytestmark = pytest.mark.process

HOLDS = """
import os, sys, time
from pathlib import Path
from guitar_kedro.runs.lock import WorkspaceLock
lock = WorkspaceLock(Path(sys.argv[1]))
lock.acquire()
if os.fork() == 0:
    time.sleep(float(sys.argv[2]))  # as a process that loads data, which may outlive the run
    os._exit(0)
print("held", flush=True)
time.sleep(60)
"""


def holding(folder: Path, seconds_of_its_child: float) -> subprocess.Popen:
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(folder), str(seconds_of_its_child)], stdout=subprocess.PIPE
    )
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    return holder


@pytest.mark.parametrize("content", [b"", b"[]", b"7", b"{}", b"caf\xe9"])
def test_a_second_run_is_refused_also_where_the_note_of_the_first_is_spoilt(tmp_path: Path, content: bytes):
    holder = holding(tmp_path / "pets", 0)
    (tmp_path / "pets/.lock.json").write_bytes(content)
    with pytest.raises(UserError, match="Workspace pets is in use: run this again"):
        WorkspaceLock(tmp_path / "pets").acquire()
    holder.kill()


def test_a_second_run_says_who_is_in_the_workspace(tmp_path: Path):
    holder = holding(tmp_path / "pets", 0)
    with pytest.raises(UserError, match=rf"Workspace pets is in use by '-c .*process {holder.pid} on") as caught:
        WorkspaceLock(tmp_path / "pets").acquire()
    assert "run this again when that has ended" in str(caught.value)
    WorkspaceLock(tmp_path / "birds").acquire()
    holder.kill()
    holder.wait()


def test_a_run_that_is_killed_keeps_nobody_out(tmp_path: Path):
    holder = holding(tmp_path, 30)
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    WorkspaceLock(tmp_path).acquire()


def test_a_run_that_has_ended_lets_the_next_one_in(tmp_path: Path):
    first, second = WorkspaceLock(tmp_path), WorkspaceLock(tmp_path)
    first.acquire()
    first.release()
    second.acquire()
