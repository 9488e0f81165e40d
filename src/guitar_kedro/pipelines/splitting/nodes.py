"""Nodes of splitting."""

from __future__ import annotations

import logging
from collections import Counter, defaultdict

from guitar_kedro import images, learning, metrics, plots
from guitar_kedro.errors import UserError, listed
from guitar_kedro.lazy import pd
from guitar_kedro.pipelines.splitting.assignments import (
    assignments_of,
    kept_groups,
    parts_before,
    still_valid,
    way_of_dealing,
    with_trained,
)
from guitar_kedro.pipelines.splitting.dealing import deal, most_of
from guitar_kedro.pipelines.splitting.grouping import group_names, groups_in_order, joined_groups
from guitar_kedro.pipelines.splitting.options import SplittingOptions
from guitar_kedro.pipelines.training import nodes as of_training
from guitar_kedro.splits import SPLITS, TEST, TRAIN, VALIDATION

logger = logging.getLogger(__name__)

# to which pictures look alike: its weights are at hand before anything is trained, and without a network
SIMILARITY_NETWORK = {
    "architecture": "tf_efficientnet_lite0",
    "weights": "packaged",
    "image_size": 128,
    "batch_size": 32,
    "resize_method": "squish",
    "precision": "float32",  # so that the split does not depend on the machine
    "seed": 0,
}


def compute_features(
    image_table: pd.DataFrame,
    prepared_images: images.PreparedImages,
    start: learning.PretrainedWeights,
    device: str,
) -> learning.FeatureStream:
    """Compute the features by which images look alike. No label is looked at.

    Returns:
        A stream, which leaves out what is there already.
    """
    table = image_table[["image_id", "label"]].assign(split=TRAIN)  # the test part is not dealt yet
    recipe = {**SIMILARITY_NETWORK, "device": device}
    return of_training.compute_features(table, prepared_images, start, stage_name="all images", **recipe)


