"""Whether a stage of training was worth its time: neighbouring stages compared on the same images.

``predictions`` has one row per image and stage, as in ``guitar_kedro.metrics.predictions``. Only those of the split
``validation`` are read, which every stage has to have made on the same images. The order of the stages is that of
their first rows.

An image is *fixed* where the later stage is right and the earlier was wrong, and *broken* the other way round.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import pandas as pd
from pydantic import BaseModel

from guitar_kedro.metrics import formatting
from guitar_kedro.metrics.errors import compare_answers, is_right
from guitar_kedro.metrics.predictions import of_stage, probabilities, probability_of
from guitar_kedro.splits import VALIDATION

CHANCE = 0.05  # a p-value below it is taken for more than chance


class StepRow(BaseModel):
    """What a stage fixed and broke of the stage before it, on the same validation images.

    Attributes:
        stage_before: The earlier stage.
        stage: The later stage.
        images: That both were measured on.
        errors_before: Of the earlier stage.
        errors: Of the later stage.
        fixed: Images that became right.
        broken: Images that became wrong.
        p_value: Of the exact McNemar test.
        seconds: That the later stage took; missing where it is not known.
        seconds_per_error_removed: Missing where no error was removed.
    """

    stage_before: str
    stage: str
    images: int
    errors_before: int
    errors: int
    fixed: int
    broken: int
    p_value: float
    seconds: float
    seconds_per_error_removed: float


def compare_neighbours(predictions: pd.DataFrame, seconds: Mapping[str, float]) -> pd.DataFrame:
    """Count what each stage fixed and broke of the stage before it, and what that cost.

    Args:
        predictions: Of any number of stages; ``image_id``, ``stage``, ``split``, ``label`` and ``predicted`` are read.
        seconds: How long each stage was trained, by its name. A stage that is missing has an unknown price.

    Returns:
        A row per pair of neighbours, as ``StepRow`` describes it; a single stage gives none.

    Raises:
        ValueError: If the stages did not predict the same images, or one of them predicted an image twice.
    """
    right = {stage: is_right(of_validation(predictions, stage)) for stage in stages_of(predictions)}
    rows = []
    for (stage_before, before), (stage, now) in pairwise(right.items()):
        _check_same_images(stage_before, before, stage, now)
        found, took = compare_answers(before, now), float(seconds.get(stage, np.nan))
        removed = found["fixed"] - found["broken"]
        price = {"seconds": took, "seconds_per_error_removed": took / removed if removed > 0 else np.nan}
        rows.append({"stage_before": stage_before, "stage": stage, **found, **price})
    return pd.DataFrame(rows, columns=list(StepRow.model_fields))


def stage_verdict(neighbours: pd.DataFrame) -> str:
    """Say in a sentence or two whether the last stage was worth it.

    A difference counts as more than chance below a p-value of 0.05.

    Args:
        neighbours: From ``compare_neighbours``.
    """
    if neighbours.empty:
        return "There is no earlier stage to compare with."
    row = neighbours.iloc[-1]
    return " ".join(part for part in (effect(row), _price(row)) if part)


def fixed_and_broken(
    predictions: pd.DataFrame, stage_before: str, stage: str, most: int = 8
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Pick the images on which a stage changed its mind from wrong to right, and from right to wrong.

    Args:
        predictions: With the columns that ``compare_neighbours`` reads and ``probability_<class>`` of every class.
        stage_before: The earlier stage.
        stage: The later stage.
        most: How many images to give of each kind.

    Returns:
        The rows of the later stage of the images it fixed, and of those it broke, each with the column
        ``predicted_before`` added. The surest come first: those with the highest probability of the class that the
        later stage predicted.

    Raises:
        ValueError: If a stage is missing, the two did not predict the same images, or a probability is missing.
    """
    missing = {stage_before, stage} - set(stages_of(predictions))
    if missing:
        raise ValueError(f"there are no predictions of {sorted(missing)}; there are {stages_of(predictions)}")
    before, now = (of_validation(predictions, name) for name in (stage_before, stage))
    right_before, right = is_right(before), is_right(now)
    _check_same_images(stage_before, right_before, stage, right)
    fixed, broken = right & ~right_before, right_before & ~right
    surest = now.assign(predicted_before=before["predicted"])
    sureness = probability_of(probabilities(now), now["predicted"].astype(str))
    surest = surest.iloc[np.argsort(-sureness, kind="stable")]
    chosen = [surest[changed.reindex(surest.index)].head(most) for changed in (fixed, broken)]
    first, second = (rows.reset_index()[[*predictions.columns, "predicted_before"]] for rows in chosen)
    return first, second


