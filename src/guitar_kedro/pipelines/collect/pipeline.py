"""The collect pipeline."""

from kedro.pipeline import Node, Pipeline

from guitar_kedro.pipelines.collect import nodes


def create_pipeline() -> Pipeline:
    """Create the pipeline from ``queries`` to class folders and the tables of what was kept and what was rejected."""
    return Pipeline(
        [
            Node(
                func=nodes.collect_images,
                inputs=[
                    "queries",
                    "params:collect",
                    "params:ingestion.max_bytes",
                    "params:ingestion.max_pixels",
                    "params:ingestion.max_frames",
                ],
                outputs="collected_images",
                name="collect_images",
            ),
            Node(
                func=nodes.list_attributions,
                inputs=["collected_images", "queries", "params:collect"],
                outputs=["attributions", "rejected_downloads"],
                name="list_attributions",
            ),
        ]
    )
