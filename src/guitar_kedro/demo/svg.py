"""The few SVG elements that a guitar is drawn with, as text, and how such text becomes a picture."""

import io

from PIL import Image
from PIL.PngImagePlugin import PngImageFile
from resvg_py import svg_to_bytes

METALS = {
    "chrome": ("#f7f9fb", "#9aa1a9", "#e8ecef", "#70777f", "#cdd2d7"),
    "nickel": ("#f3f0e8", "#a29d92", "#dedacf", "#7d786e", "#c8c3b8"),
    "gold": ("#fbe9ae", "#b98d33", "#f3d98a", "#8d661d", "#d9b65e"),
}
SHADE = 'fill="#000" fill-opacity="0.38"'


def path(d: str, fill: str = "none", extra: str = "") -> str:
    """A path, given its `d`."""
    return f'<path d="{d}" fill="{fill}" {extra}/>'


def line(d: str, colour: str, width: float, extra: str = "") -> str:
    """A stroked path."""
    return f'<path d="{d}" fill="none" stroke="{colour}" stroke-width="{width:g}" {extra}/>'


def disc(x: float, y: float, radius: float, fill: str, extra: str = "") -> str:
    """A filled circle."""
    return f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}" fill="{fill}" {extra}/>'


def box(x: float, y: float, width: float, height: float, radius: float, fill: str, extra: str = "") -> str:
    """A filled, rounded rectangle centred on (x, y)."""
    place = f'x="{x - width / 2:g}" y="{y - height / 2:g}" width="{width:g}" height="{height:g}" rx="{radius:g}"'
    return f'<rect {place} fill="{fill}" {extra}/>'


def placed(content: str, x: float = 0, y: float = 0, angle: float = 0, scale: float = 1) -> str:
    """`content` scaled and turned about its origin, then put at (x, y)."""
    return f'<g transform="translate({x:g} {y:g}) rotate({angle:g}) scale({scale:g})">{content}</g>'


def repeated(content: str, *places: tuple[float, float]) -> str:
    """`content` at several places."""
    return "".join(placed(content, x, y) for x, y in places)


def lifted(d: str, fill: str, drop: float = 2.0, extra: str = "") -> str:
    """A flat plate that lies on the body: the path over its own small shadow."""
    return f'<path d="{d}" transform="translate({drop * 0.6:g} {drop:g})" {SHADE}/>' + path(d, fill, extra)


def gradient(name: str, colours: tuple[str, ...], *ends: float) -> str:
    """A linear gradient of evenly spaced colours, from (x1, y1) to (x2, y2) of what it fills; `#rrggbbaa` may fade."""
    x1, y1, x2, y2 = ends
    stops = "".join(_stop(i / (len(colours) - 1), colour) for i, colour in enumerate(colours))
    return f'<linearGradient id="{name}" x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}">{stops}</linearGradient>'


def glow(name: str, colours: tuple[str, ...]) -> str:
    """A radial gradient of evenly spaced colours, from the middle of what it fills to its edge."""
    stops = "".join(_stop(i / (len(colours) - 1), colour) for i, colour in enumerate(colours))
    return f'<radialGradient id="{name}">{stops}</radialGradient>'


def metal_gradients(metal: str) -> str:
    """A guitar's metal as fills: `url(#metal)` downwards, `#bar` across, `#cover` calm, and `#steel`, always chrome."""
    colours = METALS[metal]
    return (
        gradient("metal", colours, 0, 0, 0.35, 1)
        + gradient("bar", (colours[3], colours[0], colours[1], colours[3]), 0, 0, 0, 1)
        + gradient("cover", (colours[1], colours[2], colours[0], colours[4], colours[1]), 0, 0, 0.25, 1)
        + gradient("steel", METALS["chrome"], 0, 0, 0.35, 1)
    )


def rasterise(content: str, width: int, height: int) -> Image.Image:
    """The picture of some SVG elements on a clear ground, in pixels of their own coordinates."""
    sheet = f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}">{content}</svg>'
    # not Image.open, whose limit of pixels is there for other people's files
    return PngImageFile(io.BytesIO(svg_to_bytes(svg_string=sheet, skip_system_fonts=True))).convert("RGBA")


def _stop(offset: float, colour: str) -> str:
    opacity = int(colour[7:9], 16) / 255 if len(colour) == 9 else 1
    return f'<stop offset="{offset:.3f}" stop-color="{colour[:7]}" stop-opacity="{opacity:.3f}"/>'
