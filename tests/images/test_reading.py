"""Reading one picture: every colour kind comes out right, and what is not a picture comes out as a reason."""

import io
import logging
import struct
import subprocess
import sys
import threading
import time
import warnings
import zlib
from functools import cache

import numpy as np
import pytest
from PIL import Image, ImageFile, ImageOps
from pillow_heif import register_heif_opener

from guitar_kedro.images.probing import Limits, UnreadableImage, probe
from guitar_kedro.images.reading import read

register_heif_opener()  # to write them; the project reads them in any case

LIMITS = Limits()
RED, GREEN, BLUE, WHITE, BLACK = (255, 0, 0), (0, 255, 0), (0, 0, 255), (255, 255, 255), (0, 0, 0)


def read_image(content: bytes, limits: Limits, longest_side: int | None = None) -> Image.Image:
    return read(content, limits, longest_side).image


def encode(image: Image.Image, file_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **options)
    return buffer.getvalue()


def quadrants(size: tuple[int, int] = (64, 48)) -> Image.Image:
    """Red, green over blue, white: no turning or mirroring leaves it as it is."""
    image, half = Image.new("RGB", size, RED), (size[0] // 2, size[1] // 2)
    image.paste(GREEN, (half[0], 0, size[0], half[1]))
    image.paste(BLUE, (0, half[1], half[0], size[1]))
    image.paste(WHITE, (*half, *size))
    return image


def corners(image: Image.Image) -> list[tuple[int, ...]]:
    """The colours of the four quadrants' middles, as pure as they are meant."""
    right, bottom = image.width * 3 // 4, image.height * 3 // 4
    places = [(image.width // 4, image.height // 4), (right, image.height // 4), (image.width // 4, bottom)]
    return [tuple(255 * (value > 127) for value in image.getpixel(place)) for place in [*places, (right, bottom)]]


def reason_for(content: bytes, limits: Limits = LIMITS) -> str:
    with pytest.raises(UnreadableImage) as refused:
        read_image(content, limits)
    assert refused.value.detail.endswith(".")
    assert refused.value.detail[0].isupper()
    return refused.value.reason


def png_chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(bits: int, colour: int, rows: list[bytes], width: int, *before_data: bytes) -> bytes:
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", width, len(rows), bits, colour, 0, 0, 0))
    data = png_chunk(b"IDAT", zlib.compress(b"".join(b"\0" + row for row in rows)))
    return b"\x89PNG\r\n\x1a\n" + header + b"".join(before_data) + data + png_chunk(b"IEND", b"")


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "HEIF"])
def test_each_allowed_format_is_read_as_rgb(file_format: str):
    image = read_image(encode(quadrants(), file_format), LIMITS)
    assert image.mode == "RGB"
    assert corners(image) == [RED, GREEN, BLUE, WHITE]


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF", "HEIF"])
def test_exif_orientation_is_applied(file_format: str, orientation: int):
    turned = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    stored = quadrants()
    if orientation in turned:
        stored = stored.transpose(Image.Transpose(turned[orientation]))
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = read_image(encode(stored, file_format, exif=exif.tobytes()), LIMITS)
    assert image.size == (64, 48)
    assert corners(image) == [RED, GREEN, BLUE, WHITE]


@pytest.mark.parametrize(
    "value", [b"Exif\0\0" + b"\xff" * 40, b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0", b"nonsense"]
)
def test_broken_exif_leaves_a_picture_readable(value: bytes):
    assert corners(read_image(encode(quadrants(), "JPEG", exif=value), LIMITS)) == [RED, GREEN, BLUE, WHITE]


def test_an_impossible_orientation_counts_as_upright():
    exif = Image.Exif()
    exif[0x0112] = 77
    assert corners(read_image(encode(quadrants(), "JPEG", exif=exif), LIMITS)) == [RED, GREEN, BLUE, WHITE]


def test_the_first_picture_of_an_mpo_is_read_even_with_a_broken_index():
    mpo = encode(quadrants(), "MPO", save_all=True, append_images=[Image.new("RGB", (64, 48))])
    assert corners(read_image(mpo, LIMITS)) == [RED, GREEN, BLUE, WHITE]
    at = mpo.index(b"MPF\0") + 4
    assert corners(read_image(mpo[:at] + b"\xff" * 30 + mpo[at + 30 :], LIMITS)) == [RED, GREEN, BLUE, WHITE]


@pytest.mark.parametrize("file_format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_the_first_frame_is_read(file_format: str):
    frames = [quadrants(), Image.new("RGB", (64, 48)), Image.new("RGB", (64, 48), BLUE)]
    content = encode(frames[0], file_format, save_all=True, append_images=frames[1:])
    assert corners(read_image(content, LIMITS)) == [RED, GREEN, BLUE, WHITE]


def test_cmyk_jpegs_are_read_with_and_without_adobes_inversion():
    adobe = encode(quadrants().convert("CMYK"), "JPEG", quality=95)
    assert corners(read_image(adobe, LIMITS)) == [RED, GREEN, BLUE, WHITE]
    inverted = Image.merge("CMYK", [ImageOps.invert(band) for band in quadrants().convert("CMYK").split()])
    plain = encode(inverted, "JPEG", quality=95)
    at = plain.index(b"\xff\xee")
    assert corners(read_image(plain[:at] + plain[at + 16 :], LIMITS)) == [RED, GREEN, BLUE, WHITE]


def test_cmyk_and_lab_tiffs_are_read():
    for mode in ("CMYK", "LAB"):
        content = encode(quadrants().convert(mode), "TIFF", compression="tiff_lzw")
        assert corners(read_image(content, LIMITS)) == [RED, GREEN, BLUE, WHITE]


def test_alpha_is_laid_over_white():
    image = Image.new("RGBA", (20, 10), (0, 0, 0, 255))
    image.paste((0, 0, 0, 0), (0, 0, 10, 10))
    image.putpixel((19, 9), (255, 0, 0, 128))
    for file_format, options in (
        ("PNG", {}),
        ("TIFF", {}),
        ("HEIF", {"quality": -1, "chroma": 444, "matrix_coefficients": 0}),
    ):
        result = read_image(encode(image, file_format, **options), LIMITS)
        assert [result.getpixel(at) for at in ((2, 2), (12, 2), (19, 9))] == [WHITE, BLACK, (255, 127, 127)]
    grey = read_image(encode(image.convert("LA"), "PNG"), LIMITS)
    assert [grey.getpixel(at) for at in ((2, 2), (12, 2))] == [WHITE, BLACK]


def test_a_transparent_palette_entry_is_laid_over_white():
    image = Image.new("P", (20, 10), 1)
    image.putpalette([0, 200, 0, 255, 0, 0, 0, 0, 255])
    image.paste(0, (0, 0, 10, 10))
    for file_format, transparent in (("GIF", 0), ("PNG", 0), ("PNG", bytes([0, 255, 255]))):
        result = read_image(encode(image, file_format, transparency=transparent), LIMITS)
        assert [result.getpixel(at) for at in ((2, 2), (12, 2))] == [WHITE, RED]


@pytest.mark.parametrize(
    ("bits", "colour", "row", "transparent"),
    [
        (8, 2, bytes([10, 20, 30, 200, 0, 0]), struct.pack(">HHH", 10, 20, 30)),
        (16, 2, struct.pack(">6H", 2560, 5120, 7680, 51200, 0, 0), struct.pack(">HHH", 2560, 5120, 7680)),
        (16, 0, struct.pack(">2H", 1234, 65535), struct.pack(">H", 1234)),
        (8, 0, bytes([77, 200]), struct.pack(">H", 77)),
        (4, 0, bytes([0x5C]), struct.pack(">H", 5)),
        (2, 0, bytes([0b01110000]), struct.pack(">H", 1)),
        (1, 0, bytes([0b01000000]), struct.pack(">H", 0)),
    ],
)
def test_a_pngs_transparent_colour_is_white_at_every_depth(bits: int, colour: int, row: bytes, transparent: bytes):
    content = png(bits, colour, [row], 2, png_chunk(b"tRNS", transparent))
    with_it, without = read_image(content, LIMITS), read_image(png(bits, colour, [row], 2), LIMITS)
    assert with_it.getpixel((0, 0)) == WHITE
    assert without.getpixel((0, 0)) != WHITE
    assert with_it.getpixel((1, 0)) == without.getpixel((1, 0))


@pytest.mark.parametrize("file_format", ["PNG", "TIFF", "BMP", "GIF"])
def test_black_and_white_and_grey_pictures_become_rgb(file_format: str):
    for mode in ("1", "L"):
        image = read_image(encode(ImageOps.grayscale(quadrants()).convert(mode), file_format), LIMITS)
        assert image.mode == "RGB"
        assert image.getpixel((60, 40)) == WHITE


def grey_row(image: Image.Image) -> list[int]:
    return [image.getpixel((x, 0))[0] for x in range(image.width)]


@pytest.mark.parametrize(
    ("brightest", "scaled"), [(65535, 65535), (60000, 65535), (4000, 4095), (16000, 16383), (1000, 1023), (30, 31)]
)
@pytest.mark.parametrize("byte_order", ["<u2", ">u2"])
def test_sixteen_bit_grey_is_scaled_by_the_depth_that_holds_it(brightest: int, scaled: int, byte_order: str):
    values = np.linspace(0, brightest, 16).astype(byte_order)[None, :]
    expected = np.round(values.astype(float) * 255 / scaled).astype(int)[0].tolist()
    mode = "I;16" if byte_order == "<u2" else "I;16B"
    image = Image.frombytes(mode, (16, 1), values.tobytes())
    for options in ({}, {"compression": "tiff_adobe_deflate"}):
        assert grey_row(read_image(encode(image, "TIFF", **options), LIMITS)) == expected
    assert grey_row(read_image(encode(image, "PNG"), LIMITS)) == expected


def test_sixteen_bit_grey_where_zero_is_white_is_inverted():
    image = Image.frombytes("I;16", (2, 1), struct.pack("<2H", 0, 65535))
    content = encode(image, "TIFF")
    at = content.index(struct.pack("<HHI", 262, 3, 1)) + 8
    assert grey_row(read_image(content[:at] + b"\0\0" + content[at + 2 :], LIMITS)) == [255, 0]


def test_sixteen_bit_colour_keeps_its_upper_bits():
    row = struct.pack(">6H", 65535, 32768, 0, 0, 257 * 100, 65535)
    image = read_image(png(16, 2, [row], 2), LIMITS)
    assert [image.getpixel((x, 0)) for x in (0, 1)] == [(255, 128, 0), (0, 100, 255)]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([0, 0.5, 1], [0, 128, 255]),
        ([0, 100, 255], [0, 100, 255]),
        ([-2, 0, 2], [0, 128, 255]),
        ([0, 4000, 10000], [0, 102, 255]),
        ([float("nan"), 0, 1], [0, 0, 255]),
        ([float("inf"), 0, 1], [255, 0, 255]),
        ([0, 0, 0], [0, 0, 0]),
    ],
)
def test_floating_point_grey_is_scaled_by_its_range(values: list[float], expected: list[int]):
    image = Image.fromarray(np.array([values], dtype=np.float32))
    assert grey_row(read_image(encode(image, "TIFF"), LIMITS)) == expected


def test_signed_thirty_two_bit_grey_is_stretched():
    image = Image.fromarray(np.array([[-1000, 0, 1000]], dtype=np.int32))
    assert grey_row(read_image(encode(image, "TIFF"), LIMITS)) == [0, 128, 255]


def test_large_pictures_convert_the_same_as_small_ones():
    image = Image.new("RGBA", (3, 1_200_000 // 3), (0, 0, 0, 255))
    image.paste((9, 9, 9, 0), (0, 350_000, 3, 350_001))
    result = np.asarray(read_image(encode(image, "PNG", compress_level=1), LIMITS))
    assert (result[350_000] == 255).all()
    assert result.sum() == 3 * 3 * 255


def test_jpegs_decode_smaller_but_never_below_what_is_asked_for():
    content = encode(quadrants((1000, 600)), "JPEG")
    sizes = {side: read_image(content, LIMITS, side).size for side in (1000, 501, 500, 126, 125, 10)}
    assert sizes == {
        1000: (1000, 600),
        501: (1000, 600),
        500: (500, 300),
        126: (250, 150),
        125: (125, 75),
        10: (125, 75),
    }
    assert read_image(encode(quadrants((1000, 600)), "PNG"), LIMITS, 10).size == (1000, 600)
    assert read_image(encode(Image.new("RGB", (1, 1000)), "JPEG"), LIMITS, 10).size == (1, 1000)


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "HEIF"])
@pytest.mark.parametrize("share", [0.3, 0.6, 0.9])
def test_a_truncated_file_is_rejected_with_its_reason(file_format: str, share: float):
    noise = Image.effect_noise((120, 100), 90).convert("RGB")
    content = encode(noise, file_format, **({"compression": "tiff_lzw"} if file_format == "TIFF" else {}))
    assert reason_for(content[: int(len(content) * share)]) in ("truncated", "damaged")
    if file_format != "TIFF":
        assert reason_for(content[: int(len(content) * share)]) == "truncated"


def test_truncated_files_are_rejected_whatever_the_program_has_told_pillow(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ImageFile, "LOAD_TRUNCATED_IMAGES", True)
    content = encode(Image.effect_noise((120, 100), 90), "JPEG")
    assert reason_for(content[: len(content) // 2]) == "truncated"
    assert ImageFile.LOAD_TRUNCATED_IMAGES is True


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty_file"),
        (b"hello, this is not a picture", "not_an_image"),
        (bytes(5000), "not_an_image"),
        (b"\xff\xd8\xff", "damaged"),
        (b"\x89PNG\r\n\x1a\n", "damaged"),
        (b"GIF89a", "damaged"),
        (b"BM", "damaged"),
        (b"II*\0\x08\0\0\0", "damaged"),
        (b"RIFF\x04\0\0\0WEBP", "damaged"),
        (b"<!DOCTYPE html><html></html>", "format_not_allowed"),
        (b"<?xml version='1.0'?>\n<svg xmlns='http://www.w3.org/2000/svg'/>", "format_not_allowed"),
        (b"%!PS-Adobe-3.0 EPSF-3.0", "format_not_allowed"),
        (b"8BPS\0\1", "format_not_allowed"),
        (b"\0\0\0\x1cftypavif\0\0\0\0", "format_not_allowed"),
        (b"\0\0\0\x1cftypmif1\0\0\0\0mif1avif", "format_not_allowed"),
        (b"\0\0\0\x18ftypmp42\0\0\0\0mp42", "format_not_allowed"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "damaged"),
        (b"\0\0\0\x0cjP  \r\n\x87\n", "format_not_allowed"),
    ],
)
def test_what_is_not_an_allowed_picture_is_rejected_with_its_reason(content: bytes, reason: str):
    assert reason_for(content) == reason


def test_formats_that_pillow_could_read_but_are_not_allowed_are_rejected():
    for file_format in ("ICO", "PPM", "TGA", "JPEG2000"):
        assert reason_for(encode(quadrants(), file_format)) in ("format_not_allowed", "not_an_image")


def test_a_damaged_file_is_rejected_with_its_reason():
    content = bytearray(encode(Image.effect_noise((50, 50), 90), "PNG"))
    content[60:90] = bytes(30)
    assert reason_for(bytes(content)) == "damaged"


def test_a_kind_that_cannot_be_decoded_is_rejected_with_its_reason():
    content = bytearray(encode(quadrants(), "BMP"))
    content[28:30] = struct.pack("<H", 30000)
    assert reason_for(bytes(content)) == "kind_not_supported"


def test_limits_are_told_with_their_numbers():
    content = encode(quadrants((200, 100)), "PNG")
    with pytest.raises(UnreadableImage, match=r"too_many_bytes: The file has [\d,]+ bytes; at most 10 are read\."):
        read_image(content, Limits(max_bytes=10))
    with pytest.raises(
        UnreadableImage, match=r"too_many_pixels: The PNG has 0\.0 megapixels; at most 0\.0 are decoded\."
    ):
        read_image(content, Limits(max_pixels=19_999))
    assert read_image(content, Limits(max_pixels=20_000)).size == (200, 100)


@pytest.mark.parametrize("file_format", ["GIF", "WEBP", "PNG", "TIFF"])
def test_too_many_frames_are_refused(file_format: str):
    frames = [Image.new("RGB", (8, 8), (50 * number, 0, 99)) for number in range(5)]
    content = encode(frames[0], file_format, save_all=True, append_images=frames[1:])
    assert reason_for(content, Limits(max_frames=4)) == "too_many_frames"
    assert read_image(content, Limits(max_frames=5)).size == (8, 8)


def tiff(tags: list[tuple[int, int]]) -> bytes:
    """A TIFF of one directory with such tags, each with a number, and nothing after it."""
    numbers = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags)
    return b"II*\0\x08\0\0\0" + struct.pack("<H", len(tags)) + numbers + bytes(99)


