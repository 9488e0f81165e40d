"""Nodes of calibration."""

from __future__ import annotations

import logging
from typing import Any

from guitar_kedro import images, learning, metrics
from guitar_kedro.display_names import distinct_names
from guitar_kedro.lazy import pd
from guitar_kedro.pipelines.training.nodes import with_paths
from guitar_kedro.splits import VALIDATION

logger = logging.getLogger(__name__)


def predict_validation(
    checkpoint: learning.Checkpoint,
    image_table: pd.DataFrame,
    splits: pd.DataFrame,
    prepared_images: images.PreparedImages,
    precision: str,
    tta_views: int,
    augmentation: dict[str, Any],
    device: str,
) -> tuple[learning.ModelSpec, pd.DataFrame]:
    """Predict the validation part with the last stage, in the precision and views in which the model will predict.

    Returns:
        The spec with that precision and these views, and a row per image: ``image_id``, ``stage``, ``file``, ``split``,
        ``label``, ``predicted``, ``loss``, ``energy``, ``probability_<class>``, at a temperature of 1.
    """
    how = {"precision": precision, "tta_views": tta_views, "augmentation": augmentation if tta_views else {}}
    checkpoint = learning.Checkpoint(checkpoint.weights, checkpoint.spec.model_copy(update=how))
    predictions = predict_split(VALIDATION, checkpoint, image_table, splits, prepared_images, device)
    return checkpoint.spec, predictions


def predict_split(
    split: str,
    checkpoint: learning.Checkpoint,
    image_table: pd.DataFrame,
    splits: pd.DataFrame,
    prepared_images: images.PreparedImages,
    device: str,
) -> pd.DataFrame:
    """Predict a split.

    Args:
        split: ``validation`` or ``test``.
        checkpoint: What predicts.
        image_table: For the names of the files.
        splits: A row per image: ``image_id``, ``split``, and ``label`` unless it is sealed.
        prepared_images: What is predicted.
        device: Where it is computed.

    Returns:
        A row per image, as ``predict_validation`` gives them.
    """
    stage = checkpoint.spec.provenance["stage"]
    wanted = splits.loc[
        splits["split"] == split, splits.columns.intersection(["image_id", "label", "split"], sort=False)
    ]
    table = wanted.merge(image_table[["image_id", "file"]], on="image_id", validate="one_to_one")
    table.insert(1, "stage", stage)
    title = f"Predicting {split}, {stage}"
    return learning.predict(checkpoint, with_paths(table, prepared_images), title, device)


def calibrate_model(
    checkpoint: learning.Checkpoint,
    uncalibrated_spec: learning.ModelSpec,
    uncalibrated_predictions: pd.DataFrame,
    selective_accuracy: float,
    in_distribution_recall: float,
    display_names: dict[str, str],
) -> tuple[learning.Checkpoint, learning.ModelSpec, pd.DataFrame]:
    """Make the last stage's checkpoint the model: with the temperature and thresholds that validation gives it.

    Returns:
        The same weights with their spec, in which ``temperature``, ``confidence_threshold``, ``ood_threshold`` and the
        names of the classes stand now; that spec; and the predictions of the validation part at that temperature.
    """
    classes = list(uncalibrated_spec.classes)
    columns = metrics.probability_columns(classes)
    probabilities = uncalibrated_predictions[columns].to_numpy()
    targets = pd.Index(classes).get_indexer(uncalibrated_predictions["label"])
    temperature = metrics.fit_temperature(probabilities, targets)
    calibrated = metrics.tempered(probabilities, temperature)
    right = calibrated.argmax(axis=1) == targets
    spec = uncalibrated_spec.model_copy(
        update={
            "display_names": distinct_names(classes, display_names),
            "temperature": temperature,
            "confidence_threshold": metrics.confidence_threshold(calibrated.max(axis=1), right, selective_accuracy),
            "ood_threshold": metrics.ood_threshold(
                uncalibrated_predictions["energy"].to_numpy(), in_distribution_recall
            ),
        }
    )
    _say_calibration(spec, selective_accuracy, in_distribution_recall, len(targets))
    rest = uncalibrated_predictions.drop(columns=[*columns, "label", "loss"])
    predictions = learning.with_labels(
        pd.concat([rest, pd.DataFrame(calibrated, columns=columns)], axis=1),
        uncalibrated_predictions.set_index("image_id")["label"],
    )
    return learning.Checkpoint(checkpoint.weights, spec), spec, predictions


def _say_calibration(
    spec: learning.ModelSpec, selective_accuracy: float, in_distribution_recall: float, images: int
) -> None:
    asked, kept = metrics.percent(selective_accuracy), metrics.percent(in_distribution_recall)
    logger.info("Temperature %.3g, fitted on %s", spec.temperature, metrics.count(images, "validation image"))
    if spec.confidence_threshold is None:
        fewest = metrics.fewest_for_confidence(selective_accuracy)
        logger.warning(
            "No answer counts as sure: no probability promises that %s of the sure ones are right; that takes at least "
            "%d validation images, and there are %d (calibration.selective_accuracy asks for less)",
            *(asked, fewest, images),
        )
    else:
        logger.info("Sure from a probability of %s on", metrics.percent(spec.confidence_threshold))
    if in_distribution_recall == 1:
        logger.warning(
            "No picture counts as none of the classes: no energy keeps all pictures of the classes, however many there "
            "are (calibration.in_distribution_recall asks for less)"
        )
    elif spec.ood_threshold is None:
        logger.warning(
            "No picture counts as none of the classes: no energy promises that %s of the pictures of the classes stay "
            "below; %d validation images are too few for that (calibration.in_distribution_recall asks for less)",
            *(kept, images),
        )
