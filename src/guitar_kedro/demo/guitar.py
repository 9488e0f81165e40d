"""What every model shares: how body, guard, neck, parts and strings are put together into one guitar."""

from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

from guitar_kedro.demo.curves import closed, vertices
from guitar_kedro.demo.finishes import Box, Finish, Shape, painted
from guitar_kedro.demo.hardware import screws
from guitar_kedro.demo.neck import Head, Neck, fingerboard, headstock, strings
from guitar_kedro.demo.svg import gradient, lifted, line, metal_gradients

GUARDS = {
    "white": ("#f3f1ea", "#e9e6dc"),
    "mint": ("#dfe8d2", "#d2dfc6"),
    "cream": ("#efe3bf", "#e4d5aa"),
    "black": ("#17171a", "#26262a", "#131315"),
    "tortoise": ("#3b100b", "#7d2c1a", "#451109", "#8a3a22", "#3a0e0a", "#722817", "#380f0a"),
    "pearl": ("#efede4", "#d9d8cd", "#f4f3ec", "#cfd0c6", "#eeece2", "#dad9cf", "#f2f0e8"),
}


@dataclass(frozen=True)
class Guitar:
    """A drawn guitar in millimetres: its SVG, the box around its body, and how high its head reaches."""

    svg: str
    body: Box
    top: float


@dataclass(frozen=True)
class Build:
    """What a model chose for one guitar; `over` is drawn on the body under the strings, `above` over them."""

    outline: str
    finish: Finish
    neck: Neck
    head: Head
    tail: float
    over: str
    above: str = ""
    under: str = ""
    guard_colour: str = "white"
    metal: str = "chrome"
    binding: str = ""


def assemble(build: Build, rng: Random) -> Guitar:
    """Draw a guitar from its parts, from the body up."""
    shape = Shape(closed(build.outline), _bounds(build.outline), "body")
    defs = metal_gradients(build.metal) + gradient("guard", GUARDS[build.guard_colour], 0, 0, 1, 0.8)
    body = painted(shape, build.finish, rng, build.binding)
    head = headstock(build.neck, build.head, rng)
    svg = f"<defs>{defs}</defs>{body}{build.under}{head}{fingerboard(build.neck)}{build.over}"
    svg += strings(build.neck, build.head, build.tail) + build.above
    return Guitar(svg, shape.box, -build.neck.scale - 200)


def guard(points: str, fill: str = "url(#guard)") -> str:
    """A pickguard with its bevelled edge and its screws."""
    d = closed(points)
    table = vertices(points)
    middle = sum(table) / len(table)
    inset = [place + (middle - place) / abs(middle - place) * 6 for place in table]
    bevel = line(d, "#fff", 1.8, 'stroke-opacity="0.45"') + line(d, "#000", 0.8, 'stroke-opacity="0.5"')
    return lifted(d, fill, 1.6) + bevel + screws(*((place.real, place.imag) for place in inset))


def pick(rng: Random, options: Sequence[str] | str) -> str:
    """One of some options, given as a list or as words of a text."""
    return rng.choice(options.split() if isinstance(options, str) else list(options))


def _bounds(points: str) -> Box:
    table = vertices(points)
    across, down = [place.real for place in table], [place.imag for place in table]
    return min(across), min(down), max(across), max(down)
