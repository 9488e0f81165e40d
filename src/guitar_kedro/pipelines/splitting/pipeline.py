"""The splitting pipeline."""

from kedro.pipeline import Node, Pipeline

from guitar_kedro.pipelines.splitting import nodes
from guitar_kedro.pipelines.training.plan import PRETRAINED


def create_pipeline(by_features: bool = False) -> Pipeline:
    """Create the pipeline from ``image_table`` to ``splits``.

    Args:
        by_features: Whether images that look alike to a network stay on one side of the split.
    """
    made = [
        Node(
            func=nodes.split_images,
            inputs=[
                "image_table",
                "params:splitting",
                "params:seed",
                "earlier_assignments",
                *(["image_features"] if by_features else []),
            ],
            outputs=["splits", "split_assignments"],
            name="split_images",
            tags="splits",
        ),
        Node(
            func=nodes.list_image_labels,
            inputs=["splits", "image_table"],
            outputs="image_labels",
            name="list_image_labels",
            tags="splits",
        ),
    ]
    if by_features:
        made.append(
            Node(
                func=nodes.compute_features,
                inputs=["image_table", "prepared_images", PRETRAINED, "params:device"],
                outputs="image_features",
                name="compute_image_features",
                tags="predictions",
            )
        )
    shown = [
        Node(
            func=nodes.plot_split_balance,
            inputs=["splits", "params:display_names"],
            outputs="split_balance",
            name="plot_split_balance",
        ),
        Node(
            func=nodes.report_leakage,
            inputs=["splits", "image_table", "params:splitting"],
            outputs=["leakage", "leaking_images"],
            name="report_leakage",
        ),
    ]
    return Pipeline(made) + Pipeline(
        shown, namespace="report.data", prefix_datasets_with_namespace=False, tags="reports"
    )
