"""Where runs are tracked, as configuration."""

from __future__ import annotations

import re

from pydantic import field_validator

from guitar_kedro.images.downloads import is_address, is_web_address, parts_of
from guitar_kedro.options import Options

_WITHOUT_SCHEME = re.compile(r"https?:|[^/\\]+:\d+(/|$)")  # as http:/HOST, and HOST:PORT


class TrackingOptions(Options):
    """The parameters under ``tracking``.

    Attributes:
        mlflow: The address of an MLflow server, or a folder.
        tensorboard: A folder for TensorBoard's event files.
    """

    mlflow: str | None = None
    tensorboard: str | None = None

    @field_validator("mlflow")
    @classmethod
    def _is_a_server_or_a_folder(cls, value: str | None) -> str | None:
        if value and is_address(value):
            is_web = is_web_address(value)  # refuses a password, and does not repeat it
            if not (is_web and parts_of(value).hostname):
                raise ValueError("it must be http://HOST:PORT, https://HOST, or a folder")
        elif value and _WITHOUT_SCHEME.match(value):
            raise ValueError(f"write http://HOST:PORT for a server, and ./{value} for a folder of that name")
        return value

    @field_validator("tensorboard")
    @classmethod
    def _is_a_folder(cls, value: str | None) -> str | None:
        if value and is_address(value):
            raise ValueError("it must be a folder on this machine")
        return value
