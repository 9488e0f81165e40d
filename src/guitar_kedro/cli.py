"""The project's own commands: ``kedro run``, with a user's mistakes told in one line."""

from __future__ import annotations

import copy
import logging
from typing import Any

import click
from kedro.framework.cli.project import run as kedro_run

from guitar_kedro.errors import user_error_behind
from guitar_kedro.serving.command import serve


@click.group(name="guitar-kedro")
def cli() -> None:
    """Commands of this project."""


def _is_of_use(record: logging.LogRecord) -> bool:
    """Leaves out advice that does not help: how to go on (without --env and --params), and to use --async."""
    return record.levelno < logging.WARNING and not record.getMessage().startswith("Using synchronous mode")


def _run(**options: Any) -> Any:
    # both spellings work; Kedro warns of the older one, which asks nothing of the user
    if options["pipeline"] and not options["pipelines"]:
        options["pipelines"], options["pipeline"] = [options["pipeline"]], None
    logging.getLogger("kedro.runner.sequential_runner").addFilter(_is_of_use)
    try:
        return kedro_run.callback(**options)
    except KeyboardInterrupt:
        raise click.ClickException("Stopped. Whatever was finished is kept; the same command starts again.") from None
    except Exception as error:
        mistake = user_error_behind(error)
        if mistake is None:
            raise
        raise click.ClickException(str(mistake)) from None


run = copy.copy(kedro_run)
run.callback = _run
cli.add_command(run)
cli.add_command(serve)
