"""What lies or stands behind a guitar, as arrays (height, width, 3) of values from 0 to 1."""

import colorsys
from collections.abc import Callable
from random import Random

import numpy as np
from PIL import Image, ImageFilter

Painter = Callable[[int, int, Random], np.ndarray]


def draw_background(width: int, height: int, rng: Random) -> np.ndarray:
    """A background of a kind that `rng` chooses."""
    return rng.choice(PAINTERS)(width, height, rng).astype(np.float32, copy=False)


def grain(width: int, height: int, rng: Random) -> np.ndarray:
    """White noise, one value per pixel, of mean 0 and deviation 1."""
    return np.random.default_rng(rng.getrandbits(64)).standard_normal((height, width), dtype=np.float32)


def clouds(width: int, height: int, cells: float, rng: Random, stretch: float = 1.0) -> np.ndarray:
    """Smooth noise from 0 to 1, with about `cells` lumps across; `stretch` makes the lumps wider than high."""
    shape = (max(2, round(cells / stretch)), max(2, round(cells * height / width)))
    values = np.random.default_rng(rng.getrandbits(64)).random((shape[1], shape[0]), dtype=np.float32)
    return np.asarray(Image.fromarray(values).resize((width, height), Image.Resampling.BICUBIC))


def studio(width: int, height: int, rng: Random) -> np.ndarray:
    """A sheet of paper, lit softly: mostly white or grey, at times black or coloured."""
    kind = rng.random()
    if kind < 0.55:
        colour = np.full(3, rng.uniform(0.75, 1.0))
    elif kind < 0.7:
        colour = np.full(3, rng.uniform(0.03, 0.2))
    else:
        colour = _colour(rng, (0.1, 0.55), (0.35, 0.9))
    x, y = _grid(width, height)
    distance = np.hypot(x - rng.uniform(0.2, 0.8), (y - rng.uniform(0.1, 0.7)) * height / width)
    return colour * (1.04 - rng.uniform(0.05, 0.5) * distance)[..., None]


def wall_and_floor(width: int, height: int, rng: Random) -> np.ndarray:
    """A painted wall, a skirting board, a floor."""
    x, y = _grid(width, height)
    picture = _colour(rng, (0.02, 0.35), (0.4, 0.92)) * (0.9 + 0.14 * clouds(width, height, 4, rng))[..., None]
    floor = planks(width, height, rng) if rng.random() < 0.6 else carpet(width, height, rng)
    edge = rng.uniform(0.6, 0.92) + rng.uniform(-0.08, 0.08) * (x - 0.5)
    picture = np.where((y > edge)[..., None], floor * (0.55 + 0.45 * y)[..., None], picture)
    board = (y > edge - 0.05) & (y <= edge)
    return np.where(board[..., None], rng.uniform(0.5, 0.95) * (0.85 + 0.15 * (edge - y) / 0.05)[..., None], picture)


def planks(width: int, height: int, rng: Random) -> np.ndarray:
    """Boards of wood with their grain, upright or across."""
    if rng.random() < 0.4:
        return planks_across(height, width, rng).transpose(1, 0, 2)
    return planks_across(width, height, rng)


def planks_across(width: int, height: int, rng: Random) -> np.ndarray:
    """Boards of wood that lie across the picture."""
    tone = np.array(colorsys.hsv_to_rgb(rng.uniform(0.05, 0.1), rng.uniform(0.15, 0.6), rng.uniform(0.3, 0.75)))
    x, y = _grid(width, height)
    row = y * rng.uniform(4, 9) + rng.random()
    index = row.astype(int)
    column = x * rng.uniform(1.0, 2.2) + (index * 0.618) % 1
    shade = 0.72 + 0.4 * _scatter(index * 31 + column.astype(int))
    veins = clouds(width, height, 90, rng, stretch=14) * 0.22 + clouds(width, height, 30, rng, stretch=6) * 0.16
    gap = np.minimum(np.minimum(row % 1, 1 - row % 1) / 0.05, np.minimum(column % 1, 1 - column % 1) / 0.008)
    return tone * ((shade - 0.2 + veins) * (0.45 + 0.55 * np.clip(gap, 0, 1)))[..., None]


def brick(width: int, height: int, rng: Random) -> np.ndarray:
    """A brick wall: red, brown or whitewashed."""
    tone = rng.choice((np.array([0.55, 0.25, 0.18]), np.array([0.45, 0.3, 0.24]), np.array([0.85, 0.84, 0.82])))
    x, y = _grid(width, height)
    rows = rng.uniform(9, 16)
    row = y * rows
    index = row.astype(int)
    column = x * rows * width / height / 2.4 + 0.5 * (index % 2)
    shade = 0.7 + 0.45 * _scatter(index * 57 + column.astype(int) * 13)
    joint = np.minimum(np.minimum(row % 1, 1 - row % 1) / 0.1, np.minimum(column % 1, 1 - column % 1) / 0.045)
    mortar = np.clip(joint, 0, 1)[..., None]
    rough = (0.88 + 0.24 * clouds(width, height, 50, rng))[..., None]
    return (tone * shade[..., None] * mortar + np.mean(tone) * rng.uniform(0.7, 1.2) * (1 - mortar)) * rough


