"""Things that are none of the models, in the same scenes: only what is drawn tells them from a guitar.

Outlines are in millimetres about the middle of the thing, what it is held by up, as the guitars' are.
"""

import math
from collections.abc import Callable, Mapping
from random import Random
from types import MappingProxyType

from PIL import Image

from guitar_kedro.demo import finishes as f
from guitar_kedro.demo import hardware as hw
from guitar_kedro.demo.curves import closed, mirrored, moved
from guitar_kedro.demo.finishes import Finish, Shape, painted
from guitar_kedro.demo.guitar import Guitar as Subject
from guitar_kedro.demo.guitar import pick
from guitar_kedro.demo.scene import draw_scene
from guitar_kedro.demo.svg import (
    METALS,
    box,
    disc,
    glow,
    gradient,
    lifted,
    line,
    metal_gradients,
    path,
    placed,
    repeated,
)
from guitar_kedro.errors import UserError

VIOLIN = mirrored("0,-178 46,-173 84,-128 76,-84 82,-60! 60,-34 60,6 92,40! 90,62 104,108 66,160 0,172")
CAT = mirrored("0,-92 44,-104 82,-182~8 124,-52 138,20 104,92 40,126 0,130")
CAT_EAR = "56,-104! 82,-160~5 108,-68!"
FURS = (
    ("#d98a3d", "#a85a1c"), ("#8b8780", "#55524d"), ("#2b2a2c", "#141315"), ("#eee6d8", "#cfc2ac"),
    ("#a88661", "#5d4430"), ("#6f7785", "#4b515d"),
)  # fmt: skip
LACQUERS = (
    f.BLACK, f.OLYMPIC_WHITE, f.CANDY_RED, f.LAKE_BLUE, f.INCA_SILVER, f.WALNUT, f.MAHOGANY, f.SHERWOOD,
    f.COMPETITION_ORANGE, f.NATURAL_ASH, f.OCEAN_TURQUOISE, f.FIESTA_RED,
)  # fmt: skip
VARNISHES = (
    Finish("#b5622a", ("#7a3514",), grain=0.45, reach=40), Finish("#9c4a20", ("#5c240e",), grain=0.4, reach=45),
    Finish("#c98a3f", ("#94521e",), grain=0.5, reach=40), Finish("#7a3a1e", grain=0.5),
)  # fmt: skip


def draw_other(kind: str, size: int, seed: int) -> Image.Image:
    """A picture of a thing that is no guitar of the demo set, drawn and to be relied on as `draw_guitar`'s are.

    Args:
        kind: one of `OTHERS`.
        size: length of the picture's longer side in pixels; the other side is at least three quarters of it.
        seed: which of the kind's pictures; 0 or more.

    Raises:
        UserError: for another kind, or a size or seed that is too small.
    """
    if kind not in BUILDERS:
        raise UserError(f"There is no drawn other thing {kind!r}. Choose one of: {', '.join(OTHERS)}.")
    return draw_scene(kind, BUILDERS[kind], size, seed)


def violin(rng: Random) -> Subject:
    """A violin with its f-holes, bridge, tailpiece and scroll."""
    bounds = (-104, -178, 104, 172)
    holes = "".join(placed(hw.f_hole(side), side * 44, 24, 0, 0.62) for side in (-1, 1))
    tail = lifted(closed("-9,66~3 9,66~3 20,150~6 0,158 -20,150~6"), "#161314", 3)
    bridge = lifted(closed("-26,20! -20,12 0,7 20,12 26,20!"), "#d9b377", 3)
    rest = lifted(closed("-78,118 -52,96 -22,120 -26,158 -62,154"), "#1d1716", 3)
    scroll = lifted(closed(mirrored("0,-404 15,-396 17,-376 12,-350 14,-308! 0,-304")), pick(rng, "#8a4a20 #5c2a12"), 3)
    pegs = repeated(box(0, 0, 22, 9, 4, "#161314"), (-24, -368), (24, -356), (-24, -338), (24, -326))
    board = lifted(closed("-12,-308! 12,-308! 21,-38~4 -21,-38~4"), "#1a1618", 3)
    strings = "".join(line(f"M{x * 0.55} -308L{x} 14L{x * 0.6} 70", "#d9d6cc", 1.3) for x in (-15, -5, 5, 15))
    purfling = line(closed(moved(VIOLIN, 0, 0, 0.94)), "#2a1405", 1.6, 'stroke-opacity="0.7"')
    body = painted(Shape(closed(VIOLIN), bounds, "body"), rng.choice(VARNISHES), rng)
    front = purfling + holes + rest + tail + pegs + scroll + board + bridge + strings
    return Subject(body + front, bounds, -410)


