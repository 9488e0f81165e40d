"""The evaluation pipeline."""

from kedro.pipeline import Node, Pipeline

from guitar_kedro.pipelines.evaluation import nodes
from guitar_kedro.pipelines.training.plan import StagePlan


def create_pipeline(stages: list[StagePlan]) -> Pipeline:
    """Creates the pipeline from checkpoints to reports.

    Args:
        stages: In the order in which they were trained; the last one is the model, which alone sees the test part.
    """
    return Pipeline([*_predict_nodes(stages), *_report_nodes(stages)])


def _predict_nodes(stages: list[StagePlan]) -> list[Node]:
    common = ["image_table", "splits", "prepared_images"]
    validation = [
        Node(
            func=nodes.predict_validation,
            inputs=[stage.checkpoint, *common],
            outputs=f"evaluate.{stage.name}.validation_predictions",
            name="predict_validation",
            namespace=f"evaluate.{stage.name}",
        )
        for stage in stages
    ]
    test = Node(
        func=nodes.predict_test,
        inputs=["model", *common],
        outputs="test_predictions",
        name="predict_test",
        namespace="evaluate",
    )
    gather = Node(
        func=nodes.gather_predictions,
        inputs=["test_predictions", *(f"evaluate.{stage.name}.validation_predictions" for stage in stages)],
        outputs="predictions",
        name="gather_predictions",
        namespace="evaluate",
    )
    return [*validation, test, gather]


def _report_nodes(stages: list[StagePlan]) -> list[Node]:
    histories = [f"train.{stage.name}.{phase}_history" for stage in stages for phase in stage.phases]
    checkpoints = [f"train.{stage.name}.{phase}_checkpoint" for stage in stages for phase in stage.phases]
    return [
        Node(func=nodes.compute_metrics, inputs=["predictions", "model"], outputs="metrics", name="compute_metrics"),
        Node(
            func=nodes.report_classes,
            inputs=["predictions", "model"],
            outputs="classification_report",
            name="report_classes",
        ),
        Node(
            func=nodes.plot_confusion_matrix,
            inputs=["predictions", "model"],
            outputs="confusion_matrix",
            name="plot_confusion_matrix",
        ),
        Node(
            func=nodes.list_most_confused,
            inputs=["predictions", "model"],
            outputs="most_confused",
            name="list_most_confused",
        ),
        Node(
            func=nodes.compare_stages,
            inputs=["splits", *histories, *checkpoints],
            outputs=["stage_comparison", "stage_comparison_plot"],
            name="compare_stages",
            namespace="train",  # what it compares is folded into that group in kedro-viz
        ),
    ]
