"""Answers as people see them: a card for each picture, with words, bars and maps."""

from __future__ import annotations

import base64
import io
import secrets
from dataclasses import dataclass
from typing import Any

import numpy as np
from PIL import Image

from guitar_kedro.images.probing import UnreadableImage
from guitar_kedro.images.thumbnails import open_thumbnail
from guitar_kedro.learning.inference.decision import Decision
from guitar_kedro.learning.networks.checkpoint import ModelSpec
from guitar_kedro.serving.answers import Prediction, prediction
from guitar_kedro.serving.service import Seen
from guitar_kedro.sizes import ImageSize, height_width

MAX_ROWS = 30  # classes that a card shows
OPEN_ROWS = 5  # of which so many are seen at once
_PICTURE_SIDE = 900  # px
_MAP_SIDE = 48  # px; the browser makes it larger
_LEVELS = 48
_SCALE = ((8, 12, 36, 165), (70, 20, 110, 105), (200, 60, 90, 90), (255, 150, 30, 115), (255, 235, 120, 140))  # RGBA
# a colour for each level, mixed from the nearest two of the scale
_PLACES = np.linspace(0, len(_SCALE) - 1, _LEVELS)
_CHANNELS = [np.interp(_PLACES, range(len(_SCALE)), channel) for channel in zip(*_SCALE, strict=True)]
_GLOW = np.column_stack(_CHANNELS).round().astype(int).ravel().tolist()
_EDGES = (1 / 3, 2 / 3)


@dataclass(frozen=True)
class Row:
    """A class on a card.

    Attributes:
        name: What people call it.
        probability: Of the class.
        map: A PNG as a data URI: glowing where the network looked, dark elsewhere; empty where it has no maps.
        place: In words, where it looked.
    """

    name: str
    probability: float
    map: str = ""
    place: str = ""


@dataclass(frozen=True)
class Box:
    """Where the network's input lies over the picture, in its pixels."""

    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Card:
    """What is told of one picture.

    Attributes:
        key: Its name in the page, of its own.
        file: What its sender calls it.
        picture: A JPEG as a data URI.
        width: Of the picture, in its pixels.
        height: Of the picture, in its pixels.
        box: Where maps lie.
        decision: How far the answer may be trusted.
        headline: The answer.
        remark: What else there is to say.
        rows: The likeliest classes, in their order.
        others: How many classes are not among them.
    """

    key: str
    file: str
    picture: str
    width: int
    height: int
    box: Box
    decision: Decision
    headline: str
    remark: str
    rows: list[Row]
    others: int


@dataclass(frozen=True)
class ErrorCard:
    """What is told of a picture that has no answer.

    Attributes:
        file: What its sender calls it.
        headline: What was wrong.
        remark: What to do.
    """

    file: str
    headline: str
    remark: str


def card(seen: Seen, spec: ModelSpec) -> Card:
    """Make the card of a picture that was answered; this decodes the picture again."""
    assert seen.answer is not None
    picture = open_thumbnail(seen.upload.content, _PICTURE_SIDE)
    found = prediction(seen.upload.name, seen.answer, spec)
    rows = [_row(index, seen.answer.probabilities[index], seen, spec) for index in seen.answer.likeliest(MAX_ROWS)]
    headline, remark = _words(found, rows, spec)
    return Card(
        key=secrets.token_hex(4),
        file=seen.upload.name,
        picture=_data_uri(picture, "JPEG", quality=85),
        width=picture.width,
        height=picture.height,
        box=map_box(picture.width, picture.height, spec.resize_method, spec.image_size),
        decision=found.decision,
        headline=headline,
        remark=remark,
        rows=rows,
        others=len(spec.classes) - len(rows),
    )


def error_card(file: str, error: UnreadableImage) -> ErrorCard:
    """Make the card of a picture that could not be read."""
    headline, remark = _KIND_WORDS.get(error.reason, ("This picture cannot be read", "Please try another one."))
    if error.reason in _SHOW_DETAIL:
        remark = f"{error.detail} {remark}"
    return ErrorCard(file, headline, remark)


