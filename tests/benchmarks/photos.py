"""Pictures to measure with: drawn, and as heavy as photos."""

from __future__ import annotations

import os
from functools import lru_cache
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from PIL import Image

from guitar_kedro.demo import MODELS, draw_guitar

GUITARS = 22  # others differ in their grain only: to draw takes longer than what is measured
GRAIN = 5  # standard deviation of a grey level of 255; makes 0.25 bytes a pixel at quality 90, like a camera's JPEGs


def draw_photos(folder: Path, count: int, width: int, height: int) -> Path:
    """Draws photos of guitars with grain into class folders.

    Args:
        folder: Where to.
        count: How many.
        width: In pixels.
        height: In pixels.

    Returns:
        The folder.
    """
    for model in MODELS:
        (folder / model).mkdir(parents=True, exist_ok=True)
    Parallel(n_jobs=-1)(delayed(_draw_photo)(folder, number, (width, height)) for number in range(count))
    return folder


def _draw_photo(folder: Path, number: int, size: tuple[int, int]) -> None:
    guitar = _guitar(number % GUITARS).resize(size, Image.Resampling.BICUBIC)
    grain = np.random.default_rng(number).normal(0, GRAIN, (size[1], size[0], 1)).astype(np.float32)
    photo = Image.fromarray((np.asarray(guitar) + grain).clip(0, 255).astype(np.uint8))
    photo.save(folder / MODELS[number % len(MODELS)] / f"{number}.jpg", quality=90)


@lru_cache(GUITARS)
def _guitar(number: int) -> Image.Image:
    guitar = draw_guitar(MODELS[number % len(MODELS)], 600, number)
    return guitar.rotate(90 if guitar.height > guitar.width else 0, expand=True)


def draw_small(folder: Path, count: int) -> Path:
    """Draws small noise, each picture another one, into two class folders: fast enough for a hundred thousand."""
    Parallel(n_jobs=-1)(delayed(_draw_small_part)(folder, range(start, count, 8)) for start in range(8))
    return folder


def _draw_small_part(folder: Path, numbers: range) -> None:
    for label in ("one", "other"):
        os.makedirs(folder / label, exist_ok=True)
    for number in numbers:
        blocks = np.random.default_rng(number).integers(0, 256, (6, 6, 3), dtype=np.uint8)
        path = folder / ("one", "other")[number % 2] / f"{number}.jpg"
        Image.fromarray(blocks).resize((48, 48), Image.Resampling.BICUBIC).save(path)
