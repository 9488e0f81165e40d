"""Images of a data set that were collected: by whom they are, and under which licences."""

from __future__ import annotations

import pandas as pd


def attributions_of(attributions: pd.DataFrame, image_table: pd.DataFrame) -> pd.DataFrame:
    """Return the attributions of the images of a data set; files are known by their content, wherever they lie.

    Args:
        attributions: A row for each collected picture; may be empty, without columns.
        image_table: The data set.
    """
    if attributions.empty:
        return attributions
    return attributions[attributions["sha256"].isin(image_table["file_hash"])].reset_index(drop=True)


def images_by_license(attributions: pd.DataFrame, image_table: pd.DataFrame) -> pd.DataFrame:
    """Count the images of a data set under each licence, the most frequent first.

    Args:
        attributions: Of its images, as far as they were collected.
        image_table: The data set.

    Returns:
        ``license``, ``license_url`` and ``images`` of each licence.
    """
    columns = ["license", "license_url"]
    known = attributions.drop_duplicates("sha256").set_index("sha256")[columns]
    found = image_table[["file_hash"]].join(known, on="file_hash", how="inner")
    counts = found.groupby(columns).size().reset_index(name="images")
    return counts.sort_values("images", ascending=False, kind="stable", ignore_index=True)
