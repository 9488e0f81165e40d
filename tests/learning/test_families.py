"""A network of every family is trained, evaluated, explained, exported and packed like any other."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest

from guitar_kedro.learning import Checkpoint, Phase, Pixels, grad_cam_maps, make_bundle, train_phase
from guitar_kedro.learning.export.bundle import ONNX_FILE
from guitar_kedro.learning.export.onnx import quantised
from guitar_kedro.learning.inference.onnx import OnnxPredictor
from guitar_kedro.learning.inference.packing import can_pack
from guitar_kedro.learning.inference.predictor import Predictor
from guitar_kedro.learning.networks.architectures import preprocessing

SIZE = 64
FAMILIES = {
    "resnet": "resnet18",
    "efficientnet": "test_efficientnet",
    "convnext": "test_convnext",
    "vit": "test_vit",
    "swin": "swin_tiny_patch4_window7_224",
}


@pytest.fixture(params=FAMILIES.values(), ids=FAMILIES.keys())
def trained(request: pytest.FixtureRequest, phase: Phase, decode: Callable[..., Pixels]) -> tuple[Phase, Checkpoint]:
    stage = phase.stage.model_copy(update={"architecture": request.param, "image_size": SIZE, "weights": "none"})
    how = preprocessing(request.param, "none")
    phase = dataclasses.replace(
        phase, stage=stage, pixels=decode(SIZE, interpolation=how.interpolation), epochs=1, device="cpu"
    )
    return phase, train_phase(phase, (1e-4, 1e-3))[0]


def test_a_network_of_any_family_is_trained_evaluated_explained_and_exported(
    trained: tuple[Phase, Checkpoint], shapes: pd.DataFrame
):
    _, checkpoint = trained
    spec = checkpoint.spec
    assert (spec.mean, spec.interpolation) == dataclasses.astuple(preprocessing(spec.architecture, "none"))[::2]

    paths = shapes["path"].tolist()[:6]
    predictor = Predictor(checkpoint, "cpu")
    pictures = np.stack([predictor.read(path) for path in paths])
    answers = predictor.predict(pictures).probabilities
    assert np.allclose(answers.sum(axis=1), 1)
    assert np.allclose(predictor.predict(pictures[:1]).probabilities, answers[:1], atol=1e-5)

    maps = grad_cam_maps(checkpoint, shapes.head(2), [spec.classes] * 2, "Explaining", "cpu")
    assert [each.shape for each in maps] == [(2, SIZE, SIZE)] * 2
    assert all(np.isfinite(each).all() and each.max() > 0 for each in maps)
    assert all(each.max() > each.min() for each in maps)  # not one value for the whole picture

    bundle = make_bundle(checkpoint, paths, "cpu")  # refuses what does not answer like torch
    int8 = OnnxPredictor(spec, quantised(bundle.files[ONNX_FILE], spec, list(pictures)))
    assert np.abs(int8.predict(pictures).probabilities - answers).max() < 0.5

    if can_pack():
        in_bfloat16 = Checkpoint(checkpoint.weights, spec.model_copy(update={"precision": "bfloat16"}))
        packed = Predictor(in_bfloat16, "cpu").predict(pictures).probabilities
        assert np.abs(packed - answers).max() < 0.1
    assert math.isfinite(float(answers.sum()))
