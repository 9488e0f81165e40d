"""What an image file says of itself, found by walking its container without decoding a single pixel.

Pillow parses containers in Python and keeps what it finds, so a file of 50 MB made of a million tiny segments can take
minutes and gigabytes before the first pixel. The walks here are cheap, stop at a cap, and run before Pillow is asked.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass

FORMATS = ("JPEG", "PNG", "WebP", "GIF", "BMP", "TIFF", "HEIC")

MAX_SEGMENTS = 1_000  # metadata segments of one file; photos have tens
MAX_BLOCKS = 1_000_000  # blocks of pixel data of one file; a GIF of 50 MB has 200,000
MAX_SCANS = 100  # passes of a progressive JPEG; encoders make about ten
MAX_EXIF_SEGMENTS = 16  # EXIF of 1 MB; more than that is not about a photo
MAX_PADDING = 1_000_000  # bytes between the segments of a JPEG
MAX_RLE_BYTES = 10_000_000  # a compressed BMP; Pillow decodes them in Python, byte by byte
MAX_BRANDS_BYTES = 1_024  # of the brands of a HEIC; there are about five, of four bytes each
MAX_TAG_VALUES = 262_144  # numbers in one TIFF tag; a 16-bit colour map has 196,608


class UnreadableImage(Exception):
    """A file that is not taken as a picture.

    Attributes:
        reason: short code in snake_case, for tables and counts: `empty_file`, `too_many_bytes`, `too_many_pixels`,
            `too_many_frames`, `too_complex`, `not_an_image`, `format_not_allowed`, `kind_not_supported`, `truncated`,
            `damaged`, `out_of_memory`; and for files that could not even be read `file_not_readable`,
            `folder_not_readable`, `not_a_regular_file`, `link_not_followed`, `no_class_folder`.
        detail: a sentence for people, with the numbers.
    """

    def __init__(self, reason: str, detail: str) -> None:
        """Keep both; `str()` gives them together."""
        super().__init__(reason, detail)
        self.reason = reason
        self.detail = detail

    def __str__(self) -> str:
        """Return reason and detail in one line."""
        return f"{self.reason}: {self.detail}"


@dataclass(frozen=True)
class Limits:
    """How large a file may be before it is refused.

    The defaults keep two processes that read hostile files below 1.5 GB together: at most 0.5 GB for the pixels of each
    and the file. Pixels of WebP and TIFF files take more memory while they are decoded, so fewer of them are allowed:
    half as many, and four fifths.

    Attributes:
        max_bytes: size of the file in bytes.
        max_pixels: width times height of the first frame, before it is made smaller.
        max_frames: frames or pages. Only the first is ever decoded.
    """

    max_bytes: int = 50_000_000
    max_pixels: int = 50_000_000
    max_frames: int = 1_000

    def check_bytes(self, size: int) -> None:
        """Refuse a file by its size in bytes.

        Raises:
            UnreadableImage: it is too large.
        """
        if size > self.max_bytes:
            detail = f"The file has {size:,} bytes; at most {self.max_bytes:,} are read."
            raise UnreadableImage("too_many_bytes", detail)


# What ingestion may have prepared, whatever its own limits: at most 8,192 pixels square, at most three bytes of each,
# and 64 KB of metadata. Such files are ours: how much of a stranger's file is decoded is not the question.
PREPARED = Limits(max_bytes=3 * 8192**2 + 65_536, max_pixels=8192**2)


@dataclass(frozen=True)
class Probe:
    """What the container says.

    Attributes:
        format: one of `FORMATS`.
        frames: frames or pages found, at least 1; counting stops above the cap that was given.
        pixels: largest number of pixels that decoding would allocate at once, 0 where Pillow tells it before decoding.
        jpeg_process: for a JPEG the second byte of its start-of-frame marker (0xC0 baseline, 0xC2 progressive), else 0.
    """

    format: str
    frames: int = 1
    pixels: int = 0
    jpeg_process: int = 0


def probe(content: bytes, max_frames: int) -> Probe:
    """Recognise the format by content and walk the container.

    Args:
        content: the whole file.
        max_frames: frames after which counting stops.

    Returns:
        What was found.

    Raises:
        UnreadableImage: not an allowed format (`not_an_image`, `format_not_allowed`) or built to keep a reader busy
            (`too_complex`). Other damage is left to the decoder.
    """
    for signature, walk in _SIGNATURES:
        if signature(content):
            return walk(content, max_frames)
    other = _other_format(content)
    allowed = ", ".join(FORMATS)
    if other:
        raise UnreadableImage("format_not_allowed", f"It is {other}; allowed are {allowed}.")
    raise UnreadableImage("not_an_image", f"Its content is not a picture in a known format (allowed are {allowed}).")


def _too_complex(what: str, cap: int) -> UnreadableImage:
    return UnreadableImage("too_complex", f"It has more than {cap:,} {what}, which no real photo has.")


def _walk_jpeg(content: bytes, _: int) -> Probe:
    """Walk the markers up to the first scan, then count scans up to the end of the first picture if it has several."""
    position, process, components, exif_segments, padding = 2, 0, b"", 0, 0
    for _segment in range(MAX_SEGMENTS):
        marker_at = _next_jpeg_marker(content, position)
        padding += marker_at - position
        if padding > MAX_PADDING:
            raise _too_complex("bytes of padding", MAX_PADDING)
        if marker_at + 4 > len(content):
            return Probe("JPEG", jpeg_process=process)
        marker, position = content[marker_at + 1], marker_at + 2
        if marker == 0xDA:
            # libjpeg reads no second scan of a sequential frame whose first one has all components
            if process not in (0xC0, 0xC1) or content[position + 2 : position + 3] != components:
                _check_scans(content, marker_at)
            return Probe("JPEG", jpeg_process=process)
        if marker in _BARE_JPEG_MARKERS:
            continue
        if 0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC):
            process, components = marker, content[position + 7 : position + 8]
        exif_segments += marker == 0xE1 and content[position + 2 : position + 6] == b"Exif"
        if exif_segments > MAX_EXIF_SEGMENTS:
            raise _too_complex("EXIF segments", MAX_EXIF_SEGMENTS)
        position += int.from_bytes(content[position : position + 2], "big")
    raise _too_complex("segments", MAX_SEGMENTS)


def _next_jpeg_marker(content: bytes, position: int) -> int:
    """Find the last of the 0xFF bytes before the next marker's code; the end of the content if there is none."""
    found = _JPEG_MARKER.search(content, position, position + MAX_PADDING + 2)
    return found.end() - 2 if found else min(len(content), position + MAX_PADDING + 2)


