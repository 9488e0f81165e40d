"""The pipeline that publishes a model."""

from kedro.pipeline import Node, Pipeline

from guitar_kedro.pipelines.publish import nodes


def create_pipeline() -> Pipeline:
    """Create the pipeline from a bundle to the files that are sent."""
    return Pipeline(
        [
            Node(
                func=nodes.make_publication,
                inputs=["bundle", "latest_model_card_markdown", "test_log", "params:publish"],
                outputs="publication",
                name="publish_model",
                tags="bundles",
            )
        ]
    )
