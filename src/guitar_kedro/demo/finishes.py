"""What a guitar's wood and lacquer look like: plain colours, sunbursts, grain, flame, edges, gloss."""

from dataclasses import dataclass
from random import Random

from guitar_kedro.demo.svg import disc, glow, gradient, line, path

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Shape:
    """An outline, the left, top, right and bottom of it, and the name of its clip path, one of its own in a picture."""

    d: str
    box: Box
    name: str


@dataclass(frozen=True)
class Finish:
    """A body's finish: its colour, the burst around it (inner to outer colour), and the wood that shows through.

    `grain` and `flame` say how strongly the wood's lines and a curly maple's stripes show, from 0 to 1; `metallic`
    lays a wide sheen over the colour; `reach` is how far, in millimetres, a burst comes in from the edge.
    """

    colour: str
    burst: tuple[str, ...] = ()
    grain: float = 0.0
    flame: float = 0.0
    metallic: bool = False
    reach: float = 60.0


THREE_TONE = Finish("#e9a83c", ("#a8301a", "#1a100c"), grain=0.3)
TWO_TONE = Finish("#e8ac4a", ("#7a4a1c", "#17100c"), grain=0.35)
TOBACCO = Finish("#d98a2b", ("#7a3d14", "#1c0f08"), grain=0.35, reach=75)
CHERRY_BURST = Finish("#f2b548", ("#d6541f", "#a3151a"), grain=0.15, flame=0.5, reach=60)
LEMON_BURST = Finish("#f0c45a", ("#e09a3c", "#a5602a"), grain=0.15, flame=0.65, reach=45)
ICED_TEA = Finish("#dd9a3d", ("#94521e", "#40200f"), grain=0.15, flame=0.6, reach=60)
NATURAL_ASH = Finish("#d9a964", grain=0.9)
BLONDE = Finish("#ecd9a6", grain=0.5)
BUTTERSCOTCH = Finish("#dfa54a", grain=0.7)
KORINA = Finish("#d9a654", grain=0.8)
MAHOGANY = Finish("#7a3f25", grain=0.9)
WALNUT = Finish("#4a2c1d", grain=0.9)
CHERRY = Finish("#8f1a20", grain=0.55)
HERITAGE_CHERRY = Finish("#a51d22", grain=0.45)
GOLDTOP = Finish("#b98f3c", metallic=True)
BLACK = Finish("#111113")
OLYMPIC_WHITE = Finish("#eeeadb")
POLARIS_WHITE = Finish("#f2f1ec")
VINTAGE_WHITE = Finish("#ebdfba")
FIESTA_RED = Finish("#d4412f")
DAKOTA_RED = Finish("#b01b24")
CANDY_RED = Finish("#9e1420", metallic=True)
SONIC_BLUE = Finish("#a9cfd8")
DAPHNE_BLUE = Finish("#8cc0d3")
LAKE_BLUE = Finish("#2a5d8f", metallic=True)
PELHAM_BLUE = Finish("#5f8fae", metallic=True)
COMPETITION_BLUE = Finish("#2b6d8c")
SEAFOAM = Finish("#9fd4b8")
SURF_GREEN = Finish("#a9d8c0")
SHERWOOD = Finish("#25564a", metallic=True)
OCEAN_TURQUOISE = Finish("#1f8a86", metallic=True)
ICE_BLUE = Finish("#7fa6b5", metallic=True)
INCA_SILVER = Finish("#b4b8ba", metallic=True)
SHELL_PINK = Finish("#efc1b4")
COMPETITION_ORANGE = Finish("#d8582a")
SPRUCE_NATURAL = Finish("#e3b970", grain=0.5)
WINE_RED = Finish("#5c1220", grain=0.2)


def painted(shape: Shape, finish: Finish, rng: Random, binding: str = "") -> str:
    """The front of a body, or of a headstock: colour, wood, burst, rolled edge, gloss, binding.

    Args:
        shape: the outline.
        finish: what it is finished in.
        rng: where the wood's lines run and the light falls.
        binding: colour of the strip along the edge; none if empty.
    """
    d, box, name = shape.d, shape.box, shape.name
    layers = path(d, finish.colour)
    layers += _grain(box, finish.grain, rng) + _flame(box, finish.flame, rng) + _burst(d, finish)
    layers += _light(shape, finish, rng) + _edge(shape)
    if binding:
        layers += line(d, "#000", 14, 'stroke-opacity="0.45"') + line(d, binding, 10.5)
        layers += line(d, f"url(#{name}-rim)", 4)
    return f'<clipPath id="{name}"><path d="{d}"/></clipPath><g clip-path="url(#{name})">{layers}</g>'


