"""The real service, started by its command in a project in which ``kedro run`` has ended."""

from __future__ import annotations

import contextlib
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from small_service import Running, Start, jpeg, start_service


@pytest.fixture(scope="session")
def start(finished_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Start]:
    """Starts services; those that still run at the end are ended."""
    started: list[Running] = []

    def start_one(*options: str, **how: Any) -> Running:
        started.append(start_service(finished_project, tmp_path_factory.mktemp("serving"), *options, **how))
        return started[-1]

    yield start_one
    for service in started:  # all of them first, for each takes seconds
        service.process.send_signal(signal.SIGINT)
    for service in started:
        with contextlib.suppress(subprocess.TimeoutExpired):
            service.end()
        service.process.kill()


@pytest.fixture(scope="session")
def service(start: Start) -> Running:
    """A service without any option."""
    return start()


@pytest.fixture(scope="session")
def fetching_service(start: Start) -> Running:
    """A service that fetches pictures from public addresses."""
    return start(params="serving.fetch_urls=true")


@pytest.fixture
def client(service: Running) -> Iterator[httpx.Client]:
    with service.client() as client:
        yield client


@pytest.fixture(scope="session")
def picture() -> bytes:
    return jpeg(1)
