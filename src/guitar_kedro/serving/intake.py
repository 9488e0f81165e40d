"""What comes in: who is let in, how much is read, and how long that may take."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

import anyio
from starlette.requests import ClientDisconnect, Request

from guitar_kedro.serving.options import ServingOptions

BODIES_IN_MEMORY = 16  # so many of the largest that are allowed
_PAUSE = 0.25  # of the time for an upload
_DRAIN_SECONDS, _DRAIN_PAUSE = 5, 1


class Refusal(Exception):
    """A request that is not answered as it wished.

    Attributes:
        status: Of HTTP.
        reason: Short code in snake_case.
        detail: A sentence for people.
    """

    def __init__(self, status: int, reason: str, detail: str) -> None:
        """Keep all three."""
        super().__init__(status, reason, detail)
        self.status, self.reason, self.detail = status, reason, detail


@dataclass
class Intake:
    """Counts the requests that are let in, before their bodies are read.

    A slow client holds nothing up: an upload that takes longer than ``slow_seconds`` gives up its place, and needs a
    new one when it has arrived. All bodies together are bounded too.

    Attributes:
        options: The limits.
        waiting: Requests that have a place now.
        bytes_held: Of all bodies that are in memory now.
    """

    options: ServingOptions
    waiting: set[Request] = field(default_factory=set)
    bytes_held: int = 0

    @asynccontextmanager
    async def body(self, request: Request) -> AsyncIterator[bytearray]:
        """Let a request in, and read its body; the place is free again at the end of the block.

        Raises:
            Refusal: 503 above the limits, 413 for a body that is too large, 408 for one that comes too slowly.
            ClientDisconnect: If the client went away.
        """
        self._let_in(request)
        body = bytearray()
        slow = asyncio.get_running_loop().call_later(self.options.slow_seconds, self.waiting.discard, request)
        try:
            await self._read(request, body)
            slow.cancel()
            self._let_in(request)
            yield body
        finally:
            slow.cancel()
            self.waiting.discard(request)
            self.bytes_held -= len(body)

    def _let_in(self, request: Request) -> None:
        if request not in self.waiting and len(self.waiting) >= self.options.max_waiting:
            raise busy()
        self.waiting.add(request)

    async def _read(self, request: Request, body: bytearray) -> None:
        limit = self.options.max_bytes
        announced = request.headers.get("content-length", "")
        if announced.isdecimal() and int(announced) > limit:
            raise _too_large(limit)
        try:
            with anyio.fail_after(self.options.upload_seconds):
                while True:
                    with anyio.fail_after(_PAUSE * self.options.upload_seconds):
                        message = await request.receive()
                    if message["type"] == "http.disconnect":
                        raise ClientDisconnect
                    chunk = message.get("body", b"")
                    body += chunk
                    self.bytes_held += len(chunk)
                    if len(body) > limit:
                        raise _too_large(limit)
                    if self.bytes_held > BODIES_IN_MEMORY * limit:
                        raise busy()
                    if not message.get("more_body"):
                        request.state.body_is_read = True
                        return
        except TimeoutError:
            raise Refusal(408, "too_slow", "The upload took too long; try again on a better connection.") from None

    async def drain(self, request: Request) -> bool:
        """Read and forget what a refused client is still sending: else it would see a broken connection.

        Returns:
            Whether all was read; if not, the connection is to be closed.
        """
        if getattr(request.state, "body_is_read", False):
            return True
        if request.headers.get("expect"):  # it waits for a word before it sends anything
            return False
        left = 2 * self.options.max_bytes
        with suppress(TimeoutError), anyio.move_on_after(_DRAIN_SECONDS):
            while left > 0:
                with anyio.fail_after(_DRAIN_PAUSE):
                    message = await request.receive()
                left -= len(message.get("body", b""))
                if not message.get("more_body"):
                    return True
        return False


def busy() -> Refusal:
    """Make the refusal of a service that has enough to do."""
    return Refusal(503, "busy", "There is too much to do just now; try again in a second.")


def _too_large(limit: int) -> Refusal:
    return Refusal(
        413, "too_many_bytes", f"A request may have {limit:,} bytes at most; send fewer or smaller pictures."
    )
