"""The prediction pipeline."""

from kedro.pipeline import Node, Pipeline

from guitar_kedro.pipelines.prediction import nodes


def create_pipeline() -> Pipeline:
    """Create the pipeline from ``images_to_predict`` and the model to tables and a contact sheet."""
    return Pipeline(
        [
            Node(
                func=nodes.predict_images,
                inputs=["images_to_predict", "model", "params:device", "params:cluster"],
                outputs="image_predictions",
                name="predict_images",
                tags="predictions",
            ),
            Node(
                func=nodes.write_table,
                inputs="image_predictions",
                outputs="predictions_table",
                name="write_table",
                tags="reports",
            ),
            Node(
                func=nodes.summarise_predictions,
                inputs="image_predictions",
                outputs="predictions_summary",
                name="summarise_predictions",
                tags="reports",
            ),
            Node(
                func=nodes.show_predictions,
                inputs=["image_predictions", "images_to_predict", "model"],
                outputs="predictions_sheet",
                name="show_predictions",
                tags="reports",
            ),
        ],
        tags="any_model",  # one that another recipe trained will do
    )
