"""The log says whole lines, wherever a command is started."""

from __future__ import annotations

import io
import logging
import subprocess
import sys
from pathlib import Path

import pytest
from rich.console import Console

from guitar_kedro.logs import ConsoleHandler

PATH = "data/08_reporting/a_rather_long_name/predictions_table.csv/2026-01-01T00.00.00.000Z/my table [1].csv"


@pytest.mark.parametrize("width", [40, 80])
def test_a_path_is_neither_broken_nor_taken_for_markup(width: int):
    handler = ConsoleHandler(logging.INFO)
    handler.console = Console(file=io.StringIO(), width=width, soft_wrap=True)
    handler.emit(logging.LogRecord("guitar_kedro", logging.INFO, __file__, 1, "table: %s [/b]", (PATH,), None))
    [line] = handler.console.file.getvalue().splitlines()
    assert line.endswith(f"INFO     table: {PATH} [/b]")


@pytest.mark.process
def test_a_command_in_a_folder_of_the_project_logs_as_one_at_its_top(project: Path):
    (project / "logs").rmdir()
    code = (
        "import logging; from pathlib import Path; from kedro.framework.startup import bootstrap_project;"
        "bootstrap_project(Path('..')); from kedro.framework.project import validate_settings; validate_settings();"
        "logging.getLogger('guitar_kedro').info('x' * 100)"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=project / "src", capture_output=True, text=True, check=True)
    assert "x" * 100 in run.stdout
    assert "x" * 100 in (project / "logs/guitar_kedro.log").read_text()
    assert not (project / "src/logs").exists()


@pytest.mark.process
@pytest.mark.parametrize(
    ("content", "wrong"),
    [
        (b"version: [", "logging.yml, line 2: this is no YAML that can be read"),
        (b"version: \xff", "logging.yml, line 1: 0xff, byte 10 of the file, is no UTF-8"),
        (b"version: 1", "logging.yml cannot be used to configure logging (KeyError: 'handlers')"),
        (b"version: 1\nhandlers: {console: {class: logging.StreamHandler, level: LOUD}}", "Unknown level: 'LOUD'"),
    ],
)
def test_a_mistake_in_the_configuration_of_the_log_is_told_in_one_line(project: Path, content: bytes, wrong: str):
    (project / "conf/base/logging.yml").write_bytes(content)
    command = [sys.executable, "-m", "kedro", "status"]
    run = subprocess.run(command, cwd=project, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert run.stdout == ""
    [line] = run.stderr.splitlines()
    assert wrong in line
    assert line.endswith(("mend it.", "save it as UTF-8."))
