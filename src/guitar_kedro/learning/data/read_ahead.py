"""Reading in threads, ahead of what works on the results."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")


def read_ahead(
    read: Callable[[Item], Result], items: Iterable[Item], ahead: int, threads: int | None = None
) -> Generator[Result, None, None]:
    """Read items in threads.

    Args:
        read: Reads one.
        items: Are taken in their order, by the thread that asks for the results.
        ahead: So many are being read, or wait to be asked for.
        threads: How many read; ``None`` stands for what Python takes.

    Yields:
        What ``read`` returns, in the order of the items.
    """
    left = iter(items)
    with ThreadPoolExecutor(threads) as pool:
        started = deque(pool.submit(read, item) for item in islice(left, ahead))
        while started:
            result = started.popleft().result()
            started.extend(pool.submit(read, item) for item in islice(left, 1))
            yield result
