"""The five Fenders. Outlines are in millimetres from the middle of the bridge, neck up, bass side left."""

from random import Random

from guitar_kedro.demo import finishes as f
from guitar_kedro.demo import hardware as hw
from guitar_kedro.demo.curves import moved, opened
from guitar_kedro.demo.guitar import Build, Guitar, assemble, guard, pick
from guitar_kedro.demo.neck import MAPLE_HEAD, Head, Neck
from guitar_kedro.demo.svg import line, placed, repeated

STRATOCASTER = (
    "-26,-246! -42,-250 -60,-261 -76,-284 -85,-313 -99,-329 -117,-320 -125,-274 -112,-209 -106,-160 -118,-92 "
    "-142,-30 -161,30 -157,84 -124,118 -64,134 0,138 80,132 140,102 161,54 152,5 122,-66 107,-126 118,-185 "
    "133,-232 127,-261 112,-267 97,-248 74,-217 46,-204 26,-204!"
)
STRATOCASTER_GUARD = (
    "-26,-226! -58,-232~5 -46,-186 -58,-140 -74,-84 -78,-40 -76,-18~10 -45,-14! 45,-14! 70,2 104,24 134,36 147,24 "
    "140,-4 116,-52 98,-118 104,-173 120,-215 124,-244 111,-252 93,-226 66,-197 26,-193!"
)
TELECASTER = (
    "-26,-240! -46,-243 -78,-257 -112,-246 -132,-210 -128,-165 -119,-125 -128,-78 -150,-20 -162,42 -150,104 "
    "-104,140 0,150 106,138 152,98 163,40 146,-30 118,-92 114,-138 125,-190 131,-230 124,-248 110,-253 96,-243 "
    "77,-208 54,-189 26,-186!"
)
TELECASTER_GUARD = (
    "-26,-224! -50,-213 -74,-180 -84,-130 -80,-90 -72,-64! 44,-64! 70,-64~5 90,-84 103,-128 114,-176 124,-218 "
    "121,-238 110,-244 99,-236 82,-203 58,-180 26,-176!"
)
OFFSET = (
    "-24,-246! -45,-252 -68,-266 -92,-289 -110,-302 -128,-301 -141,-281 -132,-225 -117,-172 -120,-118 -146,-58 "
    "-172,2 -177,46 -161,100 -124,149 -62,182 8,197 90,199 146,178 177,134 178,90 159,37 124,-32 113,-74 120,-116 "
    "141,-156 145,-184 124,-201 97,-201 62,-189 24,-187!"
)
JAZZMASTER_GUARD = (
    "-26,-218! -68,-234 -102,-248~7 -104,-236~4 -55,-32 -48,16~7 44,18~8 84,54 124,90 148,96 158,78 118,-4 "
    "103,-60 110,-115 132,-156 135,-177 122,-189 97,-189 62,-177 26,-176!"
)
JAGUAR_GUARD = (
    "-26,-206! -56,-218~5 -72,-216~5 -60,-140 -53,-32 -48,24~6 48,24~6 56,-2! 92,-24! 96,-60 104,-104 122,-140 "
    "134,-166 122,-179 97,-179 62,-167 26,-166!"
)
MUSTANG = (
    "-25,-196! -50,-202 -72,-221 -88,-249 -100,-261 -114,-257 -124,-236 -113,-172 -104,-112 -122,-40 -143,30 "
    "-149,88 -136,141 -92,172 0,183 84,170 133,130 146,84 133,34 107,-36 103,-85 117,-142 128,-178 121,-195 "
    "108,-196 96,-184 80,-168 56,-158 25,-159!"
)
MUSTANG_GUARD = (
    "-25,-188! -46,-168 -62,-138 -68,-97 -60,-48 -45,-14! 45,-14! 58,-10 80,-30 94,-62 98,-100 110,-148 118,-176 "
    "112,-186 102,-178 84,-160 58,-149 25,-149!"
)
CUSTOM_COLOURS = (
    f.OLYMPIC_WHITE, f.SONIC_BLUE, f.FIESTA_RED, f.CANDY_RED, f.LAKE_BLUE, f.SEAFOAM, f.BLACK, f.VINTAGE_WHITE,
    f.SHERWOOD, f.OCEAN_TURQUOISE, f.ICE_BLUE, f.INCA_SILVER, f.SHELL_PINK, f.DAPHNE_BLUE, f.SURF_GREEN, f.DAKOTA_RED,
)  # fmt: skip
TELECASTER_FINISHES = (
    f.BUTTERSCOTCH, f.BUTTERSCOTCH, f.BLONDE, f.NATURAL_ASH, f.TWO_TONE, f.THREE_TONE, f.BLACK, f.CANDY_RED,
    f.LAKE_BLUE, f.SONIC_BLUE, f.FIESTA_RED, f.VINTAGE_WHITE, f.ICE_BLUE, f.SURF_GREEN,
)  # fmt: skip
RACING_FINISHES = (f.COMPETITION_BLUE, f.COMPETITION_ORANGE, f.DAKOTA_RED)
MUSTANG_FINISHES = (
    f.OLYMPIC_WHITE, f.DAPHNE_BLUE, f.SONIC_BLUE, f.BLACK, f.VINTAGE_WHITE, f.SHELL_PINK, f.THREE_TONE, f.SURF_GREEN,
    f.FIESTA_RED,
)  # fmt: skip


