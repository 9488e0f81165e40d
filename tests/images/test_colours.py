"""Colours: whatever a file says that its numbers mean, what comes out is sRGB, and what cannot be followed is told."""

import io
import os
import struct
import threading
import time
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms
from pillow_heif import register_heif_opener
from profiles import grey_profile, icc, press_profile

from guitar_kedro.images.colours import matrix_profile
from guitar_kedro.images.preparing import prepare
from guitar_kedro.images.probing import Limits
from guitar_kedro.images.reading import Reading, read

register_heif_opener()  # to write them; the project reads them in any case

LIMITS = Limits()
D65 = (0.3127, 0.329)
SRGB = ((0.64, 0.33), (0.3, 0.6), (0.15, 0.06))
P3 = ((0.68, 0.32), (0.265, 0.69), (0.15, 0.06))
ADOBE_RGB = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
SWAPPED = (P3[2], P3[1], P3[0])
CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
PROFILES = {
    "Display P3": (P3, CURVE),
    "Adobe RGB": (ADOBE_RGB, (563 / 256,)),
    "linear": (SRGB, (1.0,)),
    "swapped": (SWAPPED, CURVE),
}
NOT_FOLLOWED = "Its colour profile is damaged or too large; it was read without it."


def colourful(size: tuple[int, int] = (48, 32)) -> Image.Image:
    noise = np.random.default_rng(3).integers(0, 256, (4, 6, 3), dtype=np.uint8)
    return Image.fromarray(noise).resize(size, Image.Resampling.NEAREST)


def encode(image: Image.Image, file_format: str = "JPEG", **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, file_format, **({"quality": 95, "subsampling": 0} if file_format == "JPEG" else {}), **options)
    return buffer.getvalue()


def lossless(image: Image.Image, file_format: str, **options: object) -> bytes:
    extra = {"WEBP": {"lossless": True}, "HEIF": {"quality": -1, "chroma": 444, "matrix_coefficients": 0}}
    return encode(image, file_format, **extra.get(file_format, {}), **options)


def reference(image: Image.Image, primaries: tuple, curve: tuple) -> np.ndarray:
    """Gives sRGB by the book, in floating point: light, its tristimulus values, light of sRGB, and clipped."""

    def to_xyz(points: tuple) -> np.ndarray:
        columns = np.array([[x / y, 1, (1 - x - y) / y] for x, y in points]).T
        white = np.array([D65[0] / D65[1], 1, (1 - sum(D65)) / D65[1]])
        return columns * np.linalg.solve(columns, white)

    values = np.asarray(image, dtype=float) / 255
    if len(curve) == 1:
        light = values ** curve[0]
    else:
        light = np.where(values <= 0.04045, values / 12.92, ((values + 0.055) / 1.055) ** 2.4)
    light = np.clip(light @ np.linalg.solve(to_xyz(SRGB), to_xyz(primaries)).T, 0, 1)
    return 255 * np.where(light <= 0.0031308, 12.92 * light, 1.055 * light ** (1 / 2.4) - 0.055)


def furthest(reading: Reading, expected: np.ndarray) -> float:
    return float(np.abs(np.asarray(reading.image) - expected).max())


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("file_format", ["PNG", "WEBP", "TIFF", "HEIF"])
def test_an_embedded_profile_is_converted_to_srgb(name: str, file_format: str):
    content = lossless(colourful(), file_format, icc_profile=matrix_profile(*PROFILES[name]))
    reading = read(content, LIMITS)
    assert furthest(reading, reference(colourful(), *PROFILES[name])) < 2.5
    assert reading.note == ""
    assert not reading.image.info


@pytest.mark.parametrize("name", PROFILES)
@pytest.mark.parametrize("segment", [65519, 100])
def test_the_profile_of_a_jpeg_is_converted_in_one_or_several_segments(name: str, segment: int):
    profile, content = matrix_profile(*PROFILES[name]), encode(colourful())
    parts = [profile[start : start + segment] for start in range(0, len(profile), segment)]
    segments = b"".join(
        b"\xff\xe2" + struct.pack(">H", len(part) + 16) + b"ICC_PROFILE\0" + bytes([number + 1, len(parts)]) + part
        for number, part in reversed(list(enumerate(parts)))
    )
    decoded = Image.open(io.BytesIO(content)).convert("RGB")
    reading = read(content[:2] + segments + content[2:], LIMITS)
    assert furthest(reading, reference(decoded, *PROFILES[name])) < 2.5
    assert not reading.is_plain_jpeg


