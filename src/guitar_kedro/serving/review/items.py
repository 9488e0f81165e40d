"""All files of a workspace as rows to look at, with what networks that had not seen them say."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from guitar_kedro.images.duplicates import near_duplicate_groups
from guitar_kedro.metrics.predictions import probabilities
from guitar_kedro.serving.review.workspace import Artifacts

LEFT_OUT = "left out"  # beside the parts of the split: files that are no images of the dataset
UNLABELLED = "unlabelled"  # pictures that came without a label, which are no images of the dataset yet
CONFLICT = "label_conflict"


@dataclass(frozen=True)
class Items:
    """A row per file; the probabilities beside it have the same rows.

    Attributes:
        table: ``file``, ``label``, ``image_id``, ``image`` (name of the prepared picture, empty where there is none),
            ``part``, ``width``, ``height``, ``duplicate_group``, ``pixel_hash``, ``perceptual_hash``, ``reason`` (why
            it is left out, as a code), ``detail`` (as a sentence); ``suggested`` (the likeliest class), ``probability``
            (of it), ``of_label`` (probability of its label), ``margin`` (between the two likeliest), ``strange``
            (energy, as a share of the images that the same network finds less strange): NaN, or empty, where no
            network said anything.
        classes: Of the columns of ``shares``.
        shares: float32 of n x classes.
    """

    table: pd.DataFrame
    classes: list[str]
    shares: np.ndarray

    def likeliest(self, row: int, most: int) -> list[tuple[str, float]]:
        """Name the likeliest classes of an item, with their probabilities; none where no network said anything."""
        shares = self.shares[row] if self.classes else np.empty(0)
        if not len(shares) or np.isnan(shares[0]):
            return []
        return [(self.classes[place], float(shares[place])) for place in np.argsort(-shares)[:most]]


def list_items(made: Artifacts) -> Items:
    """Put all files into one table, and beside each what was predicted of it."""
    columns = ["file", "label", "image_id", "width", "height", "duplicate_group", "pixel_hash", "perceptual_hash"]
    images = made.images[columns].assign(reason="", detail="")
    if len(splits := made.tables["splits"]):
        images = images.merge(splits[["image_id", "split"]].rename(columns={"split": "part"}), "left", on="image_id")
    table = pd.concat([images, _left_out(made)], ignore_index=True)
    table = table.reindex(columns=[*table, *({"part"} - {*table})])
    table = table.fillna(dict.fromkeys(("label", "image_id", "part"), ""))
    table.loc[table["reason"] != "", "part"] = LEFT_OUT
    held_out = made.held_out
    if len(waiting := _unlabelled(made, table)):
        table = pd.concat([table, waiting[["file", "image_id", "width", "height"]].assign(**_BLANK)], ignore_index=True)
        held_out = pd.concat([held_out, waiting.assign(stage=UNLABELLED)], ignore_index=True)
    table["image"] = table["image_id"].str.partition("-")[0]
    return _with_predictions(table, held_out)


_BLANK = {"label": "", "part": UNLABELLED, "reason": "", "detail": "", "pixel_hash": "", "perceptual_hash": ""}


def _unlabelled(made: Artifacts, table: pd.DataFrame) -> pd.DataFrame:
    """Take those of the queue that are at hand, and were not accepted by the last run."""
    queue = made.tables["label_queue"]
    if queue.empty:
        return queue
    return queue[queue["image_id"].isin(made.unlabelled.records["prepared"]) & ~queue["file"].isin(table["file"])]


def _left_out(made: Artifacts) -> pd.DataFrame:
    rejected, records = made.tables["rejected_images"], made.prepared.records
    of_files = records[["file", "prepared", "width", "height", "pixel_hash", "perceptual_hash"]]
    columns = ["file", "label", "reason", "detail"]
    rejected = rejected[columns] if len(rejected) else pd.DataFrame(columns=columns, dtype="str")
    return rejected.merge(of_files.rename(columns={"prepared": "image_id"}), "left", on="file")


def _with_predictions(table: pd.DataFrame, held_out: pd.DataFrame) -> Items:
    if held_out.empty:
        unknown = {"suggested": "", "probability": np.nan, "of_label": np.nan, "margin": np.nan, "strange": np.nan}
        return Items(table.assign(**unknown), [], np.empty((len(table), 0), np.float32))
    of_class = probabilities(held_out).fillna(0)  # networks may have learnt different classes
    rows = pd.Index(held_out["file"]).get_indexer(table["file"])
    shares = of_class.to_numpy(np.float32)[rows]
    shares[rows < 0] = np.nan
    best = np.partition(shares, -2, axis=1)[:, -2:]  # a model has two classes or more
    places = of_class.columns.get_indexer(table["label"])
    energy = held_out.groupby("stage")["energy"].rank(pct=True).to_numpy()
    said = table.assign(
        suggested=np.where(rows < 0, "", of_class.columns.to_numpy(object)[shares.argmax(axis=1)]),
        probability=best[:, 1],
        of_label=np.where(places < 0, np.nan, shares[np.arange(len(table)), places]),
        margin=best[:, 1] - best[:, 0],
        strange=np.where(rows < 0, np.nan, energy[rows]),
    )
    return Items(said, list(of_class.columns), shares)


def conflict_groups(table: pd.DataFrame, distance: int) -> np.ndarray:
    """Count through the groups of files that show the same picture under several labels; -1 for all others.

    Args:
        table: Of ``Items``.
        distance: Bits in which the hashes of near duplicates may differ.
    """
    groups = np.full(len(table), -1)
    rows = np.flatnonzero((table["reason"] == CONFLICT) & (table["image"] != ""))
    if len(rows):
        found = table.iloc[rows]
        hashes = found["perceptual_hash"].tolist(), distance, found["pixel_hash"].tolist()
        groups[rows] = near_duplicate_groups(*hashes)
    return groups
