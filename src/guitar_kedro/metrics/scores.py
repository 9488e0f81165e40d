"""How good networks are, and where they err, from their predictions (``guitar_kedro.metrics.predictions``).

Shares lie between 0 and 1, and intervals are Wilson's of 95 %.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pandas as pd
from pydantic import BaseModel, Field

from guitar_kedro.metrics.errors import is_right, share_of, with_error_rates
from guitar_kedro.metrics.formatting import display_name
from guitar_kedro.metrics.predictions import probabilities, probability_of, refuse_mixed_stages, refuse_other_labels
from guitar_kedro.metrics.results import FiniteOrNone, Result


class Score(Result):
    """How good a stage is on a split: shares between 0 and 1, a Wilson 95 % interval, and the mean loss in nats."""

    images: int
    errors: int
    accuracy: float
    error_rate: float
    accuracy_low: float
    accuracy_high: float
    loss: FiniteOrNone


class Metrics(Result):
    """How good every stage is on every split it was tried on, by stage, the model last."""

    validation: dict[str, Score] = Field(default_factory=dict)
    test: dict[str, Score] = Field(default_factory=dict)

    @property
    def of_model(self) -> Score | None:
        """The score of the model on the test part, if it was opened."""
        return list(self.test.values())[-1] if self.test else None


class ClassRow(BaseModel):
    """How well a class is recognised; the last two rows are averages.

    Attributes:
        label: The class.
        precision: Share of right ones among what was called that class.
        recall: Share of the class that was found.
        f1: Harmonic mean of both.
        support: Images of the class.
    """

    label: str
    precision: float
    recall: float
    f1: float
    support: int


class ConfusedRow(BaseModel):
    """A pair of classes of which one is taken for the other.

    Attributes:
        actual: Display name of the class of the images.
        predicted: Display name of what they are taken for.
        count: Images.
    """

    actual: str
    predicted: str
    count: int


class LossRow(BaseModel):
    """An image with a high loss.

    Attributes:
        image_id: As in ``image_table``.
        file: Name of the file in the source.
        label: Its class.
        predicted: The class with the highest probability.
        actual_name: Display name of ``label``.
        predicted_name: Display name of ``predicted``.
        probability: Of ``predicted``.
        probability_of_label: Of ``label``.
        loss: Cross-entropy, in nats.
    """

    image_id: str
    file: str
    label: str
    predicted: str
    actual_name: str
    predicted_name: str
    probability: float
    probability_of_label: float
    loss: float


class PhaseRow(BaseModel):
    """What a phase of a stage brought, measured on the validation images, and what it cost.

    Attributes:
        stage: Its name.
        phase: ``probe``, ``frozen`` or ``unfrozen``.
        architecture: Of the network.
        image_size: Of its input, in pixels: a side, or height x width.
        epochs: Trained in the phase.
        images: That it was measured on.
        errors: Of them, those that were predicted wrong.
        error_rate: Their share.
        error_low: Lower end of its interval.
        error_high: Upper end of its interval.
        minutes: That the phase took.
        warning: A sentence where it is worse than a guess or than the probe of its stage; else empty.
    """

    stage: str
    phase: str
    architecture: str
    image_size: str
    epochs: int
    images: int
    errors: int
    error_rate: float
    error_low: float
    error_high: float
    minutes: float
    warning: str


def compute_metrics(predictions: pd.DataFrame, last_stage: str) -> Metrics:
    """Sum up how good every stage is on every split it was tried on.

    Args:
        predictions: Of any number of stages and splits.
        last_stage: The stage whose network is the model; it comes last in every split.

    Raises:
        ValueError: If there is no prediction of the last stage.
    """
    stages = list(dict.fromkeys(predictions["stage"]))
    if last_stage not in stages:
        raise ValueError(f"no prediction comes from the last stage '{last_stage}'; there are {stages}")
    stages = [stage for stage in stages if stage != last_stage] + [last_stage]
    read = predictions[["split", "stage", "label", "predicted", "loss"]]  # not the probabilities of all classes
    groups = dict(iter(read.groupby(["split", "stage"], sort=False)))
    return Metrics(
        **{
            split: {stage: _sum_up(groups[split, stage]) for stage in stages if (split, stage) in groups}
            for split in dict.fromkeys(predictions["split"])
        }
    )


def classification_report(predictions_of_one_split: pd.DataFrame, classes: Sequence[str]) -> pd.DataFrame:
    """Return precision, recall and F1 of every class, as scikit-learn defines them.

    Args:
        predictions_of_one_split: Of one stage; ``label`` and ``predicted`` are read.
        classes: All labels, in the order of the rows.

    Returns:
        A row per class, as ``ClassRow`` describes it; a share of nothing is 0. Below them ``macro average`` (every
        class counts the same) and ``weighted average`` (every image does).

    Raises:
        ValueError: If a label is not among the classes, or several stages are mixed.
    """
    refuse_mixed_stages(predictions_of_one_split)
    refuse_other_labels(predictions_of_one_split, classes)
    truth, predicted = (predictions_of_one_split[name].astype(str) for name in ("label", "predicted"))
    columns = ["precision", "recall", "f1", "support"]
    if not len(truth):
        scores = pd.DataFrame(0.0, index=range(len(classes)), columns=columns)
    else:
        from sklearn.metrics import precision_recall_fscore_support

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
        A row per pair, as ``ConfusedRow`` describes it, the most frequent first. A pair has a direction: a taken for b
        and b taken for a are two rows.

    Raises:
        ValueError: If several stages are mixed.
    """
    refuse_mixed_stages(predictions)
    wrong = predictions.loc[predictions["label"] != predictions["predicted"], ["label", "predicted"]].astype(str)
    pairs = wrong.value_counts().reset_index(name="count")
    pairs = pairs[pairs["count"] >= at_least].sort_values(
        ["count", "label", "predicted"], ascending=[False, True, True]
    )
    actual, predicted = (_names(pairs[column], display_names) for column in ("label", "predicted"))
    return pd.DataFrame({"actual": actual, "predicted": predicted, "count": pairs["count"].to_numpy("int64")})


