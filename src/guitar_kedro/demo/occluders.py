"""What hides a part of a guitar in a picture: a strap, a cable, an arm, a stand, a sticker; in its millimetres."""

import math
from random import Random

from guitar_kedro.demo.curves import closed, opened
from guitar_kedro.demo.guitar import Guitar
from guitar_kedro.demo.svg import box, disc, gradient, lifted, line, path, placed

CLOTH = ("#1b1b1d", "#5b3a22", "#7a1f1f", "#2c4a3a", "#a98a4c", "#3a3f58")
SKIN = (("#e6b893", "#c98f68"), ("#c68d62", "#9a6540"), ("#8d5a3a", "#63391f"), ("#f0cdb0", "#d7a582"))


def draw_occluder(guitar: Guitar, rng: Random, share: float = 0.22) -> str:
    """In a `share` of all pictures, something that lies over the guitar; else nothing."""
    if rng.random() >= share:
        return ""
    return rng.choice((strap, cable, cable, forearm, stand, stand, sticker, plectrum))(guitar, rng)


def strap(guitar: Guitar, rng: Random) -> str:
    """A strap laid loosely over a corner of the body."""
    left, _, right, bottom = guitar.body
    start, middle = rng.uniform(left, -120), rng.uniform(-50, 50)
    y = bottom - rng.uniform(10, 40)
    d = opened(f"{left - 160},{bottom - 60} {start:.0f},{y:.0f} {middle:.0f},{bottom + 60} {right},{bottom + 140}")
    colour = rng.choice(CLOTH)
    shadow = line(d, "#000", 54, 'stroke-opacity="0.3" transform="translate(5 8)"')
    seams = line(d, "#fff", 42, 'stroke-opacity="0.25"') + line(d, colour, 39)
    return shadow + line(d, colour, 50) + seams


def cable(guitar: Guitar, rng: Random) -> str:
    """A cable that runs across the picture."""
    left, _, right, bottom = guitar.body
    y = bottom - rng.uniform(-20, 60)
    bend = [rng.uniform(-50, 50) for _ in range(2)]
    start, end = f"{right + 250},{y + 160:.0f}", f"{left - 200},{y + 120:.0f}"
    d = opened(f"{start} {right - 40},{y + bend[0]:.0f} 0,{y + bend[1]:.0f} {end}")
    colour = rng.choice(("#141416", "#141416", "#8c1c1c", "#c9a23a", "#2a4d7d"))
    shadow = line(d, "#000", 10, 'stroke-opacity="0.3" transform="translate(4 6)"')
    return shadow + line(d, colour, 10) + line(d, "#fff", 2.5, 'stroke-opacity="0.3"')


def forearm(guitar: Guitar, rng: Random) -> str:
    """A player's arm that rests on the lower bass side."""
    left, _, _, bottom = guitar.body
    light, dark = rng.choice(SKIN)
    sleeve = rng.choice((*CLOTH, "#dcdcdc"))
    y = rng.uniform(0.45, 0.8) * bottom
    arm = closed("-190,-46! -60,-38 20,-24 58,-22 86,-6~8 90,10~8 56,26 20,28 -60,40 -190,52!")
    cuff = closed("-190,-54! -80,-46! -72,0 -80,48! -190,60!")
    fingers = "".join(
        line(f"M70 {d}Q{94} {d - 4} {104 + d / 3} {d + 10}", light, 13, 'stroke-linecap="round"') for d in (-8, 4, 16)
    )
    skin = gradient("skin", (light, light, dark), 0, 0, 0, 1)
    return placed(
        skin + lifted(arm, "url(#skin)", 8) + fingers + path(cuff, sleeve), left + 12, y, rng.uniform(-42, -12), 0.95
    )


def stand(guitar: Guitar, rng: Random) -> str:
    """The two padded arms of a stand, from below."""
    _, _, _, bottom = guitar.body
    reach, y = rng.uniform(60, 95), bottom - rng.uniform(20, 45)
    post = line(f"M0 {bottom + 20:.0f}V{bottom + 400:.0f}", "#1a1a1c", 20)
    arms = "".join(
        line(
            f"M0 {bottom + 30:.0f}L{side * reach:.0f} {bottom + 14:.0f}L{side * (reach + 12):.0f} {y:.0f}",
            "#151517",
            19,
            'stroke-linecap="round" stroke-linejoin="round"',
        )
        + line(f"M{side * (reach + 10):.0f} {y:.0f}v14", "#4a4a4e", 5, 'stroke-linecap="round"')
        for side in (-1, 1)
    )
    return post + arms


def sticker(guitar: Guitar, rng: Random) -> str:
    """A round or square label stuck on the lower bass side."""
    left, _, _, bottom = guitar.body
    x, y = left * rng.uniform(0.35, 0.65), bottom * rng.uniform(0.35, 0.65)
    colour, ink = rng.choice((("#e23b2e", "#fff"), ("#f2d23b", "#222"), ("#f4f4f0", "#c22"), ("#2a6fb5", "#fff")))
    radius = rng.uniform(16, 26)
    shape = disc(0, 0, radius, colour) if rng.random() < 0.6 else box(0, 0, radius * 2.2, radius * 1.4, 3, colour)
    words = "".join(
        box(0, d, radius * w, radius * 0.16, 1, ink) for d, w in ((-radius * 0.3, 0.8), (0, 1.2), (radius * 0.3, 0.9))
    )
    return placed(shape + words, x, y, rng.uniform(-30, 30))


def plectrum(guitar: Guitar, rng: Random) -> str:
    """A few plectrums that lie about."""
    _, _, right, bottom = guitar.body
    shape = closed("0,16 -14,-6 -9,-14 0,-15 9,-14 14,-6")
    picks = ""
    for _ in range(rng.randint(1, 3)):
        angle = rng.uniform(0.1, math.pi - 0.1)
        x, y = math.cos(angle) * right * rng.uniform(0.6, 1.1), math.sin(angle) * bottom * rng.uniform(0.65, 1.1)
        picks += placed(
            lifted(shape, rng.choice(("#e8e3d2", "#b5402c", "#2b2b2e", "#3f7a54", "#8a5a2a"))),
            x,
            y,
            rng.uniform(0, 360),
        )
    return picks
