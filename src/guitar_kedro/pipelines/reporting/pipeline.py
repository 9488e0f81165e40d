"""The reporting pipeline: from predictions to what people look at."""

from kedro.pipeline import Node, Pipeline

from guitar_kedro.pipelines.prefilled import prefilled
from guitar_kedro.pipelines.reporting import nodes
from guitar_kedro.pipelines.training.plan import StagePlan, probed_features


def create_pipeline(stages: list[StagePlan], by_features: bool = False) -> Pipeline:
    """Create the pipeline of reports, which trains nothing and predicts nothing.

    Kedro-viz folds all of it into the group ``report``, with the figures that the model card uses up.

    Args:
        stages: In the order in which they were trained.
        by_features: Whether the features of all images are there, by which they were split.
    """
    histories = [f"train.{stage.name}.{phase}_history" for stage in stages for phase in stage.phases]
    specs = [f"train.{stage.name}.{phase}_spec" for stage in stages for phase in stage.phases]
    of_probe = probed_features(stages)
    return Pipeline(
        [
            Node(
                func=nodes.compute_metrics,
                inputs=["predictions", "model_spec"],
                outputs=["metrics", "classification_report", "most_confused"],
                name="compute_metrics",
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
            ),
            Node(
                func=nodes.plot_confusion_matrix,
                inputs=["predictions", "model_spec"],
                outputs=["confusion_matrix", "confusion_explorer"],
                name="plot_confusion_matrix",
            ),
            Node(
                func=nodes.show_top_losses,
                inputs=["predictions", "model_spec", "prepared_images"],
                outputs=["top_losses", "top_losses_sheet"],
                name="show_top_losses",
            ),
            Node(
                func=nodes.report_slices,
                inputs=["predictions", "image_table", "model_spec"],
                outputs=["slices", "slices_plot"],
                name="report_slices",
            ),
            Node(
                func=nodes.find_suspect_labels,
                inputs=["predictions", "out_of_fold_predictions", "splits", "model_spec", "prepared_images"],
                outputs=["suspect_labels", "curation_proposal", "suspects_sheet"],
                name="find_suspect_labels",
            ),
            Node(
                func=nodes.report_curation,
                inputs=[
                    "predictions",
                    "predictions_before_change",
                    "model_before_change",
                    "image_labels_before_change",
                    "image_labels",
                    "applied_curation",
                    "model_spec",
                ],
                outputs="curation_effect",
                name="report_curation",
            ),
            Node(
                func=nodes.compare_stages,
                inputs=["splits", *histories, *specs],
                outputs=["stage_comparison", "stage_comparison_plot"],
                name="compare_stages",
            ),
            Node(
                func=nodes.compare_neighbours,
                inputs=["predictions", "stage_comparison", "model_spec", "prepared_images"],
                outputs=["stage_steps", "stage_steps_plot", "fixed_and_broken_sheet"],
                name="compare_neighbours",
            ),
            Node(
                func=prefilled(
                    nodes.draw_embedding_map, source="the frozen network of the probe" if of_probe else "the model"
                ),
                inputs=[
                    "predictions",
                    "suspect_labels",
                    of_probe or "model_features",
                    "prepared_images",
                    "model_spec",
                    "params:seed",
                ],
                outputs=["embedding_map", "embedding_explorer"],
                name="draw_embedding_map",
            ),
            Node(
                func=nodes.list_similar_images,
                inputs=["image_table", "splits", "image_features" if by_features else of_probe or "model_features"],
                outputs="similar_images",
                name="list_similar_images",
            ),
            Node(
                func=nodes.write_model_card,
                inputs=[
                    "model_spec",
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
                    "search_result",
                    "curation_effect",
                    "attributions",
                    "params:published_accuracy",
                    "params:workspace",
                    *nodes.CARD_FIGURES,
                ],
                outputs=["model_card", "model_card_markdown"],
                name="write_model_card",
            ),
        ],
        namespace="report",
        prefix_datasets_with_namespace=False,
        tags="reports",
    )
