"""Nodes of splitting."""

from __future__ import annotations

import logging
from hashlib import sha256

from pydantic import Field, model_validator

from guitar_kedro import images, learning, metrics, plots
from guitar_kedro.errors import UserError, listed
from guitar_kedro.lazy import pd
from guitar_kedro.options import Options
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


class SplittingOptions(Options):
    """The parameters under ``splitting``.

    Attributes:
        validation: Share of the images on which every stage is measured.
        test: Share of the images that only the final evaluation looks at.
    """

    validation: float = Field(gt=0, lt=1)
    test: float = Field(gt=0, lt=1)

    @model_validator(mode="after")
    def _leaves_something_to_train_on(self) -> SplittingOptions:
        if self.validation + self.test >= 1:
            raise ValueError("validation and test together must leave images to train on, so their sum is below 1")
        return self


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
    image_table: pd.DataFrame, options: SplittingOptions, seed: int, features: learning.Features | None = None
) -> pd.DataFrame:
    """Split every class by the same shares, moving groups of duplicates as a whole.

    The order in which groups are dealt follows from the seed and from each group's own images: where a few images come,
    go or are relabelled, nearly all others stay in their part, and results before and after can be compared.

    Args:
        image_table: Needs ``image_id``, ``label``, ``duplicate_group``.
        options: The shares.
        seed: Decides which images go where.
        features: Of all images: those that look alike become one group of duplicates.

    Returns:
        A row per image: ``image_id``, ``label``, ``split`` (train, validation, test), ``duplicate_group``.

    Raises:
        UserError: If a class has too few groups of images for the three parts.
    """
    if features is not None:
        pairs, _ = metrics.similar_pairs(features.of(image_table["image_id"].tolist()))
        groups = metrics.joined_groups(image_table["duplicate_group"].to_numpy(), pairs)
        image_table = image_table.assign(duplicate_group=groups)
    # a group that a person left under two labels counts for the label that comes first
    label_of_group = image_table.groupby("duplicate_group")["label"].min()
    sizes = image_table["duplicate_group"].value_counts()
    first_image = image_table.groupby("duplicate_group")["image_id"].min()
    place = {group: sha256(f"{seed} {image_id}".encode()).digest() for group, image_id in first_image.items()}
    split_of_group: dict[int, str] = {}
    for label, groups in label_of_group.groupby(label_of_group):
        if len(groups) < len(SPLITS):
            raise UserError(
                f"Class {label} has only {metrics.count(sizes[groups.index].sum(), 'image')} in "
                f"{metrics.count(len(groups), 'group')} of duplicates; "
                f"a class needs at least {len(SPLITS)} different ones for training, validation and test. Add images or "
                "leave the class out."
            )
        split_of_group |= _deal(sorted(groups.index, key=place.__getitem__), sizes, options)
    splits = image_table[["image_id", "label", "duplicate_group"]].copy()
    splits.insert(2, "split", splits["duplicate_group"].map(split_of_group))
    counts = splits["split"].value_counts()
    logger.info("Split: %s", ", ".join(f"{counts[split]} {split}" for split in SPLITS))
    return splits


def _deal(groups: list[int], sizes: pd.Series, options: SplittingOptions) -> dict[int, str]:
    """Give each split a group, training the largest of three; deal on until the others have their share of images."""
    size_of_group = dict(zip(groups, sizes[groups].tolist(), strict=True))
    largest = max(groups[:3], key=size_of_group.__getitem__)
    groups = [largest, *(group for group in groups if group != largest)]
    total = sum(size_of_group.values())
    wanted = {TEST: options.test * total, VALIDATION: options.validation * total}
    split_of = dict(zip(groups[:3], SPLITS, strict=True))
    filled = {split: size_of_group[group] for group, split in split_of.items()}
    for group in groups[3:]:
        # a group goes where it brings the split closer to its share, else to training
        size = size_of_group[group]
        split = next((name for name, share in wanted.items() if filled[name] + size / 2 <= share), TRAIN)
        split_of[group] = split
        filled[split] += size
    return split_of


def plot_split_balance(splits: pd.DataFrame, display_names: dict[str, str]) -> plots.Figure:
    """Draw how many images of each class are in each part, and warn of display names that name no class."""
    classes = sorted(set(splits["label"]))
    if unknown := sorted(set(display_names) - set(classes)):  # of a misspelt one nobody would hear
        logger.warning("display_names: no class is called %s; the classes are %s", listed(unknown), listed(classes, 20))
    return plots.split_balance(splits, display_names)


def report_leakage(splits: pd.DataFrame, options: SplittingOptions) -> metrics.Leakage:
    """Say how many validation images have near duplicates in training, here and under a plain random split."""
    found = metrics.leakage(splits, 1 - options.validation - options.test)
    logger.info(
        "A plain random split would have put near duplicates of %.1f %% of the validation images into training, "
        "this one of %.1f %%",
        100 * found.random_split,
        100 * found.this_split,
    )
    return found