@cache
def bombs() -> dict[str, bytes]:
    """Small files that say they are huge, and files made of very many parts."""
    jpeg, gif = encode(quadrants(), "JPEG"), encode(quadrants().convert("L"), "GIF")
    empty_png = png(8, 2, [b"\0" * 6], 2)
    flat = Image.new("RGB", (8, 8))
    progressive = encode(flat, "JPEG", progressive=True)
    scan = progressive[progressive.rindex(b"\xff\xda") : -2]
    end_in_a_comment = b"\xff\xfe\0\x04\xff\xd9"
    heic = encode(Image.new("RGB", (600, 400)), "HEIF")
    extent = heic.index(b"ispe") + 8  # width and height
    palette_end = 13 + (3 << (gif[10] & 7) + 1)
    tiles = [
        (256, 9),
        (257, 9),
        (258, 8),
        (259, 8),
        (262, 1),
        (277, 1),
        (322, 60000),
        (323, 60000),
        (324, 8),
        (325, 20),
    ]
    twice = [(322, 60000), (323, 60000), *tiles[:6], (322, 16), (323, 16), *tiles[8:]]
    return {
        "tiles_given_twice.tif": tiff(twice),
        "wide.png": b"\x89PNG\r\n\x1a\n"
        + png_chunk(b"IHDR", struct.pack(">IIBBBBB", 60000, 60000, 8, 2, 0, 0, 0))
        + png_chunk(b"IDAT", zlib.compress(bytes(99))),
        "canvas.webp": b"RIFF" + struct.pack("<I", 22) + b"WEBPVP8X" + struct.pack("<I", 10) + b"\x02\0\0\0"
        b"\xff\x3f\0\xff\x3f\0",
        "screen.gif": b"GIF89a" + struct.pack("<HH", 60000, 60000) + gif[10:],
        "extent.gif": gif[: palette_end + 1] + gif[palette_end + 1 :].replace(gif[6:10], b"\xff\xff\xff\xff", 1),
        "sizes.bmp": encode(flat, "BMP").replace(struct.pack("<ii", 8, 8), struct.pack("<ii", 60000, 60000)),
        "tiles.tif": tiff(tiles),
        "values.tif": b"II*\0\x08\0\0\0\x01\0" + struct.pack("<HHII", 273, 4, 12_000_000, 8) + bytes(99),
        "pages.tif": b"II*\0\x08\0\0\0" + b"".join(struct.pack("<HI", 0, 14 + 6 * n) for n in range(3000)),
        "segments.jpg": jpeg[:2] + b"\xff\xe3\0\x02" * 2000 + jpeg[2:],
        "padding.jpg": jpeg[:2] + b"\xff" * 2_000_000 + jpeg[2:],
        "exif.jpg": jpeg[:2] + b"\xff\xe1\0\x0aExif\0\0\0\0" * 30 + jpeg[2:],
        "scans.jpg": progressive[:-2] + scan * 200 + progressive[-2:],
        "hidden_scans.jpg": progressive[:-2] + end_in_a_comment + scan * 200 + progressive[-2:],
        "comments.jpg": progressive[:-2] + end_in_a_comment * 2000 + progressive[-2:],
        "chunks.png": empty_png[:33] + png_chunk(b"abCd", b"") * 2000 + empty_png[33:],
        "animation.png": empty_png[:33] + png_chunk(b"acTL", struct.pack(">II", 2_000_000_000, 0)) + empty_png[33:],
        "comments.gif": gif[:palette_end] + b"!\xfe" + b"\x01a" * 1_200_000 + b"\0" + gif[palette_end:],
        "junk.gif": gif[:palette_end] + b"\x01" * 1_200_000 + gif[palette_end:],
        "extent.heic": heic[:extent] + struct.pack(">II", 60000, 60000) + heic[extent + 8 :],
        "smaller_extent.heic": heic[:extent] + struct.pack(">II", 64, 64) + heic[extent + 8 :],
        "runs.bmp": encode(flat, "BMP")[:30] + b"\x01\0\0\0" + bytes(10_000_001),
    }


