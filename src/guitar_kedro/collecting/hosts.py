"""Asking hosts as each of them permits."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Collection
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import datetime, timezone
from email.utils import parsedate_to_datetime
from typing import TypeVar

import httpx

from guitar_kedro.images.fetching import NotFetched, fetch, new_client

AT_ONCE = 2  # requests to a host, as https://wikitech.wikimedia.org/wiki/Robot_policy has it for files
AT_ONCE_IN_ALL = 16
ATTEMPTS = 3
LONGEST_PAUSE = 120.0  # seconds; a host that asks for a longer one is left alone until the next run
FAILURES = 3  # one after the other, after which a host is left alone until the next run
SECONDS = 60.0  # that an answer may take
REDIRECTS = 3
_MOVED = (301, 302, 303, 307, 308)
_THROTTLED = (429, 503)
_MAY_PASS = (0, 408, 425, 500, 502, 504, *_THROTTLED)  # 0: there was no answer

Result = TypeVar("Result")
Use = Callable[[bytes], Awaitable[Result]]


@dataclass
class _Host:
    client: httpx.AsyncClient
    gate: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(AT_ONCE))
    free_at: float = 0.0  # of the monotonic clock
    failures: int = 0
    left_alone: NotFetched | None = None

    async def turn(self, pause: float) -> None:
        """Wait until the host may be asked."""
        while (left := self.free_at - time.monotonic()) > 0:
            await asyncio.sleep(left)
        self.free_at = time.monotonic() + pause

    def leave_alone(self, why: str) -> None:
        """Ask nothing more of it."""
        self.left_alone = NotFetched("not_fetched", f"This address could not be fetched: {why}.")


class Hosts(AsyncExitStack):
    """Asks hosts for files: few at once of each, after the pauses that it asks for, and none that does not answer."""

    def __init__(self, user_agent: str, own_hosts: Collection[str]) -> None:
        """Take note of how to ask.

        Args:
            user_agent: Says who asks.
            own_hosts: As ``HOST:PORT``, those of the own network that may be asked; they are asked without pauses.
        """
        super().__init__()
        self._user_agent, self._own_hosts = user_agent, own_hosts
        self._hosts: dict[str, _Host] = {}
        self._gate = asyncio.Semaphore(AT_ONCE_IN_ALL)

    async def get(self, url: str, max_bytes: int, use: Use[Result], pause: float = 0.0) -> Result:
        """Get a file, following redirects to addresses that may be fetched as well, and use it.

        Args:
            url: Where it lies.
            max_bytes: What is more than this is not read.
            use: Takes the content; until it ends, nothing else is fetched in its place, so that memory does not grow.
            pause: Seconds until its host is asked again.

        Returns:
            What ``use`` returns.

        Raises:
            NotFetched: If it cannot be had.
        """
        for _ in range(REDIRECTS):
            try:
                return await self._get(url, max_bytes, use, pause)
            except NotFetched as error:
                target = error.headers.get("location")
                if error.status not in _MOVED or not target:
                    raise
                url = _joined(url, target)
        return await self._get(url, max_bytes, use, pause)

    async def _get(self, url: str, max_bytes: int, use: Use[Result], pause: float) -> Result:
        place = _place(url)
        host = self._host(place)
        async with host.gate:
            for attempt in range(ATTEMPTS):
                if host.left_alone:
                    raise host.left_alone
                await host.turn(0 if place in self._own_hosts else pause)
                try:
                    async with self._gate:
                        content = await fetch(
                            url, max_bytes, client=host.client, own_hosts=self._own_hosts, seconds=SECONDS
                        )
                        host.failures = 0
                        return await use(content)
                except NotFetched as error:
                    if not may_pass(error) or attempt == ATTEMPTS - 1:
                        self._count(host, place, error)
                        raise
                    await _pause(host, place, error, 2.0**attempt)
        raise AssertionError("the last attempt returns or raises")

    def _host(self, place: str) -> _Host:
        if place not in self._hosts:
            client = new_client(**{"user-agent": self._user_agent, "accept": "application/json, image/*"})
            self.push_async_callback(client.aclose)
            self._hosts[place] = _Host(client)
        return self._hosts[place]

    def _count(self, host: _Host, place: str, error: NotFetched) -> None:
        host.failures = host.failures + 1 if may_pass(error) else 0
        if host.failures >= FAILURES:
            host.leave_alone(f"{place} fails again and again")


def may_pass(error: NotFetched) -> bool:
    """Tell whether what could not be fetched may be there later."""
    return error.reason == "not_fetched" and error.status in _MAY_PASS


async def _pause(host: _Host, place: str, error: NotFetched, seconds: float) -> None:
    """Wait after a failure: with all requests to the host where it asks for that, else with this one."""
    if error.status not in _THROTTLED:
        await asyncio.sleep(seconds)
        return
    wanted = _seconds(error.headers.get("retry-after", ""))
    seconds = seconds if wanted is None else wanted
    if seconds > LONGEST_PAUSE:
        host.leave_alone(f"{place} asks for a pause of {seconds / 60:.0f} minutes")
    else:
        host.free_at = max(host.free_at, time.monotonic() + seconds)


def _seconds(retry_after: str) -> float | None:
    """Read a ``Retry-After``: seconds, or a date (RFC 9110, 10.2.3)."""
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        then = parsedate_to_datetime(retry_after)
    except ValueError:
        return None
    return (then.replace(tzinfo=then.tzinfo or timezone.utc) - datetime.now(timezone.utc)).total_seconds()


def _place(url: str) -> str:
    try:
        parts = httpx.URL(url)
    except (httpx.InvalidURL, UnicodeError):
        return ""  # it will be refused
    return f"{parts.host}:{parts.port or {'http': 80}.get(parts.scheme, 443)}"


def _joined(url: str, target: str) -> str:
    try:
        return str(httpx.URL(url).join(target))
    except (httpx.InvalidURL, UnicodeError):
        return target
