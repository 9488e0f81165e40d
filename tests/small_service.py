"""The service of a small project, started by its command."""

from __future__ import annotations

import contextlib
import io
import re
import signal
import struct
import subprocess
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from fastapi.testclient import TestClient
from PIL import Image
from small_project import Command, start_kedro

from guitar_kedro.serving.app import create_app
from guitar_kedro.serving.options import ServingOptions
from guitar_kedro.serving.pages import About, Pages
from guitar_kedro.serving.service import Service

START_SECONDS = 240
OPTIONS = ServingOptions(
    max_waiting=4,
    max_bytes=1_000_000,
    max_pictures=2,
    max_seconds=10,
    slow_seconds=2,
    upload_seconds=10,
    shutdown_seconds=1,
    fetch_urls=False,
)


@dataclass
class Running:
    """A service that has started."""

    process: subprocess.Popen[str] | Command
    url: str

    @property
    def port(self) -> int:
        """Where it listens."""
        return httpx.URL(self.url).port

    def client(self) -> httpx.Client:
        """Something that asks it."""
        return httpx.Client(base_url=self.url, trust_env=False, timeout=30)

    def end(self) -> int:
        """Ends it as Ctrl-C does, and gives its exit code."""
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(timeout=30)


Start = Callable[..., Running]


def start_service(
    project: Path, folder: Path, *options: str, params: str = "", forked: bool = True, name: str = "serve"
) -> Running:
    """Starts ``kedro serve``, or another such command, in a project, and waits until it says where it listens.

    Args:
        project: The project.
        folder: For what it says.
        options: Of the command.
        params: Of the command.
        forked: Whether its process has imported everything at once, or does as a user's does.
        name: Of the command.
    """
    command = (name, "--port=0", f"--params={params}", *options)
    said = folder / "stdout"
    if forked:
        process = Command(project, *command, output=folder)
    else:
        with said.open("w", encoding="utf-8") as log:
            process = start_kedro(project, *command, output=log)
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        if found := said.exists() and re.search(r" at (http://\S+)", said.read_text(encoding="utf-8")):
            return Running(process, found.group(1))
        time.sleep(0.05)
    process.kill()
    raise AssertionError(
        f"kedro {name} did not start:\n{[path.read_text() for path in folder.iterdir() if path.is_file()]}"
    )


@contextlib.contextmanager
def client_of(model: Any, *examples: str) -> Iterator[TestClient]:
    """Asks the service of a model, in this process.

    Args:
        model: Something like a ``Predictor``.
        examples: Names of things that visitors may try.
    """
    service = Service(model, "2026", OPTIONS)
    about = About("demo", "2026", model.spec, None, 0, None, examples)
    try:
        yield TestClient(create_app(service, Pages(about, "http://here/", OPTIONS.max_bytes)))
    finally:
        service.stop()


def jpeg(seed: int, size: tuple[int, int] = (60, 40)) -> bytes:
    """Draws blocks of colour, as a JPEG."""
    blocks = np.random.default_rng(seed).integers(0, 256, (6, 6, 3)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(blocks).resize(size).save(buffer, "JPEG")
    return buffer.getvalue()


def bomb(megapixels: int) -> bytes:
    """A PNG of few bytes that says to be large."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 1000 * megapixels, 1000, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0")) + chunk(b"IEND", b"")
