"""What the project's commands have in common: options of ``kedro run``, a session, and how they tell mistakes."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from kedro.framework.cli.project import run as kedro_run
from kedro.framework.project import settings
from kedro.io import DataCatalog

from guitar_kedro.errors import UserError
from guitar_kedro.mistakes import user_error_behind
from guitar_kedro.parameters import parse_parameters
from guitar_kedro.progress import say_any_name


@contextmanager
def in_one_sentence() -> Iterator[None]:
    """Let a command end with a sentence, where it ends with a mistake of the user."""
    say_any_name()
    try:
        yield
    except Exception as error:
        mistake = user_error_behind(error)
        if mistake is None:
            raise
        raise click.ClickException(str(mistake)) from None


@contextmanager
def opened_context(params: dict[str, Any], **options: str | None) -> Iterator[Any]:
    """Open a session, and give its context.

    Args:
        params: What ``--params`` gave.
        **options: ``env`` and ``conf_source``, as they were given.
    """
    with settings.SESSION_CLASS.create(runtime_params=params, **options) as session:
        yield session.load_context()


@contextmanager
def opened_catalog(where: dict[str, Any], load_versions: dict[str, str] | None = None) -> Iterator[DataCatalog]:
    """Open a session in which no pipeline runs, and give its catalog.

    Args:
        where: As of ``opened_context``.
        load_versions: Of datasets that are not loaded in their latest version, by name.
    """
    with opened_context(**where) as context:
        context._pipelines_to_validate = []  # so that parameters of training are not looked at
        yield context._get_catalog(load_versions=load_versions)


def parsed_params(context: click.Context, option: click.Parameter, value: str | dict[str, Any]) -> dict[str, Any]:
    """Read what ``--params`` says, or a file that ``--config`` names: that one may nest parameters.

    Raises:
        ClickException: If it cannot be read.
    """
    try:
        return value if isinstance(value, dict) else parse_parameters(value)
    except UserError as error:
        raise click.ClickException(str(error)) from None


_OPTIONS = {option.name: option for option in kedro_run.params}
WHERE = [copy.copy(_OPTIONS[name]) for name in ("env", "conf_source", "params")]
PARAMS = WHERE[-1]
PARAMS.callback = parsed_params
PARAMS.help = (
    "Parameters, as NAME=VALUE,NAME=VALUE; of a group, as GROUP.NAME=VALUE. Names and paths are taken as typed. "
    "A comma belongs to the value unless NAME= comes after it."
)
