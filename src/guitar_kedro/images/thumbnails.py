"""Pictures as sheets and pages show them."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from PIL import Image

from guitar_kedro.images.probing import PREPARED, Limits
from guitar_kedro.images.reading import read

THUMBNAILS = "thumbnails"  # folder in that of the prepared pictures
SIDE = 256  # px


def kept_thumbnail(picture: Path) -> Path:
    """Say where the thumbnail of a prepared picture lies; it is made when somebody first asks for it.

    Args:
        picture: Path of the prepared picture.

    Raises:
        UnreadableImage: If it cannot be read.
        OSError: If it is not there, or there is no room.
    """
    path = picture.parent / THUMBNAILS / picture.name
    if not path.exists():
        path.parent.mkdir(exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path.parent, suffix=".part", delete=False) as beside:
            open_thumbnail(picture, SIDE).save(beside, "JPEG", quality=80)
        os.replace(beside.name, path)  # others may make it at the same time
    return path


def open_thumbnail(source: Path | bytes, longest_side: int = SIDE) -> Image.Image:
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
