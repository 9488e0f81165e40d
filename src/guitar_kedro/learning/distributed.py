"""Training in several processes, on one machine or on several, started by torch's elastic launcher.

Each process takes its share of every batch, and gradients are averaged: the steps are those of one process. All draw
the same order of images; a recorded epoch is therefore the state of each of them. fastai's ``DistributedDL`` repeats
images until the shares are equal, and wants CUDA; here shares may differ, and each image counts once.
"""

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
from dataclasses import replace
from multiprocessing.connection import wait
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed as dist
from fastai.callback.core import Callback
from torch.distributed.elastic.multiprocessing import DefaultLogsSpecs, SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError, ProcessFailure
from torch.distributed.elastic.rendezvous import RendezvousError, RendezvousTimeoutError
from torch.distributed.launcher.api import LaunchConfig, elastic_launch

from guitar_kedro.errors import UserError
from guitar_kedro.files import written_whole
from guitar_kedro.learning.checkpoint import Checkpoint
from guitar_kedro.learning.device import choose_device
from guitar_kedro.learning.endpoint import address_towards, is_here
from guitar_kedro.learning.epoch_state import EpochState
from guitar_kedro.learning.recipe import Processes

if TYPE_CHECKING:
    from guitar_kedro.learning.training import Phase

logger = logging.getLogger(__name__)

WAIT_FOR_MACHINES = 600  # seconds


def process_count() -> int:
    """How many processes train together; 1 outside of ``train_together``."""
    return dist.get_world_size() if dist.is_initialized() else 1


def own_share() -> slice:
    """Which rows of a batch are those of this process."""
    return slice(dist.get_rank(), None, dist.get_world_size()) if dist.is_initialized() else slice(None)


class Together(Callback):
    """Makes the training of several processes that of one network."""

    order = -5  # before what looks at losses and metrics

    def __init__(self, seed: int) -> None:
        """Takes what the random numbers of all processes come from."""
        self.seed = seed

    def before_fit(self) -> None:
        """Begins with the same weights everywhere."""
        _exchange(list(self.model.parameters()), lambda flat: dist.broadcast(flat, 0))

    def before_train(self) -> None:
        """Gives each process random numbers of its own for the epoch; so they need not be recorded one by one."""
        torch.manual_seed(zlib.crc32(f"{self.seed} {self.epoch} {dist.get_rank()}".encode()))

    def after_loss(self) -> None:
        """Shows all processes the loss of the whole batch, so that they end together where it is no number."""
        if self.training:
            self.learn.loss = self.learn.loss.detach().clone()
            _average(self.learn.loss)

    def before_step(self) -> None:
        """Averages the gradients.

        In one piece and one order: what torch's DistributedDataParallel sums in parts depends on how it divided them in
        earlier steps, which a process that goes on after an epoch does not know.
        """
        _exchange([each.grad for each in self.model.parameters() if each.grad is not None], _average)

    def before_validate(self) -> None:
        """Averages what BatchNorm has measured on the shares."""
        _exchange([each for each in self.model.buffers() if each.is_floating_point()], _average)

    def after_validate(self) -> None:
        """Sums what the shares gave, so that each image counts once."""
        for metric in self.recorder._valid_mets:
            sums = torch.tensor([float(metric.total), metric.count], dtype=torch.float64, device=self.dls.device)
            dist.all_reduce(sums)
            metric.total, metric.count = sums.tolist()


def _average(tensor: torch.Tensor) -> None:
    dist.all_reduce(tensor)
    tensor /= dist.get_world_size()


def _exchange(tensors: Sequence[torch.Tensor], collectively: Callable[[torch.Tensor], Any]) -> None:
    """Does something collective with tensors as if they were one."""
    if not tensors:
        return
    with torch.no_grad():
        flat = torch.cat([tensor.reshape(-1) for tensor in tensors])
        collectively(flat)
        for tensor, part in zip(tensors, flat.split([tensor.numel() for tensor in tensors]), strict=True):
            tensor.copy_(part.view(tensor.shape))


