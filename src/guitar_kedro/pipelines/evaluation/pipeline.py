"""The evaluation pipeline."""

from kedro.pipeline import Node, Pipeline

from guitar_kedro.pipelines.evaluation import nodes
from guitar_kedro.pipelines.training.plan import StagePlan, probed_features


def create_pipeline(stages: list[StagePlan]) -> Pipeline:
    """Create the pipeline from checkpoints to predictions and class activation maps.

    Args:
        stages: In the order in which they were trained; the last one is the model, which alone sees the test part.
    """
    common = ["image_table", "splits", "prepared_images", "params:device"]
    earlier = [
        Node(
            func=nodes.predict_validation,
            inputs=[stage.checkpoint, "model_spec", *common],
            outputs=f"evaluate.{stage.name}.validation_predictions",
            name="predict_validation",
            namespace=stage.name,
        )
        for stage in stages[:-1]
    ]
    features = Node(
        func=nodes.compute_features,
        inputs=["model", "splits", "prepared_images", "params:device"],
        outputs="model_features",
        name="compute_features",
    )
    return Pipeline(
        [
            *earlier,
            Node(
                func=nodes.predict_test,
                inputs=["model", "image_table", "splits", "prepared_images", "test_labels", "params:device"],
                outputs="test_predictions",
                name="predict_test",
            ),
            Node(
                func=nodes.gather_predictions,
                inputs=["test_predictions", *(node.outputs[0] for node in earlier), "validation_predictions"],
                outputs="predictions",
                name="gather_predictions",
            ),
            Node(
                func=nodes.report_tta,
                inputs=["model", *common],
                outputs="tta_gain",
                name="report_tta",
                tags="reports",
            ),
            Node(
                func=nodes.predict_ood,
                inputs=["model", "ood_images", "params:device"],
                outputs="ood_predictions",
                name="predict_ood",
            ),
            Node(
                func=nodes.draw_grad_cam,
                inputs=["predictions", "model", "prepared_images", "params:device"],
                outputs=["grad_cam_by_class", "grad_cam_of_errors"],
                name="draw_grad_cam",
                tags="reports",
            ),
            *([] if probed_features(stages) else [features]),
        ],
        namespace="evaluate",
        prefix_datasets_with_namespace=False,
        tags="predictions",
    )
