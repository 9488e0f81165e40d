"""The model card: what a model is, what it is for, how good it is and where it fails, on one page.

After Mitchell et al. (2019), "Model cards for model reporting", FAT* '19, 220-229. All that a card says is put together
here once, as sections of plain text; the templates only lay them out, as one self-contained HTML page and as Markdown.
"""

from __future__ import annotations

import base64
import io
import zlib
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from PIL import Image

from guitar_kedro.cards import about, results
from guitar_kedro.cards.blocks import Block, CardFigure, Section
from guitar_kedro.cards.facts import CardFacts
from guitar_kedro.cards.limits import known_limits
from guitar_kedro.cards.rendering import render
from guitar_kedro.metrics.formatting import count, interval, percent
from guitar_kedro.sizes import height_width

_WIDEST, _LARGEST = 1400, 8_000_000  # pixels across an embedded figure, and in it
_MOST_BYTES = 500_000  # of one embedded figure, before JPEG is preferred


def model_card_html(facts: CardFacts, figures: Mapping[CardFigure, Image.Image]) -> str:
    """Write the card as one HTML page that needs nothing from outside.

    Args:
        facts: What it says.
        figures: Their pictures, in the order in which they stand in their sections.
    """
    with ThreadPoolExecutor() as threads:  # Pillow shrinks and encodes side by side
        pictures = dict(zip(figures, threads.map(_embedded, figures, figures.values()), strict=True))
    return _render("model_card.html.j2", facts, pictures)


def model_card_markdown(facts: CardFacts) -> str:
    """Write the card as Markdown, with the same words and tables, and without figures.

    Args:
        facts: What it says.
    """
    return _render("model_card.md.j2", facts, {})


def _render(template: str, facts: CardFacts, pictures: Mapping[CardFigure, Block]) -> str:
    sections = [section for section in _sections(facts, pictures) if section.blocks]
    title = f"{facts.spec['architecture']} for {count(len(facts.spec['classes']), 'class')} of pictures"
    return render(template, title=title, lead=_lead(facts), tiles=_tiles(facts), sections=sections)


def _sections(facts: CardFacts, pictures: Mapping[CardFigure, Block]) -> list[Section]:
    def figures(section: str) -> list[Block]:
        return [picture for figure, picture in pictures.items() if figure.section == section]

    limits = known_limits(facts)
    return [
        Section("what", "What it is", about.what_it_is(facts)),
        Section("use", "Intended use", about.use(facts)),
        Section("results", "Results", [*results.results(facts), *figures("results")]),
        Section("test", "How often the test part was opened", results.test_openings(facts)),
        Section("calibration", "How sure it is", [*results.sureness(facts), *figures("calibration")]),
        Section("errors", "What it gets wrong", [*results.worst_slices(facts), *figures("errors")]),
        Section("limits", "Known limits", [Block("items", items=limits)] if limits else []),
        Section("data", "Data", [*about.data(facts), *figures("data")]),
        Section("recipe", "Recipe", [*about.recipe(facts), *figures("recipe")]),
        Section("versions", "Versions and checksums", about.versions(facts)),
    ]


def _lead(facts: CardFacts) -> str:
    headline = facts.metrics.of_model
    if headline is None:
        return "There are no results on test images."
    right = headline.images - headline.errors
    return (
        f"It names {right:,} of {count(headline.images, 'test image')} rightly: {percent(headline.accuracy)} "
        f"(Wilson 95 % interval {interval(headline.accuracy_low, headline.accuracy_high)})."
    )


def _tiles(facts: CardFacts) -> list[tuple[str, str]]:
    headline, openings, size = facts.metrics.of_model, len(facts.test_log), height_width(facts.spec["image_size"])
    tiles = [("classes", f"{len(facts.spec['classes']):,}"), ("input, pixels", "{} by {}".format(*size))]
    if headline is not None:
        ends = f"{percent(headline.accuracy_low).removesuffix(' %')} to {percent(headline.accuracy_high)}"
        tiles = [("test accuracy", percent(headline.accuracy)), ("95 % interval", ends), *tiles]
    return [*tiles, ("test part opened", results.times(openings))] if openings else tiles


def _embedded(figure: CardFigure, picture: Image.Image) -> Block:
    """Return a figure that holds its picture, at most 1,400 pixels wide."""
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