def train_together(processes: Processes, function: Callable[..., Sequence[Any]], phase: Phase, *arguments: Any) -> Any:
    """Runs a function of this package that trains, in as many processes as were asked for.

    Args:
        processes: How many, and where. A single one is this process.
        function: Takes ``phase`` and ``arguments``, and returns a sequence.
        phase: What to train.
        *arguments: Further arguments; of an ``EpochState``, one process of each machine writes it.

    Returns:
        What the function returns in the first process of this machine; it is the same on all.

    Raises:
        UserError: If a process dies more often than ``max_restarts``, or other machines do not come.
    """
    if processes.total == 1 or any(isinstance(each, EpochState) and _is_complete(each) for each in arguments):
        return function(phase, *arguments)
    _check_devices(processes, phase)
    folder = processes.folder
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        if not isinstance(phase.start, Checkpoint) and phase.stage.weights != "none":
            phase.start.load(phase.stage.architecture, phase.stage.weights)  # fetched once, and not by each process
        work = (function, replace(phase, start=_to_disk(phase.start, folder / "start")), arguments, folder)
        result = _launched(processes, phase.title, work)
    except SignalException:
        raise KeyboardInterrupt from None
    finally:
        if threading.current_thread() is threading.main_thread():
            for number, handler in handlers.items():
                signal.signal(number, handler)
        shutil.rmtree(folder, ignore_errors=True)
    return result


def _is_complete(state: EpochState) -> bool:
    """Whether nothing is left to train: another machine may have ended this phase, and not come back to it."""
    facts = state.facts()
    return facts is not None and facts["epoch"] == facts["epochs"]


def _check_devices(processes: Processes, phase: Phase) -> None:
    device, gpus = choose_device(phase.device).type, torch.cuda.device_count()
    if device == "mps":
        raise UserError(
            "Processes cannot train together on Apple's GPU (mps); leave processes and machines out, or ask for "
            "--params=device=cpu as well."
        )
    if device == "cuda" and processes.processes > gpus:
        raise UserError(
            f"processes is {processes.processes}, but the GPUs of this machine are {gpus}; ask for at most so many, or "
            "for --params=device=cpu."
        )


def _launched(processes: Processes, title: str, work: tuple[Any, ...]) -> Any:
    os.environ["TORCH_DISABLE_SHARE_RDZV_TCP_STORE"] = "1"  # with it, a restart can wait forever (pytorch#135712)
    for name in ("torch.distributed.elastic", "torch.multiprocessing.spawn"):
        logging.getLogger(name).setLevel(logging.CRITICAL)  # what matters is said here
    address, interface = address_towards(processes.endpoint)
    config = LaunchConfig(
        min_nodes=processes.machines,
        max_nodes=processes.machines,
        nproc_per_node=processes.processes,
        run_id=title,
        rdzv_backend="c10d",
        rdzv_endpoint=processes.endpoint or "localhost:0",
        rdzv_configs={"join_timeout": WAIT_FOR_MACHINES, "is_host": is_here(processes.endpoint)},
        max_restarts=processes.max_restarts,
        local_addr=address,
        start_method=_start_method(),
        signals_to_handle="SIGTERM",  # Ctrl-C stays a KeyboardInterrupt
        shutdown_timeout=1,
        logs_specs=DefaultLogsSpecs(log_dir=str(work[-1])),
    )
    began = time.monotonic()
    while True:
        tried = time.monotonic()
        try:
            returned = elastic_launch(config, _work)(*work, processes, interface)
            break
        except ChildFailedError as error:
            raise _failure(error, processes, title) from error
        except (RendezvousError, dist.DistError) as error:  # the machine of the endpoint is not there (any more)
            now = time.monotonic()
            if now - tried > WAIT_FOR_MACHINES / 2 and not isinstance(error, RendezvousTimeoutError):
                began = now  # they had met, and trained
            if processes.machines == 1 or now - began > WAIT_FOR_MACHINES:
                raise UserError(
                    f"{title}: {processes.machines} machines did not meet at {processes.endpoint} within "
                    f"{WAIT_FOR_MACHINES} seconds ({error or type(error).__name__}); start the same command on each."
                ) from error
            time.sleep(1)
    result = returned[min(returned)]
    if isinstance(result, UserError):
        raise result
    return [_from_disk(part) for part in result]


def _start_method() -> str:
    """How processes begin: forked from one that has imported all this once, where that is possible.

    Where there is a GPU, fastai's import takes hold of it, and a forked process cannot use it any more; on macOS forked
    processes are not safe.
    """
    if torch.cuda.is_available() or sys.platform != "linux":
        return "spawn"
    multiprocessing.set_forkserver_preload(["guitar_kedro.learning.training"])
    return "forkserver"


def _failure(error: ChildFailedError, processes: Processes, title: str) -> UserError:
    rank, failure = error.get_first_failure()
    return UserError(
        f"{title}: process {rank} of {processes.total} {_ending(failure)}, and max_restarts={processes.max_restarts} "
        "restarts are used up; the same command goes on after the last epoch that was recorded."
    )


def _ending(failure: ProcessFailure) -> str:
    if failure.exitcode < 0:
        return f"was ended by {failure.signal_name()}"
    message = failure.message if isinstance(failure.message, str) else failure.message["message"]
    return f"failed ({' '.join(message.split())})"


