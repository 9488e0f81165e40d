"""How fast a GPU trains the article's stages, after all that computes on it was run once.

Pictures and weights are random: only their shapes are the article's. Without a GPU all is small, and shows no more than
that it works.
"""

from __future__ import annotations

import gc
import itertools
import math
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import torch
import yaml
from bench_training import CONF, FEWEST_STEPS, end_steps
from everything import run_everything
from fastai.callback.core import Callback, CancelTrainException
from harness import Line, has_gpu, precisions
from photos import draw_photos
from plain import photo_files
from rich import box
from rich.console import Console
from rich.table import Table

from guitar_kedro.learning import (
    DecodedPictures,
    Phase,
    Pixels,
    PretrainedWeights,
    StageOptions,
    TrainingOptions,
    decode_pictures,
    pixel_sizes,
)
from guitar_kedro.learning.training.fit import prepared_learner

if TYPE_CHECKING:
    from fastai.learner import Learner

    from guitar_kedro.learning.data.pixels import PixelSizes

TRAINING, VALIDATION, CLASSES = 6784, 1696, 11  # images, as the article has them
PHOTO = 299, 299  # pixels of each
MINUTES = 122  # of the article's K80, for both phases of its three stages
MEMORY = 12 * 2**30  # bytes of a K80; who has some times as much takes some times as large batches ...
MOST = 8  # ... up to so many times
WARM_UP = 3  # steps that do not count
SECONDS = 4  # that other steps may take on each side of a line


@dataclass(frozen=True)
class Extent:
    """How much is measured.

    Attributes:
        photos: Drawn, to run everything once.
        pictures: That differ, of those that speed is measured on.
        steps: In which it is measured, unless they take too long.
        sizes: Pixels, in place of those of the article.
        batch: Images, likewise.
    """

    photos: int = 88
    pictures: int = 512
    steps: int = 40
    sizes: Mapping[int, int] = field(default_factory=dict)
    batch: int | None = None


SMALL = Extent(photos=22, pictures=16, steps=FEWEST_STEPS, sizes={224: 32, 448: 64}, batch=8)


@dataclass(frozen=True)
class Case:
    """A phase of a stage, as it is measured; its figures come while it is.

    Attributes:
        phase: With pictures and weights of no meaning.
        times: So many times the article's batch.
        seconds: Of an image: in ``training``, in ``validation``, and of the network ``alone`` in training.
    """

    phase: Phase
    times: int
    seconds: dict[str, float] = field(default_factory=dict)

    @property
    def key(self) -> tuple[int, str]:
        """What differs between runs of all stages."""
        return self.times, self.phase.training.precision


def lines(quick: bool) -> Iterator[Line]:
    """Yields a line for each phase of each stage, in each precision and size of batches; then prints how fast it is."""
    device = "cuda" if has_gpu() else "cpu"
    extent = SMALL if quick and device == "cpu" else Extent()
    numbers = ("float32",) if extent is SMALL else precisions()
    conf = yaml.safe_load(CONF.read_text(encoding="utf-8"))
    training = TrainingOptions(**conf["training"])
    stages = {name: _stage(stage, extent) for name, stage in conf["stages"].items()}
    cases: list[Case] = []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        photos = draw_photos(folder / "photos", extent.photos, *PHOTO)
        phase = _phase_of_photos(photos, next(iter(stages.values())), training, device)
        failed = run_everything(phase, numbers, min(2, torch.cuda.device_count()), folder)
        sizes = {stage.image_size for stage in stages.values()}
        decoding = sum(_seconds_to_decode(photos, size, training) for size in sizes)
        pixels = {size: _noise(size, training, extent, folder / f"{size}px") for size in sizes}
        try:
            for times, precision, (name, stage) in itertools.product(_times(), numbers, stages.items()):
                options = training.model_copy(update={"precision": precision})
                larger = stage.model_copy(update={"batch_size": times * stage.batch_size})
                table = _table(extent, 8 * larger.batch_size)
                for kind in ("unfrozen", "frozen"):
                    shown = table, pixels[stage.image_size]
                    what = name, kind, larger, options, PretrainedWeights(folder), *shown, 1, 1, device
                    case = Case(Phase(*what), times)
                    if not _fits(case.phase):
                        break  # in the frozen phase it may, but a stage has both
                    cases.append(case)
                    yield Line(
                        what=f"step of {name}, {kind}: {stage.image_size} px, batch {larger.batch_size}, {precision}",
                        against="the network alone, on a batch that is there",
                        ours=partial(loop_step, case, extent.steps),
                        theirs=partial(network_step, case, extent.steps),
                        at_least=0.92,
                    )
        finally:
            _print_speeds([case for case in cases if len(case.seconds) == 3], 2 * len(stages), decoding)
    if failed:
        raise RuntimeError(f"These failed, as told above: {', '.join(failed)}")


