"""How long grouping perceptual hashes takes: `python tests/benchmarks/bench_duplicates.py [how many]`."""

import resource
import sys
import time

import numpy as np

from guitar_kedro.images.duplicates import near_duplicate_groups


def make_hashes(kind: str, count: int) -> list[str]:
    """Make hashes as of photos of their own, of photos with copies, of photos with white margins, or of one photo."""
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


def main() -> None:
    """Print a line for each kind of hashes and each distance."""
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    print(f"{count:,} hashes of 256 bits")
    for kind in ("scattered", "with copies", "white margins", "one photo"):
        hashes = make_hashes(kind, count)
        for max_distance in (0, 4, 10, 16, 32, 64):
            start = time.perf_counter()
            groups = near_duplicate_groups(hashes, max_distance)
            seconds = time.perf_counter() - start
            megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
            found = f"{groups.max() + 1:7,} groups {seconds:6.2f} s {megabytes:5} MB"
            print(f"{kind:14} distance {max_distance:2}: {found}")


if __name__ == "__main__":
    main()
