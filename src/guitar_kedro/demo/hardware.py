"""Pickups, bridges, tailpieces, knobs and switches. Each part is drawn about its own origin, ready to be `placed`."""

from guitar_kedro.demo.curves import closed, opened, vertices
from guitar_kedro.demo.svg import SHADE, box, disc, lifted, line, path, placed, repeated

SIX = tuple(-26 + 10.4 * i for i in range(6))
DARK = "#141415"


def screws(*places: tuple[float, float]) -> str:
    """Small screw heads."""
    return "".join(disc(x, y, 2.2, "#8d9096") + disc(x - 0.4, y - 0.4, 1.1, "#e4e6e8") for x, y in places)


def poles(radius: float, colour: str, reach: float = 1.0) -> str:
    """Six pole pieces, or adjusting screws, in a row."""
    return "".join(disc(x * reach, 0, radius, colour) for x in SIX)


def single_coil(cover: str) -> str:
    """A Stratocaster's pickup."""
    return _raised(84, 21, 10, cover) + poles(2.9, "#77787a") + screws((-45, 0), (45, 0))


def flat_single_coil(cover: str) -> str:
    """A Mustang's pickup: a closed oval cover without poles to see."""
    return (
        _raised(86, 24, 11, cover) + line("M-34 -5H34", "#fff", 2, 'stroke-opacity="0.3"') + screws((-37, 0), (37, 0))
    )


def lipstick_cover() -> str:
    """A Telecaster's neck pickup under its metal cover."""
    return _raised(74, 19, 9, "url(#steel)") + line("M-30 -4H30", "#fff", 3, 'stroke-opacity="0.6"')


def soapbar(cover: str) -> str:
    """A Jazzmaster's wide, flat pickup."""
    return _raised(95, 43, 6, cover) + poles(3.3, "#6f7072") + screws((-42, -15), (42, 15), (-42, 15), (42, -15))


def claw_pickup(cover: str) -> str:
    """A Jaguar's narrow pickup in its toothed metal claw."""
    teeth = " ".join(f"{x + 6:g},17! {x + 3:g},10! {x - 3:g},10! {x - 6:g},17!" for x in reversed(SIX))
    claw = closed(f"-47,-15~5 47,-15~5 47,17~4 {teeth} -47,17~4")
    return lifted(claw, "url(#steel)") + box(0, -2, 86, 19, 9, cover) + placed(poles(2.9, "#6f7072"), 0, -2)


def humbucker(cover: str, ring: str = DARK) -> str:
    """Two coils: under a metal cover if `cover` is a gradient, else bare bobbins of that colour."""
    body = _raised(89, 45, 4, ring) + screws((-41, -19), (41, -19), (-41, 19), (41, 19))
    if not cover.startswith("url"):
        coils = box(0, -9, 70, 17, 7, cover) + box(0, 9, 70, 17, 7, cover)
        return body + coils + placed(poles(2.5, "#9b9ca0"), 0, -9) + placed(poles(2.5, "#9b9ca0"), 0, 9)
    rim = 'stroke="#000" stroke-opacity="0.5" stroke-width="1.2"'
    return body + box(0, 0, 71, 37, 4, cover, rim) + placed(poles(2.6, "#55534e"), 0, -10)


def mini_humbucker(cover: str, ring: str = "") -> str:
    """A Firebird's small pickup: a plain metal cover."""
    around = _raised(84, 40, 3, ring) if ring else _raised(72, 33, 3, DARK)
    return around + box(0, 0, 68, 28, 3, cover) + line("M-29 -8H29", "#fff", 3, 'stroke-opacity="0.55"')


def knob(kind: str, colour: str = "#f1ead6") -> str:
    """A knob seen from above: `skirt`, `hat`, `speed`, `metal` or `witch`."""
    shadow = f'<circle cx="2" cy="3.2" r="13" {SHADE}/>'
    if kind == "metal":
        return (
            shadow
            + disc(0, 0, 10.5, "url(#steel)")
            + disc(0, 0, 7.6, "url(#metal)", 'stroke="#555" stroke-width="0.8"')
        )
    if kind == "skirt":
        top = disc(0, 0, 7.4, colour, 'stroke="#000" stroke-opacity="0.35" stroke-width="1.2"')
        return shadow + disc(0, 0, 12.5, colour) + ticks(12, "#555") + top
    if kind == "witch":
        return shadow + disc(0, 0, 12.5, DARK) + box(0, 0, 6, 24, 3, "#3a3a3d") + line("M0 -3V-12", "#fff", 1.6)
    glass = disc(-2.5, -3.5, 4.5, "#fff", 'fill-opacity="0.35"')
    middle = "url(#metal)" if kind == "hat" else "#fff"
    opacity = 1 if kind == "hat" else 0.18
    return (
        shadow
        + disc(0, 0, 12.5, colour)
        + ticks(12.5, "#fff")
        + disc(0, 0, 6.2, middle, f'fill-opacity="{opacity}"')
        + glass
    )


