"""The export pipeline."""

from kedro.pipeline import Node, Pipeline

from guitar_kedro.pipelines.export import nodes


def create_pipeline() -> Pipeline:
    """Create the pipeline from the model to its bundle."""
    return Pipeline(
        [
            Node(
                func=nodes.export_model,
                inputs=[
                    "model",
                    "latest_model_card",
                    "splits",
                    "image_table",
                    "prepared_images",
                    "attributions",
                    "params:export",
                    "params:device",
                ],
                outputs="bundle",
                name="export_model",
                tags=["bundles", "any_model"],  # one that another recipe trained will do
            )
        ]
    )