def loop_step(case: Case, steps: int) -> float:
    """Gives the seconds of a step in the middle of an epoch, and notes those of an image."""
    learner = _learner(case.phase)
    clock = Clock(WARM_UP + steps)
    learner.fit_one_cycle(1, 1e-4, cbs=clock)
    seconds, batch = _step(clock.training_ends), case.phase.stage.batch_size
    case.seconds["training"] = seconds / batch
    case.seconds["validation"] = _step(clock.validation_ends, 1) / (2 * batch)
    return seconds


def network_step(case: Case, steps: int) -> float:
    """Gives the seconds of the same step without loop and loader, and notes those of an image."""
    seconds = _step(end_steps(_learner(case.phase), WARM_UP + steps, SECONDS))
    case.seconds["alone"] = seconds / case.phase.stage.batch_size
    return seconds


class Clock(Callback):
    """Notes when batches end, and ends training after so many or so long."""

    order = 99  # after the Recorder, which waits for the device

    def __init__(self, steps: int) -> None:
        """Takes the number of steps."""
        self.most = steps
        self.training_ends: list[float] = []
        self.validation_ends: list[float] = []

    def after_batch(self) -> None:
        """Notes the moment."""
        ends = self.training_ends if self.learn.training else self.validation_ends
        ends.append(time.perf_counter())
        is_late = len(ends) >= FEWEST_STEPS and ends[-1] - ends[0] > SECONDS
        if self.learn.training and (len(ends) == self.most or is_late):
            raise CancelTrainException


def _learner(phase: Phase) -> Learner:
    gc.collect()  # earlier Learners are circles, and hold memory of the GPU
    return prepared_learner(phase)


def _step(ends: list[float], left_out: int = WARM_UP) -> float:
    return (ends[-1] - ends[left_out - 1]) / (len(ends) - left_out)


def _times() -> list[int]:
    """Gives how many times the article's batches are measured: once and, on a larger card, as often as suits it."""
    if not has_gpu():
        return [1]
    memory = torch.cuda.get_device_properties(torch.cuda.current_device()).total_memory
    return sorted({1, min(MOST, 2 ** round(math.log2(max(1, memory / MEMORY))))})


def _stage(conf: dict, extent: Extent) -> StageOptions:
    stage = StageOptions(**{**conf, "weights": "none", "start_from": None})
    size, batch = extent.sizes.get(stage.image_size, stage.image_size), extent.batch or stage.batch_size
    return stage.model_copy(update={"image_size": size, "batch_size": batch})


def _phase_of_photos(photos: Path, stage: StageOptions, training: TrainingOptions, device: str) -> Phase:
    files = photo_files(str(photos))
    table = pd.DataFrame(
        {"image_id": [file.stem for file in files], "path": files, "label": [file.parent.name for file in files]}
    ).astype({"path": str})
    table["split"] = np.where(np.arange(len(files)) < len(files) - 11, "train", "validation")
    Pixels.save(decode_pictures(table, _sizes(stage.image_size, training)), photos / "pixels")
    stage = stage.model_copy(update={"batch_size": 8})
    start = PretrainedWeights(photos)
    return Phase("first", "frozen", stage, training, start, table, Pixels(photos / "pixels"), 1, 1, device)


