"""Necks, fretboards, strings and headstocks. The origin is the middle of the bridge; the neck goes up (negative y)."""

from dataclasses import dataclass
from random import Random

from guitar_kedro.demo.curves import closed, mirrored
from guitar_kedro.demo.finishes import Finish, Shape, painted
from guitar_kedro.demo.svg import box, disc, gradient, line, path, placed

BOARDS = {
    "rosewood": ("#2b1a12", "#4a2e20", "#2e1c13"),
    "ebony": ("#101011", "#26262a", "#121213"),
    "maple": ("#d2a560", "#f0cf92", "#d5a963"),
}
MAPLE = ("#c99a55", "#efd09a", "#d3a965")
MAPLE_HEAD = Finish("#e2bd7c", grain=0.35)
BLACK_HEAD = Finish("#131214")


@dataclass(frozen=True)
class Neck:
    """A neck's measures in millimetres: scale length, number of frets, how far the board runs past the last one."""

    scale: float
    frets: int
    board: str
    inlay: str
    wood: tuple[str, str, str] = MAPLE
    binding: str = ""
    overhang: float = 8.0

    def fret(self, number: int) -> float:
        """Where a fret lies."""
        return -self.scale / 2 ** (number / 12)

    def half_width(self, y: float) -> float:
        """Half the board's width at `y`."""
        return 21.3 + 7.2 * (y + self.scale) / (0.7 * self.scale)

    @property
    def end(self) -> float:
        """Where the board ends on the body."""
        return self.fret(self.frets) + self.overhang


@dataclass(frozen=True)
class Head:
    """A headstock: one of `HEADS`, its finish, its tuners' buttons (cream or metal), its binding."""

    form: str
    finish: Finish = BLACK_HEAD
    buttons: str = "metal"
    binding: str = ""


HEADS = {
    "stratocaster": "-21,3! -22,-12 -32,-24! 0,-164! 6,-181 21,-190 35,-181 36,-163 27,-145 28,-122 35,-95 38,-73!"
    " 33,-48 24,-30 21,-14 21,3!",
    "large": "-21,3! -22,-12 -33,-24! -2,-166! 4,-186 23,-196 40,-186 42,-166 34,-150 35,-128 44,-98 48,-70!"
    " 42,-44 28,-28 21,-12 21,3!",
    "telecaster": "-21,3! -22,-12 -31,-23! -4,-165! 0,-178 12,-185 25,-180 29,-167 24,-157! 21,-120 20,-60 21,-20"
    " 21,3!",
    "open_book": mirrored("21,3! 22,-14 31,-33! 40,-162! 39,-170 24,-178 10,-177 0,-171!"),
    "arrow": mirrored("21,3! 23,-12 37,-36~8 13,-190~12"),
    "hockey": "-21,3! -24,-14 -36,-24~5 -24,-80 2,-132 40,-178 62,-198 72,-188 62,-160 46,-122 34,-80 29,-38"
    " 22,-20! 21,3!",
    "firebird": "21,3! 23,-12 34,-24! 17,-150 8,-176 -6,-194 -24,-192 -31,-177 -26,-158 -22,-128 -29,-88 -34,-68!"
    " -28,-44 -22,-24 -21,3!",
}


def fingerboard(neck: Neck) -> str:
    """The neck, its board, the frets and the markers."""
    top, end = -neck.scale, neck.end
    wide, narrow = neck.half_width(end), neck.half_width(top)
    wood = f"M{-narrow - 1} {top - 4}L{narrow + 1} {top - 4}L{wide + 1.5} {end - 1}L{-wide - 1.5} {end - 1}Z"
    board = closed(f"{-narrow},{top}! {narrow},{top}! {wide},{end}~4 {-wide},{end}~4")
    frets = "".join(_fret(neck, number) for number in range(1, neck.frets + 1))
    defs = gradient("board", BOARDS[neck.board], 0, 0, 1, 0) + gradient("neck", neck.wood, 0, 0, 1, 0)
    edge = line(board, neck.binding, 2.4) if neck.binding else ""
    shadow = path(wood, "#000", 'fill-opacity="0.3" transform="translate(2.5 2.5)"')
    return (
        defs
        + shadow
        + path(wood, "url(#neck)")
        + path(board, "url(#board)")
        + edge
        + frets
        + _inlays(neck)
        + _nut(neck)
    )


def strings(neck: Neck, head: Head, tail: float) -> str:
    """Six strings from the head's posts over nut and bridge to `tail`."""
    drawn = ""
    for i in range(6):
        share = i / 5 * 2 - 1
        nut, bridge = share * 17.5, share * 26
        post = _post(head.form, i)
        d = f"M{post.real:.1f} {post.imag - neck.scale:.1f}L{nut:.1f} {-neck.scale:g}L{bridge:.1f} 0V{tail:g}"
        drawn += line(d, "#000", 1.2, 'stroke-opacity="0.3" transform="translate(1.6 1)"')
        drawn += line(d, "#e3e0d8" if i > 2 else "#cfc6b2", 1.7 - 0.16 * i)
    return drawn


