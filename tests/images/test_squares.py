"""Pictures that become square by mirroring their borders: as in training, and in little memory."""

import tracemalloc
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from guitar_kedro.learning import Pixels, decode_pictures
from guitar_kedro.learning.data.pictures import resize
from guitar_kedro.learning.data.pixels import PixelSizes
from guitar_kedro.sizes import ImageSize


@pytest.mark.parametrize("sides", [(60, 37), (50, 99), (40, 40), (1, 200), (7, 2)])
@pytest.mark.parametrize("size", [45, (45, 30)])
def test_a_padded_picture_is_the_one_that_training_sees_in_the_middle(
    sides: tuple[int, int], size: ImageSize, tmp_path: Path
):
    picture = Image.effect_mandelbrot(sides, (-3, -2.5, 2, 2.5), 100).convert("RGB")
    picture.save(tmp_path / "a.png")
    table = pd.DataFrame({"image_id": ["a"], "path": [str(tmp_path / "a.png")], "split": ["train"]})
    Pixels.save(decode_pictures(table, PixelSizes(size, size, "pad")), tmp_path / "pixels")
    pixels = Pixels(tmp_path / "pixels")
    with pixels.open() as file:
        (wanted,) = pixels.read(file, pixels.positions(["a"], "train"), np.array([[0.5, 0.5]]), size)
    assert (np.asarray(resize(picture, size, "pad")) == wanted).all()


def test_a_long_thin_picture_is_padded_in_little_memory():
    tracemalloc.start()
    assert resize(Image.new("RGB", (4000, 1)), 64, "pad").size == (64, 64)
    used = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert used < 1_000_000
