"""The script that one would write with fastai alone: original photos, resized and augmented anew in each epoch."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from harness import Fresh, Side

if TYPE_CHECKING:
    from fastai.learner import Learner

WORKERS = (0, 2)


def plain_learner(photos: str, network: str, size: int, batch: int, validation: int, workers: int) -> Learner:
    """Builds the learner; the last so many photos are for validation."""
    import torchvision
    from fastai.vision import all as vision

    files = photo_files(photos)
    block = vision.DataBlock(
        blocks=(vision.ImageBlock, vision.CategoryBlock),
        get_items=lambda _: files,
        get_y=vision.parent_label,
        splitter=vision.IndexSplitter(range(len(files) - validation, len(files))),
        item_tfms=vision.Resize(size),
        batch_tfms=[*vision.aug_transforms(do_flip=False), vision.Normalize.from_stats(*vision.imagenet_stats)],
    )
    loaders = block.dataloaders(photos, bs=batch, num_workers=workers)
    learner = vision.vision_learner(
        loaders, getattr(torchvision.models, network), pretrained=False, metrics=vision.error_rate, path=photos
    )
    learner.remove_cb(vision.ProgressCallback)
    learner.logger = lambda _: None
    learner.model.to(loaders.device)  # training would do it, predicting alone does not
    return learner


def photo_files(photos: str) -> list[Path]:
    """Lists the photos in the order of their numbers, so that each class has some at both ends."""
    return sorted(Path(photos).rglob("*.jpg"), key=lambda path: int(path.stem))


def training_seconds(learner: Learner) -> float:
    """Trains an epoch with one cycle, and gives the seconds without validation."""
    from fastai.callback.core import Callback

    marks: list[float] = []
    mark = partial(append_time, marks)
    learner.fit_one_cycle(1, 1e-4, cbs=Callback(before_train=mark, after_train=mark))
    return marks[1] - marks[0]


def append_time(marks: list[float], _: object) -> None:  # fastai hands over the callback
    marks.append(time.perf_counter())


def best_workers(function: Callable[..., float | None], arguments: dict, quick: bool) -> Side:
    """Tries each number of worker processes once, and goes on with the faster one; ``quick`` tries both each time."""
    sides = [Fresh(function, {**arguments, "workers": workers}) for workers in WORKERS]
    if quick:  # for one pair, the trial is the measurement
        return lambda: min(side.cost({}) for side in sides)
    return min(sides, key=lambda side: side.cost({}))
