"""A network of every family is trained, evaluated, explained, exported, packed and served like any other."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import timm
import torch
from small_service import client_of
from timm.models import register_model, swin_transformer

from guitar_kedro.learning import Checkpoint, Phase, Pixels, grad_cam_maps, make_bundle, train_phase
from guitar_kedro.learning.export.bundle import ONNX_FILE
from guitar_kedro.learning.export.onnx import quantised
from guitar_kedro.learning.inference.onnx import OnnxPredictor
from guitar_kedro.learning.inference.packing import can_pack
from guitar_kedro.learning.inference.predictor import Predictor
from guitar_kedro.learning.networks.architectures import preprocessing
from guitar_kedro.sizes import ImageSize, height_width

FAMILIES: dict[str, tuple[str, ImageSize]] = {
    "resnet": ("resnet18", 64),
    "efficientnet": ("test_efficientnet", 64),
    "convnext": ("test_convnext", 64),
    "vit": ("test_vit", 64),
    "swin": ("small_swin", 64),
    "upright efficientnet": ("test_efficientnet", (96, 64)),
    "upright vit": ("test_vit", (96, 64)),
}
default_cfgs = {"small_swin": swin_transformer.default_cfgs["swin_tiny_patch4_window7_224"]}  # where timm looks for it


@register_model
def small_swin(pretrained: bool = False, **how: Any) -> torch.nn.Module:
    """The smallest one of timm has 28 million weights in 12 blocks, and takes a minute."""
    how = {"embed_dim": 24, "depths": (2, 1, 1, 1), "num_heads": (1, 2, 4, 8), **how}
    return timm.models.build_model_with_cfg(swin_transformer.SwinTransformer, "small_swin", pretrained, **how)


@pytest.fixture(params=FAMILIES.values(), ids=FAMILIES.keys())
def trained(request: pytest.FixtureRequest, phase: Phase, decode: Callable[..., Pixels]) -> tuple[Phase, Checkpoint]:
    architecture, size = request.param
    stage = phase.stage.model_copy(update={"architecture": architecture, "image_size": size, "weights": "none"})
    how = preprocessing(architecture, "none")
    phase = dataclasses.replace(
        phase, stage=stage, pixels=decode(size, interpolation=how.interpolation), epochs=1, device="cpu"
    )
    return phase, train_phase(phase, (1e-4, 1e-3))[0]


def test_a_network_of_any_family_is_trained_evaluated_explained_exported_and_served(
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
    assert [each.shape for each in maps] == [(2, *height_width(spec.image_size))] * 2
    assert all(np.isfinite(each).all() and each.max() > 0 for each in maps)
    assert all(each.max() > each.min() for each in maps)  # not one value for the whole picture

    bundle = make_bundle(checkpoint, paths, "cpu")  # refuses what does not answer like torch
    int8 = OnnxPredictor(spec, quantised(bundle.files[ONNX_FILE], spec, list(pictures)))
    assert np.abs(int8.predict(pictures).probabilities - answers).max() < 0.5

    if can_pack():
        in_bfloat16 = Checkpoint(checkpoint.weights, spec.model_copy(update={"precision": "bfloat16"}))
        packed = Predictor(in_bfloat16, "cpu").predict(pictures).probabilities
        assert np.abs(packed - answers).max() < 0.1

    for model in (predictor, OnnxPredictor(spec, bundle.files[ONNX_FILE])):
        with client_of(model) as client:
            answer = client.post("/predict", files={"pictures": ("a.jpg", Path(paths[0]).read_bytes())})
        (picture,) = answer.json()["pictures"]
        assert np.allclose([picture["probabilities"][label] for label in spec.classes], answers[0], atol=1e-4)
