"""Colours as sRGB, whatever a picture's file says that its numbers mean. Exported models take this file along."""

from __future__ import annotations

import functools
import io
import struct
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageCms

_MAX_PROFILE_BYTES = 4_000_000  # those of printing presses have up to 3 MB
_MAX_EXIF_BYTES = 1_100_000
_CLASSES = (b"scnr", b"mntr", b"prtr", b"spac")  # a device link or a named colour says nothing of pixels
_MODES = {b"GRAY": "L", b"RGB ": "RGB", b"CMYK": "CMYK"}
_KINDS = {"L": "greyscale", "RGB": "RGB", "CMYK": "CMYK"}
_LEAST_CHANGE = 2  # levels of 255: by less, profiles that mean sRGB differ from each other

_D65 = (0.3127, 0.329)
_P3 = ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06))
_ADOBE_RGB = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
_BT_2020 = ((0.708, 0.292), (0.17, 0.797), (0.131, 0.046))
_SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)  # IEC 61966-2-1, for ICC's function 3
_ADOBE_GAMMA = 563 / 256
_PNG_GAMMA = 0.45455  # what PNGs in sRGB say
# numbers of ITU-T H.273: primaries, where unspecified (2) means sRGB; transfers that stills mean sRGB by
_NCLX_PRIMARIES = {9: _BT_2020, 12: _P3}
_NCLX_SRGB, _NCLX_CURVES = (1, 2), (1, 2, 6, 13, 14, 15)


def without_profile(content: bytes) -> bytes:
    """Take the colour profile out of a file, for where it keeps Pillow from reading the picture.

    Pillow takes no PNG whose profile has a wrong checksum or over 1 MB, and no JPEG with half a header of one.

    Args:
        content: Of a file of any format; of others than PNG and JPEG it comes back as it is.
    """
    if content.startswith(b"\xff\xd8"):
        return content.replace(b"ICC_PROFILE", b"NOT_FOLLOWE")
    start = content.find(b"iCCP", 0, max(content.find(b"IDAT"), 0)) - 4
    if not content.startswith(b"\x89PNG") or start < 0:
        return content
    return content[:start] + content[start + 12 + int.from_bytes(content[start : start + 4], "big") :]


@dataclass(frozen=True)
class Colours:
    """How the pixels of a picture become sRGB.

    Attributes:
        transform: LittleCMS's, in any number of threads at once; ``None`` where the numbers are taken as sRGB.
        note: why what the file says of its colours is not followed, as a sentence; empty where it is.
    """

    transform: ImageCms.ImageCmsTransform | None = None
    note: str = ""

    def to_srgb(self, picture: Image.Image) -> Image.Image:
        """Convert a picture of 8 bits of any mode to RGB; alpha is left out."""
        if self.transform is None:
            return picture.convert("RGB")
        mode = self.transform.input_mode
        return self.transform.apply(picture if picture.mode == mode else picture.convert(mode))

    def to_srgb_in_place(self, picture: Image.Image) -> Image.Image:
        """Convert an RGB picture without a second one in memory."""
        return self.transform.apply_in_place(picture) if self.transform else picture


SRGB = Colours()
DAMAGED_PROFILE = Colours(note="Its colour profile is damaged or too large; it was read without it.")


def colours_of(picture: Image.Image) -> Colours:
    """Find out what a picture's numbers mean.

    An embedded ICC profile says it; without one, in this order: the code points (nclx) of a HEIC; cHRM and gAMA of a
    PNG, where both are there and sRGB is not, as in Firefox; EXIF that says Adobe RGB as cameras do (DCF:
    interoperability R03, colour space uncalibrated). All else is sRGB, and so is what a profile changes by no more than
    a level.

    The rendering intent is perceptual, which browsers ask for too, and with it LittleCMS lets the darkest of a press be
    black (black point compensation). That matters for profiles with tables, as those of presses; those of cameras and
    displays know one intent only.

    Args:
        picture: as it was opened and decoded, with its mode and info.

    Returns:
        How its pixels become sRGB. What is damaged, for other pixels than these, or too large is not followed, and
        noted.
    """
    if picture.mode == "LAB":  # it needs no profile
        return SRGB
    if "icc_profile" in picture.info:
        profile = picture.info["icc_profile"]
        if not isinstance(profile, bytes):  # Pillow could not put it together
            return DAMAGED_PROFILE
        if profile:
            return _by_profile(profile, _mode(picture))
    try:
        described = _described(picture)
    except Exception:  # of EXIF alone, Pillow's parser may raise anything
        return Colours(note="What it says of its colours is damaged; it was read as sRGB.")
    if isinstance(described, bytes) and _mode(picture) == "RGB":
        return _by_profile(described, "RGB")
    return described if isinstance(described, Colours) else SRGB


def _mode(picture: Image.Image) -> str:
    if picture.mode == "CMYK":
        return "CMYK"
    return "L" if picture.mode in ("1", "L", "LA", "La", "F") or picture.mode.startswith("I") else "RGB"


def _not_followed(why: str) -> Colours:
    return Colours(note=f"Its colour profile {why}; it was read without it.")


def _by_profile(profile: bytes, mode: str) -> Colours:
    if len(profile) > _MAX_PROFILE_BYTES:
        return DAMAGED_PROFILE
    # programs that make sRGB anew for each file differ in its date and its checksum alone
    return _of_profile(profile[:24] + bytes(12) + profile[36:84] + bytes(16) + profile[100:], mode)


