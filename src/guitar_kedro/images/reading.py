"""Reading one picture from bytes that nobody has checked: upright, RGB, within limits, or a reason why not."""

from __future__ import annotations

import io
import logging
import os
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PIL import (
    BmpImagePlugin,
    GifImagePlugin,
    Image,
    ImageChops,
    ImageFile,
    JpegImagePlugin,
    PngImagePlugin,
    TiffImagePlugin,
    WebPImagePlugin,
)
from pillow_heif import HeifImageFile

from guitar_kedro.images.colours import DAMAGED_PROFILE, SRGB, Colours, colours_of, without_profile
from guitar_kedro.images.probing import Limits, Probe, UnreadableImage, probe

# Pillow's classes by name, not Image.open: this way nothing depends on which plugins are loaded, and the JPEG inside an
# MPO is read without parsing the index of the other pictures.
_PLUGINS: dict[str, type[ImageFile.ImageFile]] = {
    "JPEG": JpegImagePlugin.JpegImageFile,
    "PNG": PngImagePlugin.PngImageFile,
    "WebP": WebPImagePlugin.WebPImageFile,
    "GIF": GifImagePlugin.GifImageFile,
    "BMP": BmpImagePlugin.BmpImageFile,
    "TIFF": TiffImagePlugin.TiffImageFile,
    "HEIC": HeifImageFile,
}
_DEPTHS = (1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16)  # no camera has 9, 11, 13 or 15
_ENDS_EARLY = ("truncated", "unexpected end", "not enough", "(chunk b'')")
_NOT_SUPPORTED = ("unsupported", "not supported", "not yet supported", "unknown pixel mode", "cannot handle")
_SAYINGS = {
    "decoder error -2": "its decoder gave up: broken data or a rare compression",
    "not identified by this driver": "its header is incomplete",
}
_ORIENTATION = 0x0112
_PHOTOMETRIC = 262
_MAX_EXIF_BYTES = 1_100_000
_SHARE_OF_PIXELS = {"WebP": 0.5, "TIFF": 0.8}  # their decoders hold copies beside the picture
_BAND_PIXELS = 1_000_000
_TRANSPOSE = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_DEEP_MODES = ("I;16", "I;16L", "I;16B", "I;16N", "I", "F")
_PLAIN_MODES = ("RGB", "L", "1", "P", "CMYK", "YCbCr", "HSV", "RGBX", "LAB")


@dataclass(frozen=True)
class Reading:
    """A picture and what its file said.

    Attributes:
        image: RGB, upright, the first frame; smaller than the original when a longest side was asked for.
        width: of the original in pixels, upright.
        height: of the original in pixels, upright.
        is_plain_jpeg: the file is a baseline or progressive JPEG in colour, holds one picture, and needs no turning:
            any reader gets from its bytes what is in `image`, also one that knows no colour profiles.
        note: what was not followed of what the file says of its colours, as a sentence; mostly empty.
    """

    image: Image.Image
    width: int
    height: int
    is_plain_jpeg: bool
    note: str = ""


def read(content: bytes, limits: Limits, longest_side: int | None = None) -> Reading:
    """Read the first frame of a picture as upright RGB, and tell what its file said.

    The format is told by content, never by name: JPEG (MPO too: its first picture), PNG, WebP, GIF, BMP, TIFF, HEIC.
    EXIF (or XMP) orientation is applied, of a HEIC what the container says; where EXIF is broken the picture counts as
    upright. Colours come out as sRGB (see `colours_of`), like this:

    - Transparent pixels are laid over white, whatever says so: an alpha channel, a transparent palette entry, a PNG's
      transparent colour.
    - CMYK without colour profile is converted naively; JPEGs with an Adobe marker hold it inverted, those without do
      not.
    - Greyscale of more than 8 bits is divided by the largest value of the smallest depth (up to 8, 10, 12, 14 or 16
      bits) that holds its brightest pixel, so that 12-bit data in 16 bits keep their brightness. Values below 0 or
      above 65535 are stretched between the smallest and the largest.
    - Floating point in 0..1 is multiplied by 255, in 0..255 taken as it is, else stretched likewise; NaN is black.
    - 16-bit RGB keeps its upper 8 bits. LAB is taken as D50. A PNG's cICP is not read: such files have a
      profile as well.

    Args:
        content: the whole file.
        limits: what is refused before anything is decoded.
        longest_side: pixels that are enough along the longer side, None for all. JPEGs are then decoded at a half, a
            quarter or an eighth, whichever is the smallest that is at least so large; other formats ignore it.

    Returns:
        The picture, detached from the file, with the original's size and whether its bytes may be kept as they are.

    Raises:
        UnreadableImage: with a reason and a sentence; see there.
    """
    if not content:
        raise UnreadableImage("empty_file", "The file has no content.")
    limits.check_bytes(len(content))
    found = probe(content, limits.max_frames)
    if found.frames > limits.max_frames:
        raise UnreadableImage("too_many_frames", f"The file has more than {limits.max_frames:,} frames or pages.")
    _check_pixels(found.pixels, found, limits)
    with pillow_strict_and_quiet():
        try:
            return _decode_despite_profile(content, found, limits, longest_side)
        except UnreadableImage:
            raise
        except MemoryError as error:
            raise UnreadableImage("out_of_memory", "There was not enough memory to decode it.") from error
        except Image.DecompressionBombError as error:
            raise UnreadableImage("too_many_pixels", f"{error}") from error
        except Exception as error:  # Pillow's readers raise almost anything when a file is damaged
            raise _why(error, found) from error


