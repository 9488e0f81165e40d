"""What cannot work is told before the first node."""

from __future__ import annotations

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
import torchvision
from huggingface_hub import constants
from kedro.io import DataCatalog
from kedro.pipeline import Node, Pipeline

from guitar_kedro.datasets import PretrainedWeightsDataset
from guitar_kedro.errors import UserError
from guitar_kedro.pipelines import networks
from guitar_kedro.pipelines.training import create_pipeline, plan_stages
from guitar_kedro.runs.checks import check_nodes, check_parameters, check_versions, is_checked
from guitar_kedro.runs.runner import ResumingSession

PHASE = {"epochs": 1, "learning_rate": 1e-3}
STAGE = {"architecture": "squeezenet1_1", "image_size": 32, "batch_size": 16, "frozen": PHASE, "unfrozen": PHASE}
PARAMETERS = {
    "seed": 42,
    "resume": True,
    "device": "auto",
    "display_names": {},
    "workspace": "mine",
    "nproc_per_node": 1,
    "nnodes": 1,
    "rdzv_endpoint": None,
    "max_restarts": 3,
    "stages": {"small": {**STAGE, "weights": "none"}, "larger": {**STAGE, "start_from": "small"}},
    "training": {
        "resize_method": "squish",
        "presize": 1.15,
        "finder_iterations": 20,
        "augmentation": {
            "max_rotate": 10.0,
            "min_zoom": 1.0,
            "max_zoom": 1.1,
            "max_lighting": 0.2,
            "max_warp": 0.2,
            "p_affine": 0.75,
            "p_lighting": 0.75,
        },
    },
}


def check(folder: Path, changes: dict[str, Any]) -> None:
    """Checks a training pipeline; changes are named by their paths."""
    parameters = copy.deepcopy(PARAMETERS)
    for path, value in changes.items():
        *groups, last = path.split(".")
        group = parameters
        for name in groups:
            group = group[name]
        group[last] = value
    pipeline = create_pipeline(plan_stages(parameters["stages"]))
    catalog = DataCatalog({"pretrained_weights": PretrainedWeightsDataset(str(folder))})
    check_nodes(filter(is_checked, pipeline.nodes), catalog, parameters)


def test_networks_may_be_compared_on_pictures_that_are_no_squares(tmp_path: Path):
    stages = {"small": {**STAGE, "weights": "none", "image_size": [64, 96]}}
    parameters = {**PARAMETERS, "stages": stages, "networks": ["squeezenet1_1:none"]}
    pipeline = networks.create_pipeline(networks.plan_networks(parameters["networks"]), plan_stages(stages)[0])
    catalog = DataCatalog({"pretrained_weights": PretrainedWeightsDataset(str(tmp_path))})
    check_nodes(filter(is_checked, pipeline.nodes), catalog, parameters)


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"stages.small.weights": "nowhere.pth"}, "stages.small.weights: there is no file nowhere.pth"),
        (
            {"stages.small.weights": "~no such user/x.pth"},
            "stages.small.weights: ~no such user/x.pth begins with a home folder",
        ),
        (
            {"stages.small.architecture": "squeezenet11", "stages.larger.architecture": "squeezenet11"},
            "stages.small.architecture: squeezenet11 is no network of torchvision or timm. Did you mean squeezenet1_1",
        ),
        (
            {"stages.larger.architecture": "resnet18"},
            "stages.larger.architecture is resnet18, but it starts from small",
        ),
        (
            {"stages.small.batch_size": 15, "nproc_per_node": 2},
            "stages.small.batch_size is 15; 2 processes must share it",
        ),
        ({"stages.small.batch_size": 2, "nproc_per_node": 2}, "two pictures or more for each"),
        ({"training.layer_decay": 0.8}, "training.layer_decay is for networks of timm and for transformers"),
        (
            {
                "training.layer_decay": 0.8,
                "stages.small.architecture": "test_vit",
                "stages.larger.architecture": "test_vit",
                "stages.larger.unfrozen": {"epochs": 1, "learning_rate": [1e-4, 1e-3]},
            },
            "stages.larger.unfrozen.learning_rate is a pair, and training.layer_decay says how the first layers learn",
        ),
    ],
)
def test_a_stage_that_cannot_be_trained_is_refused(tmp_path: Path, changes: dict[str, Any], wrong: str):
    with pytest.raises(UserError) as refused:
        check(tmp_path, changes)
    assert wrong in str(refused.value)


