"""Stages and what they are called: their names name nodes, datasets and folders."""

from __future__ import annotations

from typing import Any

import pytest

from guitar_kedro.errors import UserError
from guitar_kedro.learning import StageOptions
from guitar_kedro.pipelines import evaluation, reporting
from guitar_kedro.pipelines.training import create_pipeline, plan_stages

PHASE = {"epochs": 1, "learning_rate": 1e-3}
STAGE = {"image_size": 32, "weights": "none", "frozen": PHASE, "unfrozen": PHASE}


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("net.v2", "stages.net.v2: a stage names folders, so use letters, digits, '-' and '_' only"),
        ("a/b", "a stage names folders"),
        ("..", "a stage names folders"),
        ("a b", "a stage names folders"),
        ("", "a stage names folders"),
        ("-a", "a stage names folders"),
        ("größer", "a stage names folders"),
        ("a" * 61, "at most 60"),
        (2, "stages.2: YAML does not read this name as text; put it in quotes"),
        (False, "stages.false: YAML does not read this name as text"),
        ("model", "belongs to another part of training"),
        ("Bundle", "belongs to another part of training"),
        ("show_training", "belongs to another part of training"),
        ("decode_pixels_32px", "belongs to another part of training"),
    ],
)
def test_a_name_that_cannot_name_all_of_these_is_refused(name: Any, wrong: str):
    with pytest.raises(UserError, match=None) as refused:
        plan_stages({name: STAGE})
    assert wrong in str(refused.value)


def test_a_stage_that_only_probes_decodes_no_pictures():
    nothing = {"epochs": 0, "learning_rate": 1e-3}
    probed = {**STAGE, "probe": {}, "frozen": nothing, "unfrozen": nothing}
    names = {node.name for node in create_pipeline(plan_stages({"small": probed})).nodes}
    assert names == {"train.small.compute_features", "train.small.fit_probe"}
    without, plain = (create_pipeline(plan_stages({"small": stage})) for stage in ({**STAGE, "probe": None}, STAGE))
    assert {node.name for node in without.nodes} == {node.name for node in plain.nodes}


def test_names_that_differ_by_case_only_are_refused():
    with pytest.raises(UserError) as refused:
        plan_stages({"small": STAGE, "Small": STAGE})
    assert "stages.Small: there is small already" in str(refused.value)


@pytest.mark.parametrize("name", ["2", "224px", "net-v2", "resnet_50", "a" * 60, "frozen", "train", "Stage"])
def test_every_other_name_makes_pipelines(name: str):
    stages = plan_stages({name: STAGE})
    whole = create_pipeline(stages) + evaluation.create_pipeline(stages) + reporting.create_pipeline(stages)
    assert f"train.{name}.frozen_checkpoint" in whole.all_outputs()


def test_a_stage_without_the_finder_looks_for_no_rate_and_draws_no_curve():
    options = {"architecture": "resnet18", "image_size": 32, "batch_size": 8, "weights": "none", "finder": False}
    phase = {"epochs": 1, "learning_rate": "auto"}
    pipeline = create_pipeline(plan_stages({"small": {**options, "frozen": phase, "unfrozen": phase}}))
    assert not [node.name for node in pipeline.nodes if "find_" in node.name]
    assert not [
        name for name in pipeline.datasets() if "learning_rate" in name.rpartition(".")[2] and "params" not in name
    ]
    with pytest.raises(ValueError, match="learning_rate is suggested, but finder is false"):
        StageOptions(**options, frozen={**phase, "learning_rate": "suggested"}, unfrozen=phase)