def banjo(rng: Random) -> Subject:
    """A five-string banjo: a skin in a metal ring with its hooks, and a long neck."""
    bounds = (-142, -142, 142, 142)
    skin, wood = pick(rng, "#f2efe4 #e6dcc0 #f7f6f2"), pick(rng, "#4a2c1d #7a3f25 #a5703a #1c1a1a")
    hooks = "".join(
        placed(box(0, -136, 7, 22, 2, "url(#metal)") + disc(0, -144, 5, "url(#steel)"), angle=angle)
        for angle in range(9, 369, 18)
    )
    pot = _round(0, 0, 140, "url(#metal)") + disc(0, 0, 127, "#4a4a4c") + disc(0, 0, 124, skin) + _gleam(124)
    neck = lifted(closed("-17,-470! 17,-470! 26,-96~4 -26,-96~4"), wood, 4)
    frets = "".join(line(f"M-{20 - i * 0.3:g} {y}h{40 - i * 0.6:g}", "#cfcac0", 2) for i, y in enumerate(_frets()))
    dots = repeated(disc(0, 0, 4, "#efe9d8"), (0, -372), (0, -311), (0, -258), (0, -190), (0, -152))
    head = lifted(closed(mirrored("0,-574 22,-566 30,-548 22,-520 27,-490 17,-468! 0,-466")), wood, 4)
    pegs = repeated(disc(0, 0, 9, "#efe6cc"), (-38, -548), (38, -548), (-38, -502), (38, -502), (-34, -290))
    bridge = box(0, 66, 70, 9, 2, "#b98a50") + box(0, 134, 46, 18, 4, "url(#metal)")
    strings = "".join(line(f"M{x * 0.6} -468L{x} 134", "#8d8a82", 1.6) for x in (-20, -10, 0, 10, 20))
    svg = metal_gradients(pick(rng, "chrome nickel gold")) + hooks + pot + neck + head + pegs + frets + dots
    return Subject(f"{svg}{bridge}{strings}", bounds, -580)


def trumpet(rng: Random) -> Subject:
    """A trumpet from its side: bell, coil, three valves, mouthpiece."""
    metal = pick(rng, "gold gold nickel chrome")
    bell = closed("190,-100! 182,-62 150,-46 60,-37! -70,-35! -70,-21! 60,-19! 150,-10 182,6 190,44!")
    coil = "M60 -28H-82C-130 -28 -130 48 -82 48H96C146 48 146 -14 100 -14H-10"
    valves = "".join(_valve(x, rng.choice((0, 0, 10))) for x in (-28, 4, 36))
    mouth = _tube("M-200 -14H-10", metal, 10) + lifted(
        closed("-222,-26! -216,-22 -196,-18! -196,-10! -222,-2!"), "url(#bar)"
    )
    rim = line("M190 -101Q200 -28 190 45", METALS[metal][3], 7) + line("M190 -101Q200 -28 190 45", METALS[metal][0], 3)
    across = tuple(METALS[metal][index] for index in (3, 1, 0, 4, 3))
    svg = (
        metal_gradients(metal)
        + gradient("valve", across, 0, 0, 1, 0)
        + _tube(coil, metal, 13)
        + mouth
        + lifted(bell, "url(#bar)", 4)
        + rim
        + valves
    )
    return Subject(placed(svg, 12, 0, rng.choice((0, -25, 20, -60))), (-205, -125, 210, 105), -160)


