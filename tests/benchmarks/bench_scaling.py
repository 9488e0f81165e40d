"""Whether an image costs the same among a hundred thousand as among a thousand."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator

import numpy as np
from harness import Line, cost

from guitar_kedro.images.duplicates import near_duplicate_groups

FEW = 1_000
MAX_DISTANCE = 4  # bits, as in conf/base


def lines(quick: bool) -> Iterator[Line]:
    """Yields a line for each kind of work and each step of ten times as many images."""
    for many in (10_000,) if quick else (10_000, 100_000):
        for kind in ("scattered", "with copies", "white margins", "one photo"):
            hashes = {count: make_hashes(kind, count) for count in (FEW, many)}
            yield _growth(f"grouping, {kind}", many, lambda count, hashes=hashes: _group(hashes[count]))


def _growth(what: str, many: int, work: Callable[[int], object]) -> Line:
    return Line(
        what=f"{what}: cost per image of {many:,}",
        against=f"of {FEW:,}",
        ours=lambda: cost(work, count=many) / many,
        theirs=lambda: statistics.median(cost(work, count=FEW) for _ in range(5)) / FEW,
        at_most=1.2,
    )


def _group(hashes: list[str]) -> None:
    near_duplicate_groups(hashes, MAX_DISTANCE)


def make_hashes(kind: str, count: int) -> list[str]:
    """Makes hashes as of photos of their own, of photos with copies, of photos with white margins, or of one photo."""
    random = np.random.default_rng(0)
    originals = {"scattered": count, "one photo": 1}.get(kind, count // 3)
    words = random.integers(0, 2**64, (originals, 4), dtype=np.uint64)
    if kind != "scattered":
        words = words[random.integers(0, originals, count)]
        for _ in range(7 if kind == "one photo" else 3):
            at = random.integers(0, 256, count)
            words[np.arange(count), at // 64] ^= np.uint64(1) << (at % 64).astype(np.uint64)
    if kind == "white margins":
        words[:, 0] = 0
        words[:, 3] &= np.uint64(0xFF)
    return [row.tobytes().hex() for row in words.astype(">u8")]