def ticks(radius: float, colour: str) -> str:
    """Marks around a knob's skirt."""
    return disc(
        0,
        0,
        radius - 1.6,
        "none",
        f'stroke="{colour}" stroke-width="2.2" stroke-dasharray="0.9 4.4" stroke-opacity="0.7"',
    )


def toggle(plate: str = "") -> str:
    """A three-way switch, on a round plate if it has one."""
    ring = disc(0, 0, 15, plate, 'stroke="#000" stroke-opacity="0.25"') if plate else ""
    return ring + disc(0, 0, 6.5, "url(#steel)") + disc(1.5, -2.5, 4, "#efe3bd", 'stroke="#6b6148" stroke-width="0.8"')


def blade_switch(colour: str) -> str:
    """A lever in a slot."""
    return (
        box(0, 0, 4, 34, 2, DARK)
        + box(1, -4, 9, 12, 4, colour, 'stroke="#000" stroke-opacity="0.4"')
        + screws((0, -22), (0, 22))
    )


def slider(colour: str = DARK) -> str:
    """A slide switch."""
    return box(0, 0, 9, 20, 1.5, "#0b0b0c") + box(0, -4, 8, 9, 1, "#d9d9d4" if colour == DARK else colour)


def jack() -> str:
    """A cable's socket."""
    return disc(0, 0, 8.2, "url(#steel)") + disc(0, 0, 4.2, "#0c0c0d")


def boat_jack() -> str:
    """A Stratocaster's recessed socket."""
    plate = lifted(closed("-40,0 -20,-15 16,-16 38,-4 38,6 14,16 -20,14"), "url(#steel)", 3)
    return plate + placed(jack(), -2, 0)


def control_plate() -> str:
    """A Telecaster's switch and two knobs."""
    plate = lifted(closed("-17,-84~16 17,-84~16 17,84~16 -17,84~16"), "url(#steel)", 3)
    return plate + placed(blade_switch(DARK), 0, -44) + repeated(knob("metal"), (0, 4), (0, 48))


def rhythm_plate() -> str:
    """The plate on a Jaguar's upper horn: a slide switch and two wheels."""
    plate = lifted(closed("-15,-62~8 10,-68~8 17,60~10 -2,66~10"), "url(#steel)", 2.5)
    wheel = slider("#2a2a2c")
    return plate + placed(slider(), -2, -38) + placed(wheel, 3, 4, 86) + placed(wheel, 6, 34, 86)


def switch_plate() -> str:
    """The three slide switches on a Jaguar's lower horn."""
    plate = lifted(closed("-17,-34~7 17,-34~7 17,34~7 -17,34~7"), "url(#steel)", 2.5)
    return plate + "".join(placed(slider(), 0, y, 90) for y in (-19, 0, 19))


def knob_plate() -> str:
    """A Jaguar's or Mustang's two knobs and socket."""
    plate = lifted(closed("-20,-70~8 8,-72~10 22,-20 26,40 18,72~12 -6,70~12 -22,10"), "url(#steel)", 2.5)
    return plate + placed(knob("witch"), -2, -42) + placed(knob("witch"), 2, 2) + placed(jack(), 8, 46)


def mute() -> str:
    """A Jaguar's string mute: a chrome flap."""
    return lifted(closed("-40,-5~3 40,-5~3 40,5~3 -40,5~3"), "url(#bar)", 2)


def saddles(width: float, depth: float, fill: str = "url(#steel)") -> str:
    """Six string saddles side by side across `width`."""
    step = width / 6
    rim = 'stroke="#26282b" stroke-width="0.9"'
    return "".join(box(-width / 2 + step * (i + 0.5), 0, step - 1.2, depth, 1.5, fill, rim) for i in range(6))