def headstock(neck: Neck, head: Head, rng: Random) -> str:
    """A headstock with its tuners, at the nut."""
    d = closed(HEADS[head.form])
    face = placed(path(d, "#000", 'fill-opacity="0.3" transform="translate(3 3)"'), 0, -neck.scale)
    tuners = "".join(_tuner(head, i) for i in range(6))
    front = painted(Shape(d, (-50, -200, 75, 5), "head"), head.finish, rng, head.binding) + _logo(head)
    places = [_post(head.form, i) for i in range(6)]
    posts = "".join(disc(place.real, place.imag, 5.2, "url(#steel)") for place in places)
    return face + placed(tuners + front + posts, 0, -neck.scale)


def _fret(neck: Neck, number: int) -> str:
    y = neck.fret(number)
    half = neck.half_width(y) - 0.8
    return line(f"M{-half:.1f} {y:.1f}H{half:.1f}", "#d8d4c8" if neck.board != "maple" else "#8d8878", 1.5)


def _inlays(neck: Neck) -> str:
    marks = ""
    for number in (3, 5, 7, 9, 12, 15, 17, 19, 21):
        if number > neck.frets:
            continue
        top, bottom = neck.fret(number - 1), neck.fret(number)
        marks += _inlay(neck, number, (top + bottom) / 2, abs(bottom - top))
    if neck.inlay == "blocks" and neck.board == "ebony":
        marks += _inlay(neck, 1, (neck.fret(0) + neck.fret(1)) / 2, 30)
    return marks


def _inlay(neck: Neck, number: int, y: float, gap: float) -> str:
    half, pearl = neck.half_width(y), "#e9e6da"
    if neck.inlay == "blocks":
        return box(0, y, half * 1.35, gap * 0.62, 1, pearl)
    if neck.inlay == "trapezoids":
        wide, narrow, high = half * 0.78, half * 0.5, gap * 0.3
        return path(f"M{-wide:.1f} {y + high:.1f}H{wide:.1f}L{narrow:.1f} {y - high:.1f}H{-narrow:.1f}Z", pearl)
    colour = "#1a1512" if neck.board == "maple" else pearl
    return "".join(disc(x, y, 3.4, colour) for x in ((-11, 11) if number == 12 else (0,)))


def _nut(neck: Neck) -> str:
    return box(0, -neck.scale - 2.5, 43, 5, 1, "#f1ead6")


def _post(head: str, string: int) -> complex:
    """Where a string (0: low E) is wound, seen from the nut."""
    side = string if string < 3 else 5 - string
    match head:
        case "stratocaster" | "large" | "telecaster":
            return complex(-19 + 6.4 * string, -36 - 24.5 * string)
        case "firebird":
            return complex(20 - 5.2 * (5 - string), -36 - 24.5 * (5 - string))
        case "hockey":
            return complex((-24, -19, -10, 3, 19, 37)[string], -38 - 24.5 * string)
        case "arrow":
            return complex((-1 if string < 3 else 1) * (21 - 4 * side), -52 - 38 * side)
        case _:
            return complex((-1 if string < 3 else 1) * (21 + 1.5 * side), -50 - 41 * side)


def _tuner(head: Head, string: int) -> str:
    post, form = _post(head.form, string), head.form
    if form == "firebird":
        return ""
    side = -1 if string < 3 or form in ("stratocaster", "large", "telecaster", "hockey") else 1
    tilt = {"hockey": 14 + 9 * string, "arrow": side * 8}.get(form, 0)
    reach = {"arrow": 25, "open_book": 21}.get(form, 19)
    shaft = box(side * reach / 2 * 1.2, 0, reach * 1.4, 5, 1, "url(#bar)")
    fill = "#e9dfbd" if head.buttons == "cream" else "url(#metal)"
    button = box(side * (reach + 10), 1.5, 15, 17, 6, "#000", 'fill-opacity="0.35"') + box(
        side * (reach + 10), 0, 15, 17, 6, fill
    )
    return placed(shaft + button, post.real, post.imag, tilt)


def _logo(head: Head) -> str:
    ink = "#1c1712" if head.finish == MAPLE_HEAD else "#e8ddb8"
    squiggle = line(
        "M0 6C4 -6 8 -8 7 0C7 6 12 4 14 0C16 -4 18 6 22 2C25 -2 27 5 31 1", ink, 2.2, 'stroke-linecap="round"'
    )
    match head.form:
        case "stratocaster" | "large":
            return placed(squiggle, 14, -66, -76, 1.15)
        case "telecaster":
            return placed(squiggle, 12, -66, -88, 1.0)
        case "hockey":
            return placed(squiggle, 10, -90, -62, 1.0)
        case "firebird":
            return placed(squiggle, -14, -60, -80, 0.9)
        case "arrow":
            return placed(squiggle, 3, -90, -85, 1.0)
        case _:
            crown = placed(line("M-6 8L6 -8M-6 -8L6 8M0 -11V11", ink, 3), 0, -75) + box(0, -25, 12, 20, 6, "#2a2829")
            return placed(squiggle, -19, -146, 0, 1.2) + crown