def _check_scans(content: bytes, start: int) -> None:
    """Count scans as libjpeg finds them: to the end of the picture, whatever stands within segments."""
    position, scans = start, 0
    for _segment in range(MAX_SEGMENTS):
        found = _JPEG_SEGMENT.search(content, position)
        if not found or found[0] == b"\xff\xd9":
            return
        scans += found[0] == b"\xff\xda"
        if scans > MAX_SCANS:
            raise _too_complex("scans", MAX_SCANS)
        position = found.end() + int.from_bytes(content[found.end() : found.end() + 2], "big")
    raise _too_complex("segments", MAX_SEGMENTS)


def _walk_png(content: bytes, _: int) -> Probe:
    """Walk all chunks; an animation says at the beginning how many frames it has."""
    position, frames, metadata = 8, 1, 0
    for _chunk in range(MAX_BLOCKS // 10):
        if position + 8 > len(content):
            return Probe("PNG", frames)
        length, kind = struct.unpack_from(">I4s", content, position)
        if kind == b"acTL" and position + 12 <= len(content):
            frames = max(frames, int.from_bytes(content[position + 8 : position + 12], "big"))
        elif kind == b"IEND":
            return Probe("PNG", frames)
        metadata += kind not in (b"IDAT", b"fdAT", b"fcTL")
        if metadata > MAX_SEGMENTS:
            raise _too_complex("chunks of metadata", MAX_SEGMENTS)
        position += 12 + length
    raise _too_complex("chunks", MAX_BLOCKS // 10)


def _walk_webp(content: bytes, max_frames: int) -> Probe:
    """Read the canvas size and count frames: opening a WebP already allocates its canvas."""
    if len(content) < int.from_bytes(content[4:8], "little") + 8:
        raise UnreadableImage(
            "truncated", "The file ends before the picture does: it announces more bytes than it has."
        )
    position, frames, segments = 12, 0, 0
    while position + 8 <= len(content) and frames <= max_frames:
        kind, length = struct.unpack_from("<4sI", content, position)
        frames += kind == b"ANMF"
        segments += kind != b"ANMF"
        if segments > MAX_SEGMENTS:
            raise _too_complex("chunks", MAX_SEGMENTS)
        position += 8 + length + length % 2
    return Probe("WebP", max(frames, 1), pixels=_webp_pixels(content))


def _webp_pixels(content: bytes) -> int:
    kind, bits = content[12:16], int.from_bytes(content[21:25], "little")
    if kind == b"VP8X":
        width, height = (int.from_bytes(content[at : at + 3], "little") + 1 for at in (24, 27))
    elif kind == b"VP8L":
        width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    else:
        width, height = (int.from_bytes(content[at : at + 2], "little") & 0x3FFF for at in (26, 28))
    return width * height


def _walk_gif(content: bytes, max_frames: int) -> Probe:
    """Walk the blocks: extensions and frames, each a chain of sub-blocks of at most 255 bytes."""
    position, frames, blocks = 13 + _gif_palette(content, 10), 0, 0
    while position < len(content) and frames <= max_frames and blocks <= MAX_BLOCKS:
        kind = content[position]
        blocks += 1
        if kind == 0x3B:
            break
        if kind == 0x2C:
            frames += 1
            position += 11 + _gif_palette(content, position + 9)
        elif kind == 0x21:
            position += 2
        else:
            position += 1  # not allowed here, but readers skip it
            continue
        while position < len(content) and content[position] and blocks <= MAX_BLOCKS:
            position += 1 + content[position]
            blocks += 1
        position += 1
    if blocks > MAX_BLOCKS:
        raise _too_complex("blocks", MAX_BLOCKS)
    return Probe("GIF", max(frames, 1))


def _gif_palette(content: bytes, flags_at: int) -> int:
    flags = content[flags_at] if flags_at < len(content) else 0
    return 3 << (flags & 7) + 1 if flags & 0x80 else 0


def _walk_tiff(content: bytes, max_frames: int) -> Probe:
    """Follow the chain of directories, and look at the first one's tags for arrays and tiles made to fill memory."""
    order = "<" if content[:2] == b"II" else ">"
    big = content[2:4] in (b"+\x00", b"\x00+")
    head, entry, link = ("Q", "HHQ8s", "Q") if big else ("H", "HHI4s", "I")
    seen: set[int] = set()
    tile: dict[int, int] = {}
    try:
        (position,) = struct.unpack_from(order + link, content, 8 if big else 4)
        while 0 < position < len(content) and position not in seen and len(seen) <= max_frames:
            first = not seen
            seen.add(position)
            (count,) = struct.unpack_from(order + head, content, position)
            position += struct.calcsize(order + head)
            if first:
                tile = _tiff_tags(content, position, order, entry, count)
            position += count * struct.calcsize(order + entry)
            (position,) = struct.unpack_from(order + link, content, position)
    except struct.error:
        pass  # the decoder says what is missing
    return Probe("TIFF", max(len(seen), 1), pixels=tile.get(322, 0) * tile.get(323, 0))


def _tiff_tags(content: bytes, position: int, order: str, entry: str, count: int) -> dict[int, int]:
    """Read the tile size (tags 322, 323) of one directory and refuse tags with too many values."""
    values: dict[int, int] = {}
    if count > MAX_SEGMENTS:
        raise _too_complex("tags", MAX_SEGMENTS)
    for index in range(count):
        start = position + index * struct.calcsize(order + entry)
        tag, kind, length, value = struct.unpack_from(order + entry, content, start)
        if kind not in (1, 2, 6, 7) and length > MAX_TAG_VALUES:
            raise _too_complex("values in one tag", MAX_TAG_VALUES)
        if tag in (322, 323):
            number = "H" if kind == 3 else "Q" if kind in (16, 17) and len(value) == 8 else "I"
            # of a tag that is there twice, decoders take one or the other
            values[tag] = max(values.get(tag, 0), *struct.unpack_from(order + number, value))
    return values


def _walk_bmp(content: bytes, _: int) -> Probe:
    run_length_encoded = int.from_bytes(content[30:34], "little") in (1, 2)
    if run_length_encoded and len(content) > MAX_RLE_BYTES:
        raise _too_complex("bytes of run lengths", MAX_RLE_BYTES)
    return Probe("BMP")


def _is_heic(content: bytes) -> bool:
    """Whether the brands (ISO 14496-12, 23008-12) say that the pictures are coded as HEVC, as those of iPhones are."""
    brands = _brands(content)
    return bool(brands & _HEIC_BRANDS) and not brands & _AVIF_BRANDS


def _brands(content: bytes) -> set[bytes]:
    if content[4:8] != b"ftyp":
        return set()
    end = min(int.from_bytes(content[:4], "big"), MAX_BRANDS_BYTES)
    return {content[8:12], *(content[start : start + 4] for start in range(16, end - 3, 4))}


_HEIC_BRANDS = {b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"}
_AVIF_BRANDS = {b"avif", b"avis"}
_JPEG_MARKER = re.compile(rb"\xff[^\xff]")
_JPEG_SEGMENT = re.compile(rb"\xff[\xc0-\xcf\xd9-\xfe]")  # the end, or what has a length; others stand in pixel data
_BARE_JPEG_MARKERS = {0x00, 0x01, *range(0xD0, 0xDA)}

_SIGNATURES: tuple[tuple[Callable[[bytes], bool], Callable[[bytes, int], Probe]], ...] = (
    (lambda content: content.startswith(b"\xff\xd8\xff"), _walk_jpeg),
    (lambda content: content.startswith(b"\x89PNG\r\n\x1a\n"), _walk_png),
    (lambda content: content.startswith(b"RIFF") and content[8:12] == b"WEBP", _walk_webp),
    (lambda content: content.startswith((b"GIF87a", b"GIF89a")), _walk_gif),
    (lambda content: content.startswith(b"BM"), _walk_bmp),
    (lambda content: content.startswith((b"II*\x00", b"MM\x00*", b"II+\x00", b"MM\x00+")), _walk_tiff),
    # libheif's own limits hold before anything is decoded, for the boxes and for the pixels
    (_is_heic, lambda *_: Probe("HEIC")),
)

_OTHER_SIGNATURES = (
    (b"%PDF", "a PDF document"),
    (b"%!PS", "a PostScript file"),
    (b"8BPS", "a Photoshop file"),
    (b"\x00\x00\x01\x00", "a Windows icon"),
    (b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 picture"),
    (b"\xff\x4f\xff\x51", "a JPEG 2000 picture"),
    (b"\x00\x00\x00\x0cJXL ", "a JPEG XL picture"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"SIMPLE  =", "a FITS file"),
    (b"PK\x03\x04", "a zip archive or an office document"),
    (b"\x1f\x8b", "a gzip archive"),
    (b"<svg", "an SVG drawing"),
    (b"<!doctype html", "a web page"),
    (b"<html", "a web page"),
)


def _other_format(content: bytes) -> str:
    """Name a format that is not allowed, '' if it is not recognised."""
    if brands := _brands(content):
        return "an AVIF picture" if brands & _AVIF_BRANDS else "a video"
    start = content[:512].lstrip(b"\xef\xbb\xbf \t\r\n")
    if start.startswith(b"<?xml") and b"<svg" in content[:4096]:
        return "an SVG drawing"
    for signature, name in _OTHER_SIGNATURES:
        if content.startswith(signature) or start.lower().startswith(signature):
            return name
    return ""
