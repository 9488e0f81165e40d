"""Work on many pictures goes to a Dask cluster where one is named; joblib carries it there."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from importlib import import_module
from threading import Event, Thread
from typing import TYPE_CHECKING, Any

from joblib import parallel_config
from joblib.parallel import ParallelBackendBase

from guitar_kedro.errors import UserError
from guitar_kedro.mistakes import causes

if TYPE_CHECKING:
    from distributed import Client, Future

SECONDS_TO_CONNECT = 5
SECONDS_BETWEEN_LOOKS = 5  # for workers that are left

logger = logging.getLogger(__name__)


@contextmanager
def work_on(address: str | None, module: str = "guitar_kedro") -> Iterator[Callable[[Any], Any]]:
    """Let joblib work on a cluster instead of on the cores of this machine.

    Args:
        address: Of the cluster's scheduler, as ``tcp://host:port``; ``None`` stands for this machine.
        module: What the tasks import.

    Yields:
        What to pass an argument through that many tasks have in common: it is sent once, and not with each of them.

    Raises:
        UserError: If the cluster cannot be used, or gives up.
    """
    if address is None:
        yield lambda argument: argument
        return
    with _connected(address, module) as client, _watched(client, address), parallel_config(_Backend(client)):
        try:
            yield cache(partial(_shared, client))
        except Exception as error:
            # a task that takes its worker down again and again (KilledWorker), a scheduler that died, a worker
            # without this project
            reasons = [each for each in causes(error) if type(each).__module__.startswith("distributed")]
            if not reasons:
                raise
            raise UserError(
                f"cluster={address}: the cluster gave up ({' '.join(str(reasons[0]).split())}); look into the logs of "
                "its workers, then run the same command again. What was finished is kept."
            ) from error


def _shared(client: Client, argument: Any) -> Future[Any]:
    from dask import config

    # a task that returns it, which the cluster does again where the worker was lost that had it
    with config.set({"distributed.admin.large-graph-warning-threshold": "1 TB"}):
        return client.submit(_itself, argument, pure=False)


def _itself(argument: Any) -> Any:
    return argument


class _Backend(ParallelBackendBase):
    """Runs joblib's tasks on a cluster. joblib's own would wait forever for a task that took its worker down."""

    supports_retrieve_callback = True

    def __init__(self, client: Client) -> None:
        super().__init__()
        self._client = client

    def effective_n_jobs(self, n_jobs: int) -> int:
        """Count the cores of the cluster; of one alone, joblib would make no use."""
        return max(2, sum(self._client.ncores().values()))

    def submit(self, func: Any, callback: Callable[[Future[Any]], None]) -> Future[Any]:
        """Send a batch of calls to the cluster, and have joblib told when it has ended, in whatever way."""
        # its calls and not itself, so that Dask finds the futures among their arguments
        future = self._client.submit(_call_each, func.items, pure=False)
        future.add_done_callback(callback)
        return future

    def retrieve_result_callback(self, out: Future[Any]) -> list[Any]:
        """Return the results of a batch, or raise what it failed with."""
        return out.result()


def _call_each(calls: list[tuple[Callable[..., Any], tuple[Any, ...], dict[str, Any]]]) -> list[Any]:
    return [function(*arguments, **options) for function, arguments, options in calls]


@contextmanager
def _watched(client: Client, address: str) -> Iterator[None]:
    """Say when the last worker is gone, for which tasks would wait without a word."""
    ended = Event()

    def watch() -> None:
        had_workers = True
        while not ended.wait(SECONDS_BETWEEN_LOOKS):
            try:
                has_workers = bool(client.ncores())
            except Exception:  # of the scheduler: what waits for a task is told of it
                return
            if had_workers and not has_workers:
                logger.warning(
                    "cluster=%s: the last worker is gone, and its log says why; what is left waits until one is "
                    "started with `dask worker %s`, or for Ctrl-C.",
                    address,
                    address,
                )
            had_workers = has_workers

    thread = Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(SECONDS_TO_CONNECT)


def _connected(address: str, module: str) -> Client:
    try:
        from distributed import Client
    except ImportError:
        raise UserError(
            f"cluster={address}: this needs Dask, which is not installed; install it with pip install -e '.[cluster]'."
        ) from None
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # what it would log is said here
    try:
        client = Client(address, timeout=SECONDS_TO_CONNECT, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:
        raise UserError(
            f"cluster={address}: no Dask scheduler answers there; start one with `dask scheduler` and give the address "
            "that it names, for example cluster=tcp://10.0.0.1:8786."
        ) from error
    if not client.ncores():
        client.close()
        raise UserError(
            f"cluster={address}: the cluster has no workers; start one on each machine with `dask worker {address}`."
        )
    # a worker that cannot read its first task ends without an answer
    found = client.run(import_module, module, on_error="return")
    for worker, answer in found.items():
        if isinstance(answer, ImportError):
            client.close()
            raise UserError(
                f"cluster={address}: the worker {worker} lacks what its tasks import ({answer}); install the project "
                "there as it is here, and start the worker again."
            )
    return client
