"""The six Gibsons. Outlines are in millimetres from the middle of the bridge, neck up, bass side left."""

from random import Random

from guitar_kedro.demo import finishes as f
from guitar_kedro.demo import hardware as hw
from guitar_kedro.demo.curves import mirrored
from guitar_kedro.demo.guitar import Build, Guitar, assemble, guard, pick
from guitar_kedro.demo.neck import BLACK_HEAD, Head, Neck
from guitar_kedro.demo.svg import line, placed, repeated

CREAM, IVORY = "#efe3bd", "#f1e6c6"
AMBER = "#b87a24"
KORINA_NECK = ("#a87f3c", "#cfa55c", "#ab823e")
MAHOGANY_NECK = ("#4a2013", "#6e3320", "#4c2114")
LES_PAUL = (
    "-26,-246! -58,-256 -93,-245 -114,-213 -115,-168 -103,-118 -114,-72 -146,-16 -164,50 -157,106 -128,148 "
    "-70,177 0,187 70,177 128,148 157,106 164,50 146,-16 113,-73 100,-115 105,-150 117,-180 122,-201 113,-211 "
    "99,-204 83,-192 65,-187 48,-196 34,-220 26,-246!"
)
LES_PAUL_GUARD = "30,-196! 46,-186~8 62,-182~8 118,-56~12 104,-24~8 40,-16~3"
SG = (
    "-26,-182! -50,-189 -71,-207 -87,-254! -113,-214 -134,-170 -139,-128 -125,-72 -139,-16 -163,44 -161,94 "
    "-130,153 -66,182 0,187 66,182 130,153 161,94 164,44 143,-20 122,-68 127,-120 133,-162 118,-202 98,-238! "
    "90,-204 76,-188 52,-180 26,-180!"
)
SG_SMALL_GUARD = "28,-172! 58,-178~10 88,-140 96,-96 84,-44 66,-12~8 40,-12~3"
SG_BATWING = mirrored("26,-172! 56,-176 94,-190! 90,-146 94,-96 80,-50 62,-20~6 50,-14~3 50,14~3 0,14!")
SEMI_HOLLOW = mirrored(
    "26,-200! 40,-206 54,-227 71,-251 96,-263 126,-252 146,-222 150,-184 140,-136 132,-98 139,-60 166,-14 194,36 "
    "203,84 192,140 156,188 90,217 0,225"
)
SEMI_HOLLOW_GUARD = "30,-172! 52,-178~8 96,-168 110,-130 98,-60 84,6 70,22~6 46,22~4"
FLYING_V = mirrored("26,-222! 46,-214~14 204,206~26 178,252~18 146,248~16 0,66~16")
FLYING_V_GUARD = (
    "-30,-206~6 32,-206~6 58,-150 156,130 158,168 140,180~8 104,140 62,54~10 44,24~6 -44,24~6 -44,-40 -40,-150"
)
FLYING_V_SMALL_GUARD = "34,-176~6 48,-170~6 150,120 152,160 134,170~8 96,122 50,30~8"
EXPLORER = (
    "-28,-180! -94,-168~10 -60,-30~34 -236,240~14 -226,266~12 204,124~12 108,-46~34 196,-262~12 172,-272~12 "
    "38,-176~10 26,-176!"
)
EXPLORER_GUARD = "30,-168~4 44,-166~6 166,-252~8 182,-246~8 98,-42~16 104,-2~8 60,22~6 42,18~3"
FIREBIRD = (
    "-28,-178! -58,-176 -100,-184 -134,-164 -139,-124 -122,-55 -112,5 -126,72 -158,155 -182,214 -170,250 -135,254 "
    "-55,240 32,216 110,182 150,148 158,112 138,62 116,12 118,-40 142,-112 168,-178 179,-220 162,-248 126,-240 "
    "84,-206 54,-186 28,-178!"
)
FIREBIRD_GUARD = "40,-172~6 58,-178 92,-202 130,-226 156,-232 166,-214 150,-168 122,-100 102,-40 84,8 56,28~6 40,24~4"
LES_PAUL_TOPS = (
    f.CHERRY_BURST, f.CHERRY_BURST, f.LEMON_BURST, f.LEMON_BURST, f.TOBACCO, f.ICED_TEA, f.GOLDTOP, f.GOLDTOP,
)  # fmt: skip
LES_PAUL_CUSTOMS = (f.BLACK, f.OLYMPIC_WHITE, f.WINE_RED)
SG_FINISHES = (
    f.CHERRY, f.CHERRY, f.CHERRY, f.HERITAGE_CHERRY, f.WALNUT, f.MAHOGANY, f.BLACK, f.POLARIS_WHITE,
)  # fmt: skip
SEMI_HOLLOW_FINISHES = (
    f.HERITAGE_CHERRY, f.HERITAGE_CHERRY, f.CHERRY, f.TOBACCO, f.THREE_TONE, f.SPRUCE_NATURAL, f.BLACK, f.WALNUT,
)  # fmt: skip
FLYING_V_FINISHES = (
    f.KORINA, f.KORINA, f.CHERRY, f.BLACK, f.BLACK, f.OLYMPIC_WHITE, f.VINTAGE_WHITE, f.WALNUT, f.TOBACCO,
    f.PELHAM_BLUE,
)  # fmt: skip
EXPLORER_FINISHES = (
    f.KORINA, f.KORINA, f.BLACK, f.BLACK, f.OLYMPIC_WHITE, f.VINTAGE_WHITE, f.CHERRY, f.MAHOGANY, f.PELHAM_BLUE,
)  # fmt: skip
FIREBIRD_FINISHES = (
    f.TOBACCO, f.TOBACCO, f.THREE_TONE, f.CHERRY, f.POLARIS_WHITE, f.VINTAGE_WHITE, f.BLACK, f.PELHAM_BLUE, f.GOLDTOP,
    f.CANDY_RED,
)  # fmt: skip
WHITES = (f.OLYMPIC_WHITE, f.POLARIS_WHITE, f.VINTAGE_WHITE)


