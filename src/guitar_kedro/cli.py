"""The project's own commands, with a user's mistakes told in one line."""

from __future__ import annotations

import copy
import functools
import logging
from collections.abc import Callable
from typing import Any

import click
from kedro.framework.cli.project import run as kedro_run

from guitar_kedro.errors import user_error_behind
from guitar_kedro.serving.command import serve

_OPTIONS = {option.name: option for option in kedro_run.params}
_WHERE = [_OPTIONS["env"], _OPTIONS["params"]]


def _in_one_sentence(command: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(command)
    def told(**options: Any) -> Any:
        logging.raiseExceptions = False  # a log that cannot be written, on a full disk say, is no reason for tracebacks
        try:
            return command(**options)
        except KeyboardInterrupt:
            raise click.ClickException(
                "Stopped. Whatever was finished is kept; the same command goes on after it."
            ) from None
        except Exception as error:
            mistake = user_error_behind(error)
            if mistake is None:
                raise
            raise click.ClickException(str(mistake)) from None

    return told


@click.group(name="guitar-kedro")
def cli() -> None:
    """Commands of this project."""


@_in_one_sentence
def _run(**options: Any) -> Any:
    # both spellings work; Kedro warns of the older one, which asks nothing of the user
    if options["pipeline"] and not options["pipelines"]:
        options["pipelines"], options["pipeline"] = [options["pipeline"]], None
    return kedro_run.callback(**options)


run = copy.copy(kedro_run)
run.callback = _run
cli.add_command(run)
cli.add_command(serve)


@cli.command(params=[*_WHERE])
@_in_one_sentence
def status(env: str | None, params: dict[str, Any]) -> None:
    """Show what is finished, what would run again and why, and what is missing."""
    from kedro.framework.project import pipelines, settings
    from rich.console import Console

    from guitar_kedro.pipelines.training.plan import plan_stages
    from guitar_kedro.runs.status import status_report

    with settings.SESSION_CLASS.create(env=env, runtime_params=params) as session:
        context = session.load_context()
        parameters = context.config_loader["parameters"]
        Console().print(status_report(plan_stages(parameters["stages"]), pipelines, context.catalog, parameters))


@cli.command(params=[*_WHERE])
@click.option("--keep", type=click.IntRange(min=1), required=True, help="So many of the latest runs keep all versions.")
@click.option("--dry-run", is_flag=True, help="Only show what would be removed.")
@_in_one_sentence
def prune(env: str | None, params: dict[str, Any], keep: int, dry_run: bool) -> None:
    """Remove old versions, and what dead runs left behind."""
    from kedro.framework.project import pipelines, settings

    from guitar_kedro.runs.prune import prune_workspace

    with settings.SESSION_CLASS.create(env=env, runtime_params=params) as session:
        catalog = session.load_context().catalog
        for line in prune_workspace(catalog, pipelines.values(), keep, dry_run):
            click.echo(line)