def _check_pixels(pixels: int, found: Probe, limits: Limits) -> None:
    allowed = limits.max_pixels * _SHARE_OF_PIXELS.get(found.format, 1)
    if pixels > allowed:
        detail = f"The {found.format} has {pixels / 1e6:,.1f} megapixels; at most {allowed / 1e6:,.1f} are decoded."
        raise UnreadableImage("too_many_pixels", detail)


def _why(error: Exception, found: Probe) -> UnreadableImage:
    """Put a decoder's complaint into a reason and a sentence."""
    said = str(error).strip().rstrip(".") or type(error).__name__
    said = _SAYINGS.get(said, said)
    lower = said.lower()
    if any(word in lower for word in _ENDS_EARLY) or isinstance(error, EOFError):
        return UnreadableImage("truncated", f"The {found.format} file ends before the picture does ({said}).")
    if "security limit" in lower:
        return UnreadableImage("too_complex", f"The {found.format} asks for more than a real photo needs ({said}).")
    if any(word in lower for word in _NOT_SUPPORTED):
        return UnreadableImage("kind_not_supported", f"This kind of {found.format} cannot be decoded ({said}).")
    return UnreadableImage("damaged", f"The {found.format} file is damaged ({said}).")


def _decode_despite_profile(content: bytes, found: Probe, limits: Limits, longest_side: int | None) -> Reading:
    try:
        return _decode(content, found, limits, longest_side)
    except Exception:
        bare = without_profile(content)
        if bare == content:
            raise
        # the file itself is encoded anew, for others would stumble over its profile as well
        mended = _decode(bare, found, limits, longest_side)
        return replace(mended, is_plain_jpeg=False, note=DAMAGED_PROFILE.note)


def _decode(content: bytes, found: Probe, limits: Limits, longest_side: int | None) -> Reading:
    with _PLUGINS[found.format](io.BytesIO(content)) as file:
        width, height = file.size
        _check_pixels(width * height, found, limits)
        if longest_side and found.format == "JPEG":
            _decode_smaller(file, longest_side)
        _mend_transparent_colour(file)
        with _silent_libtiff(found):
            file.load()
        orientation, exif_is_sound = _orientation(file, found)
        if orientation >= 5:
            width, height = height, width
        colours = colours_of(file)
        plain = (
            found.jpeg_process in (0xC0, 0xC1, 0xC2)
            and file.mode == "RGB"
            and orientation == 1
            and exif_is_sound
            and "mp" not in file.info
            and colours == SRGB
        )
        image = _to_rgb(file, found, colours)
    if orientation in _TRANSPOSE:
        image = image.transpose(_TRANSPOSE[orientation])
    image.info.clear()
    return Reading(image, width, height, plain, colours.note)


