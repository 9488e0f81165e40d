"""How long it takes to prepare photos, against fastai's own functions for that."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from harness import Fresh, Line
from photos import draw_photos

MAX_SIDE = 512


def lines(quick: bool) -> Iterator[Line]:
    """Yields a line for photos of 1 and of 12 megapixels."""
    for width, height, count, target in (
        (1200, 900, 300 if quick else 1000, 2.5),
        (4000, 3000, 40 if quick else 150, 4),
    ):
        with tempfile.TemporaryDirectory() as folder:
            where = {"photos": str(draw_photos(Path(folder), count, width, height))}
            yield Line(
                what=f"ingestion of {count:,} photos of {width}x{height}",
                against=f"fastai's verify_images and resize_images(max_size={MAX_SIDE})",
                ours=Fresh(ingest, where),
                theirs=Fresh(verify_and_resize, where),
                at_least=target,
                allocator_alike=True,
            )


def ingest(photos: str) -> float:
    """Ingests as the project's nodes do, into a folder of its own, and gives the seconds without those of imports."""
    import torch  # noqa: F401

    from guitar_kedro.datasets import PreparedImagesDataset
    from guitar_kedro.images.sources import find_files
    from guitar_kedro.pipelines.ingestion import nodes

    options = {"max_side": MAX_SIDE, "quality": 90}
    limits = {"max_bytes": 50_000_000, "max_pixels": 50_000_000, "max_frames": 1000}
    with tempfile.TemporaryDirectory() as store:
        prepared = PreparedImagesDataset(store)
        began = time.perf_counter()
        prepared.save(nodes.prepare_images(find_files(photos, Path(photos))[0], **options, **limits, cluster=None))
        seconds = time.perf_counter() - began
        failed = [record for record in prepared.load().records.itertuples() if record.reason]
        assert not failed, failed[0]
    return seconds


def verify_and_resize(photos: str) -> float:
    """Prepares as fastai's users do, into a folder of its own, and gives the seconds without those of imports."""
    from fastai.vision.all import get_image_files
    from fastai.vision.utils import resize_images, verify_images

    with tempfile.TemporaryDirectory() as store:
        began = time.perf_counter()
        failed = verify_images(get_image_files(photos))
        resize_images(photos, max_size=MAX_SIDE, recurse=True, dest=Path(store))
        seconds = time.perf_counter() - began
        assert not failed
    return seconds