def carpet(width: int, height: int, rng: Random) -> np.ndarray:
    """A rug's pile, plain or with bands."""
    colour = _colour(rng, (0.1, 0.6), (0.2, 0.65))
    other = colour * rng.uniform(0.6, 1.3) if rng.random() < 0.5 else colour
    x, y = _grid(width, height)
    turn = rng.uniform(0, np.pi)
    wave = np.sin((x * np.cos(turn) + y * np.sin(turn)) * rng.uniform(15, 50)) > rng.uniform(0, 1.2)
    weave = 0.85 + 0.07 * grain(width, height, rng) + 0.2 * clouds(width, height, 12, rng)
    return np.where(wave[..., None], colour, other) * weave[..., None]


def stage(width: int, height: int, rng: Random) -> np.ndarray:
    """Darkness with coloured lamps and their beams."""
    x, y = _grid(width, height)
    picture = np.full((height, width, 3), rng.uniform(0.02, 0.09), dtype=np.float32)
    for _ in range(rng.randint(2, 5)):
        colour = _colour(rng, (0.4, 0.95), (0.7, 1.0))
        lamp, slope, spread = rng.random(), rng.uniform(-0.8, 0.8), rng.uniform(0.04, 0.16)
        beam = np.exp(-(((x - lamp - slope * y) / (spread * (0.3 + y))) ** 2)) * (1 - 0.7 * y) * rng.uniform(0.3, 0.8)
        spot = np.exp(-((x - lamp) ** 2 + (y - 0.03) ** 2) / rng.uniform(0.002, 0.01))
        picture += (beam + spot)[..., None] * colour
    return picture


def room(width: int, height: int, rng: Random) -> np.ndarray:
    """Furniture out of focus: soft blocks before a wall."""
    picture = Image.new("RGB", (48, 48), _byte(_colour(rng, (0.05, 0.4), (0.4, 0.85))))
    for _ in range(rng.randint(4, 9)):
        left, top = rng.randint(-8, 40), rng.randint(-4, 42)
        block = (left, top, left + rng.randint(5, 26), top + rng.randint(5, 30))
        picture.paste(_byte(_colour(rng, (0.05, 0.65), (0.1, 0.9))), block)
    picture = picture.filter(ImageFilter.GaussianBlur(rng.uniform(0.5, 1.6)))
    return np.asarray(picture.resize((width, height), Image.Resampling.BICUBIC), dtype=np.float32) / 255


def foliage(width: int, height: int, rng: Random) -> np.ndarray:
    """Leaves and lights out of focus."""
    hue, strength = rng.uniform(0.16, 0.34), rng.uniform(0.3, 0.55)
    dark = np.array(colorsys.hsv_to_rgb(hue, strength, 0.14))
    light = np.array(colorsys.hsv_to_rgb(hue - 0.05, strength * 0.8, rng.uniform(0.45, 0.75)))
    leaves = sum(clouds(width, height, cells, rng) * share for cells, share in ((5, 0.4), (14, 0.35), (40, 0.25)))
    mix = np.clip((leaves - 0.3) * 2.2, 0, 1)[..., None]
    return dark * (1 - mix) + light * mix


def grille(width: int, height: int, rng: Random) -> np.ndarray:
    """An amplifier: woven cloth, and at times the dark covering around it."""
    x, y = _grid(width, height)
    cloth = np.array(rng.choice(((0.62, 0.55, 0.42), (0.12, 0.12, 0.13), (0.5, 0.5, 0.5), (0.4, 0.2, 0.16))))
    pitch = rng.uniform(35, 60) * np.pi
    weave = 0.8 + 0.22 * np.sign(np.sin((x + y * height / width) * pitch)) * np.sign(
        np.sin((x - y * height / width) * pitch)
    )
    picture = cloth * weave[..., None]
    top, frame = rng.uniform(0.05, 0.3), np.array(rng.choice(((0.07, 0.07, 0.08), (0.7, 0.62, 0.45), (0.3, 0.14, 0.1))))
    cover = frame * (0.9 + 0.06 * grain(width, height, rng))[..., None]
    picture = np.where((y < top)[..., None], cover, picture)
    return np.where((np.abs(y - top) < 0.008)[..., None], 0.85, picture)


def plush(width: int, height: int, rng: Random) -> np.ndarray:
    """The lining of a case, with folds."""
    colour = np.array(
        rng.choice(((0.5, 0.05, 0.12), (0.75, 0.5, 0.1), (0.55, 0.12, 0.3), (0.12, 0.12, 0.16), (0.8, 0.35, 0.1)))
    )
    folds = 0.6 + 0.5 * clouds(width, height, 7, rng) + 0.06 * grain(width, height, rng)
    return colour * folds[..., None]


PAINTERS: tuple[Painter, ...] = (
    studio, studio, studio, studio, studio, studio, wall_and_floor, wall_and_floor, planks, planks, brick, carpet,
    stage, room, room, foliage, grille, plush,
)  # fmt: skip


def _grid(width: int, height: int) -> tuple[np.ndarray, np.ndarray]:
    x, y = (np.arange(side, dtype=np.float32) / side for side in (width, height))
    return np.broadcast_to(x, (height, width)), np.broadcast_to(y[:, None], (height, width))


def _scatter(index: np.ndarray) -> np.ndarray:
    """A value from 0 to 1 for each whole number, the same for the same number."""
    return (np.sin(index * 12.9898) * 43758.547) % 1


def _colour(rng: Random, saturation: tuple[float, float], value: tuple[float, float]) -> np.ndarray:
    return np.array(colorsys.hsv_to_rgb(rng.random(), rng.uniform(*saturation), rng.uniform(*value)))


def _byte(colour: np.ndarray) -> tuple[int, int, int]:
    red, green, blue = (int(255 * value) for value in colour)
    return red, green, blue
