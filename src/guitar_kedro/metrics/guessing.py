"""Whether a network is better than one that has not looked at the pictures."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pandas as pd

from guitar_kedro.metrics.formatting import percent, rounded
from guitar_kedro.splits import TRAIN, VALIDATION

_ROUNDING = 1e-6  # of error rates that were computed in single precision
_FEWEST = 6  # errors more: with five, no paired test tells two networks apart (McNemar's exact p is 2 / 2**5 at best)


@dataclass(frozen=True)
class Guess:
    """What can be said of validation images without a look at them.

    Attributes:
        classes: How many there are.
        label: The most frequent one in training.
        error_rate: Of always naming that, a share of the validation images.
    """

    classes: int
    label: str
    error_rate: float

    @property
    def loss(self) -> float:
        """Cross-entropy of giving all classes the same probability, in nats."""
        return math.log(self.classes)


def guess(splits: pd.DataFrame) -> Guess:
    """Find the best guess.

    Args:
        splits: A row per image: ``label``, ``split`` (``train``, ``validation``).
    """
    training, validation = (splits.loc[splits["split"] == split, "label"] for split in (TRAIN, VALIDATION))
    label = training.mode()[0]
    return Guess(splits["label"].nunique(), label, float((validation != label).mean()))


def worse_than_probe(error_rate: float, of_probe: float, images: int) -> str:
    """Say in a sentence that training ended worse than a linear head on the frozen body; empty where it did not.

    Args:
        error_rate: After a phase, share of the validation images.
        of_probe: Share of the same images after the probe.
        images: How many these are.
    """
    if not error_rate > of_probe + _ROUNDING:  # nor where one is NaN
        return ""
    more = round((error_rate - of_probe) * images)
    sentence = (
        f"It ended worse than the probe of its stage: it is wrong on {percent(error_rate)} of the validation images, "
        f"and the probe on {percent(of_probe)}"
    )
    return f"{sentence}. {more} of {images:,} images may be chance." if more < _FEWEST else f"{sentence}."


def worse_than_guessing(loss: float, error_rate: float, best: Guess) -> str:
    """Say in a sentence in what a network is worse than a guess; empty where it is not.

    Args:
        loss: Mean cross-entropy of the validation images, in nats; may be infinite or NaN.
        error_rate: Share of the validation images.
        best: From ``guess``.
    """
    found = []
    if not loss <= best.loss:
        same = f"that of giving each of {best.classes:,} classes the same probability is {rounded(best.loss)}"
        found.append(f"its validation loss is {rounded(loss)}, and {same}")
    if error_rate > best.error_rate + _ROUNDING:
        always = f"always naming {best.label} would be wrong on {percent(best.error_rate)}"
        found.append(f"it is wrong on {percent(error_rate)} of the validation images, and {always}")
    return f"It ended worse than guessing: {'; '.join(found)}." if found else ""