def synchronised_tremolo() -> str:
    """A Stratocaster's bridge, with its arm."""
    plate = lifted(closed("-43,-14~2 43,-14~2 43,28~3 -43,28~3"), "url(#steel)", 3)
    return plate + box(0, 17, 82, 19, 2, "url(#bar)") + placed(saddles(64, 24), 0, 0) + screws(*((x, -11) for x in SIX))


def arm(points: str, colour: str = "url(#metal)", tip: str = "#f1ead6") -> str:
    """A tremolo arm along `points`, ending in its plastic tip."""
    d = opened(points)
    end = vertices(points)[-1]
    shadow = line(d, "#000", 5, 'stroke-opacity="0.25" transform="translate(4 6)" stroke-linecap="round"')
    return (
        shadow
        + line(d, "#7f858c", 5.5, 'stroke-linecap="round"')
        + line(d, "#f2f4f6", 2.2, 'stroke-linecap="round"')
        + disc(end.real, end.imag, 5.5, tip)
    )


def ashtray_bridge() -> str:
    """A Telecaster's bridge plate with its slanted pickup and three brass saddles."""
    plate = lifted(closed("-43,-78~3 43,-78~3 43,34~3 -43,34~3"), "url(#steel)", 3)
    rim = line("M-41.5 -76V32H41.5V-76", "#fff", 2.2, 'stroke-opacity="0.7"') + line(
        "M-39 -74V30H39V-74", "#333", 1.4, 'stroke-opacity="0.5"'
    )
    pickup = placed(box(0, 0, 76, 22, 11, DARK) + poles(3, "#8b8c8e"), 0, -42, 13) + screws(
        (-33, -66), (33, -66), (0, -20)
    )
    barrels = "".join(
        box(-19 + 19 * i, 2, 17.5, 9, 3, "#c9a254", 'stroke="#5c4a22" stroke-width="0.8"') for i in range(3)
    )
    return plate + rim + pickup + barrels + "".join(line(f"M{x:.1f} 6V28", "#5b5f64", 1.6) for x in SIX)


def barrel_bridge() -> str:
    """A Jazzmaster's or Jaguar's bridge: a trough with six threaded saddles."""
    return _raised(88, 19, 3, "url(#steel)") + saddles(66, 12, "#b9bec4") + screws((-39, 0), (39, 0))


def floating_tremolo() -> str:
    """The tailpiece of a Jazzmaster or Jaguar: a plate, round at the bottom, with the strings' slots."""
    plate = lifted(closed("-46,98~8 -45,62 -37,18 -20,2 20,2 37,18 45,62 46,98~8"), "url(#steel)", 3)
    slot = box(0, 84, 66, 15, 3, "#4c5157") + box(0, 88, 64, 7, 2, "url(#bar)")
    return (
        plate
        + line("M-32 20C-36 32 -40 50 -40 78", "#fff", 3, 'stroke-opacity="0.6"')
        + slot
        + disc(20, 30, 7, "#777c82")
        + disc(20, 30, 4.5, "#e9ecef")
        + box(-8, 36, 6, 13, 2, "#555a60")
        + screws((-22, 9), (22, 9), (-39, 91), (39, 91))
    )


def dynamic_vibrato() -> str:
    """A Mustang's bridge and vibrato: a wide chrome plate with a floating bar at its lower end."""
    plate = lifted(closed("-46,-15~4 46,-15~4 46,82~5 -46,82~5"), "url(#steel)", 3)
    hollow = closed("-38,18~4 38,18~4 38,52~4 -38,52~4")
    bar = box(0, 64, 84, 17, 8, "url(#bar)", 'stroke="#444" stroke-width="0.8"')
    return (
        plate
        + path(hollow, "#000", 'fill-opacity="0.16"')
        + bar
        + _raised(82, 17, 8, "url(#bar)")
        + saddles(60, 9, "#aab0b6")
        + screws((-40, 76), (40, 76), (-40, -9), (40, -9))
    )


def hardtail() -> str:
    """A fixed bridge plate with six saddles."""
    return lifted(closed("-43,-12~2 43,-12~2 43,26~2 -43,26~2"), "url(#steel)", 3) + placed(saddles(66, 26), 0, 3)


