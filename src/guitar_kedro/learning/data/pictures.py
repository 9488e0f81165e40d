"""Pictures as networks take them: read safely, upright, RGB, and made square in one way everywhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from guitar_kedro.errors import UserError
from guitar_kedro.images.colours import colours_of
from guitar_kedro.images.probing import PREPARED
from guitar_kedro.images.raw import RawImage
from guitar_kedro.images.reading import Limits, UnreadableImage, read

Source = str | Path | RawImage | bytes | np.ndarray | Image.Image


def open_image(source: Source, longest_side: int | None = None) -> Image.Image:
    """Open a picture as ``open_with_note`` does, and leave the note out."""
    return open_with_note(source, longest_side)[0]


def open_with_note(source: Source, longest_side: int | None = None) -> tuple[Image.Image, str]:
    """Open a picture as ingestion does: upright, sRGB, transparent parts white.

    Args:
        source: A file, its path or its bytes, or a picture.
        longest_side: Pixels that are enough along the longer side; JPEGs are then decoded faster. ``None`` wants all.

    Returns:
        The picture, and what was not followed of what it says of its colours, as a sentence; mostly empty.

    Raises:
        UserError: If it cannot be read as an image; its cause is an ``UnreadableImage`` with the reason.
    """
    if isinstance(source, Image.Image):
        colours = colours_of(source)
        return colours.to_srgb(ImageOps.exif_transpose(source)), colours.note
    if isinstance(source, np.ndarray):
        return Image.fromarray(source).convert("RGB"), ""
    # by their paths come prepared pictures, which may be larger than what strangers send
    limits = PREPARED if isinstance(source, (str, Path)) else Limits()
    try:
        reading = read(_content(source), limits, longest_side)
        return reading.image, reading.note
    except UnreadableImage as error:
        name = "This image" if isinstance(source, bytes) else getattr(source, "path", source)
        raise UserError(f"{name} cannot be read: {error.detail}") from error


def _content(source: str | Path | RawImage | bytes) -> bytes:
    match source:
        case bytes():
            return source
        case RawImage():
            return source.read()
        case _:
            return Path(source).read_bytes()


def read_square(source: Source, size: int, method: str, interpolation: str = "bilinear") -> Image.Image:
    """Open a picture and make it square, as validation and every prediction see it.

    Large JPEGs are decoded at a half, a quarter or an eighth where that leaves twice the size along the longer side.

    Args:
        source: A file, its path or its bytes, or a picture.
        size: Side of the square, in pixels.
        method: See ``square``.
        interpolation: See ``square``.

    Raises:
        UserError: If it cannot be read as an image.
    """
    return square(open_image(source, longest_side=2 * size), size, method, interpolation)


def square(picture: Image.Image, size: int, method: str, interpolation: str = "bilinear") -> Image.Image:
    """Make a picture square, as fastai's ``Resize`` does in validation.

    Args:
        picture: RGB.
        size: Side of the square, in pixels.
        method: ``squish`` distorts it, ``crop`` keeps its middle, ``pad`` mirrors its borders.
        interpolation: How it is resized: bilinear, bicubic or lanczos, as Pillow does it.
    """
    width, height = picture.size
    resampling = Image.Resampling[interpolation.upper()]
    if method == "crop":
        side = min(width, height)
        left, top = (width - side) // 2, (height - side) // 2
        picture = picture.crop((left, top, left + side, top + side))
    elif method == "pad":
        # resized first, as in training: a square of the longer side of a thin picture may not fit into memory
        width, height = (max(1, round(length * (size / max(picture.size)))) for length in (width, height))
        picture = picture.resize((width, height), resampling)
        margins = [((size - length) // 2, (size - length + 1) // 2) for length in (height, width)]
        picture = Image.fromarray(np.pad(np.asarray(picture), [*margins, (0, 0)], "reflect"))
    return picture.resize((size, size), resampling)
