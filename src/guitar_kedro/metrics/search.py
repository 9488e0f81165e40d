"""What a search found, and how far its choice flatters the winner."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from guitar_kedro.metrics.errors import Errors, compare_answers, count_errors, is_right
from guitar_kedro.metrics.formatting import count, interval, percent
from guitar_kedro.metrics.results import Result
from guitar_kedro.metrics.stages import CHANCE, p_value


class SearchResult(Result):
    """The best trial of a search, on the images that chose it and on fresh ones.

    ``error_rate`` and ``flattery`` are shares of ``images``, those that trials were judged by; ``splits`` and
    ``sha256`` are the checksums of the split and of the weights of the best trial. ``fresh`` and ``fresh_recipe`` are
    errors of the best trial and of the recipe as it was on folds, both on the same images; ``None`` where there were
    none, or the best trial is the recipe. ``p_value`` is that of the exact McNemar test between them.
    """

    trials: int
    best: int
    is_recipe: bool
    images: int
    error_rate: float
    recipe_error_rate: float
    flattery: float
    folds: int
    fresh: Errors | None
    fresh_recipe: Errors | None
    p_value: float | None
    splits: str
    sha256: str


def best_trial(trials: pd.DataFrame) -> pd.Series | None:
    """Find the trial with the lowest error rate, of several the one with the lowest loss; ``None`` where none ended.

    Args:
        trials: ``trial``, ``state``, ``error_rate`` and ``valid_loss`` of each.
    """
    complete = trials[trials["state"] == "complete"].sort_values(["error_rate", "valid_loss", "trial"])
    return complete.iloc[0] if len(complete) else None


def flattery(error_rate: float, images: int, trials: int) -> float:
    """Say by how much the best of equally good networks is expected to look better than they are, by chance alone.

    Their errors are taken for independent, so it is the most that the choice among such flatters: trials that err on
    the same images flatter less.

    Args:
        error_rate: Of each of them.
        images: That they are judged by.
        trials: How many there are.

    Returns:
        What the lowest of their error rates is expected to lie below ``error_rate``, 0 to 1.
    """
    from scipy.stats import binom

    above = binom.sf(np.arange(images), images, error_rate) ** trials
    return max(error_rate - float(above.sum()) / images, 0.0)


def search_result(
    trials: pd.DataFrame, images: int, folds: int, predictions: Mapping[str, pd.DataFrame], splits: str
) -> SearchResult:
    """Sum up a search.

    Args:
        trials: A row per trial, among them the recipe as it was.
        images: That trials were judged by.
        folds: How many fresh ones there are.
        predictions: On fresh folds, of the ``recipe`` and of the ``best`` trial: ``image_id``, ``label``,
            ``predicted``; none where there are no folds, and only of the recipe where that is the best.
        splits: Checksum of the split.
    """
    best = best_trial(trials)
    assert best is not None
    complete = trials[trials["state"] == "complete"]
    recipe = complete[complete["is_recipe"]].iloc[0]
    right = {name: is_right(rows).set_axis(rows["image_id"]) for name, rows in predictions.items()}
    errors = {name: count_errors(rows) for name, rows in predictions.items()}
    compared = len(right) == 2
    return SearchResult(
        trials=int((trials["state"] != "failed").sum()),
        best=int(best["trial"]),
        is_recipe=bool(best["is_recipe"]),
        images=images,
        error_rate=float(best["error_rate"]),
        recipe_error_rate=float(recipe["error_rate"]),
        flattery=flattery(float(best["error_rate"]), images, len(complete)),
        folds=folds,
        fresh=errors.get("best", errors.get("recipe")),
        fresh_recipe=errors["recipe"] if compared else None,
        p_value=compare_answers(right["recipe"], right["best"])["p_value"] if compared else None,
        splits=splits,
        sha256=str(best["sha256"]),
    )


def search_sentence(found: SearchResult) -> str:
    """Say what a search found, and what its choice is worth.

    Args:
        found: From ``search_result``.
    """
    which = "the recipe as it was" if found.is_recipe else f"trial {found.best}"
    sentences = [
        f"Of {count(found.trials, 'trial')}, the best is {which}: wrong on {percent(found.error_rate)} of the "
        f"{count(found.images, 'image')} that chose it"
        + ("." if found.is_recipe else f", and the recipe as it was on {percent(found.recipe_error_rate)}."),
        f"Choosing the best of so many flatters it by up to {100 * found.flattery:.1f} percentage points.",
    ]
    if found.fresh is None:
        sentences.append("It was measured on no other images: the rate of the next ones will be higher.")
    else:
        sentences.append(f"On {found.folds} fresh folds it is wrong on {_rate(found.fresh)}{_compared(found)}.")
    return " ".join(sentences)


def _compared(found: SearchResult) -> str:
    if found.fresh is None or found.fresh_recipe is None or found.p_value is None:
        return ""
    more = found.fresh.errors - found.fresh_recipe.errors
    verdict = "better" if more < 0 else "worse" if more > 0 else "neither better nor worse"
    chance = f"by more than chance ({p_value(found.p_value)})" if found.p_value < CHANCE else "but that may be chance"
    words = f", the recipe as it was on {_rate(found.fresh_recipe)}: it is {verdict}"
    return words if not more else f"{words}, {chance}"


def _rate(errors: Errors) -> str:
    rate, ends = percent(errors.error_rate or 0), interval(errors.error_low, errors.error_high)
    return f"{rate} of {count(errors.images, 'image')} (95 % interval {ends})"