def drum(rng: Random) -> Subject:
    """A drum seen from a little above, with two sticks."""
    bounds = (-160, -120, 160, 130)
    depth = rng.uniform(70, 105)
    shell = f"M-150 -62V{depth - 20:.0f}A150 52 0 0 0 150 {depth - 20:.0f}V-62Z"
    side = painted(Shape(shell, (-150, -62, 150, depth + 32), "body"), rng.choice(LACQUERS), rng)
    shade = gradient("round", ("#000000aa", "#00000000", "#ffffff33", "#00000000", "#000000aa"), 0, 0, 1, 0)
    hoop = f"M-153 {depth - 24:.0f}A153 54 0 0 0 153 {depth - 24:.0f}"
    rims = line(hoop, "#4d5157", 15) + line(hoop, "#d5d9de", 9)
    lugs = "".join(_lug(angle, depth) for angle in (25, 58, 90, 122, 155))
    skin = pick(rng, "#f3f1ea #e9dfc6 #f6f6f6 #d9d4c8")
    head = '<ellipse cy="-62" rx="{}" ry="{}" fill="{}"/>'
    top = head.format(156, 57, "#4d5157") + head.format(153, 54, "#d5d9de") + head.format(144, 47, skin)
    sticks = placed(_stick(rng), 10, -66, rng.uniform(40, 65)) + placed(_stick(rng), -10, -70, rng.uniform(-70, -40))
    svg = shade + side + path(shell, "url(#round)") + rims + lugs + top + (sticks if rng.random() < 0.75 else "")
    return Subject(svg, bounds, -190)


def keyboard(rng: Random) -> Subject:
    """A synthesiser from above: keys, knobs, sliders, a display."""
    count = rng.choice((14, 15, 21))
    case = closed("-208,-92~10 208,-92~10 208,92~10 -208,92~10")
    body = painted(Shape(case, (-208, -92, 208, 92), "body"), rng.choice(LACQUERS), rng)
    wide = 392 / count
    keys = "".join(box(-196 + wide * (i + 0.5), 36, wide - 1.6, 96, 2.5, "url(#key)") for i in range(count)) + "".join(
        box(-196 + wide * (i + 1), 15, wide * 0.58, 58, 2, "#141416")
        + box(-196 + wide * (i + 1), 13, wide * 0.3, 48, 2, "#37373b")
        for i in range(count - 1)
        if i % 7 not in (2, 6)
    )
    cap = pick(rng, "#1b1b1d #e8e6de #c33a2c")
    knobs = repeated(
        disc(1, 2, 10, "#000", 'fill-opacity="0.4"') + disc(0, 0, 9, cap) + box(0, -5, 2, 8, 1, "#999"),
        *((x, y) for x in range(-180, -60, 28) for y in (-72, -44)),
    )
    sliders = "".join(
        box(x, -58, 4, 50, 2, "#0b0b0c") + box(x, rng.uniform(-76, -40), 12, 8, 2, cap) for x in range(64, 196, 18)
    )
    screen = box(0, -58, 76, 38, 4, "#0d0f10") + box(0, -58, 68, 30, 2, pick(rng, "#7fb8c9 #a9c34a #e08a2c #2a4d7d"))
    light = gradient("key", ("#c9c6bc", "#fbfaf5", "#efece2"), 0, 0, 0, 1)
    svg = light + body + box(0, 36, 398, 104, 3, "#0e0e10") + keys + knobs + sliders + screen
    return Subject(svg, (-208, -92, 208, 92), -140)