@functools.lru_cache(maxsize=32)
def _of_profile(profile: bytes, mode: str) -> Colours:
    if len(profile) < 132 or profile[36:40] != b"acsp" or int.from_bytes(profile[:4], "big") > len(profile):
        return DAMAGED_PROFILE
    if profile[12:16] not in _CLASSES or profile[16:20] not in _MODES or profile[20:24] not in (b"XYZ ", b"Lab "):
        return _not_followed("is of a kind that describes no pixels")
    meant = _MODES[profile[16:20]]
    if meant != mode and (meant, mode) != ("RGB", "L"):  # grey is a colour of RGB
        return _not_followed(f"is for {_KINDS[meant]} pixels and not for {_KINDS[mode]} ones")
    try:
        transform = _transform(profile, meant)
    except (ImageCms.PyCMSError, OSError, ValueError):  # whatever LittleCMS does not like
        return DAMAGED_PROFILE
    probe = _probe(meant)
    if probe is not None:
        change = np.subtract(transform.apply(probe), probe.convert("RGB"), dtype=int)
        if abs(change).max() < _LEAST_CHANGE:
            return SRGB
    return Colours(transform)


def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform:
    source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
    return ImageCms.ImageCmsTransform(source, srgb, mode, "RGB", ImageCms.Intent.PERCEPTUAL)


@functools.cache
def _probe(mode: str) -> Image.Image | None:
    """Colours of all kinds, by which a profile shows whether it means sRGB."""
    greys = np.arange(256, dtype=np.uint8)
    if mode == "L":
        return Image.fromarray(greys[None])
    if mode == "CMYK":
        return None
    levels = np.linspace(0, 255, 9).astype(np.uint8)
    grid = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(1, -1, 3)
    return Image.fromarray(np.concatenate([grid, np.repeat(greys[None, :, None], 3, axis=2)], axis=1))


def _described(picture: Image.Image) -> bytes | Colours | None:
    """Make a profile of what a file without one says of its colours; ``None`` where it says nothing, or sRGB."""
    info = picture.info
    if nclx := info.get("nclx_profile"):
        return _of_code_points(nclx["color_primaries"], nclx["transfer_characteristics"])
    if "gamma" in info and "chromaticity" in info and "srgb" not in info:
        points = info["chromaticity"]
        white, *primaries = (points[start : start + 2] for start in range(0, 8, 2))
        near = abs(info["gamma"] - _PNG_GAMMA) < 0.01
        return matrix_profile(primaries, _SRGB_CURVE if near else (1 / info["gamma"],), white)
    if b"R03" in (info.get("exif") or b"")[:_MAX_EXIF_BYTES]:
        exif = picture.getexif()
        space, index = exif.get_ifd(0x8769).get(0xA001), exif.get_ifd(0xA005).get(1)
        if space == 0xFFFF and str(index).startswith("R03"):
            return matrix_profile(_ADOBE_RGB, (_ADOBE_GAMMA,))
    return None


def _of_code_points(primaries: int, transfer: int) -> bytes | Colours | None:
    if transfer not in _NCLX_CURVES or primaries not in (*_NCLX_SRGB, *_NCLX_PRIMARIES):
        said = f"primaries {primaries}, transfer {transfer} of ITU-T H.273"
        return Colours(note=f"What it says of its colours is not known here ({said}); it was read as sRGB.")
    return None if primaries in _NCLX_SRGB else matrix_profile(_NCLX_PRIMARIES[primaries], _SRGB_CURVE)


def matrix_profile(
    primaries: Sequence[Sequence[float]], curve: Sequence[float], white: Sequence[float] = _D65
) -> bytes:
    """Write an ICC profile (ICC.1:2022) of three primaries and a curve.

    Args:
        primaries: chromaticities x and y of red, green and blue.
        curve: from a number in 0..1 to light: an exponent, or the five parameters of ICC's function 3.
        white: chromaticity of the white.

    Returns:
        The profile.

    Raises:
        ArithmeticError, ValueError, struct.error, numpy.linalg.LinAlgError: such colours cannot be.
    """
    red_green_blue = np.array([_xyz(*point) for point in primaries]).T
    to_xyz = red_green_blue * np.linalg.solve(red_green_blue, _xyz(*white))
    # the profile connection space is D50: Bradford's adaptation, as ICC.1 annex E has it
    bradford = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
    cones = bradford @ [0.9642, 1, 0.8249] / (bradford @ _xyz(*white))
    to_d50 = np.linalg.solve(bradford, cones[:, None] * (bradford @ to_xyz))
    parameters = b"".join(map(_fixed, curve))
    shape = b"para\0\0\0\0" + struct.pack(">HH", 0 if len(curve) == 1 else 3, 0) + parameters
    contents = [b"XYZ \0\0\0\0" + b"".join(map(_fixed, column)) for column in to_d50.T] + [shape]
    names = [b"rXYZ", b"gXYZ", b"bXYZ", b"rTRC", b"gTRC", b"bTRC"]
    start = 128 + 4 + 12 * len(names)
    places = [start + sum(map(len, contents[:number])) for number in (0, 1, 2, 3, 3, 3)]
    table = b"".join(
        struct.pack(">4sII", name, place, len(content))
        for name, place, content in zip(names, places, [*contents, shape, shape], strict=True)
    )
    body = struct.pack(">I", len(names)) + table + b"".join(contents)
    header = struct.pack(">I4sI4s4s4s", 128 + len(body), b"", 0x04400000, b"mntr", b"RGB ", b"XYZ ")
    header += bytes(12) + b"acsp" + bytes(28) + b"".join(map(_fixed, (0.9642, 1, 0.8249)))
    return header.ljust(128, b"\0") + body


def _xyz(x: float, y: float) -> np.ndarray:
    return np.array([x / y, 1, (1 - x - y) / y])


def _fixed(number: float) -> bytes:
    """Write a number as ICC does: signed, 16 bits before and after the point."""
    return struct.pack(">i", round(number * 65536))
