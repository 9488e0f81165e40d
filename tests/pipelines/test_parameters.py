"""Which nodes run again for which parameter: those that use it, and no other."""

from __future__ import annotations

import pytest

from guitar_kedro.errors import UserError
from guitar_kedro.learning import StageOptions
from guitar_kedro.options import completed
from guitar_kedro.pipelines import (
    calibration,
    cross_validation,
    evaluation,
    export,
    ingestion,
    prediction,
    reporting,
    splitting,
    training,
)

STAGES = {
    "small": {
        "image_size": 32,
        "weights": "none",
        "frozen": {"epochs": 1, "learning_rate": "suggested"},
        "unfrozen": {"epochs": 1, "learning_rate": 1e-3},
    },
    "larger": {
        "image_size": 48,
        "start_from": "small",
        "frozen": {"epochs": 0, "learning_rate": 1e-3},
        "unfrozen": {"epochs": 1, "learning_rate": 1e-3},
    },
}
FIND = {"train.small.find_frozen_learning_rate", "train.small.find_unfrozen_learning_rate"}
FIND_ALL = {*FIND, "train.larger.find_unfrozen_learning_rate"}
TRAIN = {"train.small.train_frozen", "train.small.train_unfrozen"}
TRAIN_ALL = {*TRAIN, "train.larger.train_unfrozen"}
SHOW = {"train.small.show_frozen", "train.small.show_unfrozen"}
SHOW_ALL = {*SHOW, "train.larger.show_unfrozen"}
CROSS_VALIDATION = {"cross_validation.train_random_split", "cross_validation.predict_out_of_fold"}
DECODE = {"train.decode_pixels_32px", "train.decode_pixels_48px", "cross_validation.decode_images"}


def nodes_that_use(parameter: str) -> set[str]:
    stages = training.plan_stages(STAGES)
    pipeline = (
        ingestion.create_pipeline(stages)
        + splitting.create_pipeline()
        + training.create_pipeline(stages)
        + calibration.create_pipeline(stages[-1])
        + evaluation.create_pipeline(stages)
        + reporting.create_pipeline(stages)
        + prediction.create_pipeline()
        + export.create_pipeline()
        + cross_validation.create_pipeline(stages[0])
    )
    used = f"params:{parameter}"
    return {
        node.name
        for node in pipeline.nodes
        if any(name == used or used.startswith(f"{name}.") or name.startswith(f"{used}.") for name in node.inputs)
    }


@pytest.mark.parametrize(
    ("parameter", "nodes"),
    [
        (
            "display_names",
            {
                *("report.data.plot_class_balance", "report.data.plot_split_balance", "report.data.show_classes"),
                *("calibrate.calibrate_model", *SHOW_ALL),
            },
        ),
        ("ingestion.max_bytes", {"prepare_images"}),
        ("ingestion.duplicate_distance", {"build_image_table"}),
        ("splitting.test", {"split_images", "report.data.report_leakage"}),
        ("training.finder_iterations", FIND_ALL),
        ("training.presize", {*DECODE, *FIND_ALL, *TRAIN_ALL, *SHOW_ALL, *CROSS_VALIDATION}),
        ("training.precision", {*FIND_ALL, *TRAIN_ALL, *CROSS_VALIDATION}),
        ("training.clip", {*FIND_ALL, *TRAIN_ALL, *CROSS_VALIDATION}),
        ("training.mixup", {*FIND_ALL, *TRAIN_ALL, *SHOW_ALL, *CROSS_VALIDATION}),
        ("training.ema", {*TRAIN_ALL, *CROSS_VALIDATION}),
        (
            "device",
            {
                *FIND_ALL,
                *TRAIN_ALL,
                *CROSS_VALIDATION,
                "cross_validation.predict_random_split",
                *("calibrate.predict_validation", "evaluate.small.predict_validation", "evaluate.predict_test"),
                *("evaluate.predict_ood", "evaluate.report_tta", "evaluate.draw_grad_cam", "evaluate.compute_features"),
                *("predict_images", "export_model"),
            },
        ),
        ("stages.small.unfrozen.epochs", {"train.small.train_unfrozen", *CROSS_VALIDATION}),
        (
            "stages.small.unfrozen.learning_rate",
            {"train.small.train_unfrozen", *CROSS_VALIDATION},
        ),
        ("stages.small.batch_size", {*FIND, *TRAIN, *SHOW, *CROSS_VALIDATION}),
        (
            "stages.small.weights",
            {
                *("train.small.find_frozen_learning_rate", "train.small.train_frozen", *CROSS_VALIDATION),
                # how pictures are resized goes with the weights; those that are there are not decoded again
                *("train.decode_pixels_32px", "train.decode_pixels_48px", "cross_validation.decode_images"),
            },
        ),
        (
            "stages.larger.image_size",
            {
                *("report.data.plot_resolutions", "train.decode_pixels_48px"),
                *("train.larger.find_unfrozen_learning_rate", "train.larger.train_unfrozen"),
                "train.larger.show_unfrozen",
            },
        ),
        ("calibration.in_distribution_recall", {"calibrate.calibrate_model", "report.report_calibration"}),
        ("calibration.selective_accuracy", {"calibrate.calibrate_model", "report.report_calibration"}),
        ("cross_validation.folds", {"cross_validation.deal_folds"}),
        ("published_accuracy", {"report.write_model_card"}),
    ],
)
def test_a_parameter_makes_those_nodes_run_again_that_use_it(parameter: str, nodes: set[str]):
    assert nodes_that_use(parameter) == nodes


def test_only_a_phase_that_asks_for_the_suggested_rate_waits_for_the_finder():
    pipeline = training.create_pipeline(training.plan_stages(STAGES))
    inputs = {node.name: node.inputs for node in pipeline.nodes}
    assert "train.small.frozen_learning_rate" in inputs["train.small.train_frozen"]
    assert "train.small.unfrozen_learning_rate" not in inputs["train.small.train_unfrozen"]


PHASE = {"epochs": 1, "learning_rate": 0.001}
STAGE = {"architecture": "resnet18", "image_size": 32, "batch_size": 8, "weights": "none", "frozen": PHASE}


def test_what_may_be_left_out_of_parameters_is_filled_in():
    parameters = {"stages": {"small": {**STAGE, "unfrozen": PHASE}}, "seed": 1}
    found = completed(parameters, {"stages.small": StageOptions})
    assert found["stages"]["small"]["start_from"] is None
    assert found["seed"] == 1


@pytest.mark.parametrize(
    ("stage", "sentence"),
    [
        (
            {"unfrozen": {**PHASE, "epoch": 2}},
            r"stages.small.unfrozen.epoch: there is no such parameter; did you mean epochs\?",
        ),
        ({"unfrozen": {**PHASE, "epochs": -1}}, "stages.small.unfrozen.epochs is -1; it must be at least 0"),
        ({}, "stages.small.unfrozen is missing"),
        ({"unfrozen": PHASE, "start_from": "other"}, "stages.small: .* starts either from weights or"),
    ],
)
def test_parameters_that_no_node_asks_for_one_by_one_are_checked_all_the_same(stage: dict, sentence: str):
    with pytest.raises(UserError, match=f"The parameters cannot be used: {sentence}"):
        completed({"stages": {"small": {**STAGE, **stage}}}, {"stages.small": StageOptions})