def built_in_srgb() -> bytes:
    return ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()


@pytest.mark.parametrize("profile", [None, matrix_profile(SRGB, CURVE), built_in_srgb()])
@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF", "HEIF"])
def test_a_picture_in_srgb_keeps_its_numbers(profile: bytes | None, file_format: str):
    tagged = {"icc_profile": profile} if profile else {}
    content = encode(colourful(), file_format, **tagged)
    reading = read(content, LIMITS)
    plain = Image.open(io.BytesIO(content)).convert("RGB")
    assert furthest(reading, np.asarray(plain, dtype=float)) == 0
    assert reading.note == ""
    assert prepare(encode(colourful(), **tagged), 48, LIMITS).jpeg == encode(colourful(), **tagged)


def test_a_jpeg_in_other_colours_is_encoded_anew_in_srgb_and_without_profile():
    image = colourful((480, 320))
    content = encode(image, icc_profile=matrix_profile(*PROFILES["Display P3"]))
    prepared = Image.open(io.BytesIO(prepare(content, 480, LIMITS).jpeg))
    assert "icc_profile" not in prepared.info
    difference = np.asarray(prepared, dtype=float) - reference(image, *PROFILES["Display P3"])
    assert np.abs(difference).mean() < 2  # what two encodings lose


def test_a_jpeg_decoded_smaller_and_turned_is_converted_too():
    exif = Image.Exif()
    exif[0x0112] = 6
    colour = Image.new("RGB", (800, 400), (200, 100, 50))
    content = encode(colour, icc_profile=matrix_profile(*PROFILES["Display P3"]), exif=exif)
    reading = read(content, LIMITS, longest_side=100)
    assert reading.image.size == (50, 100)
    expected = reference(Image.new("RGB", (50, 100), (200, 100, 50)), *PROFILES["Display P3"])
    assert furthest(reading, expected) < 4


def test_alpha_is_laid_over_white_after_the_conversion():
    image = colourful().convert("RGBA")
    image.putalpha(Image.linear_gradient("L").resize(image.size))
    share = np.asarray(image)[..., 3:] / 255
    expected = share * reference(image.convert("RGB"), *PROFILES["Adobe RGB"]) + (1 - share) * 255
    for file_format in ("PNG", "TIFF", "HEIF"):
        content = lossless(image, file_format, icc_profile=matrix_profile(*PROFILES["Adobe RGB"]))
        assert furthest(read(content, LIMITS), expected) < 3


def test_palettes_and_transparent_colours_are_converted():
    palette = colourful().quantize(8)
    content = encode(palette, "PNG", icc_profile=matrix_profile(*PROFILES["swapped"]))
    assert furthest(read(content, LIMITS), reference(palette.convert("RGB"), *PROFILES["swapped"])) < 2.5
    first = colourful().getpixel((0, 0))
    content = encode(colourful(), "PNG", icc_profile=matrix_profile(*PROFILES["swapped"]), transparency=first)
    image = read(content, LIMITS).image
    assert image.getpixel((0, 0)) == (255, 255, 255)
    assert np.abs(np.asarray(image) - reference(colourful(), *PROFILES["swapped"]))[:, 8:].max() < 2.5


def grey_ramp() -> Image.Image:
    return Image.fromarray(np.tile(np.arange(256, dtype=np.uint8), (8, 1)))


@pytest.mark.parametrize("file_format", ["PNG", "TIFF", "JPEG"])
def test_grey_with_a_grey_profile_is_converted(file_format: str):
    expected = reference(grey_ramp().convert("RGB"), SRGB, (1.8,))
    reading = read(encode(grey_ramp(), file_format, icc_profile=grey_profile(1.8)), LIMITS)
    assert furthest(reading, expected) < 2.5
    with_alpha = grey_ramp().convert("LA")
    assert furthest(read(encode(with_alpha, "PNG", icc_profile=grey_profile(1.8)), LIMITS), expected) < 2.5
    deep = Image.fromarray(np.asarray(grey_ramp()).astype(np.uint16) * 257)
    assert furthest(read(encode(deep, "PNG", icc_profile=grey_profile(1.8)), LIMITS), expected) < 2.5


def test_grey_with_a_profile_of_rgb_is_a_colour_of_it():
    reading = read(encode(grey_ramp(), "PNG", icc_profile=matrix_profile(*PROFILES["linear"])), LIMITS)
    assert furthest(reading, reference(grey_ramp().convert("RGB"), *PROFILES["linear"])) < 2.5
    assert reading.note == ""


