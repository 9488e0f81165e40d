"""The audit pipeline."""

from kedro.pipeline import Node, Pipeline

from guitar_kedro.pipelines.audit import nodes
from guitar_kedro.pipelines.training.plan import StagePlan


def create_pipeline(first: StagePlan) -> Pipeline:
    """Creates the pipeline that trains the first stage on a random split and on folds.

    Args:
        first: The first stage.
    """
    training = [
        "image_table",
        "prepared_images",
        "audit_pixels",
        first.start,
        f"params:stages.{first.name}",
        "params:training",
        "params:display_names",
        "params:seed",
        *(f"train.{first.name}.{phase}_learning_rate" for phase in first.phases),
    ]
    return Pipeline(
        [
            Node(
                func=nodes.split_at_random,
                inputs=["splits", "params:seed"],
                outputs="random_splits",
                name="split_at_random",
                namespace="audit",
            ),
            Node(
                func=nodes.decode_images,
                inputs=["splits", "prepared_images", f"params:stages.{first.name}", "params:training"],
                outputs="audit_pixels",
                name="decode_images",
                namespace="audit",
            ),
            Node(
                func=nodes.random_split_trainer(first.name, first.phases),
                inputs=["random_splits", *training],
                outputs="random_predictions",
                name="predict_random_split",
                namespace="audit",
            ),
            Node(
                func=nodes.report_honest_accuracy,
                inputs=["predictions", "random_predictions", "random_splits"],
                outputs="honest_accuracy",
                name="report_honest_accuracy",
                namespace="audit",
            ),
            Node(
                func=nodes.deal_folds,
                inputs=["splits", "params:audit", "params:seed"],
                outputs="folds",
                name="deal_folds",
                namespace="audit",
            ),
            Node(
                func=nodes.fold_trainer(first.name, first.phases),
                inputs=["folds", *training],
                outputs="out_of_fold_predictions",
                name="predict_out_of_fold",
                namespace="audit",
            ),
        ]
    )
