"""Preparing one picture for training: once, small enough, as JPEG, with the hashes that find its doubles."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass

import numpy as np
from PIL import Image

from guitar_kedro.images.probing import Limits
from guitar_kedro.images.reading import read

HASH_SIDE = 16  # a difference hash of 16 x 16 bits
_METADATA = 65_536  # bytes beside the pixels that a JPEG may have and be kept


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
    """

    jpeg: bytes
    width: int
    height: int
    pixel_hash: str
    perceptual_hash: str

    @property
    def name(self) -> str:
        """The content's name: the first 20 hex digits of the SHA-256 of `jpeg`."""
        return hashlib.sha256(self.jpeg).hexdigest()[:20]


def prepare(content: bytes, max_side: int, limits: Limits, quality: int = 90) -> PreparedImage:
    """Read a picture safely and bring it into the form that training reads.

    The longer side becomes at most `max_side` pixels, never more than it was, the shorter one at least 1. These keep
    their bytes, metadata included: baseline and progressive JPEGs in three colour components that are small enough,
    hold one picture (no MPO), have no EXIF or sound EXIF that says 'upright', and are not larger than their pixels (a
    video or an archive may hang on to a JPEG). All else is encoded anew, without metadata.

    Args:
        content: the whole file.
        max_side: longest side in pixels.
        limits: what is refused before anything is decoded.
        quality: of the JPEG that is written, 1 to 95.

    Returns:
        The prepared picture; the same for the same arguments and the same version of Pillow.

    Raises:
        UnreadableImage: the file is no picture that can be taken; with a reason and a sentence.
        ValueError: `max_side` is not positive.
    """
    if max_side < 1:
        raise ValueError(f"max_side is {max_side}; it must be at least 1.")
    # a JPEG is decoded at the next half, quarter or eighth above: from there on, Lanczos loses less than encoding does
    reading = read(content, limits, longest_side=max_side)
    image = _shrink(reading.image, reading.width, reading.height, max_side)
    fits = max(reading.width, reading.height) <= max_side and len(content) <= 3 * image.width * image.height + _METADATA
    kept = reading.is_plain_jpeg and fits
    return PreparedImage(
        jpeg=content if kept else _encode(image, quality),
        width=reading.width,
        height=reading.height,
        pixel_hash=_hash_pixels(image),
        perceptual_hash=_hash_perception(image),
    )


def _shrink(image: Image.Image, width: int, height: int, max_side: int) -> Image.Image:
    """Scale to the size that the original's sides ask for; `image` may already be smaller than the original."""
    scale = min(1.0, max_side / max(width, height))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    return image if image.size == size else _resize(image, size)


def _resize(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    """Resize with the Lanczos filter, as Pillow does but for a grey level, with the vector instructions of torch."""
    import torch  # takes a second; whoever only reads a picture, or has small ones, need not wait for it

    pixels = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None]
    bands = torch.nn.functional.interpolate(pixels, size=size[::-1], mode="lanczos", antialias=True)[0].numpy()
    return Image.merge("RGB", [Image.fromarray(band) for band in bands])  # faster than interleaving them first


def _encode(image: Image.Image, quality: int) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def _hash_pixels(image: Image.Image) -> str:
    digest = hashlib.sha256(f"{image.width}x{image.height}:".encode())
    digest.update(image.tobytes())
    return digest.hexdigest()


def _hash_perception(image: Image.Image) -> str:
    """Compute the difference hash: each bit says whether a pixel of a tiny grey copy is brighter than its left one.

    See http://www.hackerfactor.com/blog/index.php?/archives/529-Kind-of-Like-That.html.
    """
    grey = np.asarray(image.convert("L").resize((HASH_SIDE + 1, HASH_SIDE), Image.Resampling.LANCZOS))
    return np.packbits(grey[:, 1:] > grey[:, :-1]).tobytes().hex()
