"""The splitting pipeline."""

from kedro.pipeline import Node, Pipeline

from guitar_kedro.pipelines.splitting import nodes


def create_pipeline() -> Pipeline:
    """Create the pipeline from ``image_table`` to ``splits``."""
    made = Node(
        func=nodes.split_images,
        inputs=["image_table", "params:splitting", "params:seed"],
        outputs="splits",
        name="split_images",
        tags="splits",
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
            inputs=["splits", "params:splitting"],
            outputs="leakage",
            name="report_leakage",
        ),
    ]
    return Pipeline([made]) + Pipeline(
        shown, namespace="report.data", prefix_datasets_with_namespace=False, tags="reports"
    )
