"""The size of the pictures that a network sees."""

from __future__ import annotations

from collections.abc import Sequence

ImageSize = int | tuple[int, int]  # side of a square, or height and width, in pixels


def height_width(size: int | Sequence[int]) -> tuple[int, int]:
    """Return height and width, in pixels, also of a square that is given by its side."""
    height, width = (size, size) if isinstance(size, int) else size
    return height, width


def size_in_words(size: int | Sequence[int]) -> str:
    """Return what a size is called: ``224``, or ``256 x 192``, of which the height comes first."""
    return str(size) if isinstance(size, int) else " x ".join(map(str, size))
