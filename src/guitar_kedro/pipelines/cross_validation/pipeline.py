"""The cross-validation pipeline."""

from kedro.pipeline import Node, Pipeline

from guitar_kedro.pipelines.cross_validation import nodes
from guitar_kedro.pipelines.prefilled import prefilled
from guitar_kedro.pipelines.training.pipeline import recipe_inputs
from guitar_kedro.pipelines.training.plan import PROBE, StagePlan


def create_pipeline(first: StagePlan) -> Pipeline:
    """Create the pipeline that trains the first stage on a random split and on folds.

    Args:
        first: The first stage.
    """
    training = {
        "image_table": "image_table",
        "prepared_images": "prepared_images",
        "pixels": "cross_validation_pixels",
        "start": first.start,
        **({"features": f"train.{first.name}.features"} if PROBE in first.phases else {}),
        **{phase: f"params:stages.{first.name}.{phase}" for phase in first.phases},
        **{
            f"{phase}_suggestion": f"train.{first.name}.{phase}_learning_rate"
            for phase in first.phases
            if phase in first.suggested
        },
        **recipe_inputs(first, with_weights=True),
    }
    return Pipeline(
        [
            Node(
                func=nodes.split_at_random,
                inputs=["splits", "params:seed"],
                outputs="random_splits",
                name="split_at_random",
                tags="splits",
            ),
            Node(
                func=nodes.decode_images,
                inputs=[
                    "splits",
                    "prepared_images",
                    f"params:stages.{first.name}.image_size",
                    "params:training.presize",
                    "params:training.resize_method",
                    f"params:stages.{first.name}.architecture",
                    f"params:stages.{first.name}.weights",
                ],
                outputs="cross_validation_pixels",
                name="decode_images",
                tags="decoded_pixels",
            ),
            Node(
                func=prefilled(nodes.train_random_split, stage_name=first.name, phases=first.phases),
                inputs={"random_splits": "random_splits", **training},
                outputs="random_checkpoint",
                name="train_random_split",
                tags="trained_networks",
            ),
            Node(
                func=nodes.predict_random_split,
                inputs=[
                    "random_checkpoint",
                    "model_spec",
                    "random_splits",
                    "image_table",
                    "prepared_images",
                    "params:device",
                ],
                outputs="random_predictions",
                name="predict_random_split",
                tags=["trained_networks", "predictions"],
            ),
            Node(
                func=nodes.report_honest_accuracy,
                inputs=["predictions", "random_predictions", "random_splits", "model_spec"],
                outputs="honest_accuracy",
                name="report_honest_accuracy",
                tags="reports",
            ),
            Node(
                func=nodes.deal_folds,
                inputs=["splits", "params:cross_validation", "params:seed"],
                outputs="folds",
                name="deal_folds",
                tags="splits",
            ),
            Node(
                func=prefilled(nodes.predict_out_of_fold, stage_name=first.name, phases=first.phases),
                inputs={"folds": "folds", **training},
                outputs="out_of_fold_predictions",
                name="predict_out_of_fold",
                tags=["trained_networks", "predictions"],
            ),
        ],
        namespace="cross_validation",
        prefix_datasets_with_namespace=False,
    )