def map_box(width: int, height: int, resize_method: str, size: ImageSize) -> Box:
    """Find the part of a picture that became the network's input.

    Args:
        width: Of the picture, in pixels.
        height: Of the picture, in pixels.
        resize_method: Squish (all of it), crop (the largest part in its middle that has the input's shape) or pad (the
            smallest box of that shape around all of it).
        size: Of the input.
    """
    if resize_method == "squish":
        return Box(0, 0, width, height)
    rows, columns = height_width(size)
    choose = min if resize_method == "crop" else max
    across, down = choose(width, height * columns / rows), choose(height, width * rows / columns)
    return Box((width - across) / 2, (height - down) / 2, across, down)


def place_in_words(values: np.ndarray) -> str:
    """Say where the weight of a map (rows x columns, 0 or more) lies."""
    total = float(values.sum())
    if total <= 0:
        return "nothing in the picture speaks for it"
    rows, columns = values.shape
    down = float((values.sum(1) * (np.arange(rows) + 0.5)).sum() / total / rows)
    right = float((values.sum(0) * (np.arange(columns) + 0.5)).sum() / total / columns)
    high = ("upper", "", "lower")[int(np.searchsorted(_EDGES, down))]
    side = ("left", "", "right")[int(np.searchsorted(_EDGES, right))]
    if not high and not side:
        return "mostly in the middle"
    return f"mostly at the {high} {side or 'edge'}" if high else f"mostly at the {side}"


def overlay(values: np.ndarray, highest: float) -> str:
    """Draw a map that lies over the picture: dark where the network did not look, glowing where it did.

    Args:
        values: Rows x columns, 0 or more.
        highest: Value that glows brightest.

    Returns:
        A PNG as a data URI.
    """
    levels = Image.fromarray((255 * values / max(highest, 1e-12)).astype(np.uint8))
    levels = levels.resize((_MAP_SIDE, _MAP_SIDE), Image.Resampling.BICUBIC).point(lambda level: level * _LEVELS // 256)
    levels.putpalette(_GLOW, "RGBA")
    return _data_uri(levels, "PNG", optimize=True)


def _row(index: int, probability: float, seen: Seen, spec: ModelSpec) -> Row:
    label = spec.classes[index]
    name, values = spec.display_names.get(label, label), seen.maps.get(index)
    if values is None:
        return Row(name, probability)
    return Row(name, probability, overlay(values, float(values.max())), place_in_words(values))


def _words(found: Prediction, rows: list[Row], spec: ModelSpec) -> tuple[str, str]:
    if found.decision == Decision.SURE:
        return found.display_name, ""
    if found.decision == Decision.NOT_SURE:
        return f"Perhaps {found.display_name}", f"It could also be {rows[1].name}." if len(rows) > 1 else ""
    return "Something else", f"It looks unlike the pictures of the {len(spec.classes)} classes that the model knows."


def _data_uri(picture: Image.Image, kind: str, **options: Any) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return f"data:{Image.MIME[kind]};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


_ANOTHER_FORMAT = "Please send a JPEG, PNG, WebP, GIF, BMP, TIFF or HEIC."
_SHOW_DETAIL = ("format_not_allowed", "too_many_pixels", "too_many_bytes", "too_many_frames")
_KIND_WORDS = {
    "not_an_image": (
        "This is not a picture",
        f"Whatever the file is called, its content is something else. {_ANOTHER_FORMAT}",
    ),
    "format_not_allowed": ("This kind of file is not read here", ""),
    "kind_not_supported": ("This kind of picture is not read here", "Save it anew as a JPEG or PNG, and try again."),
    "empty_file": ("This file is empty", "Was it copied completely? Please try again or choose another one."),
    "truncated": ("This picture ends too early", "It was probably not copied completely; please try it once more."),
    "damaged": ("This picture is damaged", "If you can see it elsewhere, take a screenshot of it and send that."),
    "too_complex": ("This picture is damaged", "If you can see it elsewhere, take a screenshot of it and send that."),
    "too_many_pixels": ("This picture is too large", "Make it smaller, or take a screenshot of it."),
    "too_many_bytes": ("This picture is too large", "Make it smaller, or take a screenshot of it."),
    "too_many_frames": ("This picture moves for too long", "Take a screenshot of one moment of it."),
    "out_of_memory": ("This picture is too large just now", "Make it smaller, or try again in a while."),
}