def test_a_device_that_is_not_there_is_refused(tmp_path: Path):
    other = "mps" if torch.cuda.is_available() else "cuda"  # no machine has both
    with pytest.raises(UserError) as refused:
        check(tmp_path, {"device": other})
    assert f"device is {other}, but this machine has none" in str(refused.value)


def test_a_stage_that_can_be_trained_is_not_refused(tmp_path: Path):
    weights = tmp_path / "weights.pth"
    torch.save(torchvision.models.get_model(STAGE["architecture"]).state_dict(), weights)
    check(tmp_path, {"stages.small.weights": str(weights), "nproc_per_node": 2})


def test_weights_that_cannot_be_fetched_are_refused_before_pictures_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    network = {f"stages.{stage}.architecture": "test_vit" for stage in ("small", "larger")}
    check(tmp_path, {**network, "stages.small.weights": "default"})
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    with pytest.raises(UserError) as refused:
        check(tmp_path, {**network, "stages.small.weights": "default"})
    assert str(refused.value).startswith("stages.small.weights: timm/test_vit.r160_in1k could not be fetched from")
    assert "/resolve/main/model.safetensors yourself and give a file's path as the weights" in str(refused.value)


def test_what_is_not_trained_in_this_run_is_not_looked_at(tmp_path: Path):
    parameters = {**PARAMETERS, "stages": {"small": {**STAGE, "weights": "nowhere.pth"}}}
    check_nodes([], DataCatalog(), parameters)


def test_other_images_that_are_not_there_are_refused(tmp_path: Path):
    other = {"type": "guitar_kedro.datasets.OtherPhotosDataset", "filepath": str(tmp_path)}
    node = Node(lambda images: None, inputs="ood_images", outputs=None, name="predict_ood")
    with pytest.raises(UserError, match="ood_images=nowhere does not exist"):
        check_nodes([node], DataCatalog.from_config({"ood_images": {**other, "images": "nowhere"}}), PARAMETERS)
    check_nodes([node], DataCatalog.from_config({"ood_images": {**other, "images": str(tmp_path)}}), PARAMETERS)
    check_nodes([node], DataCatalog.from_config({"ood_images": {**other, "images": "s3://a/b"}}), PARAMETERS)
    check_nodes([node], DataCatalog.from_config({"ood_images": other}), PARAMETERS)


@pytest.mark.parametrize(
    ("change", "wrong"),
    [
        ({"seed": "abc"}, "seed is abc; it must be a whole number"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": True}, "seed is True"),
        ({"resume": "maybe"}, "resume is 'maybe'"),
        ({"nproc_per_node": 0}, "The parameters cannot be used: nproc_per_node is 0; it must be at least 1."),
        ({"nnodes": 2}, "The parameters cannot be used: several machines need a rdzv_endpoint=HOST:PORT to meet at"),
        ({"epochs_per_state": 0}, "epochs_per_state is 0; it is a number of epochs: 1 or more"),
        ({"display_names": None}, "display_names is None; it must hold names by class"),
    ],
)
def test_a_parameter_that_stands_alone_is_checked(change: dict[str, Any], wrong: str):
    check_parameters(PARAMETERS)
    with pytest.raises(UserError) as refused:
        check_parameters({**PARAMETERS, **change})
    assert wrong in str(refused.value)


def test_a_version_that_is_not_there_is_refused_with_those_that_are(tmp_path: Path):
    table = {"type": "guitar_kedro.datasets.MetricsDataset", "filepath": str(tmp_path / "x.json"), "versioned": True}
    pipeline = Pipeline([Node(lambda data: data, inputs="x", outputs="y", name="pass_on")])
    there = "2026-01-01T00.00.00.000Z"
    DataCatalog.from_config({"x": table}, save_version=there)["x"].save({"a": 1})
    check_versions(pipeline, DataCatalog.from_config({"x": table}, load_versions={"x": there}))
    with pytest.raises(UserError, match=f"there is no such version; choose one of {there}"):
        check_versions(pipeline, DataCatalog.from_config({"x": table}, load_versions={"x": "2020-01-01T00.00.00.000Z"}))


def test_a_runner_that_would_run_nodes_side_by_side_is_refused_at_once():
    from kedro.runner import ThreadRunner

    session = ResumingSession.__new__(ResumingSession)
    with pytest.raises(UserError, match="ThreadRunner: nodes run one after another"):
        session.run(runner=ThreadRunner())
