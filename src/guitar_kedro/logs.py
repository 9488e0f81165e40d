"""The log, from wherever in the project a command is started, with a line for each record."""

from __future__ import annotations

import logging
import os
import sys
from pathlib import Path
from typing import Any, cast

import yaml
from kedro.framework.project import LOGGING
from kedro.logging import RichHandler
from rich.console import Console, ConsoleRenderable
from rich.text import Text

from guitar_kedro.errors import UserError
from guitar_kedro.project import project_folder
from guitar_kedro.yaml_files import check_yaml


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
    """Configure logging as the project's ``conf/base/logging.yml`` says, and make the folder of the log file.

    Kedro itself looks for ``conf/logging.yml`` in the working directory, takes paths from there, and does so before any
    code of the project could say what is wrong with that file. A file that the environment variable
    ``KEDRO_LOGGING_CONFIG`` names stays what counts.

    Raises:
        SystemExit: If the file cannot be used; it says why.
    """
    project = project_folder()
    path = project / "conf/base/logging.yml"
    if os.environ.get("KEDRO_LOGGING_CONFIG") or not path.is_file():
        return
    try:
        content = path.read_bytes()
        check_yaml(str(path), content)
        config = yaml.safe_load(content)
        if not isinstance(config["handlers"], dict):
            raise TypeError("handlers holds no names with values")
        for handler in config["handlers"].values():
            if "filename" in handler:
                handler["filename"] = str(project / handler["filename"])
                Path(handler["filename"]).parent.mkdir(parents=True, exist_ok=True)
        LOGGING.configure(config)
    except UserError as error:
        sys.exit(f"Error: {error}")
    except (ValueError, TypeError, KeyError, AttributeError, OSError) as error:
        cause = error.__cause__ or error  # which tells more
        reason = f"{type(cause).__name__}: {cause}"
        sys.exit(f"Error: {path} cannot be used to configure logging ({reason}); mend it.")
    root = logging.getLogger()
    root.handlers = [
        ConsoleHandler(handler.level) if type(handler) is RichHandler else handler for handler in root.handlers
    ]