@pytest.mark.parametrize("name", bombs())
def test_a_bomb_is_refused_before_it_goes_off(name: str):
    assert reason_for(bombs()[name]) in ("too_many_pixels", "too_many_frames", "too_complex")


@pytest.mark.parametrize(
    "between",
    [
        pytest.param(b"\xff\xfe\xff\xfe" + b"\xff\xda" * 32_766, id="a comment that looks like scans"),
        pytest.param(b"\xff\0\xff\xd0\xff\xff" * 4_000_000, id="much data without a marker"),
    ],
)
def test_a_progressive_jpeg_is_read_in_time_whatever_lies_between_its_scans(between: bytes):
    content = encode(quadrants(), "JPEG", progressive=True)
    second = content.index(b"\xff\xda", content.index(b"\xff\xda") + 1)
    start = time.process_time()
    assert probe(content[:second] + between + content[second:] + b"\xff\xda" * 999, 1).jpeg_process == 0xC2
    assert time.process_time() - start < 2


def test_nothing_is_printed_whatever_is_wrong_with_a_file(capfd: pytest.CaptureFixture[str]):
    content = encode(Image.effect_noise((90, 90), 50), "TIFF", compression="tiff_lzw")
    wrong = bytearray(content)
    wrong[200:400] = b"\xff" * 200
    logging.basicConfig()
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        for broken in (bytes(wrong), content[:900], encode(quadrants(), "JPEG", exif=b"Exif\0\0II*\0\x08\0\0\0\x05\0")):
            try:
                read_image(broken, LIMITS)
            except UnreadableImage:
                continue
    assert not seen
    assert capfd.readouterr() == ("", "")


