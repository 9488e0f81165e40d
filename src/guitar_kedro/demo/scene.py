"""One photo-like picture: a guitar or another thing before a background, framed, lit, partly covered, a little soft."""

import io
import math
from collections.abc import Callable
from dataclasses import dataclass
from random import Random

import numpy as np
from PIL import Image, ImageFilter
from PIL.JpegImagePlugin import JpegImageFile

from guitar_kedro.demo.backgrounds import draw_background, grain
from guitar_kedro.demo.guitar import Guitar
from guitar_kedro.demo.models import BUILDERS, MODELS
from guitar_kedro.demo.occluders import draw_occluder
from guitar_kedro.demo.svg import rasterise
from guitar_kedro.errors import UserError

ASPECTS = (3 / 4, 3 / 4, 4 / 5, 4 / 5, 1.0, 1.0, 5 / 4, 4 / 3)


@dataclass(frozen=True)
class Pose:
    """Where the guitar lies in the picture: millimetres to pixels, turned by `angle` degrees, `middle` at `centre`."""

    angle: float
    scale: float
    middle: complex
    centre: complex

    @property
    def transform(self) -> str:
        """The same for SVG."""
        place = f"translate({self.centre.real:.2f} {self.centre.imag:.2f}) rotate({self.angle:.2f})"
        return f"{place} scale({self.scale:.4f}) translate({-self.middle.real:.2f} {-self.middle.imag:.2f})"


def draw_guitar(model: str, size: int, seed: int) -> Image.Image:
    """A picture of a guitar: the same for the same arguments in every process, never the same for another seed.

    Args:
        model: one of `MODELS`.
        size: length of the picture's longer side in pixels; the other side is at least three quarters of it.
        seed: which of the model's pictures; 0 or more.

    Raises:
        UserError: for another model, or a size or seed that is too small.
    """
    if model not in BUILDERS:
        raise UserError(f"There is no drawn guitar model {model!r}. Choose one of: {', '.join(MODELS)}.")
    return draw_scene(model, BUILDERS[model], size, seed)


def draw_scene(name: str, build: Callable[[Random], Guitar], size: int, seed: int) -> Image.Image:
    """A picture of whatever `build` draws, in a scene that `name` and `seed` decide.

    Args:
        name: what is drawn, one of a kind among all that is drawn.
        build: draws the thing.
        size: length of the picture's longer side in pixels.
        seed: which of its pictures; 0 or more.

    Raises:
        UserError: for a size or seed that is too small.
    """
    if size < 1:
        raise UserError(f"size is {size}, but a drawn picture needs a longer side of at least 1 pixel.")
    if seed < 0:
        raise UserError(f"seed is {seed}, but the seed of a drawn picture must be 0 or more.")
    rng = Random(f"{name} {seed}")
    aspect = rng.choice(ASPECTS)
    width, height = round(size * min(1, aspect)), round(size * min(1, 1 / aspect))
    subject = build(rng)
    pose = _pose(subject, width, height, rng)
    light = _Light.draw(rng)
    background = draw_background(width, height, rng)
    covered = subject.svg + draw_occluder(subject, rng)
    layer = rasterise(f'<g transform="{pose.transform}">{covered}</g>', width, height)
    return _develop(_compose(background, layer, pose, light), light, rng)


@dataclass(frozen=True)
class _Light:
    """How a picture is lit and taken."""

    direction: float
    exposure: float
    warmth: float
    slope: float
    vignette: float
    softness: float
    noise: float
    quality: int
    shadow: float

    @classmethod
    def draw(cls, rng: Random) -> "_Light":
        return cls(
            direction=rng.uniform(0, 2 * math.pi),
            exposure=rng.uniform(0.78, 1.18),
            warmth=rng.gauss(0, 0.05),
            slope=rng.uniform(0, 0.3),
            vignette=rng.uniform(0, 0.4) if rng.random() < 0.6 else 0,
            softness=rng.uniform(0.2, 0.75) if rng.random() < 0.4 else 0,
            noise=rng.uniform(0.002, 0.016),
            quality=rng.randint(45, 92),
            shadow=rng.uniform(0.25, 0.65),
        )


def _pose(guitar: Guitar, width: int, height: int, rng: Random) -> Pose:
    """Frame the guitar: all of it, its body with some neck, or a close view of the body."""
    left, top, right, bottom = guitar.body
    view = rng.random()
    whole, close = view < 0.03, view > 0.72
    reach = guitar.top if whole else top - rng.uniform(0, 50)
    margin = rng.uniform(1.0, 1.12) if close else rng.uniform(0.9, 0.99)
    angle = max(-20.0, min(20.0, rng.gauss(0, 6)))
    if width > height and (whole or rng.random() < 0.12):
        angle += rng.choice((90, 90, 90, -90))
    cos, sin = abs(math.cos(math.radians(angle))), abs(math.sin(math.radians(angle)))
    across, down = (right - left) + 24, (bottom - reach) + 24
    scale = margin * min(width / (across * cos + down * sin), height / (across * sin + down * cos))
    slack = 0.02 if close else 0.25 * (1.08 - margin)
    centre = complex(width * (0.5 + rng.uniform(-slack, slack)), height * (0.5 + rng.uniform(-slack, slack)))
    return Pose(angle, scale, complex((left + right) / 2, (reach + bottom) / 2), centre)


def _compose(background: np.ndarray, layer: Image.Image, pose: Pose, light: _Light) -> np.ndarray:
    """Lay the guitar on the background, with the shadow it throws."""
    alpha = layer.getchannel("A")
    distance = 16 * pose.scale
    offset = (
        round(distance * math.cos(light.direction)),
        round(distance * abs(math.sin(light.direction)) + distance / 2),
    )
    thrown = Image.new("L", layer.size)
    thrown.paste(alpha, offset)
    near = np.asarray(thrown.filter(ImageFilter.GaussianBlur(max(0.5, distance * 0.7))), dtype=np.float32) / 255
    ground = background * (1 - light.shadow * near)[..., None]
    values = np.asarray(layer, dtype=np.float32) / 255
    return ground * (1 - values[..., 3:]) + values[..., :3] * values[..., 3:]


def _develop(picture: np.ndarray, light: _Light, rng: Random) -> Image.Image:
    """Light falling off, exposure, colour temperature, lens, sensor and compression."""
    height, width = picture.shape[:2]
    x, y = (np.linspace(-1, 1, side, dtype=np.float32) for side in (width, height))
    y = y[:, None]
    fall = 1 + light.slope * (x * math.cos(light.direction) + y * math.sin(light.direction))
    fall *= light.exposure * (1 - light.vignette * (x * x + y * y) / 2)
    lit = picture * fall[..., None] * np.array([1 + light.warmth, 1, 1 - light.warmth], dtype=np.float32)
    lit += light.noise * grain(width, height, rng)[..., None]
    image = Image.fromarray((np.clip(lit, 0, 1) * 255).astype(np.uint8))
    image = image.filter(ImageFilter.GaussianBlur(light.softness * max(width, height) / 256))
    file = io.BytesIO()
    image.save(file, "JPEG", quality=light.quality)
    file.seek(0)
    return JpegImageFile(file).convert("RGB")  # not Image.open, as in rasterise
