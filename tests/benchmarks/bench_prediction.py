"""How fast photos are predicted, against plain fastai."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from harness import Fresh, Line, precisions
from photos import draw_photos
from plain import best_workers, photo_files, plain_learner

if TYPE_CHECKING:
    from guitar_kedro.learning import Checkpoint

NETWORK, SIZE, BATCH = "resnet50", 224, 64
CALLS = 15


def lines(quick: bool) -> Iterator[Line]:
    """Yields a line for a folder of photos and one for a single photo."""
    with tempfile.TemporaryDirectory() as folder:
        count = 128 if quick else 960
        what = {"photos": str(draw_photos(Path(folder), count, 1200, 900))}
        named = precisions()
        all_of_theirs = best_workers(plain_predict_all, what, quick)
        for precision in named:
            yield Line(
                what=f"predicting {count} photos of 1200x900, {NETWORK}, {SIZE} px, {precision}",
                against="learn.get_preds, best of 0 and 2 workers",
                ours=Fresh(predict_all, {**what, "precision": precision}),
                theirs=all_of_theirs,
                at_least=2,
                allocator_alike=True,
            )
        for precision in named:
            yield Line(
                what=f"predicting one photo in a warm process, {NETWORK}, {SIZE} px, {precision}",
                against="learn.predict",
                ours=Fresh(predict_one, {**what, "precision": precision}),
                theirs=Fresh(plain_predict_one, what),
                at_most=0.5,
                allocator_alike=True,
            )
        yield Line(
            what=f"predicting one photo in a warm process, {NETWORK}, {SIZE} px, float32, exported as ONNX",
            against="learn.predict",
            ours=Fresh(predict_one_exported, what),
            theirs=Fresh(plain_predict_one, what),
            at_most=0.5,
            allocator_alike=True,
        )


def predict_all(photos: str, precision: str) -> float:
    """Predicts the photos as a table, and gives the seconds."""
    import pandas as pd

    from guitar_kedro.learning import predict

    checkpoint = _checkpoint(photos, precision)
    began = time.perf_counter()
    predict(checkpoint, pd.DataFrame({"path": photo_files(photos)}), "Predicting")
    return time.perf_counter() - began


def plain_predict_all(photos: str, workers: int) -> float:
    """Does it with plain fastai."""
    learner = plain_learner(photos, NETWORK, SIZE, BATCH, 22, 0)
    began = time.perf_counter()
    learner.get_preds(dl=learner.dls.test_dl(photo_files(photos), bs=BATCH, num_workers=workers))
    return time.perf_counter() - began


def predict_one(photos: str, precision: str) -> float:
    """Answers one file after the other, and gives the median of the seconds."""
    from guitar_kedro.learning import Predictor

    predictor = Predictor(_checkpoint(photos, precision))
    return _median_call(lambda path: predictor.predict(predictor.read(path)[None]), photos)


def predict_one_exported(photos: str) -> float:
    """Does it in ONNX Runtime, as the service does with ``--backend=onnx``."""
    from guitar_kedro.learning.export.onnx import to_onnx
    from guitar_kedro.learning.inference.onnx import OnnxPredictor

    checkpoint = _checkpoint(photos, "float32")
    predictor = OnnxPredictor(checkpoint.spec, to_onnx(checkpoint))
    return _median_call(lambda path: predictor.predict(predictor.read(path)[None]), photos)


def plain_predict_one(photos: str) -> float:
    """Does it with plain fastai."""
    return _median_call(plain_learner(photos, NETWORK, SIZE, BATCH, 22, 0).predict, photos)


def _median_call(call: Callable[[Path], object], photos: str) -> float:
    seconds = []
    for path in photo_files(photos)[:CALLS]:
        began = time.perf_counter()
        call(path)
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[3:])


def _checkpoint(photos: str, precision: str) -> Checkpoint:
    """A network with random weights."""
    from guitar_kedro.learning import Checkpoint, ModelSpec
    from guitar_kedro.learning.inference.learner import inference_loaders
    from guitar_kedro.learning.networks.architectures import IMAGENET_MEAN, IMAGENET_STD
    from guitar_kedro.learning.networks.learner import build_learner, state_on_cpu

    spec = ModelSpec(
        architecture=NETWORK,
        classes=tuple(sorted({path.parent.name for path in photo_files(photos)})),
        display_names={},
        image_size=SIZE,
        resize_method="squish",
        mean=IMAGENET_MEAN,
        std=IMAGENET_STD,
        precision=precision,
    )
    return Checkpoint(state_on_cpu(build_learner(inference_loaders(spec), spec)), spec)
