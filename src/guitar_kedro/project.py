"""Where the project lies, and where its models do."""

from __future__ import annotations

from pathlib import Path

from kedro.utils import find_kedro_project


def project_folder() -> Path:
    """Find the root of the project from whatever folder in it a command is started; elsewhere, take the working one."""
    return find_kedro_project(Path.cwd()) or Path.cwd()


def models_folder(workspace: str) -> Path:
    """Where the models of a workspace lie, and beside them what training leaves until it has ended."""
    return project_folder() / "data" / "06_models" / workspace