def _noise(size: int, training: TrainingOptions, extent: Extent, folder: Path) -> Pixels:
    """Makes pictures as training reads them."""
    sizes, random = _sizes(size, training), np.random.default_rng(0)
    sides = {"train": sizes.training, "validation": sizes.validation}

    def draw(rows: pd.DataFrame) -> Iterator[np.ndarray]:
        for split in rows["split"]:
            yield random.integers(0, 256, (sides[split], sides[split], 3), np.uint8)

    table = _table(extent, extent.pictures).drop_duplicates(["image_id", "split"])
    Pixels.save(DecodedPictures(table, sizes, draw), folder)
    return Pixels(folder)


def _table(extent: Extent, validation: int) -> pd.DataFrame:
    """Makes a table of as many training images as the article's, and some for validation; pictures come again."""
    numbers = np.concatenate([np.arange(TRAINING), np.arange(validation)]) % extent.pictures
    splits = np.repeat(["train", "validation"], [TRAINING, validation])
    return pd.DataFrame({"image_id": numbers.astype(str), "label": (numbers % CLASSES).astype(str), "split": splits})


def _seconds_to_decode(photos: Path, size: int, training: TrainingOptions) -> float:
    """Gives the seconds in which as many photos as the article's are decoded for a size, once for all epochs."""
    table = pd.DataFrame({"image_id": "", "path": photo_files(str(photos)), "split": "train"})
    began = time.perf_counter()
    count = sum(1 for _ in decode_pictures(table, _sizes(size, training)).decode(table))
    return (time.perf_counter() - began) * (TRAINING + VALIDATION) / count


def _sizes(size: int, training: TrainingOptions) -> PixelSizes:
    return pixel_sizes(size, training.presize, training.resize_method)


def _fits(phase: Phase) -> bool:
    """Tries whether the memory of a GPU takes a step, and tells if it does not."""
    try:
        end_steps(_learner(phase), 1, 0)
    except torch.OutOfMemoryError:
        batch = f"batches of {phase.stage.batch_size}, {phase.training.precision}"
        print(f"Left out: {phase.title} in {batch}; the GPU has too little memory.", file=sys.stderr)
        return False
    return True


def _print_speeds(cases: list[Case], of_all_stages: int, decoding: float) -> None:
    console = Console(width=400, highlight=False)
    if not has_gpu():
        console.print("The figures of this part are of the CPU, and when quick of small pictures: no figures of a GPU.")
    table = Table(box=box.MARKDOWN, title="Images a second", title_justify="left")
    for name in ("stage", "phase", "batch", "precision", "training", "of the network alone", "validation"):
        table.add_column(name, no_wrap=True)
    seconds: dict[tuple[int, str], list[float]] = {}
    for case in cases:
        stage, each = case.phase.stage, case.seconds
        speeds = (
            f"{1 / each['training']:.0f}",
            f"{each['alone'] / each['training']:.0%}",
            f"{1 / each['validation']:.0f}",
        )
        table.add_row(
            case.phase.stage_name, case.phase.name, str(stage.batch_size), case.phase.training.precision, *speeds
        )
        epoch = TRAINING * each["training"] + VALIDATION * each["validation"]
        seconds.setdefault(case.key, []).append(getattr(stage, case.phase.name).epochs * epoch)
    console.print(table)
    for (times, precision), of_phases in seconds.items():
        if len(of_phases) < of_all_stages:
            continue
        batches = "the article's batches" if times == 1 else f"batches {times} times the article's"
        console.print(
            f"What took the article {MINUTES} minutes takes {sum(of_phases) + decoding:.0f} s in {precision}, in "
            f"{batches}: {sum(of_phases):.0f} s of training, and {decoding:.0f} s to decode its photos once."
        )
