"""What the project's commands have in common: options of ``kedro run``, and how they tell a user's mistakes."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click
from kedro.framework.cli.project import run as kedro_run

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


def _parsed(context: click.Context, option: click.Parameter, value: str | dict[str, Any]) -> dict[str, Any]:
    try:
        return value if isinstance(value, dict) else parse_parameters(value)  # a dict comes from a file, with --config
    except UserError as error:
        raise click.ClickException(str(error)) from None


_OPTIONS = {option.name: option for option in kedro_run.params}
ENV, CONF_SOURCE, PARAMS = (copy.copy(_OPTIONS[name]) for name in ("env", "conf_source", "params"))
PARAMS.callback = _parsed
PARAMS.help = (
    "Parameters, as NAME=VALUE,NAME=VALUE; of a group, as GROUP.NAME=VALUE. Names and paths are taken as typed. "
    "A comma belongs to the value unless NAME= comes after it."
)
