"""Preparing one picture: small enough, named by content, with hashes that find its doubles."""

import hashlib
import io
import os

import imagehash
import numpy as np
import pytest
from full_disk import room_for
from PIL import Image, ImageFilter

from guitar_kedro.images.preparing import PreparedImage, prepare
from guitar_kedro.images.probing import Limits, UnreadableImage
from guitar_kedro.mistakes import user_error_behind

LIMITS = Limits()


def picture(size: tuple[int, int] = (400, 300), seed: int = 1) -> Image.Image:
    noise = np.random.default_rng(seed).integers(0, 256, (6, 8, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize(size, Image.Resampling.BICUBIC).filter(ImageFilter.GaussianBlur(3))


def encode(image: Image.Image, file_format: str = "JPEG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def opened(prepared: PreparedImage) -> Image.Image:
    image = Image.open(io.BytesIO(prepared.jpeg))
    assert (image.format, image.mode) == ("JPEG", "RGB")
    return image


def bits_between(one: PreparedImage, other: PreparedImage) -> int:
    return (int(one.perceptual_hash, 16) ^ int(other.perceptual_hash, 16)).bit_count()


@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"comment": "made by hand"}])
def test_a_jpeg_that_is_small_enough_keeps_its_bytes(options: dict):
    content = encode(picture(), **options)
    prepared = prepare(content, 400, LIMITS)
    assert prepared.jpeg == content
    assert prepared.name == hashlib.sha256(content).hexdigest()[:20]


def upright_exif(orientation: int = 1) -> Image.Exif:
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


def test_only_jpegs_that_any_reader_reads_alike_keep_their_bytes():
    kept = encode(picture(), exif=upright_exif())
    assert prepare(kept, 400, LIMITS).jpeg == kept
    for content in (
        encode(picture(), exif=upright_exif(6)),
        encode(picture(), exif=upright_exif(99)),
        encode(picture().convert("L")),
        encode(picture().convert("CMYK")),
        encode(picture(), "MPO", save_all=True, append_images=[picture(seed=2)]),
        encode(picture(), "PNG"),
        encode(picture((401, 300))),
        kept + bytes(1_000_000),
    ):
        prepared = prepare(content, 400, LIMITS)
        assert prepared.jpeg != content
        assert not opened(prepared).getexif()


@pytest.mark.parametrize(
    ("size", "max_side", "expected"),
    [
        ((400, 300), 200, (200, 150)),
        ((300, 400), 200, (150, 200)),
        ((400, 300), 1000, (400, 300)),
        ((1, 1000), 100, (1, 100)),
        ((3000, 2), 100, (100, 1)),
        ((1, 1), 5, (1, 1)),
    ],
)
@pytest.mark.parametrize("file_format", ["JPEG", "PNG"])
def test_the_longest_side_is_what_was_asked_for_and_never_more_than_it_was(
    size: tuple[int, int], max_side: int, expected: tuple[int, int], file_format: str
):
    prepared = prepare(encode(picture(size), file_format), max_side, LIMITS)
    assert opened(prepared).size == expected
    assert (prepared.width, prepared.height) == size
    assert len(prepared.perceptual_hash) == 64


def test_the_originals_size_is_told_upright():
    prepared = prepare(encode(picture((400, 300)), exif=upright_exif(6)), 200, LIMITS)
    assert (prepared.width, prepared.height) == (300, 400)
    assert opened(prepared).size == (150, 200)


def test_decoding_small_gives_nearly_the_same_picture_as_decoding_all():
    image = picture((2400, 1800))
    small = np.asarray(opened(prepare(encode(image, quality=95), 224, LIMITS)), dtype=float)
    large = np.asarray(opened(prepare(encode(image, "PNG", compress_level=1), 224, LIMITS)), dtype=float)
    assert np.abs(small - large).mean() < 2


@pytest.mark.parametrize("size", [(1200, 900), (1024, 768), (900, 1600)])
def test_decoding_small_adds_less_loss_than_encoding_does(size: tuple[int, int]):
    grain = Image.merge("RGB", [Image.effect_noise(size, 30)] * 3)
    content = encode(Image.blend(picture(size), grain, 0.3), quality=92)
    width, height = (round(side * 512 / max(size)) for side in size)
    best = Image.open(io.BytesIO(content)).resize((width, height), Image.Resampling.LANCZOS)
    encoded = Image.open(io.BytesIO(encode(best, quality=90)))
    assert squared_error(opened(prepare(content, 512, LIMITS)), best) < 2 * squared_error(encoded, best)


def squared_error(one: Image.Image, other: Image.Image) -> float:
    return float(np.square(np.asarray(one, dtype=float) - np.asarray(other, dtype=float)).mean())


def test_the_same_file_gives_the_same_result():
    content = encode(picture((900, 700)))
    assert prepare(content, 300, LIMITS) == prepare(content, 300, LIMITS)


def test_one_picture_in_two_lossless_formats_has_one_pixel_hash():
    one, other = (prepare(encode(picture(), name), 200, LIMITS) for name in ("PNG", "BMP"))
    assert (one.pixel_hash, one.name) == (other.pixel_hash, other.name)
    assert one.pixel_hash != prepare(encode(picture(seed=2), "PNG"), 200, LIMITS).pixel_hash


def test_pictures_of_one_colour_and_different_shape_have_different_pixel_hashes():
    wide, high = (prepare(encode(Image.new("RGB", size), "PNG"), 99, LIMITS) for size in ((20, 10), (10, 20)))
    assert wide.pixel_hash != high.pixel_hash


def test_copies_of_a_picture_have_near_perceptual_hashes_and_others_do_not():
    original = prepare(encode(picture((900, 700))), 400, LIMITS)
    assert bits_between(original, prepare(encode(picture((900, 700)), quality=40), 400, LIMITS)) <= 4
    assert bits_between(original, prepare(encode(picture((900, 700)).resize((500, 389))), 400, LIMITS)) <= 4
    assert bits_between(original, prepare(encode(picture((900, 700), seed=5)), 400, LIMITS)) > 40


@pytest.mark.parametrize("mode", ["RGB", "L"])
@pytest.mark.parametrize("size", [(400, 300), (17, 16), (30, 512), (1, 1)])
def test_the_perceptual_hash_is_the_difference_hash_of_the_imagehash_library(size: tuple[int, int], mode: str):
    noise = Image.effect_noise(size, 90) if mode == "L" else picture(size)
    prepared = prepare(encode(noise, "PNG"), 512, LIMITS)
    assert prepared.perceptual_hash == str(imagehash.dhash(noise.convert("RGB"), hash_size=16))


def test_what_cannot_be_read_is_raised_with_its_reason():
    with pytest.raises(UnreadableImage, match="not_an_image"):
        prepare(b"no picture", 100, LIMITS)
    with pytest.raises(UnreadableImage, match="too_many_pixels"):
        prepare(encode(picture()), 100, Limits(max_pixels=100))


@pytest.mark.skipif(not hasattr(os, "memfd_create"), reason="elsewhere no file is written into")
def test_a_jpeg_that_could_be_written_in_part_only_is_not_taken_for_whole():
    content = encode(picture())
    with room_for(100), pytest.raises(OSError, match="File too large") as caught:
        prepare(content, 200, LIMITS)
    told = str(user_error_behind(caught.value))
    assert told.startswith("A prepared picture cannot be written, for there is no room for it")
