"""The evaluation pipeline."""

from kedro.pipeline import Node, Pipeline

from guitar_kedro.pipelines.evaluation import nodes
from guitar_kedro.pipelines.training.plan import StagePlan, probed_features


def create_pipeline(stages: list[StagePlan]) -> Pipeline:
    """Create the pipeline from checkpoints to predictions and class activation maps.

    Args:
        stages: In the order in which they were trained; the last one is the model, which alone sees the test part.
    """
    features = [] if probed_features(stages) else [_features_node()]
    return Pipeline([*_predict_nodes(stages), _other_node(), _attention_node(), *features])


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
        func=nodes.report_tta,
        inputs=["model", *common],
        outputs="tta_gain",
        name="report_tta",
        namespace="evaluate",
        tags=["predictions", "reports"],
    )
    return [*earlier, test, views, gather]


def _other_node() -> Node:
    return Node(
        func=nodes.predict_ood,
        inputs=["model", "ood_images", "params:device"],
        outputs="ood_predictions",
        name="predict_ood",
        namespace="evaluate",
        tags="predictions",
    )


def _features_node() -> Node:
    return Node(
        func=nodes.compute_features,
        inputs=["model", "splits", "prepared_images", "params:device"],
        outputs="model_features",
        name="compute_features",
        namespace="evaluate",
        tags="predictions",
    )


def _attention_node() -> Node:
    return Node(
        func=nodes.draw_grad_cam,
        inputs=["predictions", "model", "prepared_images", "params:device"],
        outputs=["grad_cam_by_class", "grad_cam_of_errors"],
        name="draw_grad_cam",
        namespace="evaluate",
        tags=["predictions", "reports"],
    )
