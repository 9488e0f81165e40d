"""The splitting pipeline."""

from kedro.pipeline import Node, Pipeline

from guitar_kedro.pipelines.splitting import nodes
from guitar_kedro.pipelines.training.plan import PRETRAINED


def create_pipeline(*, by_features: bool) -> Pipeline:
    """Create the pipeline from ``image_table`` to ``splits``, and to the images that look alike.

    Args:
        by_features: Whether these stay on one side of the split.
    """
    features = ["image_features"] if by_features else []
    return Pipeline(
        [
            Node(
                func=nodes.compute_features,
                inputs=["image_table", "prepared_images", PRETRAINED, "params:device"],
                outputs="image_features",
                name="compute_image_features",
                tags="predictions",
            ),
            Node(
                func=nodes.split_images,
                inputs=["image_table", "params:splitting", "params:seed", *features],
                outputs="splits",
                name="split_images",
                tags="splits",
            ),
            Node(
                func=nodes.plot_split_balance,
                inputs=["splits", "params:display_names"],
                outputs="split_balance",
                name="plot_split_balance",
                namespace="report.data",
                tags="reports",
            ),
            Node(
                func=nodes.report_leakage,
                inputs=["splits", "params:splitting"],
                outputs="leakage",
                name="report_leakage",
                namespace="report.data",
                tags="reports",
            ),
            Node(
                func=nodes.list_similar_images,
                inputs=["image_table", "splits", "image_features"],
                outputs="similar_images",
                name="list_similar_images",
                namespace="report.data",
                tags="reports",
            ),
        ]
    )
