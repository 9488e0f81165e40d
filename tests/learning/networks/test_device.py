"""What a user may rely on about where and how exactly networks compute."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from kedro.pipeline import Pipeline

from guitar_kedro.config import StagesConfigLoader
from guitar_kedro.datasets import LearnerDataset
from guitar_kedro.errors import UserError
from guitar_kedro.learning import (
    Checkpoint,
    Phase,
    Predictor,
    find_learning_rate,
    grad_cam_maps,
    learner_for_inference,
    predict,
    predict_in_chunks,
    train_phase,
)
from guitar_kedro.learning.networks.device import _problem, choose_device, choose_precision, device_name
from guitar_kedro.pipelines import calibration, cross_validation, evaluation, export, prediction, splitting, training
from guitar_kedro.runs.record import environment

CONF = Path(__file__).parents[3] / "conf"
MISSING = next(name for name in ("cuda", "mps") if not getattr(torch, name).is_available())


@pytest.fixture(autouse=True)
def nothing_tried() -> None:
    _problem.cache_clear()


def configuration(env: str, **given: object) -> StagesConfigLoader:
    return StagesConfigLoader(CONF, env, given, base_env="base", default_run_env="base")


def test_a_gpu_that_torch_was_only_compiled_for_is_not_taken(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.backends.mps, "is_built", lambda: True)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    assert choose_device("auto").type in ("cpu", "cuda")


def test_a_gpu_that_does_not_work_is_told_and_not_taken(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: MISSING == "cuda")
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: MISSING == "mps")
    assert choose_device("auto") == torch.device("cpu")
    assert choose_device("auto") == torch.device("cpu")
    assert caplog.text.count(f"The GPU ({MISSING}) cannot be used: ") == 1
    with pytest.raises(UserError, match=f"device is {MISSING}, but this machine has none that torch can use"):
        choose_device(MISSING)


def test_the_device_that_was_asked_for_is_the_one_of_all_that_networks_do(phase: Phase, checkpoint: Checkpoint):
    table = phase.table[phase.table["split"] == "validation"].head(2)
    classes = [["disc"]] * 2
    do: list[Callable[[str], object]] = [
        lambda device: train_phase(dataclasses.replace(phase, device=device), (1e-3,)),
        lambda device: find_learning_rate(dataclasses.replace(phase, device=device), 4),
        lambda device: Predictor(checkpoint, device),
        lambda device: learner_for_inference(checkpoint, device),
        lambda device: predict(checkpoint, table, "Predicting", device),
        lambda device: list(predict_in_chunks(checkpoint, [], device)),
        lambda device: grad_cam_maps(checkpoint, table, classes, "Maps", device),
    ]
    for something in do:
        with pytest.raises(UserError, match=f"device is {MISSING}, but this machine has none"):
            something(MISSING)
        something("cpu")


def test_a_predictor_that_goes_to_another_process_takes_along_what_was_asked_for(checkpoint: Checkpoint):
    make, arguments = Predictor(checkpoint, "cpu").__reduce__()
    assert make(*arguments)._device == torch.device("cpu")
    assert arguments == (checkpoint, "cpu")


def test_every_node_that_runs_a_network_is_given_the_device():
    options = {"epochs": 1}
    stages = training.plan_stages({"a": {"weights": "none", "image_size": 8, "frozen": options, "unfrozen": options}})
    pipelines: list[Pipeline] = [
        splitting.create_pipeline(),
        training.create_pipeline(stages),
        calibration.create_pipeline(stages[-1]),
        evaluation.create_pipeline(stages),
        cross_validation.create_pipeline(stages[0]),
        prediction.create_pipeline(),
        export.create_pipeline(),
    ]
    computing = {"trained_networks", "predictions", "bundles"}
    showing = {"train.a.show_frozen", "train.a.show_unfrozen", "evaluate.gather_predictions"}
    nodes = [node for node in sum(pipelines).nodes if node.tags & computing and node.name not in showing]
    assert nodes
    assert [node.name for node in nodes if "params:device" not in node.inputs] == []


def test_the_record_of_a_run_names_the_device_that_was_chosen(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    assert environment("cpu")["device"].startswith("CPU, ")
    monkeypatch.undo()
    assert environment("auto")["device"] == device_name(choose_device("auto"))
    assert environment(MISSING)["device"] == f"{MISSING}, which is not there"


@pytest.mark.parametrize("env", ["base", "guitars", "modern", "photos"])
def test_one_parameter_says_where_all_is_computed(env: str):
    assert configuration(env)["parameters"]["device"] == "auto"
    loader = configuration(env, device="cpu")
    assert loader["parameters"]["device"] == loader["catalog"]["learner"]["device"] == "cpu"


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"device": "tpu"}, "device is tpu; choose one of auto, cpu, cuda, mps"),
        ({"training": {"device": "cpu"}}, "training.device is called device now: write that instead"),
    ],
)
def test_a_device_that_there_is_not_and_its_earlier_name_are_refused_before_anything_runs(given: dict, words: str):
    with pytest.raises(UserError, match=words):
        configuration("base", **given)["parameters"]


def test_the_learner_of_the_catalog_predicts_where_it_is_told(checkpoint: Checkpoint, tmp_path: Path):
    checkpoint.save(tmp_path / "model")
    learner = LearnerDataset(str(tmp_path / "model"), device="cpu").load()
    assert learner.dls.device == next(learner.model.parameters()).device == torch.device("cpu")
    with pytest.raises(Exception, match=f"device is {MISSING}"):
        LearnerDataset(str(tmp_path / "model"), device=MISSING).load()


def test_precision_is_chosen_by_what_the_device_has():
    assert choose_precision("auto", torch.device("mps")) == torch.float32
    assert choose_precision("float32", torch.device("cpu")) == torch.float32
    assert choose_precision("bfloat16", torch.device("cpu")) == torch.bfloat16
    for parameter in ("training.precision", "calibration.precision"):
        with pytest.raises(UserError, match=f"{parameter} is bfloat16, which is not for mps"):
            choose_precision("bfloat16", torch.device("mps"), parameter)


@pytest.mark.parametrize("has_amx", [True, False])
def test_what_bfloat16_would_slow_down_is_trained_in_float32(monkeypatch: pytest.MonkeyPatch, has_amx: bool):
    monkeypatch.setattr(torch.cpu, "_is_avx512_bf16_supported", lambda: True)
    monkeypatch.setattr(torch.cpu, "_is_amx_tile_supported", lambda: has_amx)
    depthwise, plain = (torch.nn.Sequential(torch.nn.Conv2d(8, 8, 3, groups=groups)) for groups in (8, 2))
    cpu = torch.device("cpu")
    assert choose_precision("auto", cpu, trained=plain) == choose_precision("auto", cpu) == torch.bfloat16
    assert choose_precision("auto", cpu, trained=depthwise) == (torch.bfloat16 if has_amx else torch.float32)
    assert choose_precision("bfloat16", cpu, trained=depthwise) == torch.bfloat16