def stratocaster(rng: Random) -> Guitar:
    """Two horns, three single coils of which the last is slanted, a guard that carries all, a boat-shaped jack."""
    cover = pick(rng, "#f4f1e8 #f4f1e8 #e9dfc0 #1a1a1c")
    over = guard(STRATOCASTER_GUARD) + repeated(hw.single_coil(cover), (0, -160), (0, -101))
    over += placed(hw.single_coil(cover), 0, -40, 10) + placed(hw.blade_switch(cover), 98, -74, -30)
    over += repeated(hw.knob("skirt", cover), (62, -38), (94, -16), (122, 10))
    over += placed(hw.boat_jack(), 92, 54, 36) + hw.synchronised_tremolo()
    build = Build(
        outline=STRATOCASTER,
        finish=rng.choice((f.THREE_TONE, f.THREE_TONE, f.TWO_TONE, f.NATURAL_ASH, *CUSTOM_COLOURS)),
        neck=_neck(rng, 648, 21),
        head=Head(pick(rng, "stratocaster stratocaster large"), MAPLE_HEAD),
        tail=14,
        over=over,
        above=_arm(rng, "46,14 66,0 78,-60 80,-120"),
        guard_colour=pick(rng, "white white mint mint black tortoise cream"),
    )
    return assemble(build, rng)


def telecaster(rng: Random) -> Guitar:
    """A single-cutaway slab with the ashtray bridge and the narrow control plate."""
    finish = rng.choice(TELECASTER_FINISHES)
    bare = finish in (f.BUTTERSCOTCH, f.BLONDE, f.NATURAL_ASH)
    build = Build(
        outline=TELECASTER,
        finish=finish,
        neck=_neck(rng, 648, 21, maple=0.65),
        head=Head("telecaster", MAPLE_HEAD),
        tail=26,
        over=guard(TELECASTER_GUARD)
        + placed(hw.lipstick_cover(), 0, -160)
        + placed(hw.control_plate(), 92, 10, -2)
        + hw.ashtray_bridge(),
        guard_colour=pick(rng, "black black white" if bare else "white white mint black tortoise"),
        binding="#f0e8d0" if finish.burst and rng.random() < 0.6 else "",
    )
    return assemble(build, rng)


def jazzmaster(rng: Random) -> Guitar:
    """The offset body with wide soapbar pickups, one big plastic guard and the rhythm circuit on the upper horn."""
    cover = pick(rng, "#f3efe2 #f3efe2 #ece2c4 #1b1b1d")
    finish, head_finish = _offset_finish(rng)
    over = guard(JAZZMASTER_GUARD) + repeated(hw.soapbar(cover), (0, -152), (0, -48))
    over += repeated(hw.knob("skirt", cover), (84, -36), (102, 18)) + placed(hw.slider(), -78, -208, -12)
    over += placed(hw.slider("#55575a"), -70, -172, 62) + placed(hw.slider("#55575a"), -84, -232, 62)
    over += placed(hw.toggle(), 114, -170) + placed(hw.jack(), 138, 78)
    build = Build(
        outline=OFFSET,
        finish=finish,
        neck=_offset_neck(rng, 648, 21),
        head=Head("large", head_finish),
        tail=130,
        over=over + placed(hw.floating_tremolo(), 0, 48) + hw.barrel_bridge(),
        above=_arm(rng, "20,78 54,50 70,-20 72,-90"),
        guard_colour=pick(rng, "tortoise tortoise mint white pearl black"),
    )
    return assemble(build, rng)


