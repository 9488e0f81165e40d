"""What a stranger finds in the repository: make with and without uv, workflows, and what says what it is."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from small_project import ROOT

needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


def text(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def targets() -> list[str]:
    found = re.search(r"^\.PHONY: (.*)$", text("Makefile"), re.MULTILINE)
    assert found is not None
    return found[1].split()


def make(folder: Path, *arguments: str, **environment: str) -> str:
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder / name)
    command = ["make", "--no-print-directory", *arguments]
    run = subprocess.run(
        command, cwd=folder, env={**os.environ, **environment}, capture_output=True, encoding="utf-8", check=True
    )
    return run.stdout


@needs_make
def test_help_names_every_target(tmp_path: Path):
    told = [line.split()[1] for line in make(tmp_path, "help").splitlines()]
    assert sorted(told) == sorted(targets())


@needs_make
def test_uv_installs_where_it_is_there_and_pip_where_it_is_not(tmp_path: Path):
    uv = tmp_path / "bin" / "uv"
    uv.parent.mkdir()
    uv.write_text("#!/bin/sh\n", encoding="utf-8")
    uv.chmod(0o755)
    with_uv = make(tmp_path, "--dry-run", "run", PATH=f"{uv.parent}:{os.environ['PATH']}")
    assert f"{uv} pip install" in with_uv
    assert "-m venv" not in with_uv

    without = make(tmp_path, "--dry-run", "run", "UV=")
    assert "bin/pip install" in without
    assert "uv venv" not in without
    for commands in (with_uv, without):
        assert "-c constraints.txt" in commands
        assert commands.rstrip().endswith("kedro run")


def steps(workflow: Path) -> list[dict[str, Any]]:
    jobs = yaml.safe_load(workflow.read_text(encoding="utf-8"))["jobs"].values()
    return [step for job in jobs for step in job["steps"]]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda path: path.name)
def test_what_a_workflow_does_can_be_done_by_hand(workflow: Path):
    for step in steps(workflow):
        if "uses" in step:
            assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", step["uses"]), "a tag may be moved"
        elif step["run"].startswith("make "):
            assert step["run"].removeprefix("make ") in targets()
        elif step["run"] != "pip install uv":
            assert step["run"].partition(" --params")[0] in text("README.md"), "what Windows does stands there"


def test_commits_are_looked_at_by_the_linter_of_make():
    hooks = {repo["repo"]: repo["rev"] for repo in yaml.safe_load(text(".pre-commit-config.yaml"))["repos"]}
    pinned = re.search(r"^ruff==(\S+)", text("constraints.txt"), re.MULTILINE)
    assert pinned is not None
    assert hooks["https://github.com/astral-sh/ruff-pre-commit"] == f"v{pinned[1]}"


def test_the_version_is_the_same_wherever_it_stands():
    version = re.search(r'^version = "(.*)"$', text("pyproject.toml"), re.MULTILINE)
    assert version is not None
    assert f"## [{version[1]}]" in text("CHANGELOG.md")
    assert yaml.safe_load(text("CITATION.cff"))["version"] == version[1]


def test_prometheus_scrapes_the_service_where_the_container_listens():
    compose = yaml.safe_load(text("compose.yaml"))
    [job] = yaml.safe_load(compose["configs"]["prometheus"]["content"])["scrape_configs"]
    [target] = job["static_configs"][0]["targets"]
    service, _, port = target.partition(":")
    assert service in compose["services"]
    assert f"EXPOSE {port}" in text("Dockerfile")


def test_the_container_is_given_all_that_it_copies_and_serves_as_nobody_special():
    lines = text("Dockerfile").splitlines()
    copied = {path for line in lines if line.startswith("COPY") and "--from" not in line for path in line.split()[1:-1]}
    given = {line.removeprefix("!") for line in text(".dockerignore").splitlines() if line.startswith("!")}
    assert {path for path in copied if not path.startswith("--")} == given
    assert all((ROOT / path).exists() for path in given)
    user = next(line for line in lines if line.startswith(("USER", "ENTRYPOINT")))
    assert re.fullmatch(r"USER [1-9]\d*", user), "by its number, so that who starts it can see that it is not root"
