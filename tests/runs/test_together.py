"""The real command line when several processes, or several machines, train together."""

from __future__ import annotations

import os
import random
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pandas as pd
import psutil
import pytest
from small_project import Command, kedro_in
from torture import KILLS, SEED

MODELS, REPORTS = "data/06_models/demo", "data/08_reporting/demo"
EPOCHS = 8
LONG = f"stages.larger.unfrozen.epochs={EPOCHS}"
TRAIN = ("run", "--nodes=train.larger.train_unfrozen")
STATE = f"{MODELS}/epoch_states/train.larger.train_unfrozen.safetensors"
MACHINE_KILLS = max(1, KILLS // 30)
ENTER = """
import ctypes, os
with open("/run/netns/{}") as name:
    assert ctypes.CDLL(None).setns(name.fileno(), 0) == 0
"""
# a machine that is killed is missed after 6 seconds and not after 15
SOON_MISSED = """
from torch.distributed.elastic.rendezvous import RendezvousParameters
asked = RendezvousParameters.get_as_int
RendezvousParameters.get_as_int = lambda self, key, *else_: (
    2 if key == "keep_alive_interval" else asked(self, key, *else_)
)
"""
pytestmark = pytest.mark.process


def results(project: Path) -> tuple[bytes, str]:
    """The weights and the history of the phase, apart from the seconds."""
    weights = max(project.glob(f"{MODELS}/larger/unfrozen/*/unfrozen/weights.safetensors"))
    history = max(project.glob(f"{REPORTS}/larger/unfrozen_history.csv/*/unfrozen_history.csv"))
    return weights.read_bytes(), pd.read_csv(history).drop(columns="seconds").to_csv()


def count_models(project: Path) -> int:
    """How many versions of the model there are."""
    return len(list(project.glob(f"{MODELS}/model/*")))


def wait_for_a_state(project: Path, running: Command, later_than: int = 0) -> None:
    """Waits until an epoch is recorded after so many nanoseconds."""
    state = project / STATE
    while not state.exists() or state.stat().st_mtime_ns <= later_than:
        assert running.poll() is None, running.said()
        time.sleep(0.02)


def kill_and_see_that_nothing_is_left(running: Command, by: int) -> str:
    children = psutil.Process(running.pid).children(recursive=True)
    assert children
    running.send_signal(by)
    running.wait(timeout=20)
    assert not psutil.wait_procs(children, timeout=20)[1]
    return running.said()


class Ended:
    """What training in two processes said when it was stopped, and what it said and left when it went on."""

    def __init__(self, project: Path) -> None:
        train = (*TRAIN, f"--params={LONG},nproc_per_node=2")
        # as many threads in each process as below: how sums are divided among threads decides how they are rounded
        running = Command(project, *train, output=project, OMP_NUM_THREADS="2")
        wait_for_a_state(project, running)
        self.stopped = kill_and_see_that_nothing_is_left(running, signal.SIGINT)
        self.run = kedro_in(project, *train, OMP_NUM_THREADS="2")
        self.results = results(project) if self.run.returncode == 0 else None


@pytest.fixture(scope="module")
def two_processes(finished_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Ended:
    project = tmp_path_factory.mktemp("together") / "project"
    shutil.copytree(finished_project, project)
    return Ended(project)


def test_two_processes_stop_at_ctrl_c_leave_none_behind_and_go_on(two_processes: Ended):
    assert two_processes.stopped.strip().splitlines()[-1] == (
        "Error: Stopped. Whatever was finished is kept; the same command goes on after it."
    )
    run = two_processes.run
    assert run.returncode == 0, run.stdout + run.stderr
    assert "larger, unfrozen: on cpu in float32, 2 processes" in run.stdout
    assert "larger, unfrozen: goes on after epoch" in run.stdout
    assert f"{EPOCHS - 1}  " in run.stdout


@pytest.fixture
def network() -> Iterator[tuple[list[str], str]]:
    """Two machines: what moves a process to each, and an address of the first.

    They are network namespaces where the rights allow them, else both are this machine.
    """
    names = [f"guitars{os.getpid()}-{number}" for number in range(2)]
    wire = ["link", "add", "wire0", "netns", names[0], "type", "veth", "peer", "name", "wire1", "netns", names[1]]
    steps = [["netns", "add", names[0]], ["netns", "add", names[1]], wire]
    for number, name in enumerate(names):
        steps += [["-n", name, "addr", "add", f"10.231.7.{number + 1}/24", "dev", f"wire{number}"]]
        steps += [["-n", name, "link", "set", device, "up"] for device in ("lo", f"wire{number}")]
    try:
        for step in steps:
            subprocess.run(["ip", *step], check=True, capture_output=True)
        yield [ENTER.format(name) for name in names], "10.231.7.1:29471"
    except (OSError, subprocess.CalledProcessError):
        with socket.socket() as asked:
            asked.bind(("127.0.0.1", 0))
            port = asked.getsockname()[1]
        yield ["", ""], f"127.0.0.1:{port}"
    finally:
        if shutil.which("ip"):
            for name in names:
                subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


@pytest.mark.torture
def test_two_machines_train_as_two_processes_though_one_is_killed_and_comes_back(
    finished_project: Path, tmp_path: Path, network: tuple[list[str], str], two_processes: Ended
):
    entrances, endpoint = network
    machines = tmp_path / "first", tmp_path / "second"
    for machine in machines:
        shutil.copytree(finished_project, machine)
    models = [count_models(machine) for machine in machines]
    train = (
        "run",
        "--nodes=train.larger.train_unfrozen,calibrate.calibrate_model",
        f"--params={LONG},nnodes=2,rdzv_endpoint={endpoint},max_restarts={3 + MACHINE_KILLS}",
    )

    def start(number: int) -> Command:
        output = Path(tempfile.mkdtemp(dir=tmp_path))
        first = entrances[number] + SOON_MISSED
        return Command(machines[number], *train, output=output, first=first, OMP_NUM_THREADS="1")

    moments = random.Random(SEED)
    running = [start(0), start(1)]
    for _ in range(MACHINE_KILLS):
        victim = moments.randrange(2)
        state = machines[victim] / STATE
        wait_for_a_state(machines[victim], running[victim], state.stat().st_mtime_ns if state.exists() else 0)
        kill_and_see_that_nothing_is_left(running[victim], signal.SIGKILL)
        running[victim] = start(victim)
    for each in running:
        assert each.wait(timeout=300) == 0, each.said()
    assert results(machines[0]) == results(machines[1])
    assert results(machines[0]) == two_processes.results
    apart = entrances[1] != ""
    assert [f"Training for the machine of {endpoint}" in each.said() for each in running] == [False, apart]
    assert [count_models(machine) - before for machine, before in zip(machines, models, strict=True)] == [1, not apart]
