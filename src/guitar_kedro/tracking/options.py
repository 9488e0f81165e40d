"""Where runs are tracked, as configuration."""

from __future__ import annotations

from pydantic import field_validator

from guitar_kedro.images.downloads import is_address, parts_of
from guitar_kedro.options import Options


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
    def _holds_no_password(cls, value: str | None) -> str | None:
        if value and is_address(value):
            parts_of(value)  # refuses one, and does not repeat it
        return value

    @field_validator("tensorboard")
    @classmethod
    def _is_a_folder(cls, value: str | None) -> str | None:
        if value and is_address(value):
            raise ValueError("it must be a folder on this machine")
        return value
