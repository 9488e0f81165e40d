"""Nodes of evaluation."""

from __future__ import annotations

import logging
import time

from guitar_kedro import datasets, images, learning, metrics, plots
from guitar_kedro.lazy import pd
from guitar_kedro.pipelines.calibration.nodes import predict_split
from guitar_kedro.pipelines.training.nodes import with_paths
from guitar_kedro.splits import TEST, VALIDATION

logger = logging.getLogger(__name__)

PICTURES_WITH_MAPS = 12


def predict_validation(
    checkpoint: learning.Checkpoint,
    model_spec: learning.ModelSpec,
    image_table: pd.DataFrame,
    splits: pd.DataFrame,
    prepared_images: images.PreparedImages,
    device: str,
) -> pd.DataFrame:
    """Predict the validation part with an earlier stage, in the same precision and views as the model."""
    alike = checkpoint.answering_like(model_spec)
    return predict_split(VALIDATION, alike, image_table, splits, prepared_images, device)


def predict_test(
    model: learning.Checkpoint,
    image_table: pd.DataFrame,
    splits: pd.DataFrame,
    prepared_images: images.PreparedImages,
    test_labels: datasets.SealedLabels,
    device: str,
) -> pd.DataFrame:
    """Predict the test part, which nothing but this looks at, with the final model.

    Its labels are opened for predictions that are made, and the log of openings has its line before they are seen.
    """
    unlabelled = splits.drop(columns="label")
    predictions = predict_split(TEST, model, image_table, unlabelled, prepared_images, device)
    labels = test_labels.open(predictions, model.spec.checksum[:12], model.spec.provenance["stage"])
    return learning.with_labels(predictions, labels)


def predict_ood(model: learning.Checkpoint, ood_images: list[images.RawImage], device: str) -> pd.DataFrame:
    """Predict pictures that show none of the classes, to measure whether the model notices.

    Returns:
        A row per readable picture: ``file``, ``predicted``, ``energy``, ``probability_<class>``; none where no pictures
        were given.
    """
    chunks = learning.predict_in_chunks(model, ood_images, device, "Predicting other pictures") if ood_images else ()
    columns = ["file", "predicted", "energy", *metrics.probability_columns(model.spec.classes)]
    tables = [chunk.predict(chunk.predictor) for chunk in chunks]
    table = pd.concat(tables) if tables else pd.DataFrame(columns=["reason", *columns])
    unreadable = table[table["reason"] != ""]
    if len(unreadable):
        logger.warning(
            "%d of %d other pictures could not be read, for example %s: %s",
            *(len(unreadable), len(ood_images), *unreadable[["file", "error"]].iloc[0]),
        )
    return table.loc[table["reason"] == "", columns].reset_index(drop=True)


def gather_predictions(test: pd.DataFrame, *validation: pd.DataFrame) -> pd.DataFrame:
    """Put the predictions of all stages into one table.

    Returns:
        A row per image and stage: ``image_id``, ``stage``, ``file``, ``split``, ``label``, ``predicted``, ``loss``,
        ``energy``, ``probability_<class>``.
    """
    return pd.concat([*validation, test], ignore_index=True)


def report_tta(
    model: learning.Checkpoint,
    image_table: pd.DataFrame,
    splits: pd.DataFrame,
    prepared_images: images.PreparedImages,
    device: str,
) -> metrics.TtaGain:
    """Say what test-time augmentation does to the error on validation, and what it costs."""
    if not model.spec.tta_views:
        return metrics.TtaGain(views=0)
    plain = learning.Checkpoint(model.weights, model.spec.model_copy(update={"tta_views": 0}))
    right, seconds = {}, {}
    # the first time, pictures come from the disk and libraries make ready, whatever is predicted: it does not count
    for name, checkpoint in [("plain", plain), ("plain", plain), ("views", model)]:
        began = time.perf_counter()
        predictions = predict_split(VALIDATION, checkpoint, image_table, splits, prepared_images, device)
        seconds[name] = time.perf_counter() - began
        right[name] = predictions["label"] == predictions["predicted"]
    times_slower = seconds["views"] / seconds["plain"]
    return metrics.tta_gain(model.spec.tta_views, right["views"], right["plain"], times_slower)


def compute_features(
    model: learning.Checkpoint, splits: pd.DataFrame, prepared_images: images.PreparedImages, device: str
) -> learning.FeatureStream:
    """Compute what the body of the model makes of the validation part."""
    table = with_paths(splits[splits["split"] == VALIDATION], prepared_images)
    body, _ = learning.learner_for_inference(model, "cpu").model
    return learning.compute_features(body, model.spec, table, "Features of the model", model.spec.precision, device)


def draw_grad_cam(
    predictions: pd.DataFrame, model: learning.Checkpoint, prepared_images: images.PreparedImages, device: str
) -> tuple[plots.Figure, plots.Figure]:
    """Draw where the model looks: for a picture of each class, and for the wrong answers with the highest losses.

    Returns:
        A sheet with a map for each class, and one with the map of the wrong class beside that of the right one; for a
        network that has no such maps, two sheets that say so.
    """
    validation = metrics.of_stage(predictions, model.spec.provenance["stage"], VALIDATION)
    try:
        seen = validation, model, prepared_images, device
        return _grad_cam_by_class(*seen), _grad_cam_of_errors(*seen)
    except learning.NoFeatureMaps as error:
        logger.warning("%s", error)
        return plots.grad_cam_missing(str(error)), plots.grad_cam_missing(str(error))


def _grad_cam_by_class(
    validation: pd.DataFrame, model: learning.Checkpoint, prepared_images: images.PreparedImages, device: str
) -> plots.Figure:
    classes = list(model.spec.classes)
    chosen = validation.groupby("label", sort=True).head(1).head(PICTURES_WITH_MAPS)
    table = with_paths(chosen, prepared_images)
    shares = chosen[metrics.probability_columns(classes)].to_numpy()
    mapped = [[classes[place] for place in shown] for shown in plots.mapped_classes(shares)]
    heats = learning.grad_cam_maps(model, table, mapped, "Class activation maps", device)
    names = [model.spec.display_names[label] for label in classes]
    return plots.grad_cam_by_class(
        learning.pictures_as_seen(model, table),
        heats,
        names,
        [model.spec.display_names[label] for label in chosen["label"]],
        shares,
    )


def _grad_cam_of_errors(
    validation: pd.DataFrame, model: learning.Checkpoint, prepared_images: images.PreparedImages, device: str
) -> plots.Figure:
    wrong = validation[validation["label"] != validation["predicted"]].nlargest(PICTURES_WITH_MAPS, "loss")
    table = with_paths(wrong, prepared_images)
    pairs = list(zip(wrong["predicted"], wrong["label"], strict=True))
    heats = learning.grad_cam_maps(model, table, pairs, "Maps of the errors", device)
    names = model.spec.display_names
    captions = [
        (f"is {names[label]}", *(_named_probability(row, name, names) for name in (predicted, label)))
        for (predicted, label), (_, row) in zip(pairs, wrong.iterrows(), strict=True)
    ]
    return plots.grad_cam_of_errors(learning.pictures_as_seen(model, table), heats, captions)


def _named_probability(row: pd.Series, label: str, names: dict[str, str]) -> str:
    return f"{names[label]} {metrics.percent(row[f'{metrics.PROBABILITY}{label}'], 0)}"
