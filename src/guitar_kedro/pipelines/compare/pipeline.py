"""The pipeline that compares experiments."""

from kedro.pipeline import Node, Pipeline

from guitar_kedro.pipelines.compare import nodes


def create_pipeline() -> Pipeline:
    """Create the pipeline from the models of a workspace to their comparison."""
    return Pipeline(
        [
            Node(
                func=nodes.compare_experiments,
                inputs="experiments",
                outputs=["experiment_comparison", "experiment_coordinates_explorer", "experiment_curves_explorer"],
                name="compare_experiments",
                tags="reports",
            )
        ]
    )
