"""Tables as runs make them, of any number of images."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd

from guitar_kedro.demo import MODELS

STAGE = "only"


def make_hashes(kind: str, count: int) -> list[str]:
    """Makes hashes as of photos of their own, of photos with copies, of photos with white margins, or of one photo."""
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


def make_records(count: int) -> pd.DataFrame:
    """Makes what ingestion notes of each file: some cannot be read, some are copies."""
    random = np.random.default_rng(0)
    names = [f"{number:020x}" for number in random.permutation(count)]
    return pd.DataFrame(
        {
            "file": [f"{MODELS[number % len(MODELS)]}/{number}.jpg" for number in range(count)],
            "label": [MODELS[number % len(MODELS)] for number in range(count)],
            "source": [f"/photos/{number}.jpg" for number in range(count)],
            "width": random.integers(100, 4000, count),
            "height": random.integers(100, 4000, count),
            "prepared": names,
            "file_hash": names,
            "pixel_hash": names,
            "perceptual_hash": make_hashes("with copies", count),
            "reason": np.where(random.random(count) < 0.01, "truncated", ""),
            "detail": "",
            "options": "",
        }
    )


def make_image_table(count: int) -> pd.DataFrame:
    """Makes a table of images in groups of duplicates, two in one on average."""
    records = make_records(count)
    groups = np.random.default_rng(0).integers(0, count // 2, count)
    labels = np.asarray(MODELS)[groups % len(MODELS)]
    named = records.assign(image_id=records["prepared"], duplicate_group=groups, label=labels)
    return named.assign(given_split="", group="")


def make_predictions(image_table: pd.DataFrame) -> pd.DataFrame:
    """Makes predictions of a network that is mostly right, on all images as validation and as test part."""
    random = np.random.default_rng(0)
    count = len(image_table)
    truth = np.searchsorted(sorted(MODELS), image_table["label"])
    logits = random.normal(0, 1, (count, len(MODELS)))
    logits[np.arange(count), truth] += 4
    chances = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    table = image_table[["image_id", "file", "label"]].assign(
        stage=STAGE,
        predicted=np.asarray(sorted(MODELS))[chances.argmax(axis=1)],
        loss=-np.log(chances[np.arange(count), truth]),
        energy=random.normal(0, 1, count),
        **{f"probability_{name}": chances[:, place] for place, name in enumerate(sorted(MODELS))},
    )
    return pd.concat([table.assign(split=part) for part in ("validation", "test")], ignore_index=True)


def make_model() -> SimpleNamespace:
    """Makes what reports ask of a checkpoint."""
    spec = SimpleNamespace(
        classes=tuple(sorted(MODELS)),
        display_names={name: name for name in MODELS},
        provenance={"stage": STAGE},
        temperature=1.1,
        confidence_threshold=0.9,
        ood_threshold=1.6,
    )
    return SimpleNamespace(spec=spec)
