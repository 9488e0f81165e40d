"""How fast networks are trained, against plain fastai from the original photos."""

from __future__ import annotations

import math
import statistics
import tempfile
import time
from collections.abc import Iterator, Mapping
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness import Fresh, Line
from photos import draw_photos
from plain import append_time, best_workers, photo_files, plain_learner, training_seconds

if TYPE_CHECKING:
    from fastai.learner import Learner

    from guitar_kedro.learning import Phase

CONF = Path(__file__).parents[2] / "conf" / "guitars" / "parameters_training.yml"
FEWEST_STEPS = 5  # however long they take
EPOCHS = (  # network, px, batch, phase, target
    ("resnet34", 224, 64, "unfrozen", 2.5),
    ("resnet34", 224, 64, "frozen", 3.0),
    ("resnet50", 448, 16, "unfrozen", 2.3),
)


def lines(quick: bool) -> Iterator[Line]:
    """Yields a line for each kind of epoch, one for a whole stage, and one for the loop around the network."""
    with tempfile.TemporaryDirectory() as folder:
        for network, size, batch, phase, target in EPOCHS:
            count = 2 * batch if quick else -(-900 // batch) * batch
            photos = draw_photos(Path(folder) / f"{count}", count + 22, 1200, 900)
            what = {"photos": str(photos), "network": network, "size": size, "batch": batch, "phase": phase}
            yield Line(
                what=f"epoch of {count} photos of 1200x900, {network}, {size} px, batch {batch}, {phase}",
                against="plain fastai, best of 0 and 2 workers",
                ours=Fresh(epoch, what),
                theirs=best_workers(plain_epoch, what, quick),
                at_least=target,
                allocator_alike=True,
            )
        count, batch = (32, 8) if quick else (960, 64)
        what = {"network": "resnet34", "size": 224, "batch": batch, "phase": "unfrozen"}
        what["photos"] = str(draw_photos(Path(folder) / "streamed", count + 22, 598, 448))
        yield Line(
            what=f"epoch of {count} streamed photos of 598x448, resnet34, 224 px, batch {batch}",
            against="the same photos, decoded before",
            ours=Fresh(epoch, {**what, "stream": True}),
            theirs=Fresh(epoch, what),
            at_least=0.9,
        )
        count, batch = (32, 8) if quick else (960, 64)
        what = {"batch": batch, "photos": str(draw_photos(Path(folder) / "frozen", count + 22, 1200, 900))}
        yield Line(
            what=f"frozen phase of 5 epochs on features of {count} photos, resnet34, 224 px, batch {batch}, decoding "
            "included",
            against="the same number of epochs with plain fastai, best of 0 and 2 workers",
            ours=Fresh(phase_on_features, what),
            theirs=best_workers(plain_frozen_phase, what, quick),
            at_least=5,
            allocator_alike=True,
        )
        yield Line(
            what=f"learning-rate finder of 100 steps on features of {count} photos, resnet34, 224 px, batch {batch}, "
            "decoding included",
            against="plain fastai's lr_find before its frozen phase, best of 0 and 2 workers",
            ours=Fresh(finder_on_features, what),
            theirs=best_workers(plain_finder, what, quick),
            at_least=3,
            allocator_alike=True,
        )
        what = {"network": "resnet34", "size": 224, "batch": batch, "phase": "unfrozen", "photos": what["photos"]}
        yield Line(
            what=f"epoch of {count} photos of 1200x900, resnet34, 224 px, batch {batch}, unfrozen but for the first "
            "half of the layers (freeze_to: 1), float32",
            against="plain fastai, all layers, best of 0 and 2 workers",
            ours=Fresh(epoch, {**what, "training": {"freeze_to": 1, "precision": "float32"}}),
            theirs=best_workers(plain_epoch, what, quick),
            at_least=1.6,
            allocator_alike=True,
        )
        count, batch, iterations = (32, 8, 20) if quick else (1000, 64, 30)
        what = {"batch": batch, "iterations": iterations}
        what["photos"] = str(draw_photos(Path(folder) / "stage", count, 1200, 900))
        yield Line(
            what=f"whole stage on {count} photos, resnet34, 224 px, batch {batch}: decoding, finders of {iterations} "
            "steps, 1 + 1 epochs, checkpoints, validation",
            against="the same with plain fastai, best of 0 and 2 workers",
            ours=Fresh(stage, what),
            theirs=best_workers(plain_stage, what, quick),
            at_least=2.5,
            allocator_alike=True,
        )
        steps = 5 if quick else 9
        for name in ("frozen", "unfrozen"):
            photos = draw_photos(Path(folder) / "loop", 64 * steps + 22, 1200, 900)
            what = {"photos": str(photos), "phase": name}
            yield Line(
                what=f"step of the training loop, resnet34, 224 px, batch 64, {name}",
                against="the network alone, on a batch that is there",
                ours=Fresh(loop_step, what),
                theirs=Fresh(network_step, {**what, "steps": steps}),
                at_least=0.92,
            )


def epoch(
    photos: str,
    network: str,
    size: int,
    batch: int,
    phase: str,
    again: bool = False,
    stream: bool = False,
    training: Mapping[str, Any] | None = None,
) -> float:
    """Trains an epoch on photos that are decoded before, or now ``again``, and gives the seconds without decoding.

    Photos that are to ``stream`` are decoded in the epoch. ``training`` is what differs from the article's recipe.
    """
    from guitar_kedro.learning.training.fit import prepared_learner

    return training_seconds(prepared_learner(_phase(photos, network, size, batch, phase, 22, again, stream, training)))


def plain_epoch(photos: str, network: str, size: int, batch: int, phase: str, workers: int) -> float:
    """Does it with plain fastai."""
    learner = plain_learner(photos, network, size, batch, 22, workers)
    (learner.freeze if phase == "frozen" else learner.unfreeze)()
    return training_seconds(learner)


def phase_on_features(photos: str, batch: int) -> None:
    """Trains the head of a ResNet-34 for five epochs, on the features of the plain pictures."""
    import dataclasses

    from guitar_kedro.learning import train_phase

    train_phase(dataclasses.replace(_phase_on_features(photos, batch), epochs=5), (1e-2,))


def finder_on_features(photos: str, batch: int) -> None:
    """Looks for a learning rate of the head, on the features of the plain pictures."""
    from guitar_kedro.learning import find_learning_rate

    find_learning_rate(_phase_on_features(photos, batch), 100)


def plain_finder(photos: str, batch: int, workers: int) -> None:
    """Does it with plain fastai, which runs the body in each step."""
    learner = plain_learner(photos, "resnet34", 224, batch, 22, workers)
    learner.freeze()
    learner.lr_find(num_it=100, show_plot=False, suggest_funcs=())


def _phase_on_features(photos: str, batch: int) -> Phase:
    return _phase(photos, "resnet34", 224, batch, "frozen", 22, again=True, training={"frozen_views": 1})


def plain_frozen_phase(photos: str, batch: int, workers: int) -> None:
    """Does it with plain fastai, which runs the body in each epoch."""
    learner = plain_learner(photos, "resnet34", 224, batch, 22, workers)
    learner.freeze()
    learner.fit_one_cycle(5, 1e-2)


def stage(photos: str, batch: int, iterations: int) -> None:
    """Trains a stage of ResNet-34 from the original photos."""
    import dataclasses

    from guitar_kedro.learning import TrainingState, find_learning_rate, train_phase

    with tempfile.TemporaryDirectory() as folder:
        phase = _phase(photos, "resnet34", 224, batch, "frozen", len(photo_files(photos)) // 5, again=True)
        for name, rates in (("frozen", (1e-2,)), ("unfrozen", (1e-5, 2e-3))):
            phase = dataclasses.replace(phase, name=name)
            find_learning_rate(phase, iterations)
            checkpoint, _ = train_phase(phase, rates, TrainingState(Path(folder) / f"{name}_state"))
            checkpoint.save(Path(folder) / name)
            phase = dataclasses.replace(phase, start=checkpoint)


def plain_stage(photos: str, batch: int, iterations: int, workers: int) -> None:
    """Does it with plain fastai."""
    learner = plain_learner(photos, "resnet34", 224, batch, len(photo_files(photos)) // 5, workers)
    for name, rate in (("frozen", 1e-2), ("unfrozen", slice(1e-5, 2e-3))):
        (learner.freeze if name == "frozen" else learner.unfreeze)()
        learner.lr_find(num_it=iterations, show_plot=False, suggest_funcs=())
        learner.fit_one_cycle(1, rate)
        learner.save(name)


def loop_step(photos: str, phase: str) -> float:
    """Gives the seconds of a step in the middle of an epoch."""
    from fastai.callback.core import Callback

    from guitar_kedro.learning.training.fit import prepared_learner

    learner = prepared_learner(_phase(photos, "resnet34", 224, 64, phase, validation=22))
    ends: list[float] = []
    learner.fit_one_cycle(1, 1e-4, cbs=Callback(after_step=partial(append_time, ends)))
    return _median_step(ends)


def network_step(photos: str, phase: str, steps: int) -> float:
    """Gives the seconds of the same step without loop and loader."""
    from guitar_kedro.learning.training.fit import prepared_learner

    learner = prepared_learner(_phase(photos, "resnet34", 224, 64, phase, validation=22))
    return _median_step(end_steps(learner, steps))


def end_steps(learner: Learner, steps: int, seconds: float = math.inf) -> list[float]:
    """Takes so many steps on one batch, without loop and loader, or as many as fit into so long; gives their ends."""
    learner.create_opt()
    learner.model.train()
    images, targets = learner.dls.one_batch()
    began, ends = time.perf_counter(), []
    while len(ends) < steps and (len(ends) < FEWEST_STEPS or ends[-1] - began < seconds):
        loss = learner.loss_func(learner.model(images), targets)
        loss.backward()
        learner.opt.step()
        learner.opt.zero_grad()
        loss.item()  # the loop looks at it too, and so waits for the device
        ends.append(time.perf_counter())
    return ends


def _median_step(ends: list[float]) -> float:
    return statistics.median(end - start for start, end in pairwise(ends[1:]))


def _phase(
    photos: str,
    network: str,
    size: int,
    batch: int,
    name: str,
    validation: int,
    again: bool = False,
    stream: bool = False,
    training: Mapping[str, Any] | None = None,
) -> Phase:
    """Makes a phase; the photos are decoded before the clock starts, unless they are to be decoded ``again``."""
    import pandas as pd
    import yaml

    from guitar_kedro.datasets import PixelsDataset
    from guitar_kedro.learning import (
        Phase,
        PretrainedWeights,
        StageOptions,
        TrainingOptions,
        decode_pictures,
        pixel_sizes,
    )

    files = photo_files(photos)
    parts = ["train"] * (len(files) - validation) + ["validation"] * validation
    table = pd.DataFrame(
        {"image_id": [file.stem for file in files], "path": files, "label": [file.parent.name for file in files]}
    )
    table["split"] = parts
    recipe = TrainingOptions.model_validate(yaml.safe_load(CONF.read_text())["training"] | dict(training or {}))
    options = partial(dict, epochs=1, learning_rate=1e-3)
    stage = StageOptions(
        architecture=network, image_size=size, batch_size=batch, weights="none", frozen=options(), unfrozen=options()
    )
    folder = Path(tempfile.mkdtemp(dir=photos) if again else Path(photos) / f"pixels_{size}px_{stream}")
    dataset = PixelsDataset(str(folder), stream)
    dataset.save(decode_pictures(table, pixel_sizes(size, recipe.presize, recipe.resize_method)))
    return Phase("stage", name, stage, recipe, PretrainedWeights(folder), table, dataset.load(), 1, 1)
