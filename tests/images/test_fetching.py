"""What the owner of a network may rely on when pictures are fetched by their addresses."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
import time
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, TypeVar

import httpx
import pytest

from guitar_kedro.images import fetching
from guitar_kedro.images.fetching import NotFetched, fetch, get_from, is_public, new_client

Result = TypeVar("Result")
INTERNAL = [
    "127.0.0.1",
    "127.8.8.8",
    "0.0.0.0",
    "10.0.0.1",
    "172.16.0.1",
    "172.31.255.255",
    "192.168.1.1",
    "169.254.169.254",
    "100.64.0.1",
    "192.0.0.8",
    "192.0.2.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.9",
    "192.88.99.1",
    "168.63.129.16",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::ffff:127.0.0.1",
    "::ffff:10.0.0.1",
    "::ffff:8.8.8.8",
    "::127.0.0.1",
    "64:ff9b::7f00:1",
    "64:ff9b::a9fe:a9fe",
    "64:ff9b:1::a00:1",
    "100::1",
    "2001::1",
    "2001:0:4136:e378:8000:63bf:3fff:fdd2",
    "2001:db8::1",
    "2001:20::1",
    "2002:7f00:1::",
    "2002:a00:1::1",
    "3fff::1",
    "5f00::1",
    "fc00::1",
    "fd12:3456::1",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
    "not-an-address",
]
TRICKY = [
    "http://localhost/a.jpg",
    "http://127.1/",
    "http://2130706433/",
    "http://0x7f000001/",
    "http://0177.0.0.1/",
    "http://[::1]/",
    "http://[::ffff:127.0.0.1]/",
    "http://127.0.0.1:8000/",
    "http://user:secret@example.org/",
    "http://example.org@127.0.0.1/",
    "ftp://example.org/a.jpg",
    "file:///etc/passwd",
    "gopher://127.0.0.1/",
    "//example.org/a.jpg",
    "http://",
    "http:///a.jpg",
    "http://[::1",
    "http://exa mple.org/",
    "http://169.254.169.254/latest/meta-data/",
    "http://%31%32%37.0.0.1/",
    "http://①②⑦.⓪.⓪.①/",
    "http://" + "a" * 3000,
    "",
]
_connections: list[object] = []
_watched: set[int] = set()


def awaited(answer: Coroutine[Any, Any, Result]) -> Result:
    """Waits for an answer in a thread of its own, for a browser may have an event loop in this one."""

    def run() -> Result:
        if _watched:  # where connections are noted, those of this thread are
            _watched.add(threading.get_ident())
        return asyncio.run(answer)

    with ThreadPoolExecutor(1) as threads:
        return threads.submit(run).result()


def _watch(event: str, arguments: tuple) -> None:
    if event == "socket.connect" and threading.get_ident() in _watched:
        _connections.append(arguments[1])
        raise OSError("this test lets nobody out")


sys.addaudithook(_watch)


@pytest.fixture
def connections() -> Iterator[list[object]]:
    """What the process tries to connect to; no connection comes about."""
    _connections.clear()
    _watched.add(threading.get_ident())
    yield _connections
    _watched.clear()


def refused(url: str, **options: object) -> str:
    with pytest.raises(NotFetched) as refusal:
        awaited(fetch(url, 1000, **options))
    return refusal.value.reason


@pytest.mark.parametrize("address", INTERNAL)
def test_an_address_that_is_not_of_the_public_internet_is_not_connected_to(
    address: str, connections: list[object], monkeypatch: pytest.MonkeyPatch
):
    async def resolve(_host: str, _port: int) -> list[str]:
        return ["93.184.215.14", address]  # one of them is enough

    monkeypatch.setattr(fetching, "resolve", resolve)
    assert not is_public(address)
    assert refused("http://example.org/a.jpg") == "address_refused"
    assert connections == []


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.215.14", "2606:4700:4700::1111", "2a00:1450:4001:80b::200e"])
def test_an_address_of_the_public_internet_is_one(address: str):
    assert is_public(address)


@pytest.mark.parametrize("url", TRICKY)
def test_a_tricky_url_leads_nowhere(url: str, connections: list[object]):
    assert refused(url) in {"address_refused", "not_fetched"}
    assert connections == []


def test_what_was_checked_is_connected_to_whatever_the_name_means_a_moment_later(
    connections: list[object], monkeypatch: pytest.MonkeyPatch
):
    answers = iter([["93.184.215.14"], ["127.0.0.1"]])

    async def resolve(_host: str, _port: int) -> list[str]:
        return next(answers)

    monkeypatch.setattr(fetching, "resolve", resolve)
    assert refused("http://rebinding.example.org/a.jpg") == "not_fetched"
    assert connections == [("93.184.215.14", 80)]


class Host(BaseHTTPRequestHandler):
    """A web server that is not nice."""

    def do_GET(self) -> None:
        status = 302 if self.path == "/redirect" else 200
        self.send_response(status)
        self.send_header("location", "/picture")
        self.end_headers()
        match self.path:
            case "/picture":
                self.wfile.write(self.headers["host"].encode())
            case "/endless":
                with contextlib.suppress(OSError):  # until the other side has had enough
                    while True:
                        self.wfile.write(b"x" * 1000)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def host() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Host)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()


def get(url: str) -> bytes:
    """Gets a file from this machine, whatever its name means."""

    async def answer() -> bytes:
        async with new_client() as client:
            return await get_from(client, "127.0.0.1", httpx.URL(url), 100_000)

    return awaited(answer())


def test_a_file_is_fetched_under_the_name_of_its_host(host: int):
    assert get(f"http://example.org:{host}/picture").decode() == f"example.org:{host}"


def test_a_host_without_a_name_is_asked_under_its_address_in_brackets(host: int):
    assert get(f"http://[2a00::1]:{host}/picture").decode() == f"[2a00::1]:{host}"


@pytest.mark.parametrize(("path", "reason"), [("/redirect", "not_fetched"), ("/endless", "too_many_bytes")])
def test_redirects_are_not_followed_and_endless_files_not_read(host: int, path: str, reason: str):
    with pytest.raises(NotFetched) as refusal:
        get(f"http://example.org:{host}{path}")
    assert refusal.value.reason == reason


def test_a_host_of_the_own_network_is_asked_where_it_is_named_with_its_port_and_no_other_is(host: int):
    url = f"http://127.0.0.1:{host}/picture"
    assert awaited(fetch(url, 1000, own_hosts=[f"127.0.0.1:{host}"])).decode() == f"127.0.0.1:{host}"
    assert refused(url, own_hosts=[f"127.0.0.1:{host + 1}", "127.0.0.1:80"]) == "address_refused"


def test_a_host_that_does_not_answer_is_given_up_in_time(monkeypatch: pytest.MonkeyPatch):
    async def resolve(_host: str, _port: int) -> list[str]:
        await asyncio.sleep(60)
        return []

    monkeypatch.setattr(fetching, "resolve", resolve)
    began = time.monotonic()
    assert refused("http://slow.example.org/a.jpg") == "not_fetched"
    assert time.monotonic() - began < 10