def tune_o_matic() -> str:
    """A Gibson bridge: a bar on two posts, its saddles along the middle."""
    bar = _raised(92, 13, 6, "url(#metal)") + saddles(64, 8, "url(#metal)")
    return bar + "".join(disc(x, 0, 5.5, "url(#metal)", 'stroke="#333" stroke-width="0.7"') for x in (-40, 40))


def stop_bar() -> str:
    """A Gibson tailpiece."""
    bar = _raised(104, 15, 7, "url(#bar)")
    return bar + "".join(disc(x, 0, 7.5, "url(#metal)", 'stroke="#333" stroke-width="0.7"') for x in (-47, 47))


def vibrola() -> str:
    """A long engraved plate with the strings' bar at its top and an arm."""
    plate = lifted(closed("-28,-6~3 28,-6~3 34,30 30,80 40,118 0,124 -40,118 -30,80 -34,30"), "url(#metal)", 3)
    return (
        plate
        + _raised(78, 12, 6, "url(#bar)")
        + line("M-18 40C0 60 0 60 18 40M-18 80C0 60 0 60 18 80", "#666", 1.4)
        + arm("34,2 60,-8 78,-60 74,-110")
    )


def roller_vibrato(length: float) -> str:
    """A Bigsby: two rollers in a cast frame, a spring and a wide arm; the frame's foot reaches `length` down."""
    right = f"16,66 28,44 30,0~3 42,0~5 42,34~10 26,82 24,{length + 5}~6"
    left = f"-24,{length + 5}~6 -26,82 -42,34~10 -42,0~5 -30,0~3 -28,44 -16,66"
    frame = closed(f"{right} {left} -15,{length}~4 15,{length}~4")
    rollers = box(0, 8, 70, 8, 4, "url(#bar)") + box(0, 30, 74, 12, 6, "url(#bar)")
    return (
        lifted(frame, "url(#metal)", 3)
        + rollers
        + disc(40, 46, 10, "#3a3c40")
        + disc(40, 46, 7.5, "url(#metal)")
        + arm("40,46 56,10 60,-50 52,-112")
    )


def trapeze(length: float) -> str:
    """A hollow body's tailpiece, hung from the lower rim."""
    legs = line(f"M-32 0L-16 {length}M32 0L16 {length}", "url(#metal)", 7) + box(
        0, length - 4, 44, 12, 3, "url(#metal)"
    )
    cross = lifted(closed("-38,-6~4 38,-6~4 30,14 0,26 -30,14"), "url(#metal)", 3)
    return path(f"M-29 4L-13 {length}H19L35 4Z", "#000", 'fill-opacity="0.12"') + legs + cross


def vee_tailpiece() -> str:
    """A Flying V's own: the strings end in a V-shaped plate."""
    return lifted(closed("0,-14~4 58,62~6 44,66~4 0,22~6 -44,66~4 -58,62~6"), "url(#metal)", 3) + poles(
        2.2, "#333", 0.45
    )


def f_hole(side: int) -> str:
    """One f-hole; `side` is -1 on the bass side, 1 on the treble side."""
    curve = "M-14 -62C-26 -70 -30 -48 -16 -34C2 -14 -2 14 16 34C30 48 26 70 14 62"
    shape = (
        line(curve, "#120b08", 8.5, 'stroke-linecap="round"')
        + disc(-14, -60, 8.5, "#120b08")
        + disc(14, 60, 8.5, "#120b08")
    )
    nicks = line("M-10 -2L-1 -4M1 4L10 2", "#120b08", 2)
    edge = line(curve, "#fff", 10.5, 'stroke-opacity="0.18" stroke-linecap="round"')
    return f'<g transform="scale({side} 1) rotate(-4)">{edge}{shape}{nicks}</g>'


def _raised(width: float, height: float, radius: float, fill: str) -> str:
    """A rounded block that stands a little above the body."""
    shadow = box(1.6, 3, width, height, radius, "#000", 'fill-opacity="0.4"')
    shine = box(0, -height * 0.5 + 1.4, width - radius * 1.4, 1.6, 0.8, "#fff", 'fill-opacity="0.4"')
    rim = 'stroke="#000" stroke-opacity="0.35" stroke-width="0.8"'
    return shadow + box(0, 0, width, height, radius, fill, rim) + shine
