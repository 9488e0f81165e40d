"""Preparing one picture for training: once, small enough, as JPEG, with the hashes that find its doubles."""

from __future__ import annotations

import errno
import hashlib
import io
import os
from dataclasses import dataclass

import numpy as np
from PIL import Image

from guitar_kedro.images.probing import Limits
from guitar_kedro.images.reading import Reading, read

HASH_SIDE = 16  # a difference hash of 16 x 16 bits
_METADATA = 65_536  # bytes beside the pixels that a JPEG may have and be kept
_END_OF_JPEG = b"\xff\xd9"  # the marker EOI of ITU-T T.81; among the data, no 0xFF is followed by it


@dataclass(frozen=True)
class PreparedImage:
    """A picture as training reads it.

    Attributes:
        jpeg: the file's content.
        width: of the original in pixels, upright.
        height: of the original in pixels, upright.
        pixel_hash: SHA-256 of the prepared picture's size and RGB pixels before they are encoded, in hex. Equal for one
            picture in two lossless formats, or with and without metadata.
        perceptual_hash: difference hash of 256 bits, in 64 hex digits. Few bits differ between copies of one picture
            that were resized, recompressed or slightly retouched.
        note: what was not followed of what the file says of its colours, as a sentence; mostly empty.
    """

    jpeg: bytes
    width: int
    height: int
    pixel_hash: str
    perceptual_hash: str
    note: str = ""

    @property
    def name(self) -> str:
        """The content's name: the first 20 hex digits of the SHA-256 of `jpeg`."""
        return hashlib.sha256(self.jpeg).hexdigest()[:20]


def prepare(content: bytes, max_side: int, limits: Limits, quality: int = 90) -> PreparedImage:
    """Read a picture safely and bring it into the form that training reads.

    The longer side becomes at most `max_side` pixels, never more than it was, the shorter one at least 1. These keep
    their bytes, metadata included: baseline and progressive JPEGs in three colour components that are small enough,
    hold one picture (no MPO), have no EXIF or sound EXIF that says 'upright', are sRGB by their colour profile or
    without one, and are not larger than their pixels (a video or an archive may hang on to a JPEG). All else is encoded
    anew, as sRGB and without metadata.

    Args:
        content: the whole file.
        max_side: longest side in pixels.
        limits: what is refused before anything is decoded.
        quality: of the JPEG that is written, 1 to 95.

    Returns:
        The prepared picture; the same for the same arguments and the same version of Pillow.

    Raises:
        UnreadableImage: the file is no picture that can be taken; with a reason and a sentence.
        OSError: the system did not let the JPEG be written, not even into memory.
    """
    # a JPEG is decoded at the next half, quarter or eighth above: from there on, Lanczos loses less than encoding does
    reading = read(content, limits, longest_side=max_side)
    image, pixels = _shrink(reading, max_side)
    fits = max(reading.width, reading.height) <= max_side and len(content) <= 3 * image.width * image.height + _METADATA
    kept = reading.is_plain_jpeg and fits
    return PreparedImage(
        jpeg=content if kept else _encode(image, quality),
        width=reading.width,
        height=reading.height,
        pixel_hash=_hash_pixels(pixels),
        perceptual_hash=_hash_perception(image),
        note=reading.note,
    )


def _shrink(reading: Reading, max_side: int) -> tuple[Image.Image, np.ndarray]:
    """Scale to the size that the original's sides ask for, and give the pixels, of shape (height, width, 3), as well.

    What was read may already be smaller than the original.
    """
    image, pixels = reading.image, np.array(reading.image)
    scale = min(1.0, max_side / max(reading.width, reading.height))
    size = max(1, round(reading.width * scale)), max(1, round(reading.height * scale))
    if image.size == size:
        return image, pixels
    pixels = _resize(pixels, size)
    return Image.fromarray(pixels), pixels


def _resize(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize with the Lanczos filter, as Pillow does but for a grey level, with the vector instructions of torch."""
    import torch  # takes a second; whoever only reads a picture, or has small ones, need not wait for it

    batch = torch.from_numpy(pixels)[None].permute(0, 3, 1, 2)  # channels last in memory, as they are in a picture
    resized = torch.nn.functional.interpolate(batch, size=size[::-1], mode="lanczos", antialias=True)
    return resized.permute(0, 2, 3, 1)[0].contiguous().numpy()


def _encode(image: Image.Image, quality: int) -> bytes:
    # Pillow lets other threads run while it encodes only if it writes into a file, be it one in memory
    with os.fdopen(os.memfd_create("jpeg"), "w+b") if hasattr(os, "memfd_create") else io.BytesIO() as file:
        image.save(file, "JPEG", quality=quality)
        file.seek(0)
        jpeg = file.read()
    if not jpeg.endswith(_END_OF_JPEG):  # Pillow does not see that less was written than it gave
        raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), "A prepared picture")
    return jpeg


def _hash_pixels(pixels: np.ndarray) -> str:
    height, width, _ = pixels.shape
    digest = hashlib.sha256(f"{width}x{height}:".encode())
    digest.update(pixels.data)
    return digest.hexdigest()


def _hash_perception(image: Image.Image) -> str:
    """Compute the difference hash: each bit says whether a pixel of a tiny grey copy is brighter than its left one.

    See http://www.hackerfactor.com/blog/index.php?/archives/529-Kind-of-Like-That.html.
    """
    grey = np.asarray(image.convert("L").resize((HASH_SIDE + 1, HASH_SIDE), Image.Resampling.LANCZOS))
    return np.packbits(grey[:, 1:] > grey[:, :-1]).tobytes().hex()
