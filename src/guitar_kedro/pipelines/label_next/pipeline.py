"""The pipeline that says what to label next."""

from kedro.pipeline import Node, Pipeline

from guitar_kedro.pipelines.label_next import nodes


def create_pipeline() -> Pipeline:
    """Create the pipeline from ``unlabelled_images`` and the model to the queue of ``kedro review``."""
    return Pipeline(
        [
            Node(
                func=nodes.prepare_unlabelled,
                inputs=[
                    "unlabelled_images",
                    "curation",
                    "params:ingestion.max_side",
                    "params:ingestion.quality",
                    "params:ingestion.max_bytes",
                    "params:ingestion.max_pixels",
                    "params:ingestion.max_frames",
                    "params:cluster",
                ],
                outputs="unlabelled_pictures",
                name="prepare_unlabelled",
                tags="prepared_pictures",
            ),
            Node(
                func=nodes.list_unlabelled,
                inputs=["unlabelled_pictures", "image_table", "curation", "params:ingestion.duplicate_distance"],
                outputs="unlabelled_table",
                name="list_unlabelled",
                tags="image_tables",
            ),
            Node(
                func=nodes.predict_unlabelled,
                inputs=["unlabelled_table", "unlabelled_pictures", "model", "params:device"],
                outputs="unlabelled_predictions",
                name="predict_unlabelled",
                tags="predictions",
            ),
            Node(
                func=nodes.compute_features,
                inputs=["unlabelled_table", "unlabelled_pictures", "model", "params:device"],
                outputs="unlabelled_features",
                name="compute_unlabelled_features",
                tags="predictions",
            ),
            Node(
                func=nodes.queue_unlabelled,
                inputs=[
                    "unlabelled_table",
                    "unlabelled_predictions",
                    "unlabelled_features",
                    "model_spec",
                    "params:seed",
                ],
                outputs="label_queue",
                name="queue_unlabelled",
                tags="reports",
            ),
        ],
        tags="any_model",  # one that another recipe trained will do
    )
