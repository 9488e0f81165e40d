"""Runs on a disk that is full, from any write on, and the runs after them."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from pathlib import Path

import pytest
from small_project import kedro_in
from torture import KILLS, SEED

# every artifact is synced before it counts: from the n-th time on, there is no room
KEDRO_ON_A_FULL_DISK = """
import errno, os, sys
writes, sync = int(sys.argv.pop(1)), os.fsync
def sync_while_there_is_room(file):
    global writes
    writes -= 1
    if writes < 0:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
    sync(file)
os.fsync = sync_while_there_is_room
from kedro.framework.cli import main
sys.argv[0] = "kedro"
main()
"""


def run_until_the_disk_is_full(project: Path, writes: int) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", KEDRO_ON_A_FULL_DISK, str(writes), "run"],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(project / "src"), "COLUMNS": "300"},
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )


@pytest.mark.torture
def test_a_disk_that_is_full_at_any_write_is_told_in_one_line_and_the_next_run_completes(project: Path):
    moments, failures = random.Random(SEED), 0
    for _ in range(KILLS):
        run = run_until_the_disk_is_full(project, moments.randrange(60))
        output = run.stdout + run.stderr
        if run.returncode == 0:
            break
        failures += 1
        assert "Traceback" not in output
        sentence = output.strip().splitlines()[-1]
        assert sentence.startswith("Error: ")
        assert "there is no room for it" in sentence
    assert failures
    run = kedro_in(project, "run")
    assert run.returncode == 0, run.stdout + run.stderr
    status = kedro_in(project, "status").stdout
    assert "stale" not in status
    assert "damaged" not in status
    assert status.count("missing") == 1  # the audit
