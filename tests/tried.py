"""Experiments that nobody made: models with all that is known of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from guitar_kedro.metrics import Experiment
from guitar_kedro.metrics.errors import Errors, share_of

RECORD = {
    "parameters": {"seed": 42, "stages": {"small": {"architecture": "resnet18", "unfrozen": {"epochs": 2}}}},
    "data": {"image_table": "one", "splits": "one"},
    "code": {"version": "0.1.0", "commit": "0123456789abcdef", "modified": False},
    "python": "3.11.2",
    "device": "cpu",
    "packages": {"torch": "2.13.0"},
}


def tried(version: str, marks: str, note: str = "", first: int = 0, **changes: Any) -> Experiment:
    """An experiment.

    Args:
        version: Of its model.
        marks: ``1`` for each validation image that it has right, ``0`` for each other one.
        note: What it is called.
        first: Number of the first of these images.
        changes: Of the record; without any value there is none.
    """
    images = range(first, first + len(marks))
    predictions = pd.DataFrame(
        {
            "image_id": [str(image) for image in images],
            "file": [f"{image}.jpg" for image in images],
            "label": "a",
            "predicted": ["a" if mark == "1" else "b" for mark in marks],
            "probability": np.linspace(0.5, 0.99, len(marks)),
        }
    )
    record = {} if changes == {"record": None} else {**RECORD, **changes}
    return Experiment(version, note, record, predictions, pd.DataFrame(), None, 4.5)


def many(number: int) -> list[Experiment]:
    """Experiments of two splits with different recipes, the newest first; one has no record, one a hostile note."""
    random = np.random.default_rng(0)
    found = []
    for place in range(number):
        architecture = ("resnet18", "convnext_tiny")[place % 2]
        stages = {"small": {"architecture": architecture, "unfrozen": {"epochs": 1 + place % 4}}}
        stages["large"] = {"unfrozen": {"epochs": 1, "learning_rate": [1e-5, 10.0 ** -(2 + place % 3)]}}
        options = {"label_smoothing": place % 5 / 10, "mixup": bool(place % 3)}
        marks = "".join("01"[each] for each in (random.random(220) > 0.2 - 0.005 * place).astype(int))
        changes = {
            "parameters": {"seed": 42 + place % 2, "stages": stages, "training": options},
            "data": {"image_table": "one", "splits": "one" if place < number - 3 else "two"},
        }
        note = "</script><b>bold</b>\x1b[31m" if place == 1 else f"try {place}" if place % 3 == 0 else ""
        version = f"2026-01-{place + 1:02d}T10.00.00.000Z"
        if place == 2:
            changes = {"record": None}
        made = tried(version, marks, note, **changes)
        errors = np.sort(random.random(5))[::-1] * 0.3
        history = pd.DataFrame(
            {
                "stage": ["small"] * 3 + ["large"] * 2,
                "phase": "unfrozen",
                "epoch": [0, 1, 2, 0, 1],
                "train_loss": errors * 3,
                "valid_loss": errors * 4,
                "error_rate": errors,
                "seconds": 20.0 + place,
            }
        )
        rate, low, high = share_of(12, 110)
        test = (
            Errors(images=110, errors=12, error_rate=rate, error_low=low, error_high=high) if place % 7 == 0 else None
        )
        found.append(Experiment(version, note, made.record, made.predictions, history, test, 4.5 + place % 2 * 90))
    return found[::-1]