def _grain(box: Box, strength: float, rng: Random) -> str:
    if not strength:
        return ""
    left, top, right, bottom = box
    lines, x = "", left
    while x < right:
        x += rng.uniform(3, 13)
        bends = [rng.uniform(-9, 9) for _ in range(3)]
        middle = (top + bottom) / 2
        d = f"M{x:.0f} {top:.0f}C{x + bends[0]:.0f} {middle:.0f} {x + bends[1]:.0f} {middle:.0f}"
        d += f" {x + bends[2]:.0f} {bottom:.0f}"
        colour, most = rng.choice((("#2a1405", 0.42), ("#2a1405", 0.3), ("#fff0d0", 0.16)))
        opacity = strength * rng.uniform(0.06, most)
        lines += line(d, colour, rng.uniform(0.8, 3.4), f'stroke-opacity="{opacity:.2f}"')
    return lines


def _flame(box: Box, strength: float, rng: Random) -> str:
    """The stripes of curly maple, running down from the seam to both sides."""
    if not strength:
        return ""
    left, top, right, bottom = box
    stripes, y, slope = "", top - 60, rng.uniform(15, 45)
    while y < bottom:
        y += rng.uniform(7, 15)
        wave = rng.uniform(-6, 6)
        d = f"M{left:.0f} {y + slope:.0f}Q{left / 2:.0f} {y + slope / 2 + wave:.0f} 0 {y:.0f}"
        d += f"Q{right / 2:.0f} {y + slope / 2 - wave:.0f} {right:.0f} {y + slope:.0f}"
        dark = rng.random() < 0.6
        opacity = strength * rng.uniform(0.15, 0.5)
        stripes += line(d, "#5a2a08" if dark else "#fff2c0", rng.uniform(2.5, 7), f'stroke-opacity="{opacity:.2f}"')
    return stripes


def _burst(d: str, finish: Finish) -> str:
    """Ever narrower strokes along the edge, each a little stronger: colour that follows the outline."""
    bands, count = "", 8
    for i, colour in enumerate(finish.burst):
        reach = finish.reach * (1 - 0.42 * i)
        for k in range(count):
            width = 2 * reach * (1 - (k / count) ** 1.2)
            bands += line(d, colour, width, f'stroke-opacity="{0.09 + 0.41 * k / count:.2f}"')
    return bands


def _light(shape: Shape, finish: Finish, rng: Random) -> str:
    left, top, right, bottom = shape.box
    width, height = right - left, bottom - top
    strength = rng.uniform(0.08, 0.26)
    bright = f"#ffffff{int(255 * strength):02x}"
    fade = (bright, "#ffffff00", "#00000000", f"#000000{int(255 * strength * 0.9):02x}")
    light = gradient(f"{shape.name}-light", fade, 0.1, 0, 0.9, 1) + glow(f"{shape.name}-spot", (bright, "#ffffff00"))
    light += f'<rect x="{left}" y="{top}" width="{width}" height="{height}" fill="url(#{shape.name}-light)"/>'
    for _ in range(3 if finish.metallic else 2):
        x, y = left + width * rng.uniform(0.05, 0.95), top + height * rng.uniform(0.25, 0.95)
        turn = f"translate({x:.0f} {y:.0f}) rotate({rng.uniform(-40, 40):.0f}) scale({rng.uniform(0.5, 1):.2f} 1)"
        radius = width * rng.uniform(0.25, 0.6)
        light += disc(0, 0, radius, f"url(#{shape.name}-spot)", f'transform="{turn}"')
    return light


def _edge(shape: Shape) -> str:
    d, name = shape.d, f"{shape.name}-rim"
    rim = gradient(name, ("#ffffff99", "#ffffff22", "#00000044", "#00000088"), 0, 0, 0.8, 1)
    return (
        rim
        + line(d, "#000", 20, 'stroke-opacity="0.07"')
        + line(d, "#000", 11, 'stroke-opacity="0.08"')
        + line(d, f"url(#{name})", 6, 'stroke-opacity="0.7"')
    )
