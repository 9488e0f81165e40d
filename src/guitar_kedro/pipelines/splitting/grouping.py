"""What stays on one side of a split."""

from __future__ import annotations

import logging
from hashlib import sha256

from guitar_kedro import learning, metrics
from guitar_kedro.errors import UserError, listed
from guitar_kedro.lazy import np, pd

logger = logging.getLogger(__name__)


def group_names(image_table: pd.DataFrame, group_from: str | None) -> pd.Series:
    """Return the name of the group of each image: the one that it was given, or the one in its file's name.

    Args:
        image_table: ``file`` and ``group`` of each image.
        group_from: As of ``SplittingOptions``.

    Raises:
        UserError: If the expression is found in no name.
    """
    if group_from is None:
        return image_table["group"]
    names = image_table["file"].str.rpartition("/")[2]
    found = names.str.extract(group_from).iloc[:, 0].fillna("")
    if not (found != "").any():
        raise UserError(
            f"splitting.group_from={group_from} is found in no name of a file, as {listed(names.tolist(), 2)}: write "
            "an expression that finds what images of a group have in common."
        )
    if len(others := names[found == ""]):
        logger.warning(
            "splitting.group_from: not found in the names of %s, for example %s: each is a group of its own",
            metrics.count(len(others), "file"),
            others.iloc[0],
        )
    logger.info("splitting.group_from: %s", metrics.count(found[found != ""].nunique(), "group"))
    return image_table["group"].where(image_table["group"] != "", found)


def joined_groups(image_table: pd.DataFrame, names: pd.Series, features: learning.Features | None) -> pd.Series:
    """Make one group of near duplicates, of what looks alike to a network, and of what has one name.

    Args:
        image_table: ``image_id`` and ``duplicate_group`` of each image.
        names: From ``group_names``.
        features: Of all images, where these are to be looked at.

    Returns:
        The number of the group of each image; those of near duplicates where nothing joins them.
    """
    pairs = []
    if features is not None:
        pairs.append(metrics.similar_pairs(features.of(image_table["image_id"].tolist()))[0])
    if (names != "").any():
        order = np.argsort(names.to_numpy(), kind="stable")
        in_order = names.to_numpy()[order]
        alike = (in_order[1:] == in_order[:-1]) & (in_order[1:] != "")
        pairs.append(np.column_stack([order[:-1][alike], order[1:][alike]]))
    groups = image_table["duplicate_group"]
    if not pairs:
        return groups
    return pd.Series(metrics.joined_groups(groups.to_numpy(), np.concatenate(pairs)), index=groups.index)


def groups_in_order(pool: pd.DataFrame, seed: int) -> dict[int, dict[str, int]]:
    """Count the images of each class in each group, in the order in which groups are dealt.

    The order does not change with what else is there, and for a group that has a name not with its images either.

    Args:
        pool: ``image_id``, ``label``, ``duplicate_group`` and ``name`` of each image.
        seed: Decides the order.
    """
    names, group, label = pool["name"], pool["duplicate_group"], pool["label"]
    known_by = pool["image_id"].mask(names != "", " " + names).groupby(group).min().to_dict()  # a name comes first
    order = sorted(known_by, key=lambda number: sha256(f"{seed} {known_by[number]}".encode()).digest())
    if not (names != "").any():  # near duplicates that a person left under two labels count for the one that is first
        label = label.groupby(group).transform("min")
    counts: dict[int, dict[str, int]] = {number: {} for number in order}
    for (number, of_label), images_of_label in pool.groupby([group, label]).size().items():
        counts[number][of_label] = images_of_label
    return counts
