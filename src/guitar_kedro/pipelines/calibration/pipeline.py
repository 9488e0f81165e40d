"""The calibration pipeline."""

from kedro.pipeline import Node, Pipeline

from guitar_kedro.pipelines.calibration import nodes
from guitar_kedro.pipelines.training.plan import StagePlan


def create_pipeline(last: StagePlan) -> Pipeline:
    """Create the pipeline that predicts the validation part with the last stage and makes it the model.

    Args:
        last: The stage that was trained last.
    """
    return Pipeline(
        [
            Node(
                func=nodes.predict_validation,
                inputs=[
                    last.checkpoint,
                    "image_table",
                    "splits",
                    "prepared_images",
                    "params:calibration.precision",
                    "params:calibration.tta_views",
                    "params:training.augmentation",
                    "params:device",
                ],
                outputs=["uncalibrated_spec", "uncalibrated_predictions"],
                name="predict_validation",
                tags="predictions",
            ),
            Node(
                func=nodes.calibrate_model,
                inputs=[
                    last.checkpoint,
                    "uncalibrated_spec",
                    "uncalibrated_predictions",
                    "params:calibration.selective_accuracy",
                    "params:calibration.in_distribution_recall",
                    "params:display_names",
                ],
                outputs=["model", "model_spec", "validation_predictions"],
                name="calibrate_model",
                tags="calibrated_models",
            ),
        ],
        namespace="calibrate",
        prefix_datasets_with_namespace=False,
    )
