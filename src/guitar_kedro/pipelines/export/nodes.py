"""Nodes of export."""

from __future__ import annotations

from guitar_kedro import datasets, images, learning, metrics
from guitar_kedro.lazy import pd
from guitar_kedro.learning.export.bundle import ATTRIBUTIONS_FILE, PAGE_FILE
from guitar_kedro.pipelines.collect.schemas import AttributionRow
from guitar_kedro.pipelines.export.options import ExportOptions
from guitar_kedro.pipelines.training.nodes import with_paths
from guitar_kedro.splits import TEST, TRAIN, VALIDATION

REFERENCE_PICTURES = 256
CALIBRATION_PICTURES = 128


def export_model(
    model: learning.Checkpoint,
    latest_model_card: str,
    splits: pd.DataFrame,
    image_table: pd.DataFrame,
    prepared_images: images.PreparedImages,
    attributions: pd.DataFrame,
    options: ExportOptions,
    device: str,
) -> learning.Bundle:
    """Make the bundle of a model, and check that it answers as the model does.

    For that it looks at pictures of the test part, but not at their labels: how good the model is on them stays sealed.

    Returns:
        The model as it is, as ONNX and with an example; as fastai's pickle and with 8-bit integers where that is asked
        for; its model card, if the latest one is about this model; and the attributions of its images, if any were
        collected.
    """
    table = with_paths(splits, prepared_images)
    bundle = learning.make_bundle(model, list(_some(table, TEST, REFERENCE_PICTURES)["path"]), device)
    if options.int8:
        known = table[table["label"].isin(model.spec.classes)]
        calibration = list(_some(known, TRAIN, CALIBRATION_PICTURES)["path"])
        bundle = learning.with_int8(bundle, calibration, known[known["split"] == VALIDATION])
    if options.pickle:
        bundle = learning.with_pickle(bundle)
    if model.spec.checksum in latest_model_card:
        bundle.files[PAGE_FILE] = latest_model_card.encode()
    if len(own := metrics.attributions_of(attributions, image_table)):
        bundle.files[ATTRIBUTIONS_FILE] = datasets.SpreadsheetDataset.as_text(own, AttributionRow).encode()
    return bundle


def _some(table: pd.DataFrame, split: str, most: int) -> pd.DataFrame:
    found = table[table["split"] == split]
    return found.iloc[:: -(-len(found) // most)]