def tennis_racket(rng: Random) -> Subject:
    """A tennis racket, its handle up, at times with a ball."""
    bounds = (-122, -232, 122, 160)
    colour, other = rng.sample(("#1b1b1e", "#c8202c", "#f0f0ec", "#1f5fae", "#e3c21f", "#2f9a5a", "#e0702a"), 2)
    hoop = closed("0,150 -112,20 0,-122 112,20")
    cords = "".join(f"M{x} -125V152" for x in range(-104, 105, 13)) + "".join(
        f"M-115 {y}H115" for y in range(-116, 150, 13)
    )
    cord = pick(rng, "#f2f0e6 #e6d9a8 #d7e04a #2a2a2c")
    bed = f'<clipPath id="bed"><path d="{hoop}"/></clipPath><g clip-path="url(#bed)">{line(cords, cord, 2)}</g>'
    throat = line("M-66 -96Q-14 -160 -11 -232M66 -96Q14 -160 11 -232", colour, 17)
    frame = line(hoop, "#000", 22, 'stroke-opacity="0.5"') + line(hoop, colour, 18)
    band = line(hoop, other, 18, f'stroke-dasharray="{rng.randint(60, 130)} {rng.randint(60, 160)}"')
    shine = line(hoop, "#fff", 3.5, 'stroke-opacity="0.5"')
    grip = lifted(
        closed("-17,-228~4 17,-228~4 18,-425~3 23,-436~4 -23,-436~4 -18,-425~3"),
        pick(rng, "#1c1c1e #ece9e0 #5b3a22"),
        4,
    )
    wraps = "".join(line(f"M-17 {y}L17 {y - 12}", "#000", 2, 'stroke-opacity="0.4"') for y in range(-240, -410, -18))
    ball = placed(_ball(), rng.uniform(-70, 70), rng.uniform(-30, 90)) if rng.random() < 0.4 else ""
    return Subject(bed + throat + frame + band + shine + grip + wraps + ball, bounds, -445)


def frying_pan(rng: Random) -> Subject:
    """A pan from above, its handle up, at times with fried eggs."""
    outer, inner = rng.choice(
        (("#2a2a2c", "#1a1a1c"), ("#3a3a3d", "#242426"), ("#b9bdc2", "#8d9298"), ("#9c3b22", "#232325"))
    )
    handle = lifted(
        closed("-15,-130! 15,-130! 11,-210 17,-330 0,-352 -17,-330 -11,-210"), pick(rng, "#1a1a1c #5b3a22 #8f9499"), 4
    )
    hole = box(0, -328, 9, 22, 4.5, "#000", 'fill-opacity="0.75"')
    bowl = _round(0, 0, 150, outer) + disc(0, 0, 147, "none", 'stroke="#fff" stroke-opacity="0.4" stroke-width="3"')
    floor = disc(0, 0, 128, inner, 'stroke="#000" stroke-opacity="0.5" stroke-width="4"') + _gleam(128)
    rings = "".join(
        disc(0, 0, r, "none", 'stroke="#fff" stroke-opacity="0.07" stroke-width="2"') for r in range(20, 124, 13)
    )
    rivets = repeated(disc(0, 0, 5, "#c9cdd2", 'stroke="#333" stroke-width="1"'), (-8, -139), (8, -139))
    places = rng.sample(((-46, -32), (42, 38), (-40, 52), (50, -46)), rng.choice((0, 1, 2, 2, 3)))
    eggs = "".join(placed(_egg(rng), x, y, rng.uniform(0, 360)) for x, y in places)
    return Subject(handle + hole + bowl + floor + rings + rivets + eggs, (-150, -150, 150, 150), -356)


def cat(rng: Random) -> Subject:
    """A cat's face."""
    fur, dark = rng.choice(FURS)
    bounds = (-138, -182, 138, 130)
    head = painted(Shape(closed(CAT), bounds, "body"), Finish(fur, (dark,), grain=0.35, reach=50), rng)
    ears = "".join(
        placed(path(closed(CAT_EAR), "#d99a94", 'fill-opacity="0.85"')).replace("scale(1)", f"scale({side} 1)")
        for side in (-1, 1)
    )
    stripes = (
        line(
            "M0 -88V-40M-24 -86L-17 -46M24 -86L17 -46M-132 18L-92 26M-124 50L-86 50M132 18L92 26M124 50L86 50",
            dark,
            9,
            'stroke-linecap="round"',
        )
        if rng.random() < 0.7
        else ""
    )
    muzzle = repeated('<ellipse rx="36" ry="28" fill="#f4ede2"/>', (-27, 70), (27, 70))
    iris, slit = pick(rng, "#8fb53a #d9a520 #5fa0c9 #c9c23a"), rng.uniform(5, 15)
    eye = '<ellipse rx="30" ry="25" fill="#17120f"/>' + f'<ellipse rx="26" ry="21" fill="{iris}"/>'
    eye += f'<ellipse rx="{slit:.1f}" ry="20" fill="#0b0b0c"/>' + disc(-8, -9, 5, "#fff")
    nose = path(closed("-15,44~4 15,44~4 0,61~4"), "#b5605c") + line(
        "M0 60V72Q-4 88 -24 84M0 72Q4 88 24 84", "#3a2a26", 4
    )
    hairs = "".join(
        f"M{side * 34} {y}Q{side * 100} {y - 12 + d} {side * 178} {y + d}"
        for side in (-1, 1)
        for y, d in ((62, -16), (70, 4), (78, 24))
    )
    whiskers = line(hairs, "#fbfaf6", 2.6) + line(hairs, "#000", 0.8, 'stroke-opacity="0.4"')
    return Subject(head + ears + stripes + muzzle + repeated(eye, (-55, -6), (55, -6)) + nose + whiskers, bounds, -190)


