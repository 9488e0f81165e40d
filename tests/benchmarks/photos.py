"""Pictures to measure with: drawn, and as heavy as photos."""

from __future__ import annotations

import io
import os
from pathlib import Path

import numpy as np
from joblib import Parallel, delayed
from PIL import Image

from guitar_kedro.images.drawing import MODELS, draw_guitar

DISTINCT = 22  # the others are copies; to draw takes longer than what is measured
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
    photos = Parallel(n_jobs=-1)(delayed(_photo)(number, width, height) for number in range(min(count, DISTINCT)))
    for number in range(count):
        path = folder / MODELS[number % len(MODELS)] / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(photos[number % len(photos)])
    return folder


def _photo(number: int, width: int, height: int) -> bytes:
    guitar = draw_guitar(MODELS[number % len(MODELS)], 600, number)
    upright = guitar.height > guitar.width
    picture = guitar.rotate(90 * upright, expand=True).resize((width, height), Image.Resampling.BICUBIC)
    grain = np.random.default_rng(number).normal(0, GRAIN, (height, width, 1)).astype(np.float32)
    content = io.BytesIO()
    Image.fromarray((np.asarray(picture) + grain).clip(0, 255).astype(np.uint8)).save(content, "JPEG", quality=90)
    return content.getvalue()


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