def _decode_smaller(file: ImageFile.ImageFile, longest_side: int) -> None:
    scale = longest_side / max(file.size)
    if scale < 1:
        width, height = (max(1, -int(-side * scale // 1)) for side in file.size)
        file.draft(None, (width, height))


def _orientation(file: ImageFile.ImageFile, found: Probe) -> tuple[int, bool]:
    """Find the EXIF orientation (1 to 8) and whether EXIF could be read at all."""
    # a TIFF and a HEIC are turned when they are loaded; the others have none
    if found.format in ("TIFF", "HEIC", "GIF", "BMP"):
        return 1, True
    if len(file.info.get("exif") or b"") > _MAX_EXIF_BYTES:
        return 1, False
    try:
        orientation = file.getexif().get(_ORIENTATION, 1)
    except Exception:  # broken EXIF says nothing about the picture, and Pillow's parser may raise anything
        return 1, False
    sound = isinstance(orientation, int) and 1 <= orientation <= 8
    return (orientation, True) if sound else (1, False)


def _mend_transparent_colour(file: ImageFile.ImageFile) -> None:
    """Put a PNG's transparent colour on the scale of the decoded pixels.

    Pillow keeps the samples as they stand in the file, but decodes 2 and 4 bits to 8 and 16-bit RGB to 8.
    """
    value = file.info.get("transparency")
    raw_mode = file.tile[0][3] if file.tile else None
    if not isinstance(raw_mode, str) or value is None:
        return
    if raw_mode in ("L;2", "L;4"):
        file.info["transparency"] = min(value * (85 if raw_mode == "L;2" else 17), 255)
    elif raw_mode == "RGB;16B":
        file.info["transparency"] = tuple(sample >> 8 for sample in value)


def _to_rgb(image: Image.Image, found: Probe, colours: Colours) -> Image.Image:
    """Convert in bands of rows, so that no second and third full-size copy is in memory at once."""
    if image.mode == "RGB" and "transparency" not in image.info:
        # without the file object around the pixels, and without copying them where that can be
        return colours.to_srgb_in_place(image.copy() if image.readonly else image._new(image.im))
    to_grey = _depth_reduction(image) if image.mode in _DEEP_MODES else None
    inverted_cmyk = found.format == "JPEG" and image.mode == "CMYK" and "adobe" not in image.info
    result = Image.new("RGB", image.size, "white")
    rows = max(1, _BAND_PIXELS // image.width)
    for top in range(0, image.height, rows):
        band = image.crop((0, top, image.width, min(top + rows, image.height)))
        if to_grey:
            result.paste(colours.to_srgb(_grey(band, to_grey)), (0, top))
        elif band.mode in _PLAIN_MODES and "transparency" not in band.info:
            result.paste(colours.to_srgb(ImageChops.invert(band) if inverted_cmyk else band), (0, top))
        else:
            band = band.convert("RGBA")
            result.paste(colours.to_srgb(band), (0, top), band)
    return result


@dataclass(frozen=True)
class _Depth:
    """Grey of 8 bits is `(value - low) * scale`, and 255 minus that when `white_is_zero`."""

    low: float
    scale: float
    white_is_zero: bool


def _depth_reduction(image: Image.Image) -> _Depth:
    low, high = _finite_extrema(image)
    white_is_zero = getattr(image, "tag_v2", {}).get(_PHOTOMETRIC) == 0
    if image.mode == "F" and low >= 0 and high <= 1:
        return _Depth(0, 255, white_is_zero)
    if image.mode == "F" and low >= 0 and high <= 255:
        return _Depth(0, 1, white_is_zero)
    if image.mode != "F" and low >= 0 and high <= 65535:
        top = next(2**bits - 1 for bits in _DEPTHS if high < 2**bits)
        return _Depth(0, 255 / top, white_is_zero)
    return _Depth(low, 255 / (high - low) if high > low else 0, white_is_zero)


def _finite_extrema(image: Image.Image) -> tuple[float, float]:
    low, high = np.inf, -np.inf
    rows = max(1, _BAND_PIXELS // image.width)
    for top in range(0, image.height, rows):
        values = np.asarray(image.crop((0, top, image.width, min(top + rows, image.height))))
        values = values[np.isfinite(values)]
        if values.size:
            low, high = min(low, float(values.min())), max(high, float(values.max()))
    return (low, high) if low <= high else (0.0, 0.0)


def _grey(band: Image.Image, depth: _Depth) -> Image.Image:
    values = np.asarray(band)
    grey = np.clip(np.nan_to_num((values.astype(np.float64) - depth.low) * depth.scale, nan=0.0), 0, 255)
    grey = np.round(255 - grey if depth.white_is_zero else grey).astype(np.uint8)
    transparent = band.info.get("transparency")
    if isinstance(transparent, int):
        grey[values == transparent] = 255
    return Image.fromarray(grey)


@contextmanager
def _silent_libtiff(found: Probe) -> Iterator[None]:
    """Send standard error to nowhere for a moment: libtiff prints there, from C, whatever it does not like."""
    if found.format != "TIFF":
        yield
        return
    with _tiff_lock:
        try:
            kept = os.dup(2)
        except OSError:  # the process has no standard error
            yield
            return
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, 2)
        try:
            yield
        finally:
            os.dup2(kept, 2)
            os.close(kept)
            os.close(nowhere)


_NOWHERE = logging.NullHandler()
_tiff_lock = threading.Lock()
_lock = threading.Lock()
_state: dict[str, Any] = {"inside": 0, "restore": None}


@contextmanager
def pillow_strict_and_quiet() -> Iterator[None]:
    """Keep Pillow from printing and from taking truncated files, whatever the rest of the program has set.

    Handlers that the program gave Pillow's own loggers still get what is logged. What is changed belongs to the whole
    process, so the first thread in changes it and the last one out restores it.
    """
    with _lock:
        if _state["inside"] == 0:
            _state["restore"] = _make_strict_and_quiet()
        _state["inside"] += 1
    try:
        yield
    finally:
        with _lock:
            _state["inside"] -= 1
            if _state["inside"] == 0:
                _state["restore"]()


def _make_strict_and_quiet() -> Callable[[], None]:
    logger = logging.getLogger("PIL")
    propagate, truncated = logger.propagate, ImageFile.LOAD_TRUNCATED_IMAGES
    muted = warnings.catch_warnings()
    muted.__enter__()
    warnings.filterwarnings("ignore", module=r"PIL\.")
    # not by its level: each time one is set, logging forgets what it knows of all loggers, which takes long
    logger.addHandler(_NOWHERE)  # without any handler, warnings would go to standard error
    logger.propagate = False
    ImageFile.LOAD_TRUNCATED_IMAGES = False

    def restore() -> None:
        ImageFile.LOAD_TRUNCATED_IMAGES = truncated
        logger.propagate = propagate
        logger.removeHandler(_NOWHERE)
        muted.__exit__(None, None, None)

    return restore
