"""Parameters of ingestion."""

from typing import Literal

from pydantic import Field

from guitar_kedro.options import Options


class IngestionOptions(Options):
    """The parameters under ``ingestion``.

    Attributes:
        max_side: Longest side of a prepared picture, in pixels.
        quality: JPEG quality of pictures that are encoded anew.
        duplicates: What keeps images on one side of the split: ``hashes``, those of near duplicates; or also
            ``features`` of a network, which find crops and recoloured copies.
        duplicate_distance: Two pictures are near duplicates if at most so many of the 256 bits of their difference
            hashes differ.
        max_bytes: Larger files are rejected.
        max_pixels: Larger pictures are rejected.
        max_frames: Animations of more frames are rejected.
    """

    max_side: int = Field(ge=16, le=8192)
    quality: int = Field(ge=1, le=95)
    duplicates: Literal["hashes", "features"] = "hashes"
    duplicate_distance: int = Field(ge=0, le=64)
    max_bytes: int = Field(gt=0)
    max_pixels: int = Field(gt=0)
    max_frames: int = Field(gt=0)
