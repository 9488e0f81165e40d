"""Work on many pictures goes to a Dask cluster where one is named; joblib carries it there."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache, partial
from typing import Any

from joblib import parallel_config

from guitar_kedro.errors import UserError, causes

SECONDS_TO_CONNECT = 5


@contextmanager
def work_on(address: str | None) -> Iterator[Callable[[Any], Any]]:
    """Lets joblib work on a cluster instead of on the cores of this machine.

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
    with _connected(address) as client, parallel_config(_backend(client)):
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


def _shared(client: Any, argument: Any) -> Any:
    from dask import config

    # a task that returns it, which the cluster does again where the worker was lost that had it
    with config.set({"distributed.admin.large-graph-warning-threshold": "1 TB"}):
        return client.submit(_itself, argument, pure=False)


def _itself(argument: Any) -> Any:
    return argument


def _backend(client: Any) -> Any:
    from joblib._dask import DaskDistributedBackend

    class Backend(DaskDistributedBackend):
        """joblib's own, which would wait forever for a task that took its worker down."""

        def effective_n_jobs(self, n_jobs: int) -> int:
            """Counts the cores of the cluster; of one alone, joblib would make no use."""
            return max(2, super().effective_n_jobs(n_jobs))

        def submit(self, func: Callable[[], Any], callback: Callable[[Any], None]) -> Any:
            """Tells joblib of a task that failed, as of one that returned."""
            future = super().submit(func, callback)
            future.add_done_callback(lambda done: callback(done.exception()) if done.exception() else None)
            return future

        def retrieve_result_callback(self, out: Any) -> Any:
            """Raises what a task failed with."""
            if isinstance(out, BaseException):
                raise out
            return super().retrieve_result_callback(out)

    return Backend(client=client)


def _connected(address: str) -> Any:
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
            "that it names, for example --params=cluster=tcp://10.0.0.1:8786."
        ) from error
    if not client.ncores():
        client.close()
        raise UserError(
            f"cluster={address}: the cluster has no workers; start one on each machine with `dask worker {address}`."
        )
    return client