BUILDERS: Mapping[str, Callable[[Random], Subject]] = MappingProxyType(
    {thing.__name__: thing for thing in (banjo, cat, drum, frying_pan, keyboard, tennis_racket, trumpet, violin)}
)
OTHERS: tuple[str, ...] = tuple(BUILDERS)


def _round(x: float, y: float, radius: float, fill: str) -> str:
    return disc(x + 3, y + 5, radius, "#000", 'fill-opacity="0.38"') + disc(x, y, radius, fill)


def _gleam(radius: float) -> str:
    fade = gradient("gleam", ("#ffffff55", "#ffffff00", "#00000033"), 0, 0, 1, 1)
    return fade + disc(0, 0, radius, "url(#gleam)")


def _frets() -> list[int]:
    return [round(-470 + 536 * (1 - 2 ** (-number / 12))) for number in range(1, 20)]


def _tube(d: str, metal: str, width: float) -> str:
    """A bent metal tube: a gradient cannot follow a bend, ever narrower strokes can."""
    colours = METALS[metal]
    bands = ((3, 1.0), (1, 0.82), (4, 0.55), (0, 0.25))
    return "".join(line(d, colours[index], width * share, 'stroke-linecap="round"') for index, share in bands)


def _valve(x: float, pressed: float) -> str:
    stem = box(x, -64 + pressed, 6, 40, 1, "url(#metal)") + box(x, -86 + pressed, 20, 8, 4, "#efece2")
    return (
        stem
        + box(x + 2, 14, 26, 124, 6, "#000", 'fill-opacity="0.35"')
        + box(x, 12, 25, 124, 6, "url(#valve)")
        + box(x, -44, 28, 10, 3, "url(#metal)")
        + box(x, 70, 28, 10, 3, "url(#metal)")
    )


def _lug(angle: float, depth: float) -> str:
    x, drop = 151 * math.cos(math.radians(angle)), 52 * math.sin(math.radians(angle))
    height = depth + 40
    rod = box(x, -62 + drop + height / 2, 4, height, 1, "#c9ced4")
    return (
        rod
        + box(x + 1, -60 + drop + height / 2, 13, 38, 5, "#33363a")
        + box(x, -62 + drop + height / 2, 11, 36, 5, "#d5d9de")
    )


def _stick(rng: Random) -> str:
    wood = pick(rng, "#d9b377 #e6cc9a #b98a50")
    return lifted(closed("-5,-190~5 5,-190~5 5,70! 2,92! 5,104 0,110 -5,104 -2,92! -5,70!"), wood, 5)


def _ball() -> str:
    seam = line("M-30 -14Q0 6 30 -14M-26 22Q0 4 26 22", "#f6f6ee", 3.5)
    return glow("felt", ("#e6f06a", "#c9d93a", "#93a01f")) + _round(0, 0, 33, "url(#felt)") + seam


def _egg(rng: Random) -> str:
    points = " ".join(
        f"{math.cos(turn) * reach:.0f},{math.sin(turn) * reach:.0f}"
        for turn, reach in ((2 * math.pi * i / 7, rng.uniform(36, 52)) for i in range(7))
    )
    yolk = disc(0, 0, 19, "#f0a51f") + disc(-5, -6, 6, "#fff", 'fill-opacity="0.6"')
    return lifted(closed(points), "#f8f5ec", 3, 'stroke="#c9a26a" stroke-width="2"') + yolk
