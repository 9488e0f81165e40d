"""The log, from wherever in the project a command is started, with a line for each record."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import Any, cast

import yaml
from kedro.framework.project import LOGGING
from kedro.logging import RichHandler
from rich.console import Console, ConsoleRenderable
from rich.text import Text

from guitar_kedro.project import project_folder


class ConsoleHandler(RichHandler):
    """Kedro's handler without rich's table, which breaks names and paths at the width of the console.

    What is in brackets is shown as it is: it may be the name of a file.
    """

    def __init__(self, level: int) -> None:
        """Make the handler.

        Args:
            level: Of the records that it shows.
        """
        super().__init__(level, Console(soft_wrap=True), rich_tracebacks=False, markup=False)

    def render(
        self, *, record: logging.LogRecord, traceback: Any, message_renderable: ConsoleRenderable
    ) -> ConsoleRenderable:
        """Put time, level and message of a record on one line."""
        time = logging.Formatter().formatTime(record, "[%X]")
        message = cast(Text, message_renderable)  # rich has made it
        return Text.assemble((time, "log.time"), " ", self.get_level_text(record), " ", message)


def configure_logging() -> None:
    """Configure logging as the project's ``conf/logging.yml`` says, and make the folder of the log file.

    Kedro looks for that file in the working directory, and takes its paths from there. A file that the environment
    variable ``KEDRO_LOGGING_CONFIG`` names stays what counts.
    """
    project = project_folder()
    if os.environ.get("KEDRO_LOGGING_CONFIG") or not (project / "conf/logging.yml").is_file():
        return
    config = yaml.safe_load((project / "conf/logging.yml").read_text(encoding="utf-8"))
    for handler in config["handlers"].values():
        if "filename" in handler:
            handler["filename"] = str(project / handler["filename"])
            Path(handler["filename"]).parent.mkdir(parents=True, exist_ok=True)
    if project != Path.cwd():  # else Kedro has done it
        LOGGING.configure(config)
    root = logging.getLogger()
    root.handlers = [
        ConsoleHandler(handler.level) if type(handler) is RichHandler else handler for handler in root.handlers
    ]
