"""The look of every figure in one place: colours, type, sizes, names.

Figures are made without pyplot: nothing is registered anywhere, so nothing leaks, threads do not disturb each other,
and no display is needed. ``figure.savefig(path)`` with its defaults gives the intended picture.
"""

from __future__ import annotations

import logging
import re
import unicodedata
from bisect import bisect
from collections.abc import Sequence
from functools import cache
from os.path import commonprefix
from typing import Any, Literal

from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.ft2font import FT2Font
from matplotlib.legend import Legend

logger = logging.getLogger(__name__)

# Okabe and Ito (2008), "Color universal design": eight colours that people with any colour vision tell apart.
BLUE, VERMILLION, GREEN = "#0072b2", "#d55e00", "#009e73"
AMBER, SKY, PURPLE = "#e69f00", "#56b4e9", "#cc79a7"
SERIES = (BLUE, VERMILLION, GREEN, AMBER, PURPLE, SKY)
INK, MUTED, FAINT, RULE, TILE, PAPER = "#1f2933", "#616e7c", "#aeb8c2", "#d9dee3", "#f3f5f7", "#ffffff"
TITLE_SIZE, TEXT_SIZE, SMALL_SIZE = 13.0, 9.0, 8.0
LINE_HEIGHT = 1.35  # of the type size
DPI = 144
MARGIN = 0.18  # inches around everything
MOST_PIXELS = 20_000_000  # of a figure: seconds to draw, and any viewer opens it
MOST_CLASSES = 60  # that a figure or a table names one by one; of more, it shows those that matter, and says so
_LARGEST_SIDE = 20_000  # pixels; the renderer ends at 65,536, and viewers give up long before
_POINTS_PER_INCH = 72

# Matplotlib ships the first; the others draw scripts it lacks, where the computer has them.
_FAMILIES = (
    "DejaVu Sans",
    "Noto Sans CJK JP",
    "Noto Sans CJK SC",
    "Hiragino Sans",
    "Microsoft YaHei",
    "Arial Unicode MS",
    "WenQuanYi Zen Hei",
)


def text(size: float = TEXT_SIZE, colour: str = INK, weight: str = "normal") -> dict[str, Any]:
    """Return the keyword arguments that every text of a figure takes.

    Names of classes and files are other people's: a dollar sign in them is a dollar sign, not a formula.

    Args:
        size: In points.
        colour: Any colour that matplotlib knows.
        weight: ``normal`` or ``bold``.
    """
    return {
        "fontsize": size,
        "color": colour,
        "fontweight": weight,
        "fontfamily": [family for family, _ in _fonts()],
        "parse_math": False,
    }


def readable_on(background: Sequence[float]) -> str:
    """Choose light or dark type, whichever has more contrast (relative luminance as in WCAG 2.1).

    Args:
        background: Red, green and blue of what the type stands on, between 0 and 1.
    """
    paper, ink, below = (_luminance(colour) + 0.05 for colour in (to_rgb(PAPER), to_rgb(INK), background))
    return PAPER if paper / below > below / ink else INK


