"""Pictures as networks take them: read safely, upright, RGB, and resized in one way everywhere."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from guitar_kedro.errors import UserError
from guitar_kedro.images.colours import colours_of
from guitar_kedro.images.probing import PREPARED, Limits, UnreadableImage
from guitar_kedro.images.raw import RawImage
from guitar_kedro.images.reading import read
from guitar_kedro.sizes import ImageSize, height_width

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


def read_resized(source: Source, size: ImageSize, method: str, interpolation: str = "bilinear") -> Image.Image:
    """Open a picture and resize it, as validation and every prediction see it.

    Large JPEGs are decoded at a half, a quarter or an eighth where that leaves the longer side twice that of the size.

    Args:
        source: A file, its path or its bytes, or a picture.
        size: That it gets.
        method: See ``resize``.
        interpolation: See ``resize``.

    Raises:
        UserError: If it cannot be read as an image.
    """
    return resize(open_image(source, longest_side=2 * max(height_width(size))), size, method, interpolation)


def resize(picture: Image.Image, size: ImageSize, method: str, interpolation: str = "bilinear") -> Image.Image:
    """Resize a picture, as fastai's ``Resize`` does in validation.

    Args:
        picture: RGB.
        size: That it gets.
        method: ``squish`` distorts it, ``crop`` keeps its middle, ``pad`` mirrors its borders.
        interpolation: How it is resized: bilinear, bicubic or lanczos, as Pillow does it.
    """
    (height, width), (across, down) = height_width(size), picture.size
    resampling = Image.Resampling[interpolation.upper()]
    if method == "crop":
        kept_across, kept_down = min(across, down * width // height), min(down, across * height // width)
        left, top = (across - kept_across) // 2, (down - kept_down) // 2
        picture = picture.crop((left, top, left + kept_across, top + kept_down))
    elif method == "pad":
        # resized first, as in training: a square of the longer side of a thin picture may not fit into memory
        scale = min(width / across, height / down)
        across, down = (max(1, round(length * scale)) for length in (across, down))
        picture = picture.resize((across, down), resampling)
        margins = [(missing // 2, (missing + 1) // 2) for missing in (height - down, width - across)]
        picture = Image.fromarray(np.pad(np.asarray(picture), [*margins, (0, 0)], "reflect"))
    return picture.resize((width, height), resampling)
