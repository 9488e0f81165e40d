"""What each of the processes does that train a network."""

from __future__ import annotations

import importlib
import logging
import multiprocessing
import os
import shutil
import signal
import sys
import threading
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any, cast

import torch
import torch.distributed as dist

from guitar_kedro.errors import UserError
from guitar_kedro.files import written_whole
from guitar_kedro.learning.distributed.options import Processes
from guitar_kedro.learning.distributed.relay import Relay
from guitar_kedro.learning.networks.checkpoint import Checkpoint
from guitar_kedro.learning.networks.device import choose_device
from guitar_kedro.learning.training.phase import Phase
from guitar_kedro.learning.training.state import TrainingState

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Work:
    """What the processes are to do.

    Attributes:
        function: Takes ``phase`` and ``arguments``.
        phase: What to train; it starts from what ``to_disk`` left.
        arguments: Further arguments.
        processes: How many there are, and where.
        interface: The network interface of this machine towards the others.
    """

    function: Callable[..., Sequence[Any]]
    phase: Phase
    arguments: tuple[Any, ...]
    processes: Processes
    interface: str


def do_work(work: Work) -> list[Any] | UserError | None:
    """Train in this process.

    Returns:
        In the first process of a machine what the function returned, or the mistake of the user that all processes
        found; in the others, ``None`` or that mistake.
    """
    _end_with_parent()
    first = os.environ["LOCAL_RANK"] == "0"
    if not first:
        logging.disable(logging.CRITICAL)
        sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    for module in work.processes.imports:
        importlib.import_module(module)
    restarts = int(os.environ["TORCHELASTIC_RESTART_COUNT"])
    if restarts:
        most = work.processes.max_restarts
        logger.warning("%s: a process died; restart %d of %d", work.phase.title, restarts, most)
    _join_process_group(work)
    phase = replace(work.phase, start=from_disk(work.phase.start))
    try:
        _check_same_everywhere(phase)
        result = work.function(phase, *_shared(work.arguments, first))
        dist.barrier()  # who ends knows that the others have recorded the last epoch
    except UserError as error:
        if isinstance(error.__cause__, torch.OutOfMemoryError):
            raise  # the others may have memory enough, and would wait for this one
        return error  # all find it, and at the same step; to try again would not help
    except Exception:
        time.sleep(1)  # if it fails only because another process died, that one is found first, and told of
        raise
    if dist.get_backend() == "nccl":
        dist.destroy_process_group()  # at the end of the process it would complain of this
    return [to_disk(part, work.processes.folder / "result") for part in result] if first else None


def _end_with_parent() -> None:
    """Leave no process behind, however the one that started this one ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it hears Ctrl-C as well, and ends this one

    def watch() -> None:
        wait([cast(BaseProcess, multiprocessing.parent_process()).sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _join_process_group(work: Work) -> None:
    has_gpu = work.phase.device == "cuda"
    if has_gpu:  # first of all, or each process would take memory of the first GPU, too
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    device = choose_device(work.phase.device)
    torch.set_num_threads(max(1, torch.get_num_threads() // work.processes.nproc_per_node))
    for name in ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"):
        os.environ.setdefault(name, work.interface)
    dist.init_process_group("nccl" if has_gpu else "gloo", device_id=device if has_gpu else None)
    # fastai would average the metrics of each batch over the ranks, whatever the sizes of their shards
    for name in ("RANK", "WORLD_SIZE"):
        del os.environ[name]


def _check_same_everywhere(phase: Phase) -> None:
    """Make sure that all machines train the same.

    Raises:
        UserError: If they do not.
    """
    words = (phase.stage, phase.training, phase.epochs, phase.device, phase.seed, phase.table.to_csv())
    if len(set(_gathered(zlib.crc32(repr(words).encode())))) > 1:
        raise UserError(f"{phase.title}: the machines have other images or parameters; give all of them the same.")


def _shared(arguments: tuple[Any, ...], first: bool) -> list[Any]:
    """Return the arguments as this process uses them.

    Learning rates are those of rank 0; one process of each machine writes states, and reports.
    """
    rates = [arguments[:1]]  # unlike machines may each have been suggested another one
    dist.broadcast_object_list(rates, 0)
    shared = (*rates[0], *arguments[1:])
    shared = tuple(each if first or not isinstance(each, Relay) else None for each in shared)
    return [_shared_state(each, first) if isinstance(each, TrainingState) else each for each in shared]


def _shared_state(state: TrainingState, first: bool) -> TrainingState:
    """Give each machine the record of the one that came furthest: a machine may have died before it wrote its own."""
    facts, rank = state.facts(), dist.get_rank()
    epochs = _gathered(facts["epoch"] if facts else 0)
    if min(epochs) < max(epochs):
        source = epochs.index(max(epochs))
        content = state.path.read_bytes() if rank == source else b""
        size = max(_gathered(len(content)))
        device = "cuda" if dist.get_backend() == "nccl" else "cpu"
        buffer = torch.frombuffer(bytearray(content or size), dtype=torch.uint8).to(device)  # no pickle: it is large
        dist.broadcast(buffer, source)
        if first and epochs[rank] < max(epochs):
            state.path.parent.mkdir(parents=True, exist_ok=True)
            with written_whole(state.path) as beside:
                beside.write_bytes(buffer.cpu().numpy().tobytes())
        dist.barrier()
    return state if first else _ReadOnly(state.path)


def _gathered(number: int) -> list[int]:
    """Return the numbers of all processes, by their ranks."""
    numbers = [0] * dist.get_world_size()
    dist.all_gather_object(numbers, number)
    return numbers


class _ReadOnly(TrainingState):
    """A record that another process of this machine writes."""

    def write(self, tensors: dict[str, torch.Tensor], facts: dict[str, Any]) -> None:
        """Leave it to that one."""


def to_disk(part: Any, folder: Path) -> Any:
    """Write a checkpoint to a folder, and return the folder; return what is no checkpoint, for it is small."""
    if not isinstance(part, Checkpoint):
        return part
    shutil.rmtree(folder, ignore_errors=True)  # of a process that died meanwhile
    part.save(folder)
    return folder


def from_disk(part: Any) -> Any:
    """Return what ``to_disk`` was given."""
    return Checkpoint.load(part) if isinstance(part, Path) else part
