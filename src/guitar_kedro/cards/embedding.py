"""How pictures become part of a page."""

from __future__ import annotations

import base64
import io
import zlib
from typing import Any

from PIL import Image

from guitar_kedro.cards.blocks import Block, CardFigure

_WIDEST, _LARGEST = 1400, 8_000_000  # pixels across an embedded figure, and in it
_MOST_BYTES = 500_000  # of one embedded figure, before JPEG is preferred


def embedded(figure: CardFigure, picture: Image.Image) -> Block:
    """Return a figure that holds its picture, at most 1,400 pixels wide.

    Args:
        figure: What it is.
        picture: Any mode, any size.
    """
    upright = picture.convert("RGBA")
    flat = Image.new("RGB", upright.size, "white")
    flat.paste(upright, mask=upright.getchannel("A"))
    scale = min(1, _WIDEST / flat.width, (_LARGEST / (flat.width * flat.height)) ** 0.5)
    if scale < 1:
        flat = flat.resize([max(1, round(side * scale)) for side in flat.size], Image.Resampling.LANCZOS)
    kind, content = "png", _encoded(flat, "PNG", compress_type=zlib.Z_RLE)  # as FigureDataset saves it
    if len(content) > _MOST_BYTES:
        smaller = _encoded(flat, "JPEG", quality=85, optimize=True)
        kind, content = ("jpeg", smaller) if len(smaller) < len(content) else (kind, content)
    source = f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
    return Block("figure", figure.alt, address=source, size=flat.size)


def _encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()
