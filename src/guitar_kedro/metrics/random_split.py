"""How much a plain random split flatters: near duplicates of validation images lie in training."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from guitar_kedro.metrics.errors import Errors, count_errors
from guitar_kedro.metrics.formatting import interval, percent
from guitar_kedro.metrics.predictions import of_stage
from guitar_kedro.metrics.results import Result
from guitar_kedro.splits import TEST, TRAIN, VALIDATION


class Leakage(Result):
    """Shares of the validation images, 0 to 1, that have a near duplicate in training.

    That of a plain random split is an expectation. ``images_with_relatives`` counts images that have near duplicates.
    Images of one group count as these, if there are groups (``grouped``). ``test_split`` is the share of the test
    images that have one in training or validation, ``given`` names the parts that the images came with.
    """

    random_split: float
    this_split: float
    images_with_relatives: int
    test_split: float = 0.0
    grouped: bool = False
    given: tuple[str, ...] = ()

    @property
    def relative(self) -> str:
        """What an image is called that stays with another one."""
        return "a near duplicate or an image of its group" if self.grouped else "a near duplicate"

    @property
    def relatives(self) -> str:
        """What images are called that stay together."""
        return "near duplicates or images of their group" if self.grouped else "near duplicates"


class HonestAccuracy(Result):
    """Errors of the first stage on this split and, trained again, on a plain random one.

    Those on the random split are told apart by whether the image has near duplicates in training. ``predictions`` is
    the fingerprint of what the stage predicted of the validation part.
    """

    stage: str
    predictions: str
    this_split: Errors
    random_split: Errors
    with_relatives: Errors
    without_relatives: Errors


def leakage(splits: pd.DataFrame, training_share: float, grouped: bool = False, given: tuple[str, ...] = ()) -> Leakage:
    """Say how many validation images have near duplicates in training, here and under a plain random split.

    For an image in a group of g near duplicates, the chance that a random split with the same shares puts it into
    validation and none of its g - 1 relatives into training is hypergeometric: of the other N - 1 images, T train.

    Args:
        splits: A row per image: ``split`` and ``duplicate_group``.
        training_share: Of the images, 0 to 1.
        grouped: Whether there are groups that are more than near duplicates.
        given: The parts that the images came with.
    """
    from scipy.stats import hypergeom

    sizes = splits["duplicate_group"].map(splits["duplicate_group"].value_counts()).to_numpy()
    total = len(splits)
    distinct, images = np.unique(sizes, return_counts=True)
    training = min(round(total * training_share), total - 1)
    flattered = hypergeom.sf(0, total - 1, training, distinct - 1)
    validation, test = (splits[splits["split"] == part] for part in (VALIDATION, TEST))
    before_test = splits.loc[splits["split"] != TEST, "duplicate_group"]
    more: dict[str, Any] = {"grouped": grouped} if grouped else {}
    if given:
        more |= {"given": given, "test_split": float(test["duplicate_group"].isin(before_test).mean())}
    return Leakage(
        random_split=float(np.average(flattered, weights=images)),
        this_split=float(_has_relative_in_training(validation, splits).mean()),
        images_with_relatives=int((sizes > 1).sum()),
        **more,
    )


def crossing_groups(splits: pd.DataFrame) -> list[int]:
    """List the groups that stand in several parts.

    Args:
        splits: ``split`` and ``duplicate_group`` of each image.
    """
    counts = splits.groupby("duplicate_group")["split"].nunique()
    return counts.index[counts > 1].tolist()


def leaking_images(splits: pd.DataFrame, image_table: pd.DataFrame) -> pd.DataFrame:
    """List the images that have relatives in another part, by their groups.

    Args:
        splits: A row per image: ``image_id``, ``label``, ``split`` and ``duplicate_group``.
        image_table: For the names of their files.

    Returns:
        ``duplicate_group``, ``split``, ``label``, ``file``.
    """
    leaking = splits[splits["duplicate_group"].isin(crossing_groups(splits))]
    table = leaking.merge(image_table[["image_id", "file"]], on="image_id")
    columns = ["duplicate_group", "split", "label", "file"]
    return table[columns].sort_values(["duplicate_group", "file"]).reset_index(drop=True)


def honest_accuracy(
    predictions: pd.DataFrame, random_predictions: pd.DataFrame, random_splits: pd.DataFrame, fingerprint: str
) -> HonestAccuracy:
    """Compare the errors on this split with those on a plain random one.

    Args:
        predictions: Of the stages; the first one is compared.
        random_predictions: Of the validation part of the random split, by the same stage trained on its training part.
        random_splits: ``image_id``, ``split`` and ``duplicate_group`` of each image.
        fingerprint: Of the predictions of the first stage.
    """
    stage = predictions["stage"].iloc[0]
    groups = random_predictions[["image_id"]].merge(random_splits, on="image_id", how="left")
    related = _has_relative_in_training(groups, random_splits).to_numpy()
    return HonestAccuracy(
        stage=stage,
        predictions=fingerprint,
        this_split=count_errors(of_stage(predictions, stage, VALIDATION)),
        random_split=count_errors(random_predictions),
        with_relatives=count_errors(random_predictions[related]),
        without_relatives=count_errors(random_predictions[~related]),
    )


def honest_sentence(found: HonestAccuracy, relative: str = "a near duplicate") -> str:
    """Say how much a plain random split flatters.

    Args:
        found: From ``honest_accuracy``.
        relative: What an image is called that stays with another one: ``Leakage.relative``.
    """
    here, flattered = _rate(found.this_split), _rate(found.random_split)
    sentence = (
        f"The first stage, {found.stage}, is wrong on {here} of this validation part. Trained and measured on a "
        f"plain random split of the same images it is wrong on {flattered}"
    )
    if not found.with_relatives.images:
        return f"{sentence}; none of those has {relative} in training."
    related, unrelated = _rate(found.with_relatives), _rate(found.without_relatives)
    return f"{sentence}: on {related} of those with {relative} in training, and on {unrelated} of the others."


def _has_relative_in_training(images: pd.DataFrame, splits: pd.DataFrame) -> pd.Series:
    return images["duplicate_group"].isin(splits.loc[splits["split"] == TRAIN, "duplicate_group"])


def _rate(errors: Errors) -> str:
    if errors.error_rate is None:
        return "none"
    return f"{percent(errors.error_rate)} ({errors.images:,} images; {interval(errors.error_low, errors.error_high)})"
