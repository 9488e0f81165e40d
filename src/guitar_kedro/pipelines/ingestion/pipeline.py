"""The ingestion pipeline."""

from kedro.pipeline import Node, Pipeline

from guitar_kedro.pipelines.ingestion import nodes
from guitar_kedro.pipelines.ingestion.accepting import accept_images
from guitar_kedro.pipelines.prefilled import prefilled
from guitar_kedro.pipelines.training.plan import StagePlan


def create_pipeline(stages: list[StagePlan]) -> Pipeline:
    """Create the pipeline from ``raw_images`` to ``image_table`` and what to look at in the data.

    Args:
        stages: For their sizes, which are compared with those of the pictures.
    """
    made = [
        Node(
            func=accept_images,
            inputs=["unlabelled_pictures", "curation", "raw_images"],
            outputs="accepted_images",
            name="accept_images",
            tags="image_tables",
        ),
        Node(
            func=nodes.prepare_images,
            inputs=[
                "raw_images",
                "params:ingestion.max_side",
                "params:ingestion.quality",
                "params:ingestion.max_bytes",
                "params:ingestion.max_pixels",
                "params:ingestion.max_frames",
                "params:cluster",
                "accepted_images",
                "unlabelled_pictures",
            ],
            outputs="prepared_images",
            name="prepare_images",
            tags="prepared_pictures",
        ),
        Node(
            func=nodes.build_image_table,
            inputs=["prepared_images", "curation", "params:ingestion.duplicate_distance", "accepted_images"],
            outputs=["image_table", "rejected_images", "applied_curation"],
            name="build_image_table",
            tags="image_tables",
        ),
    ]
    shown = [
        Node(
            func=prefilled(nodes.plot_resolutions, stages=[stage.name for stage in stages]),
            inputs=["image_table", *(f"params:stages.{stage.name}.image_size" for stage in stages)],
            outputs="resolutions",
            name="plot_resolutions",
        ),
        Node(
            func=nodes.show_classes,
            inputs=["image_table", "prepared_images", "params:display_names"],
            outputs=["class_balance", "class_contact_sheet"],
            name="show_classes",
        ),
        Node(
            func=nodes.show_duplicates,
            inputs=["image_table", "rejected_images", "prepared_images"],
            outputs=["duplicates", "duplicates_sheet"],
            name="show_duplicates",
        ),
    ]
    return Pipeline(made) + Pipeline(
        shown, namespace="report.data", prefix_datasets_with_namespace=False, tags="reports"
    )