def test_cmyk_is_converted_through_its_profile():
    inks = Image.new("CMYK", (16, 16), (0, 255, 255, 0))
    inks.paste((0, 0, 0, 0), (0, 0, 8, 16))
    for file_format in ("JPEG", "TIFF"):
        image = read(encode(inks, file_format, icc_profile=press_profile()), LIMITS).image
        assert np.abs(np.subtract(image.getpixel((12, 8)), (119, 119, 119))).max() <= 6  # L* = 50
        assert min(image.getpixel((2, 8))) >= 250
    adobe = encode(inks, "JPEG", icc_profile=press_profile())
    at = adobe.index(b"\xff\xee")
    inverted = read(adobe[:at] + adobe[at + 16 :], LIMITS).image  # without Adobe's marker, 255 is full ink
    assert max(inverted.getpixel((2, 8))) < 130


def png_with(*chunks: tuple[bytes, bytes]) -> bytes:
    content = encode(colourful(), "PNG")
    made = b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
    return content[:33] + made + content[33:]


def chromaticities(white: tuple, primaries: tuple) -> bytes:
    return struct.pack(">8I", *(round(100_000 * value) for point in (white, *primaries) for value in point))


def test_a_png_is_converted_by_its_primaries_and_gamma_where_both_are_there():
    both = png_with((b"gAMA", struct.pack(">I", 55_556)), (b"cHRM", chromaticities(D65, P3)))
    assert furthest(read(both, LIMITS), reference(colourful(), P3, (1.8,))) < 2.5
    like_srgb = png_with((b"gAMA", struct.pack(">I", 45_455)), (b"cHRM", chromaticities(D65, SRGB)))
    gamma_alone = png_with((b"gAMA", struct.pack(">I", 55_556)))
    overruled = png_with((b"sRGB", b"\0"), (b"gAMA", struct.pack(">I", 55_556)), (b"cHRM", chromaticities(D65, P3)))
    for content in (like_srgb, gamma_alone, overruled):
        assert furthest(read(content, LIMITS), np.asarray(colourful(), dtype=float)) == 0
    nonsense = read(png_with((b"gAMA", bytes(4)), (b"cHRM", bytes(32))), LIMITS)
    assert nonsense.note == "What it says of its colours is damaged; it was read as sRGB."


def test_a_heic_is_converted_by_its_code_points():
    options = {"color_primaries": 12, "transfer_characteristics": 13}
    assert furthest(read(lossless(colourful(), "HEIF", **options), LIMITS), reference(colourful(), P3, CURVE)) < 2.5
    high_range = {"color_primaries": 9, "transfer_characteristics": 16}
    told = read(lossless(colourful(), "HEIF", **high_range), LIMITS).note
    assert told == (
        "What it says of its colours is not known here (primaries 9, transfer 16 of ITU-T H.273); it was read as sRGB."
    )


def test_exif_of_a_camera_that_says_adobe_rgb_is_followed_without_a_profile():
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA001] = 0xFFFF
    exif.get_ifd(0x8769)[0xA005] = {1: "R03"}
    content = encode(colourful(), exif=exif)
    decoded = Image.open(io.BytesIO(content)).convert("RGB")
    reading = read(content, LIMITS)
    assert furthest(reading, reference(decoded, *PROFILES["Adobe RGB"])) < 2.5
    assert not reading.is_plain_jpeg
    exif.get_ifd(0x8769)[0xA001] = 1
    content = encode(colourful(), exif=exif)
    assert prepare(content, 48, LIMITS).jpeg == content