def split_images(
    image_table: pd.DataFrame,
    options: SplittingOptions,
    seed: int,
    earlier: pd.DataFrame,
    features: learning.Features | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Split every class by the same shares, moving groups as a whole; a split that the photos came with is kept.

    Images that an earlier run dealt by the same seed and shares stay in their part, whatever comes, goes or is
    relabelled, so that results before and after can be compared; new ones fill the shares. Pictures that came without a
    label and were accepted are for training alone: they are not dealt, and change nothing for the others; one that is
    of a group of the validation or test part stays out of the split.

    Args:
        image_table: Needs ``image_id``, ``file``, ``label``, ``duplicate_group``, ``given_split``, ``group``,
            ``file_hash``, ``pixel_hash``.
        options: The shares, and what makes groups.
        seed: Decides which images go where.
        earlier: The assignments that the last run left; of the first run nothing.
        features: Of all images: those that look alike become one group.

    Returns:
        ``splits``: a row per image: ``image_id``, ``label``, ``split`` (train, validation, test), ``duplicate_group``;
        with the column ``given``, whether its part is the one that it came with, where some came with one, and the
        column ``accepted``, where some were accepted without a label. ``split_assignments``: what the next run goes by.

    Raises:
        UserError: If a class has too few groups of images for the parts, or nothing to train on; if parts of a split
            that is to have no leaks have some.
    """
    is_accepted = images.are_unlabelled(image_table["file"])
    names = group_names(image_table, options.group_from)
    own, own_names = (table[~is_accepted].reset_index(drop=True) for table in (image_table, names))
    splits, assignments = _split_own(own, own_names, options, seed, earlier, features)
    if is_accepted.any():
        splits = _with_accepted(splits, image_table, names, is_accepted, features)
        trained = image_table[is_accepted & image_table["image_id"].isin(splits["image_id"])]
        assignments = with_trained(assignments, trained)
    counts = splits["split"].value_counts()
    logger.info("Split: %s", ", ".join(f"{counts.get(split, 0)} {split}" for split in SPLITS))
    return splits, assignments


def _split_own(
    image_table: pd.DataFrame,
    names: pd.Series,
    options: SplittingOptions,
    seed: int,
    earlier: pd.DataFrame,
    features: learning.Features | None,
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Split the images that came with their class."""
    table = image_table[["image_id", "label", "file", "given_split", "file_hash", "pixel_hash"]].assign(
        duplicate_group=joined_groups(image_table, names, features), name=names
    )
    parts = _kept_parts(table, options.leaks)
    missing = [part for part in (TEST, VALIDATION) if not (table["given_split"] == part).any()]
    way = way_of_dealing(options, seed, names)
    earlier = still_valid(earlier, way) if missing else earlier.iloc[:0]
    table["before"] = parts_before(table, earlier, [TRAIN, *missing])
    elsewhere = table.loc[~parts.isin(["", TRAIN]), "duplicate_group"]
    pool = table[~table["duplicate_group"].isin(elsewhere)]
    if missing:
        parts[pool.index] = _deal(pool, {part: getattr(options, part) for part in missing}, seed)
    splits = table[["image_id", "label", "duplicate_group"]].copy()
    splits.insert(2, "split", parts.replace("", TRAIN))
    if (table["given_split"] != "").any():
        splits["given"] = splits["split"] == table["given_split"]
        kept = [part for part in SPLITS if part not in missing]
        from_training = f"; {' and '.join(missing)}: dealt from its training part" if missing else ""
        without = int((table["given_split"] == "").sum())
        others = (
            f"; {metrics.count(without, 'image')} without a part: with their group, or trained on" if without else ""
        )
        logger.info("The photos came with a split, which is kept: %s%s%s", ", ".join(kept), from_training, others)
    _check_training(splits)
    _check_measured(splits, missing)
    return splits, assignments_of(table.assign(split=splits["split"]), earlier, way)


def _deal(pool: pd.DataFrame, shares: dict[str, float], seed: int) -> pd.Series:
    """Return the part of each image: its earlier one, or where it is new one that it is dealt to."""
    groups, kept = groups_in_order(pool, seed), kept_groups(pool)
    dealt = deal(groups, shares, kept)
    for number in [number for number in kept if dealt[number] != kept[number]]:
        logger.warning(
            "%s of %s moved from the %s to the %s part, where a class had none any more: add images of it",
            metrics.count(sum(groups[number].values()), "image"),
            listed(sorted(groups[number])),
            *(kept[number], dealt[number]),
        )
    _check_classes(groups, dealt, list(shares), are_named=(pool["name"] != "").any())
    parts = pool["duplicate_group"].map(dealt)
    if kept:
        logger.info("%s stay in the part that they were in", metrics.count((parts == pool["before"]).sum(), "image"))
    return parts


def _with_accepted(
    splits: pd.DataFrame,
    image_table: pd.DataFrame,
    names: pd.Series,
    is_accepted: pd.Series,
    features: learning.Features | None,
) -> pd.DataFrame:
    """Add to the training part the pictures that came without a label, but those that would leak."""
    table = image_table[["image_id", "label", "file"]].assign(group=joined_groups(image_table, names, features))
    parts = table["image_id"].map(splits.set_index("image_id")["split"])
    held_out = set(table.loc[parts.isin([VALIDATION, TEST]), "group"])
    leaks = is_accepted & table["group"].isin(held_out)
    if leaks.any():
        logger.warning(
            "%s stay out of the training part, for they belong to groups of the validation or test part, for example "
            "%s",
            metrics.count(int(leaks.sum()), "accepted picture"),
            table.loc[leaks, "file"].iloc[0],
        )
    joining = table[is_accepted & ~leaks]
    others = {"given": True} if "given" in splits else {}
    added = joining[["image_id", "label"]].assign(
        split=TRAIN, duplicate_group=joining["group"] + splits["duplicate_group"].max() + 1, **others, accepted=True
    )
    return pd.concat([splits.assign(accepted=False), added], ignore_index=True)


def _kept_parts(table: pd.DataFrame, leaks: str) -> pd.Series:
    """Return the part of each image that is not to be dealt: its own, or that of its group; empty for all others."""
    parts, group = table["given_split"].copy(), table["duplicate_group"]
    given = table[parts != ""]
    if given.empty:
        return parts
    crossing = metrics.crossing_groups(given.assign(split=given["given_split"]))
    if len(crossing) and leaks == "refuse":
        files = given.loc[given["duplicate_group"] == crossing[0], ["file", "given_split"]]
        raise UserError(
            f"{metrics.count(len(crossing), 'group')} of near duplicates, or of images with one group, stand in "
            "several parts of the split that the photos came with, for example "
            f"{listed((files['file'] + ' in ' + files['given_split']).tolist(), 3)}: mend it, or let "
            "--params=splitting.leaks=move keep each group together, or report keep the split as it is."
        )
    follows = (parts == "") | (group.isin(crossing) & (leaks == "move"))
    members = given[given["duplicate_group"].isin(group[follows])]
    part_of_group = members.groupby("duplicate_group")["given_split"].agg(most_of)
    return parts.mask(follows, group.map(part_of_group)).fillna("")


def _check_classes(
    groups: dict[int, dict[str, int]], dealt: dict[int, str], missing: list[str], are_named: bool
) -> None:
    """Check that each class is in each part that was dealt; of groups that were given, it is told where one is not."""
    parts_of, sizes = defaultdict(list), Counter[str]()
    for number, counts in groups.items():
        sizes.update(counts)
        for label in counts:
            parts_of[label].append(dealt[number])
    for label in sorted(parts_of):
        has = f"{metrics.count(sizes[label], 'image')} in {metrics.count(len(parts_of[label]), 'group')}"
        if not are_named and len(parts_of[label]) <= len(missing):
            needed = [part for part in SPLITS if part == TRAIN or part in missing]
            raise UserError(
                f"Class {label} has only {has} of duplicates; a class needs at least {len(needed)} different ones for "
                f"{', '.join(needed[:-1]).replace(TRAIN, 'training')} and {needed[-1]}. Add images or leave the class "
                "out."
            )
        for part in missing:
            if part not in parts_of[label]:
                logger.warning(
                    "Class %s has %s that stay together, so none of it is in the %s part, and nothing tells there how "
                    "often it is named rightly: add images of other groups",
                    *(label, has, part),
                )


def _check_training(splits: pd.DataFrame) -> None:
    trained = set(splits.loc[splits["split"] == TRAIN, "label"])
    if lost := sorted(set(splits["label"]) - trained):
        parts = splits.loc[splits["label"] == lost[0], "split"].unique()
        raise UserError(
            f"Class {lost[0]} has no image to train on: all of them are in the {' and '.join(parts)} part. Add images "
            "of other groups to it, or leave the class out."
        )


def _check_measured(splits: pd.DataFrame, dealt: list[str]) -> None:
    """Check that there are images to measure on, also in the parts that were not dealt, but given."""
    empty = [part for part in SPLITS if not (splits["split"] == part).any()]
    if moved := [part for part in empty if part not in dealt]:
        raise UserError(
            f"No image is left in the {' and '.join(moved)} part: with splitting.leaks=move, near duplicates and "
            "images of one group went where most of them are. Add others to it, or keep the split as it came with "
            "--params=splitting.leaks=report."
        )
    if empty:
        groups = metrics.count(splits["duplicate_group"].nunique(), "group")
        raise UserError(
            f"No image is left for the {' and '.join(empty)} part: the {len(splits):,} images are in {groups} that "
            "stay together, too few for each class to stand in every part. Add images of other groups, or name "
            "smaller ones."
        )


def list_image_labels(splits: pd.DataFrame, image_table: pd.DataFrame) -> pd.DataFrame:
    """List the images that models are made from: ``image_id``, ``file``, ``label``, ``split``."""
    table = image_table[["image_id", "file"]].merge(splits[["image_id", "label", "split"]], on="image_id")
    return table.sort_values("file", kind="stable").reset_index(drop=True)


def plot_split_balance(splits: pd.DataFrame, display_names: dict[str, str]) -> plots.Figure:
    """Draw how many images of each class are in each part, and warn of display names that name no class."""
    classes = sorted(set(splits["label"]))
    if unknown := sorted(set(display_names) - set(classes)):  # of a misspelt one nobody would hear
        logger.warning("display_names: no class is called %s; the classes are %s", listed(unknown), listed(classes, 20))
    return plots.split_balance(splits, display_names)


def report_leakage(
    splits: pd.DataFrame, image_table: pd.DataFrame, options: SplittingOptions
) -> tuple[metrics.Leakage, pd.DataFrame]:
    """Say how many images have near duplicates, or images of their group, in another part, and under a random split.

    Returns:
        The numbers, and a row per image that has, where the photos came with a split that leaks.
    """
    given = image_table["given_split"]
    is_given = bool((given != "").any())
    found = metrics.leakage(
        splits,
        float((splits["split"] == TRAIN).mean()) if is_given else 1 - options.validation - options.test,
        grouped=options.group_from is not None or bool((image_table["group"] != "").any()),
        given=tuple(part for part in SPLITS if (given == part).any()),
    )
    logger.info(
        "A plain random split would have put %s of %.1f %% of the validation images into training, this one of %.1f %%",
        found.relatives,
        100 * found.random_split,
        100 * found.this_split,
    )
    leaks = metrics.leaking_images(splits, image_table)
    if len(leaks):
        logger.warning(
            "The split that the photos came with leaks: %s have %s in another part, for example %s (leaking_images.csv "
            "lists them); --params=splitting.leaks=move keeps groups together",
            metrics.count(len(leaks), "image"),
            found.relatives,
            listed((leaks["file"] + " in " + leaks["split"]).tolist(), 2),
        )
    return found, leaks
