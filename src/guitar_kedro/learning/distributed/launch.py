"""Training in several processes, on one machine or on several, started by torch's elastic launcher."""

from __future__ import annotations

import logging
import multiprocessing
import os
import shutil
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
import torch.distributed as dist
from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure
from torch.distributed.elastic.rendezvous import RendezvousError, RendezvousTimeoutError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from guitar_kedro.errors import UserError
from guitar_kedro.learning.distributed.endpoint import address_towards, is_here
from guitar_kedro.learning.distributed.options import Processes
from guitar_kedro.learning.distributed.relay import relayed
from guitar_kedro.learning.distributed.worker import Work, do_work, from_disk, to_disk
from guitar_kedro.learning.networks.device import choose_device
from guitar_kedro.learning.networks.pretrained import PretrainedWeights
from guitar_kedro.learning.training.phase import Phase
from guitar_kedro.learning.training.state import TrainingState

WAIT_FOR_MACHINES = 600  # seconds


def train_distributed(
    processes: Processes, function: Callable[..., Sequence[Any]], phase: Phase, *arguments: Any
) -> Sequence[Any]:
    """Run a function that trains in as many processes as were asked for.

    Args:
        processes: How many, and where. A single one is this process.
        function: Takes ``phase`` and ``arguments``, and returns a sequence. Each process imports it by its name.
        phase: What to train.
        *arguments: Further arguments; of a ``TrainingState``, one process of each machine writes it. What the first
            process of each machine reports to a function among them is handed on here, in a thread.

    Returns:
        What the function returns in the first process of this machine; it is the same on all.

    Raises:
        UserError: If a process dies more often than ``max_restarts``, or other machines do not come.
    """
    states = [each for each in arguments if isinstance(each, TrainingState)]
    # another machine may have ended this phase, and not come back to it
    if processes.total == 1 or any(state.is_complete() for state in states):
        return function(phase, *arguments)
    device = _checked_device(processes, phase)
    folder = processes.folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        weights = phase.stage.weights
        if isinstance(phase.start, PretrainedWeights) and weights and weights != "none":
            phase.start.load(phase.stage.architecture, weights)  # fetched once, and not by each process
        phase = replace(phase, start=to_disk(phase.start, folder / "start"), device=device)
        report = next(filter(callable, arguments), None)
        with relayed(report, folder / "reported") as relay:
            handed = tuple(relay if each is report else each for each in arguments)
            result = _launch(Work(function, phase, handed, processes, address_towards(processes.rdzv_endpoint)[1]))
    except SignalException:
        raise KeyboardInterrupt from None
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in handlers.items():
                signal.signal(number, handler)
        shutil.rmtree(folder, ignore_errors=True)
    return result


def _checked_device(processes: Processes, phase: Phase) -> str:
    """Return where all processes train, by the name that a GPU has for torch: each has a GPU of its own."""
    device, gpus = choose_device(phase.device).type, torch.cuda.device_count()
    if device == "mps":
        raise UserError(
            "Processes cannot train together on Apple's GPU (mps); leave processes and machines out, or set device to "
            "cpu."
        )
    if device == "cuda" and processes.nproc_per_node > gpus:
        raise UserError(
            f"nproc_per_node is {processes.nproc_per_node}, but the GPUs of this machine are {gpus}; ask for at most "
            "so many, or set device to cpu."
        )
    return device


def _launch(work: Work) -> Sequence[Any]:
    os.environ["TORCH_DISABLE_SHARE_RDZV_TCP_STORE"] = "1"  # with it, a restart can wait forever (pytorch#135712)
    for name in ("torch.distributed.elastic", "torch.multiprocessing.spawn"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what matters is said here
    launcher = elastic_launch(_config(work.processes, work.phase.title), do_work)
    began = time.monotonic()
    while True:
        tried = time.monotonic()
        try:
            returned = launcher(work)
            break
        except ChildFailedError as error:
            raise _failure(error, work) from error
        except (RendezvousError, dist.DistError) as error:  # the machine of the endpoint is not there (any more)
            now = time.monotonic()
            if now - tried > WAIT_FOR_MACHINES / 2 and not isinstance(error, RendezvousTimeoutError):
                began = now  # they had met, and trained
            if work.processes.nnodes == 1 or now - began > WAIT_FOR_MACHINES:
                raise UserError(
                    f"{work.phase.title}: {work.processes.nnodes} machines did not meet at "
                    f"{work.processes.rdzv_endpoint} within {WAIT_FOR_MACHINES} seconds "
                    f"({error or type(error).__name__}); start the same command on each."
                ) from error
            time.sleep(1)
    result = returned[min(returned)]
    if isinstance(result, UserError):
        raise result
    return [from_disk(part) for part in result]


def _config(processes: Processes, run_id: str) -> LaunchConfig:
    return LaunchConfig(
        min_nodes=processes.nnodes,
        max_nodes=processes.nnodes,
        nproc_per_node=processes.nproc_per_node,
        run_id=run_id,
        rdzv_backend="c10d",
        rdzv_endpoint=processes.rdzv_endpoint or "localhost:0",
        rdzv_configs={"join_timeout": WAIT_FOR_MACHINES, "is_host": is_here(processes.rdzv_endpoint)},
        max_restarts=processes.max_restarts,
        local_addr=address_towards(processes.rdzv_endpoint)[0],
        start_method=_start_method(),
        signals_to_handle="SIGTERM",  # Ctrl-C stays a KeyboardInterrupt
        shutdown_timeout=1,
        logs_specs=DefaultLogsSpecs(log_dir=str(processes.folder)),
    )


def _start_method() -> str:
    """Choose how processes begin: forked from one that has imported all this once, where that is possible.

    Where there is a GPU, fastai's import takes hold of it, and a forked process cannot use it any more; on macOS forked
    processes are not safe.
    """
    if torch.cuda.is_available() or sys.platform != "linux":
        return "spawn"
    multiprocessing.set_forkserver_preload(["guitar_kedro.learning.training.fit"])
    return "forkserver"


def _failure(error: ChildFailedError, work: Work) -> UserError:
    rank, failure = error.get_first_failure()
    return UserError(
        f"{work.phase.title}: process {rank} of {work.processes.total} {_ending(failure)}, and max_restarts="
        f"{work.processes.max_restarts} restarts are used up; the same command goes on after the last epoch that was "
        "recorded."
    )


def _ending(failure: ProcessFailure) -> str:
    if failure.exitcode < 0:
        return f"was ended by {failure.signal_name()}"
    message = failure.message if isinstance(failure.message, str) else failure.message["message"]
    return f"failed ({' '.join(message.split())})"
