"""Where the project lies, and with which options this session runs it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from kedro.utils import find_kedro_project


def project_folder() -> Path:
    """Find the root of the project from whatever folder in it a command is started; elsewhere, take the working one."""
    return find_kedro_project(Path.cwd()) or Path.cwd()


def models_folder(workspace: str) -> Path:
    """Where the models of a workspace lie, and beside them what training leaves until it has ended."""
    return project_folder() / "data" / "06_models" / workspace


_session: dict[str, Any] = {"options": {}, "params": {}}
_OF_ONE_RUN = {"note", "resume", "search", "study", "tracking"}  # and not of what it makes


def note_session(params: dict[str, Any], **options: str | None) -> None:
    """Note with which options a session was made.

    Args:
        params: What ``--params`` gave.
        **options: ``env`` and ``conf_source``; ``None`` where they were not given.
    """
    _session["options"] = {name: value for name, value in options.items() if value}
    _session["params"] = {name: value for name, value in params.items() if name not in _OF_ONE_RUN}


def run_options(params: dict[str, Any]) -> dict[str, Any]:
    """Return the options of ``kedro run`` for a file that ``--config`` reads: those of this session.

    Args:
        params: Parameters that take the place of those that were given.
    """
    return {**_session["options"], "params": {**_session["params"], **params}}
