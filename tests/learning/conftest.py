"""A few drawn pictures of two classes, and a phase of training on them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image, ImageDraw

from guitar_kedro.learning import (
    Checkpoint,
    Phase,
    Pixels,
    PretrainedWeights,
    StageOptions,
    TrainingOptions,
    decode_pictures,
    pixel_sizes,
    train_phase,
)
from guitar_kedro.sizes import ImageSize

AUGMENTATION = {
    "max_rotate": 10,
    "min_zoom": 1,
    "max_zoom": 1.1,
    "max_lighting": 0.2,
    "max_warp": 0.2,
    "p_affine": 0.75,
    "p_lighting": 0.75,
}
TRAINING = TrainingOptions(
    resize_method="squish", presize=1.25, finder_iterations=20, precision="float32", augmentation=AUGMENTATION
)


@pytest.fixture(scope="session")
def shapes(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Discs and squares of any colour: 24 of each, two thirds for training."""
    folder = tmp_path_factory.mktemp("shapes")
    generator = np.random.default_rng(0)
    rows = []
    for number in range(48):
        label = ("disc", "square")[number % 2]
        picture = Image.new("RGB", (40, 40), tuple(generator.integers(0, 100, 3).tolist()))
        draw = ImageDraw.Draw(picture)
        shape = draw.ellipse if label == "disc" else draw.rectangle
        left, top = generator.integers(2, 10, 2).tolist()
        shape((left, top, left + 26, top + 26), fill=tuple(generator.integers(150, 256, 3).tolist()))
        path = folder / f"{number}.jpg"
        picture.save(path)
        rows.append((str(number), str(path), label, "validation" if number % 6 < 2 else "train"))
    return pd.DataFrame(rows, columns=["image_id", "path", "label", "split"])


Decode = Callable[..., Pixels]


@pytest.fixture(scope="session")
def decode(shapes: pd.DataFrame, tmp_path_factory: pytest.TempPathFactory) -> Decode:
    """Decodes the shapes, or other pictures, for a size and for options of training."""

    def decode(
        image_size: ImageSize, table: pd.DataFrame = shapes, interpolation: str = "bilinear", **options: object
    ) -> Pixels:
        training = TRAINING.model_copy(update=options)
        sizes = pixel_sizes(image_size, training.presize, training.resize_method, interpolation)
        decoding = decode_pictures(table, sizes)
        folder = tmp_path_factory.mktemp("pixels")
        Pixels.save(decoding, folder)
        return Pixels(folder)

    return decode


@pytest.fixture(scope="session")
def pixels(decode: Decode) -> Pixels:
    return decode(32)


@pytest.fixture(scope="session")
def stage() -> StageOptions:
    return StageOptions(
        architecture="squeezenet1_1",
        image_size=32,
        batch_size=8,
        weights="none",
        frozen={"epochs": 1, "learning_rate": 1e-3},
        unfrozen={"epochs": 2, "learning_rate": (1e-4, 1e-3)},
    )


@pytest.fixture(scope="session")
def phase(shapes: pd.DataFrame, pixels: Pixels, stage: StageOptions, tmp_path_factory: pytest.TempPathFactory) -> Phase:
    weights = PretrainedWeights(tmp_path_factory.mktemp("weights"))
    return Phase("small", "unfrozen", stage, TRAINING, weights, shapes, pixels, 1, 2)


@pytest.fixture(scope="session")
def trained(phase: Phase) -> tuple[Checkpoint, pd.DataFrame]:
    """What training the phase with a rate of 0.001 leaves."""
    return train_phase(phase, (1e-3,))


@pytest.fixture(scope="session")
def checkpoint(trained: tuple[Checkpoint, pd.DataFrame]) -> Checkpoint:
    return trained[0]


@pytest.fixture
def transformer(phase: Phase, tmp_path: Path) -> Phase:
    """The phase with a network of timm, whose layers are known."""
    Pixels.save(decode_pictures(phase.table, pixel_sizes(32, 1.25, "squish", "bicubic")), tmp_path / "bicubic")
    stage = phase.stage.model_copy(update={"architecture": "test_vit"})
    return dataclasses.replace(phase, stage=stage, pixels=Pixels(tmp_path / "bicubic"))
