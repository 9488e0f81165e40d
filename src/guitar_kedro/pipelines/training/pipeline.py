"""The training pipeline: three nodes for each phase of each stage, and two for a probe.

A node asks for the single parameters that it uses, so that another one does not make it run again.
"""

from kedro.pipeline import Node, Pipeline

from guitar_kedro.learning.distributed.options import PARAMETERS
from guitar_kedro.learning.training.recipe import LoopOptions
from guitar_kedro.pipelines.prefilled import prefilled
from guitar_kedro.pipelines.training import nodes
from guitar_kedro.pipelines.training.plan import PRETRAINED, PROBE, StagePlan


def create_pipeline(stages: list[StagePlan]) -> Pipeline:
    """Create the pipeline of all stages.

    Args:
        stages: In the order in which they are trained.
    """
    trained = [stage for stage in stages if stage.trained]
    shared = Pipeline([*_decode_nodes(trained), *([_report_node(trained)] if trained else [])])
    return sum((_stage_pipeline(stage) for stage in stages), shared)


def recipe_inputs(stage: StagePlan, *, with_weights: bool) -> dict[str, str]:
    """Names what the training of all phases of a stage goes by.

    Args:
        stage: The stage.
        with_weights: Whether pretrained weights are looked for.
    """
    of_stage = ("architecture", "image_size", "batch_size", *(["weights"] if with_weights else []))
    return {
        **{name: f"params:stages.{stage.name}.{name}" for name in of_stage},
        **{name: f"params:training.{name}" for name in LoopOptions.model_fields},
        "seed": "params:seed",
        "device": "params:device",
    }


def _decode_nodes(stages: list[StagePlan]) -> list[Node]:
    """One node for each size: of the stages that share it, the first gives the parameter."""
    first_of_size = {stage.pixels: stage for stage in reversed(stages)}
    return [
        Node(
            func=nodes.decode_images,
            inputs=[
                "splits",
                "prepared_images",
                f"params:stages.{stage.name}.image_size",
                "params:training.presize",
                "params:training.resize_method",
                f"params:stages.{stage.origin}.architecture",
                f"params:stages.{stage.origin}.weights",
            ],
            outputs=pixels,
            name=f"decode_{pixels}",
            namespace="train",
            tags="decoded_pixels",
        )
        for pixels, stage in first_of_size.items()
    ]


def _report_node(stages: list[StagePlan]) -> Node:
    # kedro-viz folds into a group what the group uses up: the curve is asked for, though it is in its plot already
    of_phases = [
        [f"train.{stage.name}.{phase}_{picture}" for picture in ("history_plot", "batch", *_of_finder(stage))]
        for stage in stages
        for phase in stage.trained
    ]
    return Node(
        func=prefilled(nodes.show_training, results_per_phase=[len(names) for names in of_phases]),
        inputs=[name for names in of_phases for name in names],
        outputs="training_sheet",
        name="show_training",
        namespace="train",
        tags="reports",
    )


def _of_finder(stage: StagePlan) -> tuple[str, ...]:
    return ("learning_rate_plot", "learning_rate_curve") if stage.finder else ()


def _stage_pipeline(stage: StagePlan) -> Pipeline:
    starts = ("start", *(f"{phase}_checkpoint" for phase in stage.phases))
    phases = [
        node
        for phase, start in zip(stage.phases, starts, strict=False)
        for node in (_probe_nodes if phase == PROBE else _phase_nodes)(stage, phase, start)
    ]
    pixels = {"pixels": stage.pixels} if stage.trained else {}
    prepared = {"prepared_images": "prepared_images"} if PROBE in stage.phases else {}
    return Pipeline(
        phases,
        namespace=f"train.{stage.name}",
        inputs={"start": stage.start, "splits": "splits", **pixels, **prepared},
        parameters={name for node in phases for name in node.inputs if name.startswith("params:")},
    )


def _probe_nodes(stage: StagePlan, phase: str, start: str) -> list[Node]:
    of_pictures = ("presize", "augmentation")  # which a probe sees as validation does
    recipe = recipe_inputs(stage, with_weights=start == "start" and stage.start == PRETRAINED)
    shared = {"splits": "splits", "start": start} | {
        name: parameter for name, parameter in recipe.items() if name not in of_pictures
    }
    return [
        Node(
            func=prefilled(nodes.compute_features, stage_name=stage.name),
            inputs={**shared, "prepared_images": "prepared_images"},
            outputs="features",
            name="compute_features",
            tags="predictions",
        ),
        Node(
            func=prefilled(nodes.fit_probe, stage_name=stage.name),
            inputs={**shared, "features": "features", "options": f"params:stages.{stage.name}.{phase}"},
            outputs=[f"{phase}_checkpoint", f"{phase}_spec", f"{phase}_history"],
            name="fit_probe",
            tags="trained_networks",
        ),
    ]


def _phase_nodes(stage: StagePlan, phase: str, start: str) -> list[Node]:
    pictures = {"splits": "splits", "pixels": "pixels"}
    recipe = {
        "start": start,
        **{name: f"params:{name}" for name in (*PARAMETERS, "workspace")},
        **recipe_inputs(stage, with_weights=start == "start" and stage.start == PRETRAINED),
    }
    suggestion = {"suggestion": f"{phase}_learning_rate"}
    find = Node(
        func=prefilled(nodes.find_learning_rate, stage_name=stage.name, phase=phase),
        inputs={
            **pictures,
            **{name: source for name, source in recipe.items() if name not in nodes.OF_EPOCHS},
            "iterations": "params:training.finder_iterations",
        },
        outputs=[f"{phase}_learning_rate_curve", f"{phase}_learning_rate"],
        name=f"find_{phase}_learning_rate",
        tags="trained_networks",
    )
    found = {**suggestion, "curve": f"{phase}_learning_rate_curve"}
    return [
        *([find] if stage.finder else []),
        Node(
            func=prefilled(nodes.train, stage_name=stage.name, phase=phase),
            inputs={
                **pictures,
                **recipe,
                "options": f"params:stages.{stage.name}.{phase}",
                **(suggestion if phase in stage.suggested else {}),
                **({"probe_history": f"{PROBE}_history"} if PROBE in stage.phases else {}),
            },
            outputs=[f"{phase}_checkpoint", f"{phase}_spec", f"{phase}_history"],
            name=f"train_{phase}",
            tags=["trained_networks", "training"],  # a phase records how far it is
        ),
        Node(
            func=prefilled(nodes.show_phase, stage_name=stage.name, phase=phase),
            inputs={
                **pictures,
                **(found if stage.finder else {}),
                "spec": f"{phase}_spec",
                "history": f"{phase}_history",
                "display_names": "params:display_names",
                **{name: recipe[name] for name in nodes.OF_BATCHES},
            },
            outputs=[f"{phase}_{picture}" for picture in (*_of_finder(stage)[:1], "history_plot", "batch")],
            name=f"show_{phase}",
            tags=["reports", "trained_networks"],  # how a batch is augmented, training knows
        ),
    ]
