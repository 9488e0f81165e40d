"""Options that the project's commands share with ``kedro run``."""

from __future__ import annotations

import copy
from typing import Any

import click
from kedro.framework.cli.project import run as kedro_run

from guitar_kedro.errors import UserError
from guitar_kedro.parameters import parse_parameters


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
