"""Everything that computes where networks do, once and small: so no path of a GPU stays untried."""

from __future__ import annotations

import dataclasses
import multiprocessing
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import numpy as np
import pandas as pd
import torch

from guitar_kedro.learning import (
    Checkpoint,
    Phase,
    ProbeOptions,
    Processes,
    TrainingState,
    build_start,
    compute_features,
    find_learning_rate,
    fit_probe,
    grad_cam_maps,
    learner_for_inference,
    make_bundle,
    predict,
    train_distributed,
    train_phase,
)

RATES = 1e-4, 1e-3
RECIPE = {"label_smoothing": 0.1, "mixup": 0.2, "cutmix": 1.0, "random_erasing": 0.5}
RECIPE |= {"balance": "class_weights", "clip": 1.0, "accumulate": 2, "ema": 0.9, "best_epoch": True}

Result = TypeVar("Result")


def run_everything(phase: Phase, precisions: tuple[str, ...], processes: int, folder: Path) -> list[str]:
    """Runs all that networks are used for on a few pictures, and tells of each how it went.

    Args:
        phase: A frozen one of a convolutional network; its table has the ``path`` of each picture.
        precisions: In which it trains and predicts.
        processes: How many train together; 1 leaves that out.
        folder: Scratch.

    Returns:
        What failed; the rest was run all the same.
    """
    failed = []

    def attempt(what: str, function: Callable[..., Result], *arguments: object) -> Result | None:
        began = time.perf_counter()
        try:
            result = function(*arguments)
        except Exception:
            traceback.print_exc()
            failed.append(what)
            return None
        print(f"{what}: {time.perf_counter() - began:.1f} s", file=sys.stderr)
        return result

    validation, device = phase.table[phase.table["split"] == "validation"], phase.device
    model: Checkpoint | None = None
    for precision in precisions:
        frozen = _with(phase, precision=precision)
        attempt(f"finder, {precision}", find_learning_rate, frozen, 20)
        head = attempt(f"frozen, {precision}", _trained, frozen)
        attempt(f"frozen on features, {precision}", _trained, _with(frozen, frozen_views=2, mixup=0.2))
        attempt(f"probe, {precision}", _probe, frozen)
        unfrozen = dataclasses.replace(frozen, name="unfrozen", start=head or phase.start)
        model = attempt(f"unfrozen, {precision}", _trained, unfrozen) or model
        attempt(f"the whole recipe, {precision}", _trained, _with(unfrozen, **RECIPE))
    recipe = dataclasses.replace(_with(phase, **RECIPE), name="unfrozen", epochs=3)
    attempt("resume after a kill", _killed_and_resumed, recipe, folder / "state.safetensors")
    if processes > 1:
        together = Processes(nproc_per_node=processes, max_restarts=0, folder=folder / "processes")
        attempt(f"{processes} processes", train_distributed, together, train_phase, recipe, RATES)
    if model is None:
        return [*failed, "prediction, for no network was trained"]
    for precision in precisions:
        answering = Checkpoint(model.weights, model.spec.model_copy(update={"precision": precision, "tta_views": 2}))
        attempt(f"evaluation, {precision}", predict, answering, validation, "Predicting", device)
    attempt("fastai's Learner", _answers_of_learner, model, validation, device)
    attempt("Grad-CAM", _maps, model, validation, device)
    attempt("ONNX", make_bundle, model, list(validation["path"]), device)
    return failed


def _with(phase: Phase, **options: object) -> Phase:
    return dataclasses.replace(phase, training=phase.training.model_copy(update=options))


def _trained(phase: Phase) -> Checkpoint:
    checkpoint, history = train_phase(phase, RATES)
    assert np.isfinite(history["valid_loss"]).all()
    return checkpoint


def _probe(phase: Phase) -> None:
    precision = phase.training.precision
    stream = compute_features(build_start(phase), phase.spec(), phase.table, "Features", precision, phase.device)
    (features,) = stream.compute(stream.image_ids)
    fit_probe(phase, features, ProbeOptions(C=(1e-2,)))


def _killed_and_resumed(phase: Phase, path: Path) -> None:
    state = TrainingState(path)
    process = multiprocessing.get_context("spawn").Process(target=train_phase, args=(phase, RATES, state))
    process.start()
    while not state.facts() and process.is_alive():
        time.sleep(0.01)
    process.kill()
    process.join()
    assert state.facts(), "it died before it was killed"
    _, history = train_phase(phase, RATES, state)
    assert list(history["epoch"]) == list(range(phase.epochs))


def _answers_of_learner(model: Checkpoint, table: pd.DataFrame, device: str) -> None:
    learner = learner_for_inference(model, device)
    with learner.no_bar(), learner.no_logging():
        answers, _ = learner.get_preds(dl=learner.dls.test_dl(table, num_workers=0))
    assert torch.isfinite(answers).all()


def _maps(model: Checkpoint, table: pd.DataFrame, device: str) -> None:
    maps = grad_cam_maps(model, table, [model.spec.classes[:2]] * len(table), "Grad-CAM", device)
    assert all(np.isfinite(each).all() for each in maps)