def jaguar(rng: Random) -> Guitar:
    """The Jazzmaster's short-scale sister: three chrome plates, clawed pickups, a mute before the bridge."""
    cover = pick(rng, "#f3efe2 #f3efe2 #ece2c4 #1b1b1d")
    finish, head_finish = _offset_finish(rng)
    over = guard(JAGUAR_GUARD) + repeated(hw.claw_pickup(cover), (0, -132), (0, -42))
    over += placed(hw.rhythm_plate(), -81, -174, -12) + placed(hw.switch_plate(), 110, -126, 14)
    over += placed(hw.knob_plate(), 108, 42, -30) + placed(hw.mute(), 0, -17)
    build = Build(
        outline=moved(OFFSET, 0, 10),
        finish=finish,
        neck=_offset_neck(rng, 610, 22),
        head=Head("large", head_finish),
        tail=140,
        over=over + placed(hw.floating_tremolo(), 0, 58) + hw.barrel_bridge(),
        above=_arm(rng, "20,88 54,60 70,-10 72,-80"),
        guard_colour=pick(rng, "tortoise tortoise mint white black"),
    )
    return assemble(build, rng)


def mustang(rng: Random) -> Guitar:
    """The small student model: slanted closed pickups, slide switches beside them, a chrome plate with two knobs."""
    cover = pick(rng, "#f5f2ea #f5f2ea #1a1a1c")
    finish, fixed = rng.choice((*RACING_FINISHES, *MUSTANG_FINISHES)), rng.random() < 0.25
    over = guard(MUSTANG_GUARD) + placed(hw.flat_single_coil(cover), 2, -126, 9)
    over += placed(hw.flat_single_coil(cover), 0, -50, 9) + placed(hw.knob_plate(), 98, 36, -28, 0.88)
    over += placed(hw.slider(), -51, -146, 90) + placed(hw.slider(), -51, -76, 90)
    build = Build(
        outline=MUSTANG,
        finish=finish,
        neck=_neck(rng, 610, 22, maple=0.25),
        head=Head("stratocaster", MAPLE_HEAD),
        tail=22 if fixed else 62,
        over=over + (hw.hardtail() if fixed else hw.dynamic_vibrato()),
        under=_racing_stripes() if finish in RACING_FINISHES else "",
        guard_colour=pick(rng, "pearl pearl white mint tortoise"),
    )
    return assemble(build, rng)


def _neck(rng: Random, scale: float, frets: int, maple: float = 0.45) -> Neck:
    return Neck(scale, frets, "maple" if rng.random() < maple else "rosewood", "dots")


def _offset_neck(rng: Random, scale: float, frets: int) -> Neck:
    if rng.random() < 0.25:
        return Neck(scale, frets, "rosewood", "blocks", binding="#efe6cc")
    return _neck(rng, scale, frets, maple=0.12)


def _offset_finish(rng: Random) -> tuple[f.Finish, f.Finish]:
    """The body's finish, and the head's: now and then the same."""
    finish = rng.choice((f.THREE_TONE, f.THREE_TONE, f.THREE_TONE, *CUSTOM_COLOURS))
    return finish, finish if not finish.burst and rng.random() < 0.4 else MAPLE_HEAD


def _arm(rng: Random, points: str) -> str:
    return hw.arm(points) if rng.random() < 0.6 else ""


def _racing_stripes() -> str:
    """The diagonal bands of a competition finish, across the lower bass side."""
    bands = "".join(
        line(opened(f"{x - 170},20 {x - 110},90 {x - 60},190"), colour, 9)
        for x, colour in ((0, "#f2ede0"), (14, "#e8b04a"), (28, "#f2ede0"))
    )
    return f'<g clip-path="url(#body)" opacity="0.9">{bands}</g>'
