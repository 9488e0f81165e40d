"""What the other clients of the service may rely on when one holds connections."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from starlette.responses import Response

from guitar_kedro.serving import server
from guitar_kedro.serving.server import Server, listen

SECONDS = 0.5
ANSWER = 30_000_000  # bytes: more than sockets hold
REQUEST = b"GET / HTTP/1.1\r\nhost: x\r\n%s\r\n"


@pytest.fixture
def running(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    """A server of little patience with a large answer."""
    monkeypatch.setattr(server, "_HEADER_SECONDS", SECONDS)
    monkeypatch.setattr(server, "_STALL_SECONDS", SECONDS)
    running = Server(Response(b"x" * ANSWER), 0, lambda: None)
    sock = listen("127.0.0.1", 0)
    sock.listen()
    thread = threading.Thread(target=running.run, args=[[sock]])
    thread.start()
    while not running.started:
        time.sleep(0.01)
    yield running
    running.should_exit = running.force_exit = True
    thread.join(10)


@pytest.fixture
def connect(running: Server) -> Iterator[Callable[[bytes], socket.socket]]:
    """Connects, with little room for answers, and sends something."""
    opened = []

    def connect(content: bytes) -> socket.socket:
        opened.append(socket.socket())
        opened[-1].setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 10_000)
        opened[-1].settimeout(10)
        opened[-1].connect(running.servers[0].sockets[0].getsockname())
        opened[-1].sendall(content)
        return opened[-1]

    yield connect
    for connection in opened:
        connection.close()


Connect = Callable[[bytes], socket.socket]


def is_cut(running: Server, seconds: float) -> bool:
    """Waits until no connection is left."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline and running.server_state.connections:
        time.sleep(0.02)
    return not running.server_state.connections


@pytest.mark.parametrize("header", [b"", b"connection: close\r\n"])
def test_a_client_who_never_reads_its_answer_is_cut_off(running: Server, connect: Connect, header: bytes):
    connect(REQUEST % header)
    time.sleep(SECONDS / 2)
    assert running.server_state.connections
    assert is_cut(running, 10 * SECONDS)


def test_a_client_who_reads_slowly_gets_all_of_its_answer(connect: Connect):
    connection, got, began = connect(REQUEST % b"connection: close\r\n"), 0, time.monotonic()
    while received := connection.recv(1_000_000):
        got += len(received)
        if time.monotonic() - began < 5 * SECONDS:
            time.sleep(SECONDS / 100)
    assert time.monotonic() - began > 5 * SECONDS
    assert got > ANSWER


@pytest.mark.parametrize("sent", [b"", b"GET / HT", REQUEST[:-4] % ()])
def test_a_client_who_sends_no_whole_header_is_cut_off(running: Server, connect: Connect, sent: bytes):
    connection = connect(sent)
    began = time.monotonic()
    assert connection.recv(100) == b""
    assert SECONDS / 2 < time.monotonic() - began < 10 * SECONDS
    assert is_cut(running, SECONDS)
