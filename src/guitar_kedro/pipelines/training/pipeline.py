"""The training pipeline: four nodes for each stage."""

from kedro.pipeline import Node, Pipeline

from guitar_kedro.pipelines.training import nodes
from guitar_kedro.pipelines.training.plan import StagePlan

SHARED_INPUTS = {"splits", "processes", "epoch_states"}
SHARED_PARAMETERS = {"params:training", "params:display_names", "params:seed"}


def create_pipeline(stages: list[StagePlan]) -> Pipeline:
    """Creates the pipeline of all stages, whose last one is calibrated and becomes the model.

    Args:
        stages: In the order in which they are trained.
    """
    calibrate = Node(
        func=nodes.calibrate_model,
        inputs=[stages[-1].checkpoint, "splits", "prepared_images", "params:calibration", "params:training"],
        outputs="model",
        name="calibrate_model",
        namespace="train",
    )
    shared = Pipeline([*_decode_nodes(stages), calibrate, _report_node(stages)])
    return sum((_stage_pipeline(stage) for stage in stages), shared)


def _decode_nodes(stages: list[StagePlan]) -> list[Node]:
    """One node for each size: of the stages that share it, the first gives the parameters."""
    first_of_size = {stage.pixels: stage for stage in reversed(stages)}
    return [
        Node(
            func=nodes.decode_images,
            inputs=["splits", "prepared_images", f"params:stages.{stage.name}", "params:training"],
            outputs=pixels,
            name=f"decode_{pixels}",
            namespace="train",
        )
        for pixels, stage in first_of_size.items()
    ]


def _report_node(stages: list[StagePlan]) -> Node:
    phases = [f"{stage.name}.{phase}" for stage in stages for phase in stage.phases]
    pictures = ("learning_rate_curve", "learning_rate_plot", "history_plot", "batch")
    return Node(
        func=nodes.training_reporter(phases),
        inputs=[f"train.{phase}_{picture}" for phase in phases for picture in pictures],
        outputs="training_sheet",
        name="show_training",
        namespace="train",
    )


def _stage_pipeline(stage: StagePlan) -> Pipeline:
    starts = ("start", *(f"{phase}_checkpoint" for phase in stage.phases))
    phases = [
        node for phase, start in zip(stage.phases, starts, strict=False) for node in _phase_nodes(stage, phase, start)
    ]
    return Pipeline(
        phases,
        namespace=f"train.{stage.name}",
        inputs={"start": stage.start, "pixels": stage.pixels, **{name: name for name in SHARED_INPUTS}},
        parameters={"params:stage": f"params:stages.{stage.name}", **{name: name for name in SHARED_PARAMETERS}},
    )


def _phase_nodes(stage: StagePlan, phase: str, start: str) -> list[Node]:
    common = [
        "splits",
        "pixels",
        start,
        "params:stage",
        "params:training",
        "params:display_names",
        "params:seed",
        "processes",
    ]
    return [
        Node(
            func=nodes.learning_rate_finder(stage.name, phase),
            inputs=common,
            outputs=[f"{phase}_learning_rate_curve", f"{phase}_learning_rate", f"{phase}_learning_rate_plot"],
            name=f"find_{phase}_learning_rate",
        ),
        Node(
            func=nodes.phase_trainer(stage.name, phase),
            inputs=[*common, f"{phase}_learning_rate", "epoch_states"],
            outputs=[f"{phase}_checkpoint", f"{phase}_history", f"{phase}_history_plot", f"{phase}_batch"],
            name=f"train_{phase}",
        ),
    ]
