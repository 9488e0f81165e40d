"""Pictures as sheets and pages show them."""

from __future__ import annotations

from pathlib import Path

from PIL import Image

from guitar_kedro.images.probing import PREPARED, Limits
from guitar_kedro.images.reading import read


def open_thumbnail(source: Path | bytes, longest_side: int = 256) -> Image.Image:
    """Open a picture, shrunk to what is shown of it.

    Args:
        source: Path of a prepared picture, or the content of any file.
        longest_side: In pixels.

    Returns:
        The picture, RGB and upright.

    Raises:
        UnreadableImage: If it cannot be read.
    """
    content, limits = (source, Limits()) if isinstance(source, bytes) else (source.read_bytes(), PREPARED)
    picture = read(content, limits, longest_side).image
    picture.thumbnail((longest_side, longest_side))
    return picture