def new_figure(
    width: float,
    height: float,
    title: str,
    notes: Sequence[str] = (),
    warnings: Sequence[str] = (),
    constrained: bool = True,
) -> Figure:
    """Make an empty figure with a heading at its top left.

    Args:
        width: Of the whole, in inches.
        height: Of what lies below the heading, in inches; the heading adds its own.
        title: In bold; long ones go over several lines.
        notes: Lines below the title that say how to read the figure, in grey.
        warnings: Lines below the notes that a reader must not miss, in the signal colour.
        constrained: Keep axes clear of the heading by constrained layout, for which all is drawn once more; figures
            with ``below_heading`` do without.

    Returns:
        The figure.
    """
    paragraphs = [(title, text(TITLE_SIZE, INK, "bold"))]
    paragraphs += [(note, text(TEXT_SIZE, MUTED)) for note in notes]
    paragraphs += [(f"\N{WARNING SIGN} {warning}", text(TEXT_SIZE, VERMILLION, "bold")) for warning in warnings]
    room = (width - 2 * MARGIN) / 1.12  # bold type is that much wider
    lines = [(line, look) for words, look in paragraphs for line in wrap(words, room, look["fontsize"], 4)]
    heights = [look["fontsize"] * LINE_HEIGHT / _POINTS_PER_INCH for _, look in lines]
    heading = sum(heights) + 1.5 * MARGIN
    whole = height + heading
    # figures choose what they show, so that this is never needed to be read; whatever comes, they end here
    dpi = min(DPI, _LARGEST_SIDE / max(width, whole), (MOST_PIXELS / (width * whole)) ** 0.5)
    figure = Figure(figsize=(width, whole), dpi=dpi, layout="constrained" if constrained else None, facecolor=PAPER)
    top = whole - MARGIN
    for (line, look), line_height in zip(lines, heights, strict=True):
        figure.text(MARGIN / width, top / whole, line, ha="left", va="top", **look)
        top -= line_height
    engine: Any = figure.get_layout_engine()
    if engine:
        side = 0.4 * MARGIN
        engine.set(
            rect=(side / width, side / whole, 1 - 2 * side / width, (height - side) / whole),
            w_pad=0.06,
            h_pad=0.06,
        )
    return figure


def below_heading(figure: Figure, height: float) -> Axes:
    """Return bare axes over everything below the heading, for figures that place their parts themselves.

    Args:
        figure: From ``new_figure``, without constrained layout.
        height: As it was given to ``new_figure``.

    Returns:
        Axes without frame, measured in pixels of the figure from the top left.
    """
    whole = figure.get_figheight()
    axes = figure.add_axes((0, 0, 1, height / whole))
    axes.set_axis_off()
    axes.set_xlim(0, figure.get_figwidth() * figure.dpi)
    axes.set_ylim(height * figure.dpi, 0)
    return axes


def clean(axes: Axes, grid: Literal["x", "y", "both", "none"] = "none", title: str = "") -> None:
    """Take everything off axes that carries no information.

    Args:
        axes: To be cleaned, after their labels are set.
        grid: Which way thin lines help the eye.
        title: Above the axes, at the left.
    """
    axes.set_facecolor(PAPER)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(RULE)
    axes.tick_params(length=0, labelsize=SMALL_SIZE, labelcolor=INK, which="both")
    axes.set_axisbelow(True)
    if grid != "none":
        axes.grid(axis=grid, color=RULE, linewidth=0.6)
    axes.xaxis.label.update(text(SMALL_SIZE, MUTED))
    axes.yaxis.label.update(text(SMALL_SIZE, MUTED))
    if title:
        axes.set_title(title, loc="left", pad=8, **text(TEXT_SIZE + 1, INK, "bold"))


def legend(owner: Axes | Figure, **options: Any) -> Legend:
    """Put a frameless legend on axes, or outside all axes of a figure.

    Args:
        owner: Axes or figure whose labelled artists it explains.
        **options: As ``Axes.legend`` and ``Figure.legend`` take them.
    """
    made = owner.legend(frameon=False, fontsize=SMALL_SIZE, labelcolor=INK, **options)
    for entry in made.get_texts():
        entry.update(text(SMALL_SIZE))
    return made


def text_width(line: str, size: float = TEXT_SIZE) -> float:
    """Measure one line of text.

    Args:
        line: What will be drawn.
        size: In points.

    Returns:
        Inches, rather a little too many than too few.
    """
    return 1.03 * size / _POINTS_PER_INCH * sum(_advance(character) for character in line)


def printable(line: str) -> str:
    r"""Escape what no font here can draw (``\u732b``), so that no name makes a figure fail and no two look alike.

    Args:
        line: One line; white space of any kind becomes single spaces.
    """
    composed = unicodedata.normalize("NFC", " ".join(line.split()))
    if all(map(_font_with, composed)):
        return composed
    return "".join(character if _font_with(character) else _escaped(character) for character in composed)


