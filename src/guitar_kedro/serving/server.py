"""The server around the application: patient with people, not with those who hold connections; ends in good order."""

from __future__ import annotations

import asyncio
import math
import os
import signal
import socket
from collections.abc import Callable
from types import FrameType

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from guitar_kedro.errors import UserError

MAX_CONNECTIONS = 1000
_HEADER_SECONDS = 10
_STALL_SECONDS = 30  # for which a client may leave an answer unread
_SEND_BUFFER = 200_000  # bytes
_IDLE_SECONDS = 15
_END_SECONDS = 60  # in which accepted requests have ended, whatever happens


class ImpatientProtocol(H11Protocol):
    """HTTP/1.1 that closes connections whose headers come too slowly, or whose answers nobody reads."""

    _patience: asyncio.TimerHandle | None = None
    _reading: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """Begin to wait for a request."""
        super().connection_made(transport)
        self._wait_at_most(_HEADER_SECONDS)

    def data_received(self, data: bytes) -> None:
        """Take bytes in; only a whole request ends the wait."""
        super().data_received(data)
        answering = self.cycle is not None and not self.cycle.response_complete
        if answering:
            self._stop_waiting()
        elif self._patience is None:
            self._wait_at_most(_HEADER_SECONDS)

    def connection_lost(self, exc: Exception | None) -> None:
        """End the waits."""
        self._stop_waiting()
        if self._reading is not None:
            self._reading.cancel()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        """Begin to wait for the client to read."""
        super().pause_writing()
        self._wait_for_reading()

    def resume_writing(self) -> None:
        """Begin to wait anew: the client has read on, though perhaps not all."""
        self._wait_for_reading()
        super().resume_writing()

    def on_response_complete(self) -> None:
        """Leave the wait for the next request to the timer of idle connections; that closes once all is read."""
        self._stop_waiting()
        self._wait_for_reading()
        super().on_response_complete()

    def _wait_at_most(self, seconds: float) -> None:
        self._stop_waiting()
        self._patience = self.loop.call_later(seconds, self.transport.abort)

    def _wait_for_reading(self, before: float = math.inf) -> None:
        """Cut the client off once it has read nothing for a while."""
        if self._reading is not None:
            self._reading.cancel()
        left = self.transport.get_write_buffer_size()
        if left >= before:
            self.transport.abort()
        elif left:
            self._reading = self.loop.call_later(_STALL_SECONDS, self._wait_for_reading, left)

    def _stop_waiting(self) -> None:
        if self._patience is not None:
            self._patience.cancel()
            self._patience = None


class Server(uvicorn.Server):
    """uvicorn, which on SIGTERM goes on for a while, so that whoever sends requests hears of it first.

    Ctrl-C ends it at once, after what was accepted; once more, without that.
    """

    def __init__(self, app: ASGIApp, shutdown_seconds: float, begin_to_end: Callable[[], None]) -> None:
        """Configure uvicorn.

        Args:
            app: What is served.
            shutdown_seconds: For which it goes on after SIGTERM.
            begin_to_end: Is called first then: readiness is to fail from there on.
        """
        super().__init__(
            uvicorn.Config(
                app,
                http=ImpatientProtocol,
                ws="none",
                lifespan="off",
                log_config=None,
                log_level="error",
                access_log=False,
                server_header=False,
                limit_concurrency=MAX_CONNECTIONS,
                timeout_keep_alive=_IDLE_SECONDS,
                timeout_graceful_shutdown=_END_SECONDS,
            )
        )
        self._shutdown_seconds, self._begin_to_end = shutdown_seconds, begin_to_end

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Hear the signal."""
        again = self.should_exit
        self._begin_to_end()
        if sig == signal.SIGTERM:
            # in a signal handler nothing but waking the loop is safe
            self._loop.call_soon_threadsafe(self._loop.call_later, self._shutdown_seconds, self._end)
        else:
            self._end()
            self.force_exit = again

    async def serve(self, sockets: list[socket.socket] | None = None) -> None:
        """Serve until a signal ends it."""
        self._loop = asyncio.get_running_loop()
        await super().serve(sockets)

    def _end(self) -> None:
        self.should_exit = True


def share_cores() -> None:
    """Let the threads of a network sleep while they wait for each other; call it before torch is imported.

    By default they spin (OpenMP). Whoever decodes pictures meanwhile, or any other work on a busy machine, then
    makes them wait for long: an answer took ten times as long where all cores had something else to do.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def listen(host: str, port: int) -> socket.socket:
    """Open the address, before anything takes long.

    Raises:
        UserError: If that is not possible.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        sock = socket.socket(family, kind, protocol)
        try:
            if os.name == "posix":  # Windows would let two services have one address
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            # connections inherit it; where the system keeps megabytes of an answer, who reads slowly seems not to read
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SEND_BUFFER)
            sock.bind(address)
        except BaseException:
            sock.close()
            raise
    except (socket.gaierror, UnicodeError):  # of a name that cannot be one, Python says the latter
        raise UserError(
            f"--host={host}: this computer has no such address; 127.0.0.1 is this computer alone, "
            "0.0.0.0 all of its networks."
        ) from None
    except OSError as error:
        raise _unusable(host, port, error) from None
    return sock


def let_in(sock: socket.socket) -> None:
    """Turn nobody away from here on.

    Raises:
        UserError: If another service, which had the address open too, was faster.
    """
    try:
        sock.listen()
    except OSError as error:
        host, port = sock.getsockname()[:2]
        raise _unusable(host, port, error) from None


def address(sock: socket.socket) -> str:
    """Return the address at which a browser finds the page."""
    host, port = sock.getsockname()[:2]
    host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{host}:{port}/"


def _unusable(host: str, port: int, error: OSError) -> UserError:
    return UserError(
        f"--host={host} --port={port} cannot be used ({error.strerror}); end what is there, or choose another port."
    )
