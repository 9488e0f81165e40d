"""What is wrong with parameters is said in a user's words."""

from __future__ import annotations

from typing import Any

import pytest

from guitar_kedro.errors import UserError
from guitar_kedro.learning.training.recipe import PhaseOptions, StageOptions, TrainingOptions
from guitar_kedro.pipelines.ingestion.options import IngestionOptions
from guitar_kedro.pipelines.splitting.options import SplittingOptions
from guitar_kedro.serving.options import ServingOptions

STAGE = {
    "architecture": "resnet18",
    "image_size": 64,
    "batch_size": 16,
    "weights": "none",
    "frozen": {"epochs": 1, "learning_rate": "suggested"},
    "unfrozen": {"epochs": 1, "learning_rate": [1e-5, 1e-3]},
}
SIZE = "it must be a whole number from 1 to 4096, or two of them, height and width, such as [256, 192]"
RATE = "it must be a number above 0 and up to 10, two of them such as [1.0e-5, 1.0e-3], auto, or suggested"


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"image_size": -5}, f"stage.image_size is -5; {SIZE}"),
        ({"image_size": "large"}, f"stage.image_size is large; {SIZE}"),
        ({"image_size": 64.5}, f"stage.image_size is 64.5; {SIZE}"),
        ({"image_size": [64, 0]}, f"stage.image_size is [64, 0]; {SIZE}"),
        ({"image_size": [64, 5000]}, f"stage.image_size is [64, 5000]; {SIZE}"),
        ({"image_size": [64]}, f"stage.image_size is [64]; {SIZE}"),
        ({"image_size": [64, 48, 32]}, f"stage.image_size is [64, 48, 32]; {SIZE}"),
        ({"image_size": True}, f"stage.image_size is True; {SIZE}"),
        ({"batch_size": 1}, "stage.batch_size is 1; it must be at least 2"),
        ({"architecture": 18}, "stage.architecture is 18; it must be text: put it in quotes"),
        ({"imagesize": 64}, "stage.imagesize: there is no such parameter; did you mean image_size?"),
        ({"frozen": 5}, "stage.frozen is 5; it must be the parameters epochs, learning_rate"),
        ({"frozen": {"epochs": 1}}, "stage.frozen.learning_rate is missing"),
        ({"probe": 5}, "stage.probe is 5; it must be the parameters C"),
        ({"probe": {"c": [1]}}, "stage.probe.c: there is no such parameter"),
        ({"probe": {"C": []}}, "stage.probe.C is []; give a list of numbers above 0"),
        ({"probe": {"C": 0.1}}, "stage.probe.C is 0.1; give a list of numbers above 0, such as [0.01, 0.1]"),
        ({"frozen": {"epochs": 1, "learning_rate": 1e30}}, f"stage.frozen.learning_rate is 1e+30; {RATE}"),
        ({"frozen": {"epochs": 1, "learning_rate": "fast"}}, f"stage.frozen.learning_rate is fast; {RATE}"),
        ({"frozen": {"epochs": 1, "learning_rate": [1, 2, 3]}}, f"stage.frozen.learning_rate is [1, 2, 3]; {RATE}"),
        ({"frozen": {"epochs": 1, "learning_rate": float("nan")}}, f"stage.frozen.learning_rate is nan; {RATE}"),
        ({"frozen": {"epoch": 1, "epochs": 1, "learning_rate": 1}}, "stage.frozen.epoch: there is no such parameter"),
        ({"start_from": "small"}, "stage: a stage starts either from weights or, with start_from"),
    ],
)
def test_a_stage_is_refused_in_one_sentence(change: dict[str, Any], wrong: str):
    with pytest.raises(UserError) as refused:
        StageOptions.of_parameter("stage", {**STAGE, **change})
    assert f"The parameters cannot be used: {wrong}" in str(refused.value)
    assert str(refused.value).count("stage.") <= 1


def test_all_that_is_wrong_is_said():
    with pytest.raises(UserError) as refused:
        StageOptions.of_parameter("stage", {**STAGE, "image_size": 0, "batch_size": "x"})
    assert str(refused.value) == (
        f"The parameters cannot be used: stage.image_size is 0; {SIZE}; "
        "stage.batch_size is x; it must be a whole number."
    )


@pytest.mark.parametrize(("given", "kept"), [(64, 64), ([64, 48], (64, 48)), ([64, 64], 64)])
def test_a_picture_is_a_square_or_has_a_height_and_a_width(given: Any, kept: Any):
    assert StageOptions.of_parameter("stage", {**STAGE, "image_size": given}).image_size == kept


@pytest.mark.parametrize(
    ("options", "given", "wrong"),
    [
        (
            TrainingOptions,
            {"precision": "half"},
            ".precision is half; it must be one of 'auto', 'float32' or 'bfloat16'",
        ),
        (
            TrainingOptions,
            {"batch_norm": False},
            ".batch_norm is False; it cannot be true or false, which is also how on, off, yes and no are read; give "
            "train or eval",
        ),
        (
            PhaseOptions,
            {"epochs": 1, "learning_rate": [1e-3, True]},
            ".learning_rate is [0.001, True]; it must be a number above 0 and up to 10, two of them such as "
            "[1.0e-5, 1.0e-3], auto, or suggested",
        ),
        (TrainingOptions, {"presize": 5}, ".presize is 5; it must be at most 2"),
        (IngestionOptions, {"quality": 100}, ".quality is 100; it must be at most 95"),
        (IngestionOptions, {"max_side": 0}, ".max_side is 0; it must be at least 16"),
        (IngestionOptions, {"max_frames": 0}, ".max_frames is 0; it must be more than 0"),
        (IngestionOptions, {"duplicate_distance": 65}, ".duplicate_distance is 65; it must be at most 64"),
        (SplittingOptions, {"test": 1}, ".test is 1; it must be less than 1"),
        (ServingOptions, {"fetch_urls": "perhaps"}, ".fetch_urls is perhaps; it must be true or false"),
        (ServingOptions, {"max_waiting": 0}, ".max_waiting is 0; it must be more than 0"),
    ],
)
def test_every_group_of_parameters_speaks_like_this(options: Any, given: dict[str, Any], wrong: str):
    with pytest.raises(UserError) as refused:
        options.model_validate(given)
    assert wrong in str(refused.value).splitlines()