def test_what_the_program_has_told_pillow_and_the_warnings_is_left_as_it_was():
    before = warnings.filters[:], ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS
    content = encode(quadrants(), "TIFF")
    threads = [threading.Thread(target=lambda: [read_image(content, LIMITS) for _ in range(20)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (warnings.filters[:], ImageFile.LOAD_TRUNCATED_IMAGES, Image.MAX_IMAGE_PIXELS) == before
    assert logging.getLogger("PIL").propagate
    assert not logging.getLogger("PIL").handlers


def test_mutilated_files_never_bring_another_error():
    random = np.random.default_rng(7)
    noise = Image.effect_noise((40, 30), 60).convert("RGB")
    contents = [encode(noise, name) for name in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "HEIF")]
    contents.append(encode(noise, "TIFF", compression="jpeg"))
    for _ in range(150):
        for content in contents:
            broken = bytearray(content)
            for at in random.integers(0, min(len(broken), 400), 4):
                broken[at] = random.integers(256)
            try:
                assert read_image(bytes(broken), LIMITS).mode == "RGB"
            except UnreadableImage as refused:
                assert refused.detail


def test_reading_needs_neither_torch_nor_kedro():
    code = "import sys, guitar_kedro.images.preparing; print({'torch', 'kedro', 'fastai', 'scipy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, encoding="utf-8", check=True)
    assert done.stdout.strip() == "set()"
