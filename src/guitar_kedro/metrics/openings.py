"""The log of the sealed test part, which says how good each model was that was tried on it."""

from __future__ import annotations

import pandas as pd


def last_opening(openings: pd.DataFrame, checksum: str) -> pd.Series | None:
    """Look up the last opening of the test part for a model.

    Args:
        openings: ``model_version`` (beginning of the checksum of a model) of each opening; of none, an empty table.
        checksum: Of the model.

    Returns:
        Its row; ``None`` where the test part was not opened for the model.
    """
    versions = openings["model_version"] if len(openings) else ()
    places = [place for place, version in enumerate(versions) if checksum.startswith(version)]
    return openings.iloc[places[-1]] if places else None
