"""The ingestion pipeline."""

from kedro.pipeline import Node, Pipeline

from guitar_kedro.pipelines.ingestion import nodes


def create_pipeline() -> Pipeline:
    """Creates the pipeline from ``raw_images`` to ``image_table`` and what to look at in the data."""
    return Pipeline(
        [
            Node(
                func=nodes.prepare_images,
                inputs=["raw_images", "earlier_images", "params:ingestion"],
                outputs="prepared_images",
                name="prepare_images",
            ),
            Node(
                func=nodes.build_image_table,
                inputs=["prepared_images", "curation", "params:ingestion"],
                outputs=["image_table", "rejected_images", "applied_curation"],
                name="build_image_table",
            ),
            Node(
                func=nodes.plot_class_balance,
                inputs=["image_table", "params:display_names"],
                outputs="class_balance",
                name="plot_class_balance",
                namespace="report.data",
            ),
            Node(
                func=nodes.plot_resolutions,
                inputs=["image_table", "params:stages"],
                outputs="resolutions",
                name="plot_resolutions",
                namespace="report.data",
            ),
            Node(
                func=nodes.show_classes,
                inputs=["image_table", "prepared_images", "params:display_names"],
                outputs="class_contact_sheet",
                name="show_classes",
                namespace="report.data",
            ),
            Node(
                func=nodes.show_duplicates,
                inputs=["image_table", "rejected_images", "prepared_images"],
                outputs=["duplicates", "duplicates_sheet"],
                name="show_duplicates",
                namespace="report.data",
            ),
        ]
    )
