"""To which part of the split each image was dealt, so that it keeps its part in later runs."""

from __future__ import annotations

import logging
from collections.abc import Collection

from guitar_kedro import metrics
from guitar_kedro.lazy import pd
from guitar_kedro.pipelines.splitting.options import SplittingOptions
from guitar_kedro.splits import SPLITS, TRAIN

logger = logging.getLogger(__name__)

_HASHES = ["file_hash", "pixel_hash"]  # an image is known by either: one changes with metadata, one with its size here


def way_of_dealing(options: SplittingOptions, seed: int, names: pd.Series) -> str:
    """Say what decides a split beside the images: where it changes, all images are dealt anew.

    Args:
        options: The shares, and what names groups.
        seed: Of the first split.
        names: Of the group of each image, as of ``group_names``.
    """
    groups = options.group_from or ("given" if (names != "").any() else "none")
    return f"seed={seed}, validation={options.validation}, test={options.test}, groups={groups}"


def still_valid(earlier: pd.DataFrame, way: str) -> pd.DataFrame:
    """Return the assignments of earlier runs, or none if they were dealt in another way.

    Args:
        earlier: A row per image, as of ``AssignmentRow``; of the first run nothing.
        way: From ``way_of_dealing``.
    """
    if earlier.empty or (earlier["dealt_by"] == way).all():
        return earlier
    logger.warning(
        "The split is dealt anew, by %s; before, it was by %s. Images change their part, so compare the next model "
        "with none of before",
        way,
        earlier["dealt_by"].iloc[0],
    )
    return earlier.iloc[:0]


def parts_before(images: pd.DataFrame, earlier: pd.DataFrame, parts: Collection[str]) -> pd.Series:
    """Return the part that each image was in; empty for one that is new, or was in none of these parts.

    Args:
        images: ``file_hash`` and ``pixel_hash`` of each.
        earlier: From ``still_valid``.
        parts: That count.
    """
    before = pd.Series("", index=images.index)
    if earlier.empty:
        return before
    known = earlier[earlier["split"].isin(parts)].sort_values("split", key=_rank, kind="stable")
    for name in reversed(_HASHES):
        part = known.drop_duplicates(name).set_index(name)["split"]
        before = images[name].map(part).fillna(before)
    return before


def kept_groups(images: pd.DataFrame) -> dict[int, str]:
    """Return the part of each group that was dealt before.

    A new image may join groups of different parts. Then the training part wins over the validation part, and that over
    the test part, so that no image is ever tested that a model was trained on, or chosen by.

    Args:
        images: ``file``, ``duplicate_group`` and ``before``, the part that it was in, of each.
    """
    known = images[images["before"] != ""]
    if known.empty:
        return {}
    part = _rank(known["before"]).groupby(known["duplicate_group"]).min().map(SPLITS.__getitem__)
    moved = known[known["before"] != known["duplicate_group"].map(part)]
    if len(moved):
        logger.warning(
            "%s moved to another part, for a new or changed image made one group of images of several parts, and none "
            "is tested that a model was trained on: for example %s, which was in the %s part",
            metrics.count(len(moved), "image"),
            moved["file"].iloc[0],
            moved["before"].iloc[0],
        )
    return part.to_dict()


def assignments_of(images: pd.DataFrame, earlier: pd.DataFrame, way: str) -> pd.DataFrame:
    """Note the part of each image, also of those that are not there any more and may come back.

    Args:
        images: ``file_hash``, ``pixel_hash`` and ``split`` of each.
        earlier: From ``still_valid``.
        way: From ``way_of_dealing``.
    """
    rows = images[[*_HASHES, "split"]].assign(dealt_by=way)
    if len(earlier):
        gone = ~earlier["file_hash"].isin(rows["file_hash"]) & ~earlier["pixel_hash"].isin(rows["pixel_hash"])
        rows = pd.concat([rows, earlier[gone]])
    return rows.drop_duplicates().sort_values(_HASHES, kind="stable").reset_index(drop=True)


def with_trained(assignments: pd.DataFrame, images: pd.DataFrame) -> pd.DataFrame:
    """Note pictures that came without a label, so that none is ever tested that later comes with one.

    Args:
        assignments: From ``assignments_of``.
        images: ``file_hash`` and ``pixel_hash`` of those in the training part.
    """
    rows = images[_HASHES].assign(split=TRAIN, dealt_by=assignments["dealt_by"].iloc[0])
    noted = pd.concat([assignments, rows]).drop_duplicates()
    return noted.sort_values(_HASHES, kind="stable").reset_index(drop=True)


def _rank(parts: pd.Series) -> pd.Series:
    return parts.map(SPLITS.index)