@cache
def _escaped(character: str) -> str:
    """Escape a character, and warn of it once."""
    escaped = character.encode("unicode_escape").decode()
    name = unicodedata.name(character, "")  # not the character itself: half of one can be written nowhere
    logger.warning("Figures show %s for a character that no font of this machine can draw (%s)", escaped, name)
    return escaped


def shorten(line: str, width: float, size: float = TEXT_SIZE) -> str:
    """Cut the middle out of a line that is too long: names that begin alike often differ at their end.

    Args:
        line: One line.
        width: Inches that it may take.
        size: In points.
    """
    line = printable(line)
    if text_width(line, size) <= width:
        return line

    def cut(kept: int) -> str:
        head, tail = line[: (kept + 1) // 2].rstrip(), line[len(line) - kept // 2 :].lstrip()
        return f"{head}…{tail}"

    fitting = bisect(range(1, len(line)), width, key=lambda kept: text_width(cut(kept), size))
    return cut(fitting)


def shorten_together(names: Sequence[str], width: float, size: float = TEXT_SIZE, most_lines: int = 1) -> list[str]:
    """Shorten the names of one figure so that different names stay different.

    Names that would come out alike are shown from where they begin to differ; where that is not enough, numbered.

    Args:
        names: In the order in which they are drawn.
        width: Inches that a line may take.
        size: In points.
        most_lines: How many lines each may take.

    Returns:
        The names in their order, with line breaks where they take several lines.
    """

    def fit(name: str, room: float = width) -> str:
        return "\n".join(wrap(name, room, size, most_lines))

    short = {name: fit(name) for name in names}
    alike: dict[str, list[str]] = {}
    for name, cut in short.items():
        alike.setdefault(cut, []).append(name)
    same_names = [same for same in alike.values() if len(same) > 1]
    for same in same_names:
        whole = [printable(name) for name in same]
        start = max(len(commonprefix(whole)) - 2, 0)  # noqa: RUF071 (of letters)
        short |= {name: fit(f"…{words[start:]}") for name, words in zip(same, whole, strict=True)}
    if len(set(short.values())) < len(short):
        for same in same_names:
            endings = {name: f" ({number})" for number, name in enumerate(same, start=1)}
            short |= {name: fit(name, width - text_width(end, size)) + end for name, end in endings.items()}
    return [short[name] for name in names]


def wrap(paragraph: str, width: float, size: float = TEXT_SIZE, most_lines: int = 2) -> list[str]:
    """Break a text into lines at spaces and slashes; what does not fit is shortened in the middle.

    Args:
        paragraph: Text without line breaks of its own.
        width: Inches that a line may take.
        size: In points.
        most_lines: How many lines there may be.

    Returns:
        At least one line.
    """
    pieces = re.findall(r"[^ /]+[ /]?|/", printable(paragraph))
    lines: list[str] = []
    while pieces and len(lines) < most_lines - 1:
        taken = 1
        while taken < len(pieces) and text_width("".join(pieces[: taken + 1]).rstrip(), size) <= width:
            taken += 1
        lines.append(shorten("".join(pieces[:taken]), width, size))
        pieces = pieces[taken:]
    if pieces or not lines:
        lines.append(shorten("".join(pieces), width, size))
    return lines


def _luminance(colour: Sequence[float]) -> float:
    linear = [value / 12.92 if value <= 0.04045 else ((value + 0.055) / 1.055) ** 2.4 for value in colour]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@cache
def _fonts() -> tuple[tuple[str, FT2Font], ...]:
    known = set(font_manager.get_font_names())
    families = [family for family in _FAMILIES if family in known]
    return tuple((family, FT2Font(font_manager.findfont(family))) for family in families)


@cache
def _font_with(character: str) -> FT2Font | None:
    return next((font for _, font in _fonts() if font.get_char_index(ord(character))), None)


@cache
def _advance(character: str) -> float:
    font = _font_with(character)
    if font is None:
        return 1.0
    font.set_size(100, _POINTS_PER_INCH)
    return font.load_char(ord(character)).linearHoriAdvance / 65536 / 100
