"""What a user may rely on when a network is asked, by a batch, by the service, or in a notebook."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from fastai.vision.augment import Resize
from fastai.vision.core import PILImage
from PIL import Image

from guitar_kedro.errors import UserError
from guitar_kedro.images.probing import UnreadableImage
from guitar_kedro.learning import (
    Checkpoint,
    ModelSpec,
    Predictor,
    learner_for_inference,
    predict,
)
from guitar_kedro.learning.data.pictures import resize
from guitar_kedro.learning.inference.learner import inference_loaders
from guitar_kedro.learning.networks.learner import build_learner, state_on_cpu
from guitar_kedro.sizes import ImageSize, height_width

VIEWS = {
    "tta_views": 2,
    "augmentation": {
        "max_rotate": 10,
        "min_zoom": 1,
        "max_zoom": 1.1,
        "max_lighting": 0.2,
        "max_warp": 0.2,
        "p_affine": 1,
        "p_lighting": 1,
    },
}


@pytest.fixture(scope="module")
def checkpoint() -> Checkpoint:
    spec = ModelSpec(
        architecture="resnet18",
        classes=("a", "b", "c"),
        display_names={},
        image_size=48,
        resize_method="crop",
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        temperature=2.0,
        provenance={"seed": 1},
    )
    torch.manual_seed(0)
    learner = build_learner(inference_loaders(spec), spec)
    for module in learner.model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):  # as after training
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.5, 2)
    return Checkpoint(state_on_cpu(learner), spec)


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Photos larger and smaller than the network's input, one of them upright."""
    folder = tmp_path_factory.mktemp("photos")
    generator = np.random.default_rng(0)
    paths = []
    for number, (width, height) in enumerate([(300, 200), (40, 60), (200, 300), (90, 90), (120, 64)]):
        coarse = Image.fromarray(generator.integers(0, 256, (6, 8, 3), dtype=np.uint8))
        coarse.resize((width, height), Image.Resampling.BICUBIC).save(folder / f"{number}.jpg")
        paths.append(folder / f"{number}.jpg")
    return paths


@pytest.mark.parametrize("how", [{}, VIEWS, {"precision": "bfloat16"}], ids=["plain", "augmented views", "bfloat16"])
def test_an_answer_does_not_depend_on_what_else_is_asked(checkpoint: Checkpoint, photos: list[Path], how: dict):
    predictor = Predictor(Checkpoint(checkpoint.weights, checkpoint.spec.model_copy(update=how)))
    pixels = np.stack([predictor.read(path) for path in photos])
    together = predictor.predict(pixels)
    alone = [predictor.predict(pixels[number : number + 1]) for number in range(len(photos))]
    assert np.allclose(together.probabilities, np.concatenate([one.probabilities for one in alone]), atol=1e-5)
    assert np.allclose(together.energies, np.concatenate([one.energies for one in alone]), atol=1e-4)


def test_bfloat16_answers_nearly_as_float32(checkpoint: Checkpoint, photos: list[Path]):
    half = Checkpoint(checkpoint.weights, checkpoint.spec.model_copy(update={"precision": "bfloat16"}))
    tables = [predict(each, pd.DataFrame({"path": photos}), "Predicting") for each in (checkpoint, half)]
    whole, rounded = (table.filter(like="probability_").to_numpy() for table in tables)
    assert 0 < np.abs(whole - rounded).max() < 0.02


def test_tables_the_service_and_a_notebook_get_the_same_probabilities(checkpoint: Checkpoint, photos: list[Path]):
    table = predict(checkpoint, pd.DataFrame({"path": photos}), "Predicting").filter(like="probability_")
    predictor = Predictor(checkpoint)
    answers = predictor.predict(np.stack([predictor.read(path.read_bytes()) for path in photos]))
    learner = learner_for_inference(checkpoint)
    in_notebook = np.stack([learner.predict(path)[2].numpy() for path in photos])
    assert np.allclose(table, answers.probabilities, atol=1e-5)
    assert np.allclose(table, in_notebook, atol=1e-5)


@pytest.mark.parametrize("method", ["squish", "crop", "pad"])
@pytest.mark.parametrize("sides", [(90, 50), (50, 91), (33, 200), (40, 40)])
@pytest.mark.parametrize("size", [64, (64, 48), (40, 64)])
def test_pictures_are_resized_as_by_fastai(method: str, sides: tuple[int, int], size: ImageSize):
    picture = Image.effect_mandelbrot(sides, (-3, -2.5, 2, 2.5), 100).convert("RGB")
    theirs = Resize(size, method=method)(PILImage.create(np.asarray(picture)), split_idx=1)
    ours = resize(picture, size, method)
    assert ours.size == theirs.size == height_width(size)[::-1]
    difference = np.asarray(ours, int) - np.asarray(theirs, int)
    assert np.abs(difference).mean() < (0 if sides == (40, 40) and size == 64 else 3) + 1e-9


def test_what_is_no_picture_is_refused_with_the_reason(checkpoint: Checkpoint, tmp_path: Path):
    (tmp_path / "notes.jpg").write_text("no picture")
    with pytest.raises(UserError, match=r"notes.jpg cannot be read") as raised:
        Predictor(checkpoint).read(tmp_path / "notes.jpg")
    assert isinstance(raised.value.__cause__, UnreadableImage)
    assert raised.value.__cause__.reason == "not_an_image"
