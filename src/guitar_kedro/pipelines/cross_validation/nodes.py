"""Nodes of the cross-validation: the first stage is trained again on other splits. The test part stays sealed."""

from __future__ import annotations

import logging
import warnings
from typing import Any

from pydantic import Field

from guitar_kedro import images, learning, metrics
from guitar_kedro.errors import UserError
from guitar_kedro.files import sha256_of_lines
from guitar_kedro.lazy import np, pd
from guitar_kedro.learning.training.recipe import PhaseOptions, ProbeOptions
from guitar_kedro.options import Options
from guitar_kedro.pipelines.training import nodes as training
from guitar_kedro.pipelines.training.nodes import make_phase, rates_of, warn_of_guessing, with_paths
from guitar_kedro.pipelines.training.plan import PROBE
from guitar_kedro.splits import TEST, TRAIN, VALIDATION

logger = logging.getLogger(__name__)

RANDOM_SPLIT, OUT_OF_FOLD = "random split", "out of fold"


class CrossValidationOptions(Options):
    """The parameters under ``cross_validation``.

    Attributes:
        folds: Into so many parts training and validation images are dealt; each is predicted by a network that was
            trained on the others.
    """

    folds: int = Field(ge=2, le=20)


def split_at_random(splits: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Deal training and validation images anew, one by one, as a plain random split does.

    Pictures that came without a label stay in training: they were chosen for being hard.

    Returns:
        ``splits`` with as many images in each part as before, and duplicates on both sides. A class that would have no
        image in training changes one with the class that has most there.
    """
    chosen = (splits["split"] != TEST) & ~accepted_in(splits)
    dealt = splits.copy()
    dealt.loc[chosen, "split"] = np.random.default_rng(seed).permutation(splits.loc[chosen, "split"].to_numpy())
    for _, images_of_class in dealt[chosen].groupby("label"):
        if not (images_of_class["split"] == TRAIN).any():
            training = dealt.loc[chosen & (dealt["split"] == TRAIN), "label"]
            largest = training.index[training == training.mode()[0]]
            dealt.loc[[images_of_class.index[0], largest[0]], "split"] = ["train", "validation"]
    return dealt


def accepted_in(splits: pd.DataFrame) -> pd.Series:
    """Tell which pictures came without a label and were accepted; of those no part but training may have any."""
    return splits.get("accepted", pd.Series(False, index=splits.index))


def deal_folds(
    splits: pd.DataFrame, options: CrossValidationOptions, seed: int, parameter: str = "cross_validation.folds"
) -> pd.DataFrame:
    """Deal the groups of training and validation images, which stay together, to folds of about the same size.

    Each class is dealt as evenly as its groups allow, by scikit-learn's ``StratifiedGroupKFold``.

    Args:
        splits: A row per image.
        options: How many folds there are.
        seed: Decides who gets into which.
        parameter: That says how many, for messages.

    Returns:
        ``splits`` without the test part, with the column ``fold`` (0 to folds - 1).

    Raises:
        UserError: If no class has as many groups of images as there shall be folds, or all images of a class fell into
            one fold, so that the others could not teach it.
    """
    from sklearn.model_selection import StratifiedGroupKFold

    table = splits[splits["split"] != TEST].reset_index(drop=True)
    groups_of_class = table.groupby("label")["duplicate_group"].nunique()
    most = int(groups_of_class.max())
    if most < options.folds:
        raise UserError(
            f"{parameter} is {options.folds}, but no class has more than {most} images outside the test "
            "part that are no near duplicates of each other, nor of one group: ask for fewer with "
            f"--params={parameter}={max(most, 2)}, or add images."
        )
    if (few := groups_of_class[groups_of_class < options.folds]).size:
        logger.warning(
            "%s of %d classes, %s for one, have fewer different images than there are folds "
            "(%s=%d): some folds have none of them",
            *(f"{few.size:,}", len(groups_of_class), few.index[0], parameter, options.folds),
        )
    dealer = StratifiedGroupKFold(options.folds, shuffle=True, random_state=seed)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "The least populated class")  # said above, by name
        parts = [rows for _, rows in dealer.split(table, table["label"], table["duplicate_group"])]
    for number, rows in enumerate(parts):
        table.loc[rows, "fold"] = number
    folds_of_class = table.groupby("label")["fold"].nunique()
    if (alone := folds_of_class[folds_of_class < 2]).size:
        raise UserError(
            f"All images of class {alone.index[0]} outside the test part fell into one fold, for they are near "
            "duplicates of each other or of images of other classes, or of one group: add different ones, or leave the "
            "class out."
        )
    return table.astype({"fold": "int64"})


def decode_images(splits: pd.DataFrame, prepared_images: images.PreparedImages, *how: Any) -> learning.DecodedPictures:
    """Decode all pictures but those of the test part, each for training and for validation.

    Args:
        splits: A row per image: ``image_id``, ``split``.
        prepared_images: What is decoded.
        *how: As of the node of training that decodes.
    """
    return training.decode_images(in_both_parts(splits), prepared_images, *how)


def in_both_parts(splits: pd.DataFrame) -> pd.DataFrame:
    """Return all but the test part twice: an image is trained on in one fold, and judges in another."""
    table = splits[splits["split"] != TEST]
    return pd.concat([table.assign(split=part) for part in (TRAIN, VALIDATION)], ignore_index=True)


def splits_of_folds(folds: pd.DataFrame) -> list[pd.DataFrame]:
    """Return for each fold the split in which it is the validation part, and the others are the training part."""
    numbers = sorted(folds["fold"].unique())
    return [folds.assign(split=np.where(folds["fold"] == number, VALIDATION, TRAIN)) for number in numbers]


def train_random_split(
    random_splits: pd.DataFrame,
    image_table: pd.DataFrame,
    prepared_images: images.PreparedImages,
    pixels: learning.Pixels,
    start: learning.PretrainedWeights,
    *,
    stage_name: str,
    phases: tuple[str, ...],
    **recipe: Any,
) -> learning.Checkpoint:
    """Train the first stage on the training part of a random split."""
    table = _with_files(random_splits, image_table, prepared_images)
    return _train(f"{stage_name}, {RANDOM_SPLIT}", phases, start, table, pixels, recipe)


def predict_random_split(
    random_checkpoint: learning.Checkpoint,
    model_spec: learning.ModelSpec,
    random_splits: pd.DataFrame,
    image_table: pd.DataFrame,
    prepared_images: images.PreparedImages,
    device: str,
) -> pd.DataFrame:
    """Predict the validation part of the random split, in the precision and views in which all stages predict."""
    table = _with_files(random_splits, image_table, prepared_images)
    validation = table[table["split"] == VALIDATION]
    return _predict(random_checkpoint.answering_like(model_spec), validation, RANDOM_SPLIT, device)


def predict_out_of_fold(
    folds: pd.DataFrame,
    image_table: pd.DataFrame,
    prepared_images: images.PreparedImages,
    pixels: learning.Pixels,
    start: learning.PretrainedWeights,
    *,
    stage_name: str,
    phases: tuple[str, ...],
    **recipe: Any,
) -> pd.DataFrame:
    """Predict every image of training and validation with a network of the first stage that has not seen it.

    Returns:
        As ``predictions``, with ``out of fold`` as the stage.
    """
    table = _with_files(folds, image_table, prepared_images)
    parts, predictions = splits_of_folds(table), []
    for number, part in enumerate(parts, start=1):
        title = f"{stage_name}, fold {number} of {len(parts)}"
        checkpoint = _train(title, phases, start, part, pixels, recipe)
        predictions.append(_predict(checkpoint, part[part["split"] == VALIDATION], title, recipe["device"]))
    return pd.concat(predictions, ignore_index=True).assign(stage=OUT_OF_FOLD)


def _with_files(
    splits: pd.DataFrame, image_table: pd.DataFrame, prepared_images: images.PreparedImages
) -> pd.DataFrame:
    files = image_table[["image_id", "file"]]
    return with_paths(splits.merge(files, on="image_id", validate="one_to_one"), prepared_images)


def _train(
    title: str,
    phases: tuple[str, ...],
    start: learning.PretrainedWeights,
    table: pd.DataFrame,
    pixels: learning.Pixels,
    recipe: dict[str, Any],
) -> learning.Checkpoint:
    checkpoint: Any = start
    for phase in phases:
        if phase == PROBE:
            what = make_phase(title, phase, checkpoint, table, None, recipe, 1)
            checkpoint, _ = learning.fit_probe(what, recipe["features"], ProbeOptions.model_validate(recipe[phase]))
            continue
        options = PhaseOptions.model_validate(recipe[phase])
        what = make_phase(title, phase, checkpoint, table, pixels, recipe, options.epochs)
        rates = rates_of(options.learning_rate, recipe.get(f"{phase}_suggestion"), what)
        checkpoint, history = learning.train_phase(what, rates)
        warn_of_guessing(f"{title}, {phase}", history, table)
    return checkpoint


def _predict(checkpoint: learning.Checkpoint, table: pd.DataFrame, title: str, device: str) -> pd.DataFrame:
    wanted = table[["image_id", "file", "split", "label", "path"]].reset_index(drop=True)
    wanted.insert(1, "stage", title)
    return learning.predict(checkpoint, wanted, f"Predicting, {title}", device)


def report_honest_accuracy(
    predictions: pd.DataFrame,
    random_predictions: pd.DataFrame,
    random_splits: pd.DataFrame,
    model_spec: learning.ModelSpec,
) -> metrics.HonestAccuracy:
    """Say how much a plain random split flatters.

    Args:
        predictions: Of the stages; the first one is compared.
        random_predictions: Of the validation part of the random split, by the same stage trained on its training part.
        random_splits: To know which of them have near duplicates in training.
        model_spec: In whose precision and views both were made.
    """
    stage = predictions["stage"].iloc[0]
    fingerprint = _fingerprint(predictions, stage, model_spec)
    found = metrics.honest_accuracy(predictions, random_predictions, random_splits, fingerprint)
    rates = (metrics.percent(part.error_rate or 0, 2) for part in (found.this_split, found.random_split))
    logger.info("Error of %s: %s here, %s on a random split", stage, *rates)
    return found


def honest_sentence(
    found: metrics.HonestAccuracy | None,
    predictions: pd.DataFrame,
    spec: learning.ModelSpec,
    relative: str = "a near duplicate",
) -> str:
    """Say for the model card what a cross-validation found; nothing if since then the first stage predicts otherwise.

    Args:
        found: From ``report_honest_accuracy``; ``None`` where there was no cross-validation.
        predictions: Of the stages as they are now.
        spec: Of the model, in whose precision and views they were made.
        relative: What an image is called that stays with another one.
    """
    if found is None or found.predictions != _fingerprint(predictions, found.stage, spec):
        return ""
    return metrics.honest_sentence(found, relative)


def _fingerprint(predictions: pd.DataFrame, stage: str, spec: learning.ModelSpec) -> str:
    """Return a checksum of what a stage took which validation image for, and how it was asked."""
    validation = metrics.of_stage(predictions, stage, VALIDATION)
    lines = validation["image_id"] + " " + validation["label"] + " " + validation["predicted"]
    return sha256_of_lines([*lines, f"{spec.precision} {spec.tta_views} {spec.augmentation}"])
