"""Whether the peak of memory stays where it is when there are ten times as many images."""

from __future__ import annotations

import resource
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench_ingestion import ingest
from bench_training import epoch
from harness import Fresh, Line
from photos import draw_small


def lines(quick: bool) -> Iterator[Line]:
    """Yields a line for ingestion and one for training."""
    counts = (300, 3_000) if quick else (1_000, 10_000)
    with tempfile.TemporaryDirectory() as folder:
        few, many = (str(draw_small(Path(folder) / str(count), count)) for count in counts)
        for name, peak in (("ingestion", peak_of_ingestion), ("training", peak_of_training)):
            yield Line(
                what=f"peak memory of {name}, {counts[1]:,} images",
                against=f"{counts[0]:,} images",
                ours=Fresh(peak, {"photos": many}),
                theirs=Fresh(peak, {"photos": few}),
                at_most=1.1,
            )


def peak_of_ingestion(photos: str) -> float:
    """Ingests, and gives the highest memory of the process, which works in threads, in kilobytes."""
    ingest(photos)
    return _peak()


def peak_of_training(photos: str) -> float:
    """Trains an epoch, decoding included, and gives the highest memory of the process in kilobytes."""
    epoch(photos, "resnet18", 64, 64, "unfrozen", again=True)
    return _peak()


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
