"""Small colour profiles for tests: of grey pixels, and of a press."""

from __future__ import annotations

import struct


def icc(space: bytes, tags: dict[bytes, bytes], kind: bytes = b"prtr", pcs: bytes = b"Lab ") -> bytes:
    """A profile of version 2."""
    start = 132 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for name, content in tags.items():
        table += struct.pack(">4sII", name, start + len(body), len(content))
        body += content.ljust(-(-len(content) // 4) * 4, b"\0")
    header = struct.pack(">I4sI4s4s4s", start + len(body), b"", 0x02400000, kind, space, pcs) + bytes(12) + b"acsp"
    light = struct.pack(">3i", 63190, 65536, 54061)
    return header.ljust(68, b"\0") + light.ljust(60, b"\0") + table + body


def grey_profile(gamma: float) -> bytes:
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)
    return icc(b"GRAY", {b"kTRC": curve, b"wtpt": white}, b"mntr", b"XYZ ")


def press_profile() -> bytes:
    """A press whose paper is white, whose inks are all mid-grey, and which prints black with all of them."""
    ramp = bytes(range(256))
    corners = [bytes([lightness, 128, 128]) for lightness in (255, *14 * [128], 0)]
    matrix = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    table = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + matrix + ramp * 4 + b"".join(corners) + ramp * 3
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)
    return icc(b"CMYK", {b"A2B0": table, b"wtpt": white})
