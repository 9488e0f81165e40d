"""The page of a project in which ``kedro run`` has ended, started by its command."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_service import Running, start_service


@pytest.fixture(scope="session")
def reviewed_project(finished_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project whose pictures are decided about."""
    return shutil.copytree(finished_project, tmp_path_factory.mktemp("reviewed") / "project")


@pytest.fixture(scope="session")
def review(reviewed_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """The page, for this computer alone."""
    running = start_service(reviewed_project, tmp_path_factory.mktemp("review"), name="review")
    yield running
    running.end()


@pytest.fixture
def curation(reviewed_project: Path) -> Iterator[Path]:
    """The file of its decisions; there is none before and after a test."""
    path = reviewed_project / "data/01_raw/demo/curation.csv"
    path.unlink(missing_ok=True)
    yield path
    path.unlink(missing_ok=True)
