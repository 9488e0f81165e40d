"""Some of many pictures; without torch, for Kedro reads this before anything is predicted."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from guitar_kedro.versions import VERSIONS

if TYPE_CHECKING:
    import pandas as pd

    from guitar_kedro.learning.inference.predictor import Predictor
    from guitar_kedro.learning.networks.checkpoint import ModelSpec


@dataclass(frozen=True)
class Chunk:
    """Some pictures that are predicted together.

    Attributes:
        key: Equal for the same files, looked at by the same model: ``predictor_key``, and a checksum of the files.
        predict: Predicts them.
        predictor: What it does so with; the same for all chunks of a model.
    """

    key: str
    predict: Callable[[Predictor], pd.DataFrame]
    predictor: Predictor


def predictor_key(spec: ModelSpec) -> str:
    """Return what the keys of all chunks of a model begin with: another one for another way to predict, too."""
    return f"{spec.checksum[:16]}-version{VERSIONS['predictions']}"
