"""A web server on 127.0.0.1 that is asked like Openverse, Wikimedia Commons and iNaturalist, and has their pictures."""

from __future__ import annotations

import contextlib
import io
import json
import socket
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zlib import crc32

from PIL import Image

Answer = tuple[int, dict[str, str], bytes]
BROKEN = ("page", "cut", "missing", "endless", "other")  # what a picture may be instead, by the beginning of its name


def picture(name: str) -> bytes:
    """A small picture of its own."""
    file = io.BytesIO()
    code = crc32(name.encode())
    image = Image.new("RGB", (16, 16), (code & 255, code >> 8 & 255, code >> 16 & 255))
    image.putpixel((0, 0), (code >> 24, 0, 0))
    image.save(file, "PNG")
    return file.getvalue()


class PictureSources:
    """The server.

    Attributes:
        found: Names of the pictures of each query.
        log: What was answered with something else than "later".
        agents: Who asked.
        throttled: How often each path is answered with 429 before it is answered.
        retry_after: What is said then.
        licenses: Of pictures, by name, that are not under CC BY.
    """

    def __init__(self) -> None:
        self.found: dict[str, list[str]] = {}
        self.log: list[str] = []
        self.agents: set[str] = set()
        self.throttled: Counter[str] = Counter()
        self.retry_after = "0"
        self.licenses: dict[str, str] = {}
        handler = type("Handler", (_Handler,), {"sources": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._server.daemon_threads = True
        self.port = self._server.server_port
        self.host = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.host}"
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()

    def close(self) -> None:
        """Ends it."""
        self._server.shutdown()
        self._server.server_close()

    def params(self, *names: str, **addresses: str) -> str:
        """What stands behind ``--params=`` for these sources."""
        here = {name: f"{self.url}/{name}" for name in names} | addresses
        hosts = {self.host, *(urlsplit(address).netloc for address in addresses.values())}
        settings = [f"collect.sources=[{','.join(here)}]", "contact=me@example.org"]
        settings += [f"collect.addresses.{name}={address}" for name, address in here.items()]
        return ",".join([*settings, f"collect.own_hosts=[{','.join(sorted(hosts))}]"])

    def answer(self, path: str) -> Answer:
        """What is answered to a request."""
        parts = urlsplit(path)
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        if parts.path.startswith("/picture/"):
            return self._picture(parts.path.removeprefix("/picture/"))
        return 200, {}, json.dumps(getattr(self, f"_{parts.path.strip('/')}")(asked)).encode()

    def _picture(self, name: str) -> Answer:
        kind, _, rest = name.partition("-")
        headers, whole = {"content-type": "image/jpeg"}, picture(name)  # whatever it is
        answers: dict[str, Answer] = {
            "missing": (404, headers, b"Not here."),
            "page": (200, headers, b"<html>This is no picture.</html>"),
            "cut": (200, headers, whole[: len(whole) // 2]),
            "other": (200, headers, b"no picture at all"),
            "moved": (302, {"location": f"/picture/{rest}"}, b""),
            "inside": (302, {"location": "http://169.254.169.254/latest/meta-data/"}, b""),
        }
        return answers.get(kind, (200, headers, whole))

    def _openverse(self, asked: dict[str, str]) -> dict[str, Any]:
        names, page, size = self.found.get(asked["q"], []), int(asked["page"]), int(asked["page_size"])
        results = [
            {
                "id": name,
                "title": name,
                "url": f"{self.url}/picture/{name}",
                "foreign_landing_url": f"https://example.org/{name}",
                "creator": f"Author of {name}",
                "license": self.licenses.get(name, "by"),
                "license_version": "4.0",
                "license_url": f"https://creativecommons.org/licenses/{self.licenses.get(name, 'by')}/4.0/",
            }
            for name in names[(page - 1) * size : page * size]
        ]
        pages = -(-len(names) // size)
        return {"result_count": len(names), "page_count": pages, "page_size": size, "page": page, "results": results}

    def _commons(self, asked: dict[str, str]) -> dict[str, Any]:
        names = self.found.get(f"commons {asked['gsrsearch'].removesuffix(' filetype:bitmap')}", [])
        first, size = int(asked["gsroffset"]), int(asked["gsrlimit"])
        pages = [
            {
                "title": f"File:{name}",
                "index": first + number,
                "imageinfo": [
                    {
                        "url": f"{self.url}/picture/{name}",
                        "thumburl": f"{self.url}/picture/{name}",
                        "descriptionurl": f"https://commons.example.org/wiki/File:{name}",
                        "extmetadata": {
                            "Artist": {"value": f'<a href="//example.org">Author</a> of <i>{name}</i>'},
                            "LicenseShortName": {"value": "CC BY-SA 4.0"},
                            "LicenseUrl": {"value": "https://creativecommons.org/licenses/by-sa/4.0"},
                        },
                    }
                ],
            }
            for number, name in enumerate(names[first : first + size], start=1)
        ]
        more = {"continue": {"gsroffset": first + size, "continue": "gsroffset||"}} if first + size < len(names) else {}
        return {"batchcomplete": True, **more, "query": {"pages": pages[::-1]}}  # they come in no order


class _Handler(BaseHTTPRequestHandler):
    sources: PictureSources
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # or each content waits 40 ms for its headers to be acknowledged
    timeout = 5

    def handle(self) -> None:
        with contextlib.suppress(OSError):  # whoever asked was killed
            super().handle()

    def do_GET(self) -> None:
        sources = self.sources
        sources.agents.add(self.headers["user-agent"])
        if sources.throttled[self.path] > 0:
            sources.throttled[self.path] -= 1
            self._send(429, {"retry-after": sources.retry_after}, b"Later.")
            return
        if "/picture/endless" in self.path:
            self._send_endlessly()
        else:
            self._send(*sources.answer(self.path))
        sources.log.append(self.path)

    def _send(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.send_response(status)
        for name, value in {**headers, "content-length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    def _send_endlessly(self) -> None:
        """Says that it is small, and is not."""
        self.send_response(200)
        self.send_header("transfer-encoding", "chunked")
        self.end_headers()
        self.close_connection = True
        with contextlib.suppress(OSError):  # until the other side has had enough
            while True:
                self.wfile.write(b"10000\r\n" + bytes(0x10000) + b"\r\n")

    def log_message(self, *_: object) -> None:
        pass


@contextmanager
def picture_sources() -> Iterator[PictureSources]:
    """Starts the server, and ends it."""
    sources = PictureSources()
    try:
        yield sources
    finally:
        sources.close()


def closed_port() -> str:
    """An address of this machine at which nobody answers."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return f"127.0.0.1:{bound.getsockname()[1]}"
