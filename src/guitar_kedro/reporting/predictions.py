"""Tables and figures from predictions: how good a network is, and where it errs.

``predictions`` has one row per image and stage with the columns ``image_id``, ``file``, ``stage``, ``split``,
``label``, ``predicted``, ``loss`` (cross-entropy of the image, in nats) and one column ``probability_<class>`` per
class.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd
from sklearn.metrics import precision_recall_fscore_support

from guitar_kedro.errors import listed
from guitar_kedro.reporting.comparison import stage_comparison_figure
from guitar_kedro.reporting.confusion import confusion_matrix_figure
from guitar_kedro.reporting.statistics import wilson_interval
from guitar_kedro.reporting.style import display_name
from guitar_kedro.reporting.summary import console_summary

__all__ = [
    "classification_report",
    "confusion_matrix_figure",
    "console_summary",
    "metrics",
    "most_confused",
    "of_stage",
    "stage_comparison",
    "stage_comparison_figure",
]


def of_stage(predictions: pd.DataFrame, stage: str, split: str) -> pd.DataFrame:
    """Take the predictions of one stage for one split.

    Args:
        predictions: Of any number of stages and splits.
        stage: Name of the stage.
        split: ``validation`` or ``test``.
    """
    return predictions[(predictions["stage"] == stage) & (predictions["split"] == split)].reset_index(drop=True)


def metrics(predictions: pd.DataFrame, last_stage: str) -> dict[str, dict[str, dict[str, Any]]]:
    """Sum up how good every stage is on every split it was tried on.

    Args:
        predictions: Of any number of stages and splits.
        last_stage: The stage whose network is the model; it comes last in every split.

    Returns:
        Numbers by split and stage: ``images``, ``errors``, ``accuracy``, ``error_rate`` (shares between 0 and 1),
        ``accuracy_low`` and ``accuracy_high`` (Wilson 95 % interval), ``loss`` (mean over the images).

    Raises:
        ValueError: If there is no prediction of the last stage.
    """
    stages = list(dict.fromkeys(predictions["stage"]))
    if last_stage not in stages:
        raise ValueError(f"no prediction comes from the last stage '{last_stage}'; there are {stages}")
    stages = [stage for stage in stages if stage != last_stage] + [last_stage]
    read = predictions[["split", "stage", "label", "predicted", "loss"]]  # not the probabilities of all classes
    groups = dict(iter(read.groupby(["split", "stage"], sort=False)))
    return {
        split: {stage: _sum_up(groups[split, stage]) for stage in stages if (split, stage) in groups}
        for split in dict.fromkeys(predictions["split"])
    }


def classification_report(predictions_of_one_split: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """Give precision, recall and F1 of every class, as scikit-learn defines them.

    Args:
        predictions_of_one_split: Of one stage; ``label`` and ``predicted`` are read.
        classes: All labels, in the order of the rows.

    Returns:
        One row per class with ``label``, ``precision`` (share of right ones among what was called that class; 0 where
        nothing was), ``recall`` (share of the class that was found; 0 where it has no images), ``f1`` (their harmonic
        mean) and ``support`` (images of the class). Below them ``macro average`` (every class counts the same) and
        ``weighted average`` (every image does).

    Raises:
        ValueError: If a label is not among the classes, or several stages are mixed.
    """
    _refuse_mixed_stages(predictions_of_one_split)
    _refuse_other_labels(predictions_of_one_split, classes)
    truth, predicted = (predictions_of_one_split[name].astype(str) for name in ("label", "predicted"))
    columns = ["precision", "recall", "f1", "support"]
    if not len(truth):
        scores = pd.DataFrame(0.0, index=range(len(classes)), columns=columns)
    else:
        values = precision_recall_fscore_support(truth, predicted, labels=list(classes), zero_division=0)
        scores = pd.DataFrame(dict(zip(columns, values, strict=True)))
    support = scores["support"]
    weights = support / max(support.sum(), 1)
    averages = pd.DataFrame([scores.mean(), scores.mul(weights, axis=0).sum()]).assign(support=support.sum())
    report = pd.concat([scores, averages], ignore_index=True).astype({"support": "int64"})
    report.insert(0, "label", [*classes, "macro average", "weighted average"])
    return report


def most_confused(predictions: pd.DataFrame, display_names: Mapping[str, str], at_least: int = 2) -> pd.DataFrame:
    """List the pairs of classes that are taken for each other most often.

    Args:
        predictions: Of one stage; ``label`` and ``predicted`` are read.
        display_names: Names to show, by label.
        at_least: How often a pair must have been confused to be listed.

    Returns:
        ``actual``, ``predicted`` (display names) and ``count``, the most frequent first. A pair has a direction: a
        taken for b and b taken for a are two rows.

    Raises:
        ValueError: If several stages are mixed.
    """
    _refuse_mixed_stages(predictions)
    wrong = predictions.loc[predictions["label"] != predictions["predicted"], ["label", "predicted"]].astype(str)
    pairs = wrong.value_counts().reset_index(name="count")
    pairs = pairs[pairs["count"] >= at_least].sort_values(
        ["count", "label", "predicted"], ascending=[False, True, True]
    )
    names = {
        column: [display_name(label, display_names) for label in pairs[column]] for column in ("label", "predicted")
    }
    return pd.DataFrame(
        {
            "actual": pd.Series(names["label"], dtype="str"),
            "predicted": pd.Series(names["predicted"], dtype="str"),
            "count": pairs["count"].to_numpy("int64"),
        }
    )


def stage_comparison(phases: pd.DataFrame) -> pd.DataFrame:
    """Make the table that tells what each phase of each stage brought, and what it cost.

    Args:
        phases: One row per phase in the order of training: ``stage``, ``phase`` (``frozen``, ``unfrozen``),
            ``architecture``, ``image_size`` (pixels), ``epochs``, ``error_rate`` (share of the validation images,
            after the phase), ``images`` (how many those are), ``seconds``, and perhaps ``warning``, a sentence. A phase
            without an error rate was skipped and is left out.

    Returns:
        ``stage``, ``phase``, ``architecture``, ``image_size``, ``epochs``, ``images``, ``errors`` (images),
        ``error_rate``, ``error_low`` and ``error_high`` (Wilson 95 % interval, shares), ``minutes`` and ``warning``
        (empty where there is none).

    Raises:
        ValueError: If an error rate does not lie between 0 and 1.
    """
    table = phases[phases["error_rate"].notna()].reset_index(drop=True)
    impossible = table[~table["error_rate"].astype(float).between(0, 1)]
    if len(impossible):
        first = impossible.iloc[0]
        raise ValueError(
            f"error_rate of {first['stage']}, {first['phase']}: {first['error_rate']} is no share of 0 to 1"
        )
    images = table["images"].astype("int64")
    errors = (table["error_rate"].astype(float) * images).round().astype("int64")
    intervals = [wilson_interval(wrong, total) for wrong, total in zip(errors, images, strict=True)]
    return table[["stage", "phase", "architecture", "image_size", "epochs"]].assign(
        images=images,
        errors=errors,
        error_rate=table["error_rate"].astype(float),
        error_low=[low for low, _ in intervals],
        error_high=[high for _, high in intervals],
        minutes=table["seconds"].astype(float) / 60,
        warning=table["warning"] if "warning" in table else pd.Series("", table.index, dtype="str"),
    )


def _sum_up(group: pd.DataFrame) -> dict[str, Any]:
    right = int((group["label"].astype(str) == group["predicted"].astype(str)).sum())
    low, high = wilson_interval(right, len(group))
    return {
        "images": len(group),
        "errors": len(group) - right,
        "accuracy": right / len(group),
        "error_rate": (len(group) - right) / len(group),
        "accuracy_low": low,
        "accuracy_high": high,
        "loss": float(group["loss"].mean()),
    }


def _refuse_mixed_stages(predictions: pd.DataFrame) -> None:
    if "stage" in predictions and predictions["stage"].nunique() > 1:
        raise ValueError(f"predictions of one stage are needed, not of {sorted(set(predictions['stage']))}")


def _refuse_other_labels(predictions: pd.DataFrame, classes: Sequence[str]) -> None:
    others = (set(predictions["label"]) | set(predictions["predicted"])) - set(classes)
    if others:
        raise ValueError(f"labels {listed(sorted(others))} are not among the classes {listed(classes)}")