def top_losses(predictions: pd.DataFrame, display_names: Mapping[str, str], most: int = 24) -> pd.DataFrame:
    """List the images with the highest loss: what the network was surest of and wrong about comes first.

    Args:
        predictions: Of one stage, with ``image_id``, ``file``, ``label``, ``predicted``, ``loss`` and a column
            ``probability_<class>`` per class.
        display_names: Names to show, by label.
        most: How many images, at most; 0 or more.

    Returns:
        A row per image, as ``LossRow`` describes it, the highest loss first. Where there are fewer errors than
        ``most``, the last rows were predicted right.

    Raises:
        ValueError: If several stages are mixed, ``most`` is negative, or a class has no column of probabilities.
    """
    if most < 0:
        raise ValueError(f"most must be 0 or more, not {most}")
    refuse_mixed_stages(predictions)
    first = predictions.sort_values("loss", ascending=False, kind="stable")[:most].reset_index(drop=True)
    of_class = probabilities(first)
    return first[["image_id", "file", "label", "predicted"]].assign(
        actual_name=_names(first["label"], display_names),
        predicted_name=_names(first["predicted"], display_names),
        probability=probability_of(of_class, first["predicted"]),
        probability_of_label=probability_of(of_class, first["label"]),
        loss=first["loss"],
    )


def stage_comparison(phases: pd.DataFrame) -> pd.DataFrame:
    """Make the table that tells what each phase of each stage brought, and what it cost.

    Args:
        phases: One row per phase in the order of training: ``stage``, ``phase`` (``probe``, ``frozen``, ``unfrozen``),
            ``architecture``, ``image_size`` (pixels), ``epochs``, ``error_rate`` (share of the validation images,
            after the phase), ``images`` (how many those are), ``seconds``, and perhaps ``warning``, a sentence. A phase
            without an error rate was skipped and is left out.

    Returns:
        A row per phase, as ``PhaseRow`` describes it.

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
    counted = table[["stage", "phase", "architecture", "image_size", "epochs"]].assign(images=images, errors=errors)
    return with_error_rates(counted).assign(
        error_rate=table["error_rate"].astype(float),
        minutes=table["seconds"].astype(float) / 60,
        warning=table["warning"] if "warning" in table else pd.Series("", table.index, dtype="str"),
    )


def _names(labels: pd.Series, display_names: Mapping[str, str]) -> pd.Series:
    return pd.Series([display_name(label, display_names) for label in labels], dtype="str")


def _sum_up(group: pd.DataFrame) -> Score:
    images, right = len(group), int(is_right(group).sum())
    accuracy, low, high = share_of(right, images)
    return Score(
        images=images,
        errors=images - right,
        accuracy=accuracy,
        error_rate=(images - right) / images,
        accuracy_low=low,
        accuracy_high=high,
        loss=float(group["loss"].mean()),
    )
