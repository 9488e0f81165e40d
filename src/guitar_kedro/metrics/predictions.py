"""The table of predictions: its columns, and the rows of one network on one part."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from pydantic import BaseModel

from guitar_kedro.errors import listed
from guitar_kedro.lazy import pd
from guitar_kedro.splits import TEST

PROBABILITY = "probability_"  # begins the name of the column of a class


class UnlabelledPredictionRow(BaseModel, extra="allow"):
    """What a network says of a picture; further columns are ``probability_<class>``, one per class.

    Attributes:
        file: Name of the file in the source.
        predicted: The class with the highest probability.
        energy: Free energy of the logits, low for pictures like those of training.
    """

    __pydantic_extra__: dict[str, float]
    file: str
    predicted: str
    energy: float


class PredictionRow(UnlabelledPredictionRow):
    """What a network says of an image of the dataset: there is a row per image and stage.

    Attributes:
        image_id: As in ``image_table``.
        stage: That predicts.
        split: ``validation`` or ``test``.
        label: The class of the image.
        loss: Cross-entropy of the image, in nats.
    """

    image_id: str
    stage: str
    split: str
    label: str
    loss: float


def probability_columns(classes: Iterable[str]) -> list[str]:
    """Return the names of the columns in which the probabilities of classes stand."""
    return [f"{PROBABILITY}{label}" for label in classes]


def stage_of_model(predictions: pd.DataFrame) -> str:
    """Name the last stage: the test part is seen by it alone; where that is empty, its rows stand last.

    Args:
        predictions: Of the validation part by all stages, and of the test part; not empty.
    """
    on_test = predictions.loc[predictions["split"] == TEST, "stage"]
    return str((on_test if len(on_test) else predictions["stage"]).iloc[-1])


def of_stage(predictions: pd.DataFrame, stage: str, split: str) -> pd.DataFrame:
    """Take the predictions of one stage for one split.

    Args:
        predictions: Of any number of stages and splits.
        stage: Name of the stage.
        split: ``validation`` or ``test``.
    """
    return predictions[(predictions["stage"] == stage) & (predictions["split"] == split)].reset_index(drop=True)


def probabilities(predictions: pd.DataFrame) -> pd.DataFrame:
    """Return the columns ``probability_<class>`` alone, called by their classes.

    Args:
        predictions: As evaluation makes them.

    Returns:
        A row per image and a column per class, shares between 0 and 1.
    """
    columns = [column for column in predictions if column.startswith(PROBABILITY)]
    return predictions[columns].astype(float).rename(columns=lambda column: column.removeprefix(PROBABILITY))


def probability_of(of_class: pd.DataFrame, labels: pd.Series) -> np.ndarray:
    """Look up what each image's probability of one class is.

    Args:
        of_class: From ``probabilities``, n rows.
        labels: The class to look up for each row, n of them.

    Returns:
        n shares between 0 and 1.

    Raises:
        ValueError: If there is no column for a label.
    """
    places = class_places(of_class, labels)
    return of_class.to_numpy()[np.arange(len(places)), places] if len(places) else np.empty(0)


def class_places(of_class: pd.DataFrame, labels: pd.Series) -> np.ndarray:
    """Say in which column of the probabilities each label stands.

    Args:
        of_class: From ``probabilities``.
        labels: Classes, n of them.

    Returns:
        n whole numbers from 0.

    Raises:
        ValueError: If there is no column for a label.
    """
    places = of_class.columns.get_indexer(labels)
    if (places < 0).any():
        raise ValueError(f"there is no column {PROBABILITY}{labels[places < 0].iloc[0]} among the predictions")
    return places


def refuse_mixed_stages(predictions: pd.DataFrame) -> None:
    """Refuse predictions of several networks: an image would count several times.

    Raises:
        ValueError: If several stages are mixed.
    """
    if "stage" in predictions and predictions["stage"].nunique() > 1:
        raise ValueError(f"predictions of one stage are needed, not of {sorted(set(predictions['stage']))}")


def refuse_other_labels(predictions: pd.DataFrame, classes: Sequence[str]) -> None:
    """Refuse predictions in which ``label`` or ``predicted`` is not among the classes.

    Raises:
        ValueError: If so.
    """
    others = (set(predictions["label"]) | set(predictions["predicted"])) - set(classes)
    if others:
        raise ValueError(f"labels {listed(sorted(others))} are not among the classes {listed(classes)}")
