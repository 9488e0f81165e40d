"""Runs on a disk that is full, from any write on, and the runs after them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from small_project import kedro_in
from torture import KILLS, SEED

# from a write on that no run before failed at, there is no room: files cannot be opened for writing, nor be synced
FULL_DISK = """
import errno, os, random, re, socket, sys
failed_before, share, seed = "failed.txt", float(os.environ["SHARE"]), os.environ["SEED"]
known = set(open(failed_before).read().splitlines()) if os.path.exists(failed_before) else set()
data, full, sync = os.path.join(os.getcwd(), "data"), False, os.fsync

def write(path, how):
    global full
    if not os.path.abspath(path).startswith(data):
        return
    name = re.sub(r"\\d{4}-\\d\\d-\\d\\dT[\\d.]+Z|[0-9a-f]{16,}|-\\d+", "#", f"{how} {os.path.relpath(path, data)}")
    name = name.replace(socket.gethostname(), "")  # the same writes on each machine
    if not full and name not in known and random.Random(seed + name).random() < share:
        full = True
        file = os.open(failed_before, os.O_CREAT | os.O_APPEND | os.O_WRONLY)
        os.write(file, f"{name}\\n".encode())
        os.close(file)
    if full:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

def sync_while_there_is_room(file):
    write(os.readlink(f"/proc/self/fd/{file}"), "sync")
    sync(file)

def open_while_there_is_room(event, arguments):
    if event == "open" and isinstance(arguments[0], (str, bytes)) and arguments[2] & (os.O_WRONLY | os.O_RDWR):
        write(os.fsdecode(arguments[0]), "open")

os.fsync = sync_while_there_is_room
sys.addaudithook(open_while_there_is_room)
"""


def run_until_the_disk_is_full(project: Path, failures: int) -> subprocess.CompletedProcess[str]:
    """Runs until the disk is full at a write at which it never was before: at each, or at ``KILLS`` at random."""
    share = 1.0 if KILLS >= 100 else KILLS / 100 if failures < KILLS else 0.0
    return kedro_in(project, "run", first=FULL_DISK, SHARE=str(share), SEED=str(SEED), COLUMNS="300")


@pytest.mark.process
@pytest.mark.torture
def test_a_disk_that_is_full_at_any_write_is_told_in_one_line_and_the_next_run_goes_on(project: Path):
    failed = project / "failed.txt"
    failures = 0
    while (run := run_until_the_disk_is_full(project, failures)).returncode:
        failures += 1
        output = run.stdout + run.stderr
        places = failed.read_text().splitlines()
        assert len(places) == failures, output  # it came further than the runs before
        assert "Traceback" not in output
        sentence = output.strip().splitlines()[-1]
        assert sentence.startswith("Error: "), places[-1]
        assert "there is no room for it" in sentence, places[-1]
        assert "a file cannot be written" not in sentence, places[-1]
    print(f"The disk was full at {failures} writes.")
    assert failures >= KILLS
    status = kedro_in(project, "status").stdout
    assert "stale" not in status
    assert "damaged" not in status
    assert status.count("missing") == 1  # the cross-validation