def les_paul(rng: Random) -> Guitar:
    """One rounded cutaway, a carved bound top, two humbuckers, four knobs, the toggle on the shoulder."""
    finish = rng.choice((*LES_PAUL_TOPS, *LES_PAUL_CUSTOMS))
    custom = finish in LES_PAUL_CUSTOMS
    ring = hw.DARK if custom else CREAM
    cover = pick(rng, ("url(#cover)", "url(#cover)", CREAM if finish == f.GOLDTOP else hw.DARK))
    knob = hw.knob("speed", hw.DARK) if custom else hw.knob(pick(rng, "hat speed"), AMBER)
    tail, bridge = _stop_or_roller(rng, 0.12, 138)
    over = guard(LES_PAUL_GUARD) if rng.random() < 0.85 else ""
    over += repeated(hw.humbucker(cover, ring), (0, -150), (0, -34)) + placed(hw.toggle(ring), -76, -198)
    over += repeated(knob, (86, 44), (124, 24), (82, 104), (122, 84)) + bridge
    build = Build(
        outline=LES_PAUL,
        finish=finish,
        neck=_neck("ebony" if custom else "rosewood", "blocks" if custom else "trapezoids"),
        head=Head("open_book", BLACK_HEAD, "metal" if custom else "cream", "#efe6cc" if custom else ""),
        tail=tail,
        over=over,
        guard_colour="black" if custom else "cream",
        metal="gold" if custom and rng.random() < 0.7 else "nickel",
        binding=IVORY,
    )
    return assemble(build, rng)


def sg(rng: Random) -> Guitar:
    """A thin body with two pointed horns."""
    finish = rng.choice(SG_FINISHES)
    white = finish == f.POLARIS_WHITE
    pickup = hw.humbucker(pick(rng, ("url(#cover)", "url(#cover)", hw.DARK)))
    tail, bridge = _stop_or_vibrola(rng, 0.3)
    over = guard(SG_BATWING if rng.random() < 0.5 else SG_SMALL_GUARD)
    over += repeated(pickup, (0, -150), (0, -34)) + (placed(pickup, 0, -92) if white else "")
    over += placed(hw.toggle(CREAM), 106, 26) + bridge
    over += repeated(hw.knob("speed", hw.DARK), (80, 66), (118, 74), (74, 112), (110, 122))
    build = Build(
        outline=SG,
        finish=finish,
        neck=_neck("rosewood", "blocks" if white else pick(rng, "trapezoids trapezoids dots")),
        head=Head("open_book", BLACK_HEAD, pick(rng, "cream metal")),
        tail=tail,
        over=over,
        guard_colour="white" if white else "black",
        metal="gold" if white else "chrome",
    )
    return assemble(build, rng)


def semi_hollow(rng: Random) -> Guitar:
    """The wide ES-335: two round ears, f-holes, a bound thin body."""
    finish = rng.choice(SEMI_HOLLOW_FINISHES)
    pickup = hw.humbucker(pick(rng, ("url(#cover)", "url(#cover)", hw.DARK)))
    knob = hw.knob("hat", AMBER if finish == f.SPRUCE_NATURAL else hw.DARK)
    tail, bridge = _stop_or_trapeze(rng)
    over = placed(hw.f_hole(-1), -118, 14) + placed(hw.f_hole(1), 118, 14) + guard(SEMI_HOLLOW_GUARD)
    over += repeated(pickup, (0, -146), (0, -36)) + placed(hw.toggle(), 164, 58) + bridge
    over += repeated(knob, (84, 102), (138, 114), (74, 150), (122, 162))
    build = Build(
        outline=SEMI_HOLLOW,
        finish=finish,
        neck=_neck("rosewood", pick(rng, "trapezoids blocks dots")),
        head=Head("open_book", BLACK_HEAD, pick(rng, "cream metal")),
        tail=tail,
        over=over,
        guard_colour=pick(rng, "black black tortoise"),
        metal=pick(rng, "nickel chrome gold"),
        binding=IVORY,
    )
    return assemble(build, rng)


