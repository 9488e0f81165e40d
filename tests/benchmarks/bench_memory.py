"""Whether the peak of memory stays where it is when there are ten times as many images."""

from __future__ import annotations

import resource
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench_ingestion import ingest
from harness import Fresh, Line
from photos import draw_small

FEW, MANY = 1_000, 10_000


def lines(quick: bool) -> Iterator[Line]:
    """Yields a line for ingestion."""
    with tempfile.TemporaryDirectory() as folder:
        few, many = (str(draw_small(Path(folder) / str(count), count)) for count in (FEW, MANY))
        yield Line(
            what=f"peak memory of ingestion, {MANY:,} images",
            against=f"{FEW:,} images",
            ours=Fresh(peak_of_ingestion, {"photos": many}),
            theirs=Fresh(peak_of_ingestion, {"photos": few}),
            at_most=1.1,
        )


def peak_of_ingestion(photos: str) -> float:
    """Ingests, and gives the highest memory of the process, which works in threads, in kilobytes."""
    ingest(photos)
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
