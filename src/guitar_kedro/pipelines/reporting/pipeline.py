"""The reporting pipeline: from predictions to what people look at."""

from kedro.pipeline import Node, Pipeline

from guitar_kedro.pipelines.reporting import nodes
from guitar_kedro.pipelines.training.plan import StagePlan, probed_features


def create_pipeline(stages: list[StagePlan], by_features: bool = False) -> Pipeline:
    """Create the pipeline of reports, which trains nothing and predicts nothing.

    Kedro-viz folds all of it into the group ``report``, with the figures that the model card uses up.

    Args:
        stages: In the order in which they were trained.
        by_features: Whether the features of all images are there, by which they were split.
    """
    of_probe = probed_features(stages)
    return Pipeline(
        [
            *_result_nodes(),
            *_error_nodes(),
            *_stage_nodes(stages),
            _map_node(of_probe),
            _similar_node("image_features" if by_features else of_probe or "model_features"),
            _card_node(),
        ],
        tags="reports",
    )


def _result_nodes() -> list[Node]:
    return [
        Node(
            func=nodes.compute_metrics,
            inputs=["predictions", "model_spec"],
            outputs="metrics",
            name="compute_metrics",
            namespace="report",
        ),
        Node(
            func=nodes.report_classes,
            inputs=["predictions", "model_spec"],
            outputs="classification_report",
            name="report_classes",
            namespace="report",
        ),
        Node(
            func=nodes.report_calibration,
            inputs=[
                "predictions",
                "ood_predictions",
                "model_spec",
                "params:calibration.selective_accuracy",
                "params:calibration.in_distribution_recall",
            ],
            outputs=["calibration", "reliability_diagram", "risk_coverage", "energies"],
            name="report_calibration",
            namespace="report",
        ),
    ]


def _error_nodes() -> list[Node]:
    return [
        Node(
            func=nodes.plot_confusion_matrix,
            inputs=["predictions", "model_spec"],
            outputs=["confusion_matrix", "confusion_explorer"],
            name="plot_confusion_matrix",
            namespace="report",
        ),
        Node(
            func=nodes.list_most_confused,
            inputs=["predictions", "model_spec"],
            outputs="most_confused",
            name="list_most_confused",
            namespace="report",
        ),
        Node(
            func=nodes.show_top_losses,
            inputs=["predictions", "model_spec", "prepared_images"],
            outputs=["top_losses", "top_losses_sheet"],
            name="show_top_losses",
            namespace="report",
        ),
        Node(
            func=nodes.report_slices,
            inputs=["predictions", "image_table", "model_spec"],
            outputs=["slices", "slices_plot"],
            name="report_slices",
            namespace="report",
        ),
        Node(
            func=nodes.find_suspect_labels,
            inputs=["predictions", "out_of_fold_predictions", "splits", "model_spec", "prepared_images"],
            outputs=["suspect_labels", "curation_proposal", "suspects_sheet"],
            name="find_suspect_labels",
            namespace="report",
        ),
        Node(
            func=nodes.report_curation,
            inputs=[
                "predictions",
                "predictions_before_curation",
                "model_before_curation",
                "applied_curation",
                "model_spec",
            ],
            outputs="curation_effect",
            name="report_curation",
            namespace="report",
        ),
    ]


def _stage_nodes(stages: list[StagePlan]) -> list[Node]:
    histories = [f"train.{stage.name}.{phase}_history" for stage in stages for phase in stage.phases]
    specs = [f"train.{stage.name}.{phase}_spec" for stage in stages for phase in stage.phases]
    return [
        Node(
            func=nodes.compare_stages,
            inputs=["splits", *histories, *specs],
            outputs=["stage_comparison", "stage_comparison_plot"],
            name="compare_stages",
            namespace="report",
        ),
        Node(
            func=nodes.compare_neighbours,
            inputs=["predictions", "stage_comparison", "model_spec", "prepared_images"],
            outputs=["stage_steps", "stage_steps_plot", "fixed_and_broken_sheet"],
            name="compare_neighbours",
            namespace="report",
        ),
    ]


def _map_node(of_probe: str | None) -> Node:
    return Node(
        func=nodes.embedding_drawer("the frozen network of the probe" if of_probe else "the model"),
        inputs=["predictions", "suspect_labels", of_probe or "model_features", "model_spec", "params:seed"],
        outputs=["embedding_map", "embedding_explorer"],
        name="draw_embedding_map",
        namespace="report",
    )


def _similar_node(features: str) -> Node:
    return Node(
        func=nodes.list_similar_images,
        inputs=["image_table", "splits", features],
        outputs="similar_images",
        name="list_similar_images",
        namespace="report",
    )


def _card_node() -> Node:
    tables = [
        "image_table",
        "rejected_images",
        "splits",
        "predictions",
        "out_of_fold_predictions",
        "leakage",
        "similar_images",
        "metrics",
        "classification_report",
        "stage_comparison",
        "stage_steps",
        "calibration",
        "slices",
        "suspect_labels",
        "test_log",
        "tta_gain",
        "honest_accuracy",
        "curation_effect",
    ]
    return Node(
        func=nodes.write_model_card,
        inputs=["model_spec", *tables, "params:published_accuracy", "params:workspace", *nodes.CARD_FIGURES],
        outputs=["model_card", "model_card_markdown"],
        name="write_model_card",
        namespace="report",
    )
