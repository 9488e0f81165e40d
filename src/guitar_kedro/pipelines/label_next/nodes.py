"""Nodes that choose which pictures without labels a person looks at next."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TypeAlias

from guitar_kedro import images, learning, metrics
from guitar_kedro.errors import UserError
from guitar_kedro.lazy import pd
from guitar_kedro.pipelines.ingestion.accepting import decisions_by_hash
from guitar_kedro.pipelines.ingestion.nodes import prepare_images
from guitar_kedro.pipelines.label_next.schemas import LabelQueueRow, UnlabelledRow
from guitar_kedro.pipelines.training.nodes import with_paths
from guitar_kedro.session import with_session

logger = logging.getLogger(__name__)

MOST = 300  # in the queue; those behind them are chosen by a model that has learnt from these

Prepared: TypeAlias = Generator[tuple[images.FileRecord, bytes | None], None, None]
Preparation: TypeAlias = Callable[[Mapping[str, images.FileRecord]], Prepared]


def prepare_unlabelled(
    unlabelled_images: Sequence[images.RawImage],
    curation: pd.DataFrame,
    max_side: int,
    quality: int,
    max_bytes: int,
    max_pixels: int,
    max_frames: int,
    cluster: str | None,
) -> Preparation:
    """Prepare pictures without labels as ingestion does, and keep those that a person has decided about.

    Returns:
        What ``prepare_images`` returns. Decisions hold though the folder of the pictures changes, or goes.
    """
    prepare = prepare_images(unlabelled_images, max_side, quality, max_bytes, max_pixels, max_frames, cluster)
    decided = {key: row["file"] for key, row in decisions_by_hash(curation).items()}
    return partial(_prepare_and_keep, prepare, decided)


def _prepare_and_keep(
    prepare: Preparation, decided: Mapping[str, str], earlier: Mapping[str, images.FileRecord]
) -> Prepared:
    there = set()
    for record, jpeg in prepare(earlier):
        there.add(record.file_hash[:20])
        yield record, jpeg
    for record in earlier.values():
        if (key := record.file_hash[:20]) in decided.keys() - there:
            there.add(key)
            yield replace(record, file=decided[key]), None


def list_unlabelled(
    unlabelled_pictures: images.PreparedImages,
    image_table: pd.DataFrame,
    curation: pd.DataFrame,
    duplicate_distance: int,
) -> pd.DataFrame:
    """List the pictures without labels, with the reason why a person is not asked about one.

    Left out is what cannot be read, what was decided about, and near duplicates: of images, which teach little or leak,
    and of each other, but for the first.

    Returns:
        An ``UnlabelledRow`` per file.
    """
    records = unlabelled_pictures.records.sort_values("file", kind="stable", ignore_index=True)
    hashes, decided = records["file_hash"].str[:20], decisions_by_hash(curation)
    table = records[["source", "width", "height", "reason", "detail"]].assign(
        file=[_name(record, decided) for record in records.itertuples()],
        name=records["file"],
        image_id=records["prepared"],
    )
    is_decided = hashes.isin(decided) & (table["reason"] == "")
    table.loc[is_decided, ["reason", "detail"]] = "decided", "It stands in the curation file."
    _leave_out_copies(table, records, is_decided, image_table, duplicate_distance)
    counts = table["reason"].value_counts().rename({"": "to choose from"})
    reasons = ", ".join(f"{number} {what}" for what, number in counts.items())
    logger.info("Pictures without labels: %s (unlabelled_table.csv says why)", reasons)
    if not (table["reason"] == "").any():
        raise UserError(
            f"No picture without a label is left to be asked about ({reasons}): name others with "
            "--params=unlabelled=PATH, or go on with `kedro run`."
        )
    return table[list(UnlabelledRow.model_fields)]


def _name(record: Any, decided: Mapping[str, dict[str, str]]) -> str:
    """Name a picture as the curation file does, whatever it is called now; what cannot be read, as it is called."""
    if record.reason:
        return str(record.file)
    row = decided.get(record.file_hash[:20])
    return row["file"] if row else images.unlabelled_name(record.file_hash, record.file)


def _leave_out_copies(
    table: pd.DataFrame,
    records: pd.DataFrame,
    is_decided: pd.Series,
    image_table: pd.DataFrame,
    duplicate_distance: int,
) -> None:
    """Note of which image, or earlier picture, one is a near duplicate."""
    known = image_table[~image_table["file"].isin(table["file"])]
    asked = table.index[is_decided].append(table.index[table["reason"] == ""])  # those come first that are decided
    found = pd.concat([known, records.loc[asked]])
    groups = images.near_duplicate_groups(
        found["perceptual_hash"].tolist(), duplicate_distance, found["pixel_hash"].tolist()
    )
    first = dict[int, str]()
    for group, file in zip(groups[: len(known)], known["file"], strict=True):
        first.setdefault(group, file)
    for group, place in zip(groups[len(known) :], asked, strict=True):
        if group in first and not is_decided[place]:
            table.loc[place, ["reason", "detail"]] = "near_duplicate", f"It looks like {first[group]}."
        first.setdefault(group, table.at[place, "name"])


def predict_unlabelled(
    unlabelled_table: pd.DataFrame,
    unlabelled_pictures: images.PreparedImages,
    model: learning.Checkpoint,
    device: str,
) -> pd.DataFrame:
    """Predict the pictures that a person may be asked about.

    Returns:
        A ``CandidateRow`` for each.
    """
    table = with_paths(_candidates(unlabelled_table)[["file", "image_id"]], unlabelled_pictures)
    return learning.predict(model, table, "Predicting pictures without labels", device)


def compute_features(
    unlabelled_table: pd.DataFrame,
    unlabelled_pictures: images.PreparedImages,
    model: learning.Checkpoint,
    device: str,
) -> learning.FeatureStream:
    """Compute what the body of the model makes of the pictures that a person may be asked about."""
    table = with_paths(_candidates(unlabelled_table)[["image_id"]], unlabelled_pictures)
    body, _ = learning.learner_for_inference(model, "cpu").model
    title = "Features of pictures without labels"
    return learning.compute_features(body, model.spec, table, title, model.spec.precision, device)


def queue_unlabelled(
    unlabelled_table: pd.DataFrame,
    unlabelled_predictions: pd.DataFrame,
    unlabelled_features: learning.Features,
    model_spec: learning.ModelSpec,
    seed: int,
) -> pd.DataFrame:
    """Choose up to ``MOST`` pictures of which labels teach most, by uncertainty and diversity (BADGE).

    Returns:
        A ``LabelQueueRow`` for each, in the order in which to look at them.
    """
    shares = unlabelled_predictions[metrics.probability_columns(model_spec.classes)].to_numpy(float)
    values = unlabelled_features.of(unlabelled_predictions["image_id"].tolist())
    chosen = metrics.badge(shares, values, MOST, seed)
    beside = _candidates(unlabelled_table).set_index("file")[["name", "width", "height"]]
    queue = unlabelled_predictions.iloc[chosen].join(beside, on="file").assign(model=model_spec.checksum[:12])
    logger.info(
        "What to label next: %s of %d; %s",
        *(metrics.count(len(queue), "picture"), len(shares)),
        with_session("accept, relabel or drop them in `kedro review`"),
    )
    columns = list(LabelQueueRow.model_fields)
    return queue[[*columns, *(name for name in queue if name not in columns)]].reset_index(drop=True)


def _candidates(unlabelled_table: pd.DataFrame) -> pd.DataFrame:
    return unlabelled_table[unlabelled_table["reason"] == ""]
