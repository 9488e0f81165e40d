"""Nodes of evaluation."""

from __future__ import annotations

import lazy_loader as lazy

from guitar_kedro import images, learning, reporting
from guitar_kedro.pipelines.training.nodes import with_paths

pd = lazy.load("pandas")

BATCH_SIZE = 64


def predict_validation(
    checkpoint: learning.Checkpoint,
    image_table: pd.DataFrame,
    splits: pd.DataFrame,
    prepared_images: images.PreparedImages,
) -> pd.DataFrame:
    """Predicts the validation part with the checkpoint of a stage."""
    return _predict("validation", checkpoint, image_table, splits, prepared_images)


def predict_test(
    model: learning.Checkpoint, image_table: pd.DataFrame, splits: pd.DataFrame, prepared_images: images.PreparedImages
) -> pd.DataFrame:
    """Predicts the test part, which nothing but this looks at, with the final model."""
    return _predict("test", model, image_table, splits, prepared_images)


def _predict(
    part: str,
    checkpoint: learning.Checkpoint,
    image_table: pd.DataFrame,
    splits: pd.DataFrame,
    prepared_images: images.PreparedImages,
) -> pd.DataFrame:
    stage = checkpoint.spec.provenance["stage"]
    wanted = splits.loc[splits["split"] == part, ["image_id", "label", "split"]]
    table = wanted.merge(image_table[["image_id", "file"]], on="image_id", validate="one_to_one")
    table.insert(1, "stage", stage)
    return learning.predict(checkpoint, with_paths(table, prepared_images), BATCH_SIZE, f"Predicting {part}, {stage}")


def gather_predictions(test: pd.DataFrame, *validation: pd.DataFrame) -> pd.DataFrame:
    """Puts the predictions of all stages into one table.

    Returns:
        A row per image and stage: ``image_id``, ``stage``, ``file``, ``split``, ``label``, ``predicted``, ``loss``,
        ``probability_<class>``.
    """
    return pd.concat([*validation, test], ignore_index=True)


def compute_metrics(predictions: pd.DataFrame, model: learning.Checkpoint) -> dict:
    """Computes accuracy, error rate, Wilson interval and loss for each part and stage."""
    return reporting.metrics(predictions, model.spec.provenance["stage"])


def report_classes(predictions: pd.DataFrame, model: learning.Checkpoint) -> pd.DataFrame:
    """Computes precision, recall, F1 and support of each class on the test part."""
    return reporting.classification_report(_of_model(predictions, model, "test"), list(model.spec.classes))


def plot_confusion_matrix(predictions: pd.DataFrame, model: learning.Checkpoint) -> reporting.Figure:
    """Draws which classes the model takes for which, on the validation part."""
    return reporting.confusion_matrix_figure(
        _of_model(predictions, model, "validation"),
        list(model.spec.classes),
        model.spec.display_names,
        f"Validation part, {model.spec.provenance['stage']}",
    )


def list_most_confused(predictions: pd.DataFrame, model: learning.Checkpoint) -> pd.DataFrame:
    """Lists the pairs of classes that the model confuses at least twice on the validation part."""
    return reporting.most_confused(_of_model(predictions, model, "validation"), model.spec.display_names)


def _of_model(predictions: pd.DataFrame, model: learning.Checkpoint, part: str) -> pd.DataFrame:
    chosen = (predictions["stage"] == model.spec.provenance["stage"]) & (predictions["split"] == part)
    return predictions[chosen].reset_index(drop=True)


def compare_stages(
    splits: pd.DataFrame, *results: pd.DataFrame | learning.Checkpoint
) -> tuple[pd.DataFrame, reporting.Figure]:
    """Compares the error on the validation part after each phase of each stage.

    Args:
        splits: For the number of validation images.
        *results: The histories of all phases in the order of training, then their checkpoints.

    Returns:
        The table (error with its interval, time spent), and its figure.
    """
    histories, checkpoints = results[: len(results) // 2], results[len(results) // 2 :]
    count = int((splits["split"] == "validation").sum())
    phases = pd.DataFrame(
        [
            {
                "stage": checkpoint.spec.provenance["stage"],
                "phase": checkpoint.spec.provenance["phase"],
                "architecture": checkpoint.spec.architecture,
                "image_size": checkpoint.spec.image_size,
                "epochs": len(history),
                "error_rate": history["error_rate"].iloc[-1],
                "images": count,
                "seconds": history["seconds"].sum(),
            }
            for history, checkpoint in zip(histories, checkpoints, strict=True)
        ]
    )
    table = reporting.stage_comparison(phases)
    return table, reporting.stage_comparison_figure(table)