def _work(
    function: Callable[..., Sequence[Any]],
    phase: Phase,
    arguments: tuple[Any, ...],
    folder: Path,
    processes: Processes,
    interface: str,
) -> list[Any] | UserError | None:
    """What each process does; the first one of a machine returns the result."""
    _end_with_parent()
    first = os.environ["LOCAL_RANK"] == "0"
    if not first:
        logging.disable(logging.CRITICAL)
        sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    for module in processes.imports:
        importlib.import_module(module)
    restarts = int(os.environ["TORCHELASTIC_RESTART_COUNT"])
    if restarts:
        logger.warning("%s: a process died; restart %d of %d", phase.title, restarts, processes.max_restarts)
    _join(phase, processes, interface)
    phase = replace(phase, start=_from_disk(phase.start))
    try:
        _agree(phase)
        arguments = _of_first(arguments)
        states = [each for each in arguments if isinstance(each, EpochState)]
        for state in states:
            _bring_state(state, first)
        arguments = tuple(_ReadOnly(each.path) if each in states and not first else each for each in arguments)
        result = function(phase, *arguments)
        dist.barrier()  # who ends knows that the others have recorded the last epoch
    except UserError as error:  # all find it, and at the same step; to try again would not help
        return error
    except Exception:
        time.sleep(1)  # if it fails only because another process died, that one is found first, and told of
        raise
    return [_to_disk(part, folder / "result") for part in result] if first else None


def _end_with_parent() -> None:
    """Leaves no process behind, however the one that started this one ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # it hears Ctrl-C as well, and ends this one

    def watch() -> None:
        wait([multiprocessing.parent_process().sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


def _join(phase: Phase, processes: Processes, interface: str) -> None:
    device = choose_device(phase.device)
    if device.type == "cuda":
        torch.cuda.set_device(int(os.environ["LOCAL_RANK"]))
    torch.set_num_threads(max(1, torch.get_num_threads() // processes.processes))
    for name in ("GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"):
        os.environ.setdefault(name, interface)
    dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    # fastai would average the metrics of each batch over the processes, whatever the sizes of their shares
    for name in ("RANK", "WORLD_SIZE"):
        del os.environ[name]


def _of_first(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """Takes the learning rates of the first process: unlike machines may each have been suggested another one."""
    rates = [arguments[:1]]
    dist.broadcast_object_list(rates, 0)
    return (*rates[0], *arguments[1:])


def _agree(phase: Phase) -> None:
    """Makes sure that all machines train the same.

    Raises:
        UserError: If they do not.
    """
    words = (phase.stage, phase.training, phase.epochs, phase.device, phase.seed, phase.table.to_csv())
    device = choose_device(phase.device)
    own = torch.tensor([zlib.crc32(repr(words).encode())], device=device)
    lowest, highest = own.clone(), own.clone()
    dist.all_reduce(lowest, dist.ReduceOp.MIN)
    dist.all_reduce(highest, dist.ReduceOp.MAX)
    if lowest != highest:
        raise UserError(f"{phase.title}: the machines have other images or parameters; give all of them the same.")


def _bring_state(state: EpochState, first: bool) -> None:
    """Gives each machine the record of the one that came furthest: a machine may have died before it wrote its own."""
    facts = state.facts()
    device = "cuda" if dist.get_backend() == "nccl" else "cpu"
    epochs = torch.zeros(dist.get_world_size(), dtype=torch.int64, device=device)
    epochs[dist.get_rank()] = facts["epoch"] if facts else 0
    dist.all_reduce(epochs)
    if epochs.min() == epochs.max():
        return
    source = int(epochs.argmax())
    content = state.path.read_bytes() if dist.get_rank() == source else b""
    size = torch.tensor([len(content)], device=device)
    dist.broadcast(size, source)
    buffer = torch.frombuffer(bytearray(content or int(size)), dtype=torch.uint8).to(device)
    dist.broadcast(buffer, source)
    if first and epochs[dist.get_rank()] < epochs.max():
        state.path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(state.path) as beside:
            beside.write_bytes(buffer.cpu().numpy().tobytes())
    dist.barrier()


class _ReadOnly(EpochState):
    """A record that another process of this machine writes."""

    def write(self, tensors: dict[str, torch.Tensor], facts: dict[str, Any]) -> None:
        """Leaves it to that one."""


def _to_disk(part: Any, folder: Path) -> Any:
    """Hands on weights in a file; the rest of what processes tell each other is small."""
    if not isinstance(part, Checkpoint):
        return part
    shutil.rmtree(folder, ignore_errors=True)  # of a process that died meanwhile
    part.save(folder)
    return folder


def _from_disk(part: Any) -> Any:
    return Checkpoint.load(part) if isinstance(part, Path) else part
