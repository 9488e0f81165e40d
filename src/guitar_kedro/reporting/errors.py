"""The pictures that a network is most wrong about."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from PIL import Image

from guitar_kedro.reporting import sheets, style

_PREFIX = "probability_"
_PER_ROW = 6
_TILE = 2.1  # inches: "taken for Fender Jazzmaster 93 %" fits below


def top_losses(predictions: pd.DataFrame, display_names: Mapping[str, str], most: int = 24) -> pd.DataFrame:
    """List the images with the highest loss: what the network was surest of and wrong about comes first.

    Args:
        predictions: Of one stage, with ``image_id``, ``file``, ``label``, ``predicted``, ``loss`` and a column
            ``probability_<class>`` per class.
        display_names: Names to show, by label.
        most: How many images, at most; 0 or more.

    Returns:
        ``image_id``, ``file``, ``label``, ``predicted``, ``actual_name``, ``predicted_name`` (to show),
        ``probability`` (that the network gave to the predicted class), ``probability_of_label`` (shares between 0 and
        1) and ``loss`` (cross-entropy, in nats), the highest loss first. Where there are fewer errors than ``most``,
        the last rows were predicted right.

    Raises:
        ValueError: If several stages are mixed, ``most`` is negative, or a class has no column of probabilities.
    """
    if most < 0:
        raise ValueError(f"most must be 0 or more, not {most}")
    refuse_mixed_stages(predictions)
    first = predictions.sort_values("loss", ascending=False, kind="stable")[:most].reset_index(drop=True)
    of_class = probabilities(first)
    table = first[["image_id", "file", "label", "predicted"]].copy()
    for name, column in {"actual_name": "label", "predicted_name": "predicted"}.items():
        table[name] = pd.Series([style.display_name(label, display_names) for label in first[column]], dtype="str")
    table["probability"] = probability_of(of_class, first["predicted"])
    table["probability_of_label"] = probability_of(of_class, first["label"])
    return table.assign(loss=first["loss"])


def top_losses_sheet(pictures: Sequence[Image.Image], table: pd.DataFrame) -> Figure:
    """Show the images with the highest loss, and what the network took them for.

    Args:
        pictures: One per row of the table, in its order; any mode, any size.
        table: From ``top_losses``.

    Raises:
        ValueError: If there is not one picture per row.
    """
    captions = [
        [
            f"is {row.actual_name}",
            f"{'rightly seen as such' if row.label == row.predicted else f'taken for {row.predicted_name}'} "
            f"{style.percent(row.probability, 0)}",
            f"loss {row.loss:.2f}",
        ]
        for row in table.itertuples()
    ]
    wrong = int((table["label"] != table["predicted"]).sum())
    images = style.count(len(table), "validation image")
    notes = [f"{images}, the highest loss first; {wrong:,} taken for something else."]
    return picture_grid(pictures, captions, "Highest losses", notes if len(table) else [])


def picture_grid(
    pictures: Sequence[Image.Image], captions: Sequence[Sequence[str]], title: str, notes: Sequence[str]
) -> Figure:
    """Lay out pictures in rows with captions whose lines are cut in the middle rather than wrapped.

    Args:
        pictures: In reading order.
        captions: Lines below each picture, four at most.
        title: Of the sheet.
        notes: Lines below the title.

    Raises:
        ValueError: If there is not one caption per picture.
    """
    if len(pictures) != len(captions):
        raise ValueError(f"one picture per row of the table is needed: {len(pictures)} for {len(captions)} rows")
    # A long name over two lines would push the last line, which nobody could miss, out of the caption.
    texts = ["\n".join(style.shorten(line, _TILE, style.SMALL_SIZE) for line in lines) for lines in captions]
    starts = range(0, len(texts), _PER_ROW)
    rows = [sheets.Row(pictures[start : start + _PER_ROW], texts[start : start + _PER_ROW]) for start in starts]
    return sheets.picture_sheet(rows, title, notes, _TILE)


def probabilities(predictions: pd.DataFrame) -> pd.DataFrame:
    """Give the columns ``probability_<class>`` alone, called by their classes.

    Args:
        predictions: As evaluation makes them.

    Returns:
        A row per image and a column per class, shares between 0 and 1.
    """
    columns = [column for column in predictions if column.startswith(_PREFIX)]
    return predictions[columns].astype(float).rename(columns=lambda column: column.removeprefix(_PREFIX))


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
        raise ValueError(f"there is no column {_PREFIX}{labels[places < 0].iloc[0]} among the predictions")
    return places


def refuse_mixed_stages(predictions: pd.DataFrame) -> None:
    """Refuse predictions of several networks: an image would count several times.

    Raises:
        ValueError: If several stages are mixed.
    """
    if "stage" in predictions and predictions["stage"].nunique() > 1:
        raise ValueError(f"predictions of one stage are needed, not of {sorted(set(predictions['stage']))}")
