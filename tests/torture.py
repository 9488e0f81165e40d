"""How often tests torture, and from which seed the moments come: ``make torture KILLS=100 SEED=1``."""

import itertools
import os
from collections.abc import Callable
from pathlib import Path

from kedro.io import Version

KILLS, SEED = int(os.environ.get("KILLS", "2")), int(os.environ.get("SEED", "0"))
PRECISIONS = ("float32",) if KILLS < 10 else ("float32", "bfloat16")


def words() -> str:
    """Two million words."""
    return "word " * 2_000_000


def weights() -> object:
    """A checkpoint of two million weights."""
    import torch

    from guitar_kedro.learning import Checkpoint, ModelSpec

    spec = ModelSpec(
        architecture="resnet18",
        classes=("a",),
        display_names={},
        image_size=32,
        resize_method="squish",
        mean=(0, 0, 0),
        std=(1, 1, 1),
    )
    return Checkpoint({"weight": torch.ones(2_000_000)}, spec)


def save_forever(dataset: Callable, make: Callable[[], object], place: Path, first: int) -> None:
    """Saves version after version, in a process of its own, until that is killed."""
    data = make()
    for number in itertools.count(first):
        dataset(filepath=str(place), version=Version(None, f"{number:06d}")).save(data)