def flying_v(rng: Random) -> Guitar:
    """Two wings and an arrow for a head, three knobs in a line along the treble wing."""
    finish = rng.choice(FLYING_V_FINISHES)
    early = finish == f.KORINA or rng.random() < 0.25
    pickup = hw.humbucker(pick(rng, ("url(#cover)", "url(#cover)", hw.DARK)))
    over = guard(FLYING_V_SMALL_GUARD if early else FLYING_V_GUARD) + repeated(pickup, (0, -150), (0, -38))
    over += repeated(hw.knob("speed", hw.DARK), (72, 34), (92, 82), (112, 130))
    over += placed(hw.jack(), 140, 156) + placed(hw.toggle(), 56, -30)
    over += hw.tune_o_matic() + placed(hw.vee_tailpiece() if early else hw.stop_bar(), 0, 40)
    build = Build(
        outline=FLYING_V,
        finish=finish,
        neck=_neck("rosewood", pick(rng, "dots dots trapezoids"), KORINA_NECK if early else MAHOGANY_NECK),
        head=Head("arrow", BLACK_HEAD, pick(rng, "cream metal")),
        tail=40,
        over=over,
        guard_colour=pick(rng, "black white" if finish in WHITES else "white white black"),
        metal="gold" if early else "chrome",
    )
    return assemble(build, rng)


def explorer(rng: Random) -> Guitar:
    """All angles: a long wing below, a long horn above, a banana for a head."""
    finish = rng.choice(EXPLORER_FINISHES)
    korina = finish == f.KORINA
    over = guard(EXPLORER_GUARD) if rng.random() < 0.85 else ""
    over += repeated(hw.humbucker(pick(rng, ("url(#cover)", hw.DARK, hw.DARK))), (0, -146), (0, -38))
    over += repeated(hw.knob("speed", AMBER if korina else hw.DARK), (104, 32), (80, 84), (56, 136))
    over += placed(hw.toggle(), 150, -222) + hw.tune_o_matic() + placed(hw.stop_bar(), 0, 40)
    build = Build(
        outline=EXPLORER,
        finish=finish,
        neck=_neck("rosewood", "dots", KORINA_NECK if korina else MAHOGANY_NECK),
        head=Head("hockey", BLACK_HEAD, pick(rng, "cream metal")),
        tail=40,
        over=over,
        guard_colour="black" if finish in WHITES else pick(rng, "white white black"),
        metal="gold" if korina else "chrome",
    )
    return assemble(build, rng)


def firebird(rng: Random) -> Guitar:
    """The reverse body: longer on the treble side, a raised strip through its middle, mini humbuckers."""
    finish, seven = rng.choice(FIREBIRD_FINISHES), rng.random() < 0.3
    pickup = hw.mini_humbucker("url(#cover)", hw.DARK if rng.random() < 0.4 else "")
    tail, bridge = _stop_or_vibrola(rng, 0.45)
    over = guard(FIREBIRD_GUARD) + repeated(pickup, (0, -148), (0, -42)) + (placed(pickup, 0, -95) if seven else "")
    over += repeated(hw.knob("speed", hw.DARK), (84, 88), (126, 76), (86, 134), (128, 122))
    over += placed(hw.toggle(), 146, -196) + bridge
    build = Build(
        outline=FIREBIRD,
        finish=finish,
        neck=_neck("rosewood", "blocks" if seven else "trapezoids"),
        head=Head("firebird", BLACK_HEAD),
        tail=tail,
        over=over,
        under=_raised_strip(),
        guard_colour=pick(rng, "white black" if finish in WHITES else "white"),
        metal="gold" if seven else "chrome",
    )
    return assemble(build, rng)


def _neck(board: str, inlay: str, wood: tuple[str, str, str] = MAHOGANY_NECK) -> Neck:
    return Neck(628, 22, board, inlay, wood, binding="" if inlay == "dots" else "#efe6cc", overhang=6)


def _stop_or_roller(rng: Random, share: float, length: float) -> tuple[float, str]:
    """Where the strings end, and the bridge with its tailpiece: now and then a Bigsby, its foot `length` long."""
    if rng.random() < share:
        return 62, hw.tune_o_matic() + placed(hw.roller_vibrato(length), 0, 42)
    return 42, hw.tune_o_matic() + placed(hw.stop_bar(), 0, 42)


def _stop_or_vibrola(rng: Random, share: float) -> tuple[float, str]:
    if rng.random() < share:
        return 44, hw.tune_o_matic() + placed(hw.vibrola(), 0, 46)
    return 42, hw.tune_o_matic() + placed(hw.stop_bar(), 0, 42)


def _stop_or_trapeze(rng: Random) -> tuple[float, str]:
    if rng.random() < 0.2:
        return 100, hw.tune_o_matic() + placed(hw.trapeze(128), 0, 96)
    return _stop_or_roller(rng, 0.25, 172)


def _raised_strip() -> str:
    """The two steps where the through-neck stands above the wings."""
    dark = line("M-40 -190V260M40 -190V260", "#000", 4, 'stroke-opacity="0.3"')
    bright = line("M-42.5 -190V260M37.5 -190V260", "#fff", 2.5, 'stroke-opacity="0.35"')
    return f'<g clip-path="url(#body)">{dark}{bright}</g>'