def stages_of(predictions: pd.DataFrame) -> list[str]:
    """List the stages in the order in which they come."""
    return [str(stage) for stage in dict.fromkeys(predictions["stage"])]


def of_validation(predictions: pd.DataFrame, stage: str) -> pd.DataFrame:
    """Return the rows of a stage on the validation images, by image in a common order."""
    rows = of_stage(predictions, stage, VALIDATION).set_index("image_id").sort_index()
    if not rows.index.is_unique:
        twice = rows.index[rows.index.duplicated()][0]
        raise ValueError(f"stage '{stage}' predicted the image {twice} twice")
    return rows


def _check_same_images(stage_before: str, before: pd.Series, stage: str, now: pd.Series) -> None:
    if not before.index.equals(now.index):
        only = before.index.symmetric_difference(now.index)
        raise ValueError(
            f"'{stage_before}' and '{stage}' did not predict the same {VALIDATION} images: "
            f"{formatting.count(len(only), 'image')} by one of them only, such as {only[0]}"
        )


def effect(row: pd.Series) -> str:
    """Say in a sentence what a stage, or a model, fixed and broke of another one.

    Args:
        row: As ``StepRow`` describes it; the prices are not read.
    """
    stage, before = row["stage"], row["stage_before"]
    if not row["fixed"] and not row["broken"]:
        same = f"{stage} is right and wrong on the same images as {before}"
        return f"{same} ({formatting.count(row['errors'], 'error')} of {_images_of(row)}): it changed nothing."
    fixed = formatting.count(row["fixed"], "image") if row["fixed"] else "no image"
    broke = f"broke {row['broken']:,} that {before} had right" if row["broken"] else "broke none"
    counts = f"{formatting.count(row['errors'], 'error')} against {row['errors_before']:,} of {_images_of(row)}"
    return f"{stage} fixed {fixed} and {broke} ({counts}): {_judgement(row)} (McNemar {p_value(row['p_value'])})."


def _judgement(row: pd.Series) -> str:
    more = row["errors"] - row["errors_before"]
    if not more:
        return "neither better nor worse"
    if row["p_value"] >= CHANCE:
        return "that may well be chance" if more < 0 else "worse, though that may well be chance"
    return "better, by more than chance would explain" if more < 0 else "worse, by more than chance would explain"


def _price(row: pd.Series) -> str:
    if pd.isna(row["seconds"]):
        return ""
    took = f"It took {formatting.clock(row['seconds'] / 60)}"
    if pd.isna(row["seconds_per_error_removed"]):
        return f"{took} and did not make the errors fewer."
    return f"{took}, {duration(row['seconds_per_error_removed'])} for each error removed."


def _images_of(row: pd.Series) -> str:
    return formatting.count(row["images"], f"{VALIDATION} image")


def p_value(value: float) -> str:
    """Write a p-value with as many digits as it takes to stay on its side of the threshold."""
    if value < 0.001:
        return "p < 0.001"
    for digits in range(2, 16):
        written = f"{value:.{digits}g}"
        # Rounding must not carry it over the threshold that decided the words beside it.
        if (float(written) < CHANCE) == (value < CHANCE):
            break
    return f"p = {written}"


def duration(seconds: float) -> str:
    """Write a time, in seconds where it is less than a minute."""
    if seconds >= 59.5:
        return formatting.clock(seconds / 60)
    return f"{seconds:.0f} s" if seconds >= 9.95 or not seconds else f"{max(seconds, 0.1):.1f} s"
