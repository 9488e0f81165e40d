"""The evaluation pipeline."""

from kedro.pipeline import Node, Pipeline

from guitar_kedro.pipelines.evaluation import nodes
from guitar_kedro.pipelines.training.plan import StagePlan


def create_pipeline(stages: list[StagePlan]) -> Pipeline:
    """Creates the pipeline from checkpoints to predictions and class activation maps.

    Args:
        stages: In the order in which they were trained; the last one is the model, which alone sees the test part.
    """
    return Pipeline([*_predict_nodes(stages), _other_node(), _attention_node()])


def _predict_nodes(stages: list[StagePlan]) -> list[Node]:
    common = ["image_table", "splits", "prepared_images", "params:device"]
    earlier = [
        Node(
            func=nodes.predict_validation,
            inputs=[stage.checkpoint, "model_spec", *common],
            outputs=f"evaluate.{stage.name}.validation_predictions",
            name="predict_validation",
            namespace=f"evaluate.{stage.name}",
            tags="predictions",
        )
        for stage in stages[:-1]
    ]
    test = Node(
        func=nodes.predict_test,
        inputs=["model", "image_table", "splits", "prepared_images", "test_labels", "params:device"],
        outputs="test_predictions",
        name="predict_test",
        namespace="evaluate",
        tags="predictions",
    )
    gather = Node(
        func=nodes.gather_predictions,
        inputs=["test_predictions", *(node.outputs[0] for node in earlier), "validation_predictions"],
        outputs="predictions",
        name="gather_predictions",
        namespace="evaluate",
        tags="predictions",
    )
    views = Node(
        func=nodes.report_augmented_views,
        inputs=["model", *common],
        outputs="augmented_views",
        name="report_augmented_views",
        namespace="evaluate",
        tags=["predictions", "reports"],
    )
    return [*earlier, test, views, gather]


def _other_node() -> Node:
    return Node(
        func=nodes.predict_others,
        inputs=["model", "other_images", "params:device"],
        outputs="other_predictions",
        name="predict_others",
        namespace="evaluate",
        tags="predictions",
    )


def _attention_node() -> Node:
    return Node(
        func=nodes.draw_attention,
        inputs=["predictions", "model", "prepared_images", "params:device"],
        outputs=["attention_by_class", "attention_of_errors"],
        name="draw_attention",
        namespace="evaluate",
        tags=["predictions", "reports"],
    )