def damaged(profile: bytes) -> list[bytes]:
    noise = np.random.default_rng(1).bytes(len(profile))
    link = profile[:12] + b"link" + profile[16:]
    return [b"no profile", profile[:100], profile[: len(profile) // 2], profile[:128] + noise[128:], link, bytes(500)]


@pytest.mark.parametrize("file_format", ["JPEG", "PNG", "WEBP", "TIFF", "HEIF"])
@pytest.mark.parametrize("number", range(6))
def test_a_damaged_profile_is_not_followed_and_told(file_format: str, number: int):
    profile = damaged(matrix_profile(*PROFILES["Display P3"]))[number]
    content = encode(colourful(), file_format, icc_profile=profile)
    reading = read(content, LIMITS)
    assert furthest(reading, np.asarray(Image.open(io.BytesIO(content)).convert("RGB"), dtype=float)) == 0
    assert reading.note.startswith("Its colour profile is")
    assert reading.note.endswith("it was read without it.")
    assert not reading.is_plain_jpeg


@pytest.mark.parametrize(
    ("image", "profile", "words"),
    [
        (colourful(), grey_profile(2.2), "is for greyscale pixels and not for RGB ones"),
        (colourful(), press_profile(), "is for CMYK pixels and not for RGB ones"),
        (colourful().convert("CMYK"), matrix_profile(P3, CURVE), "is for RGB pixels and not for CMYK ones"),
        (grey_ramp(), press_profile(), "is for CMYK pixels and not for greyscale ones"),
    ],
)
def test_a_profile_of_another_colour_space_is_not_followed_and_told(image: Image.Image, profile: bytes, words: str):
    tagged, plain = (read(encode(image, "TIFF", **more), LIMITS) for more in ({"icc_profile": profile}, {}))
    assert tagged.image == plain.image
    assert tagged.note == f"Its colour profile {words}; it was read without it."


def test_a_profile_that_does_not_fit_its_container_is_not_followed_and_told():
    profile = matrix_profile(*PROFILES["Display P3"])
    jpeg, png = encode(colourful(), icc_profile=profile), encode(colourful(), "PNG", icc_profile=profile)
    at = png.index(b"iCCP")
    for content in (
        jpeg.replace(b"ICC_PROFILE\0\1\1", b"ICC_PROFILE\0\1\2"),  # the second of two is not there
        encode(colourful())[:2] + b"\xff\xe2\0\x0eICC_PROFILE\0" + encode(colourful())[2:],
        png[: at + 40] + b"\0\0\0" + png[at + 43 :],
        png_with((b"iCCP", b"x\0\7" + zlib.compress(profile))),
        png_with((b"iCCP", b"x\0\0" + zlib.compress(bytes(2_000_000)))),
        encode(colourful(), icc_profile=profile + bytes(5_000_000)),
    ):
        reading = read(content, LIMITS)
        assert reading.note == NOT_FOLLOWED
        assert reading.image.size == (48, 32)


def test_hostile_profiles_are_over_in_a_moment():
    huge = b"mft2\0\0\0\0" + bytes([15, 15, 255, 0]) + bytes(36) + struct.pack(">HH", 4096, 4096) + os.urandom(9999)
    many = {struct.pack(">I", 0x41000000 + number): b"text" for number in range(5_000)}
    curve = b"curv\0\0\0\0" + struct.pack(">I", 0xFFFFFFF0) + bytes(999)
    endless = dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    contents = [
        encode(colourful(), "TIFF", icc_profile=icc(b"RGB ", tags)) for tags in ({b"A2B0": huge}, many, endless)
    ]
    inks = b"mft2\0\0\0\0" + bytes([4, 3, 27, 0]) + bytes(36) + struct.pack(">HH", 4096, 4096)
    inks += os.urandom(2 * (4 * 4096 + 3 * 27**4 + 3 * 4096))
    large = encode(colourful().convert("CMYK"), "TIFF", icc_profile=icc(b"CMYK", {b"A2B0": inks}))
    began = time.process_time()
    assert [read(content, LIMITS).note for content in contents] == [NOT_FOLLOWED] * 3
    read(large, LIMITS)
    assert time.process_time() - began < 5


def test_mutilated_profiles_never_bring_an_error():
    random = np.random.default_rng(5)
    for profile, image in ((matrix_profile(P3, CURVE), colourful()), (press_profile(), colourful().convert("CMYK"))):
        for _ in range(60):
            broken = bytearray(profile)
            for at in random.integers(0, min(len(broken), 400), 6):
                broken[at] = random.integers(256)
            assert read(encode(image, "TIFF", icc_profile=bytes(broken)), LIMITS).image.mode == "RGB"


def test_many_threads_get_the_same_colours():
    images = [colourful((300 + number, 200)) for number in range(8)]
    profile = matrix_profile(*PROFILES["Display P3"])
    contents = [encode(image, "PNG", icc_profile=profile, compress_level=1) for image in images]
    alone = [read(content, LIMITS).image.tobytes() for content in contents]
    together: list[bool] = []

    def work() -> None:
        together.extend(
            read(content, LIMITS).image.tobytes() == expected
            for content, expected in zip(contents, alone, strict=True)
            for _ in range(3)
        )

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(together) == 8 * 24
    assert all(together)
