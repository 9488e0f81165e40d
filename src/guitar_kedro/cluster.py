"""Work on many pictures goes to a Dask cluster where one is named; joblib carries it there."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from typing import TYPE_CHECKING, Any

from joblib import parallel_config
from joblib.parallel import ParallelBackendBase

from guitar_kedro.errors import UserError
from guitar_kedro.mistakes import causes

if TYPE_CHECKING:
    from distributed import Client, Future

SECONDS_TO_CONNECT = 5


@contextmanager
def work_on(address: str | None) -> Iterator[Callable[[Any], Any]]:
    """Let joblib work on a cluster instead of on the cores of this machine.

    Args:
        address: Of the cluster's scheduler, as ``tcp://host:port``; ``None`` stands for this machine.

    Yields:
        What to pass an argument through that many tasks have in common: it is sent once, and not with each of them.

    Raises:
        UserError: If the cluster cannot be used, or gives up.
    """
    if address is None:
        yield lambda argument: argument
        return
    with _connected(address) as client, parallel_config(_Backend(client)):
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


def _connected(address: str) -> Client:
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
    return client
