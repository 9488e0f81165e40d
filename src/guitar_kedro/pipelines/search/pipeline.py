"""The pipeline of the search."""

from kedro.pipeline import Node, Pipeline

from guitar_kedro.pipelines.search import nodes
from guitar_kedro.pipelines.training.plan import PRETRAINED


def create_pipeline() -> Pipeline:
    """Create the pipeline from prepared pictures to the best recipe."""
    recipe = {name: f"params:{name}" for name in ("stages", "training", "seed", "device")}
    trains = {
        "splits": "splits",
        "prepared_images": "prepared_images",
        "start": PRETRAINED,
        "cache": "trial_cache",
        **recipe,
    }
    return Pipeline(
        [
            Node(
                func=nodes.run_trials,
                inputs={"study": "study", "options": "params:search", "cluster": "params:cluster", **trains},
                outputs=["trials", "parameter_importances"],
                name="run_trials",
                tags=["decoded_pixels", "trained_networks", "predictions"],
            ),
            Node(
                func=nodes.compare_on_fresh_folds,
                inputs={
                    "trials": "trials",
                    "folds": "params:search.folds",
                    "fresh_folds": "params:search.fresh_folds",
                    **trains,
                },
                outputs="search_result",
                name="compare_on_fresh_folds",
                tags=["decoded_pixels", "trained_networks", "predictions"],
            ),
            Node(
                func=nodes.report_search,
                inputs={
                    "trials": "trials",
                    "parameter_importances": "parameter_importances",
                    "search_result": "search_result",
                    **{name: parameter for name, parameter in recipe.items() if name != "device"},
                },
                outputs=["search_plot", "best_trial"],
                name="report_search",
                tags="reports",
            ),
        ],
        namespace="search",
        prefix_datasets_with_namespace=False,
    )
