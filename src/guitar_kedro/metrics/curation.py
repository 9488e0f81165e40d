"""What a person's decisions about single images did to the accuracy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from guitar_kedro.metrics.formatting import count, percent
from guitar_kedro.metrics.statistics import mcnemar_test, wilson_interval

_ACTIONS = {"drop": "dropped", "relabel": "relabelled", "keep": "kept as they are"}


_RECIPE = ("architecture", "image_size", "resize_method", "precision", "tta_views")
_TRAINING = ("stage", "phase", "started_from", "epochs", "learning_rates", "batch_size", "seed")


def recipe_changes(before: Mapping[str, Any], now: Mapping[str, Any]) -> list[str]:
    """List in what two models differ apart from their images, for each in a few words.

    Args:
        before: Spec of the earlier model; empty where it is not known.
        now: Spec of the present one.
    """
    if not before:
        return []
    pairs = {name: (before.get(name), now.get(name)) for name in _RECIPE}
    made, makes = before.get("provenance", {}), now.get("provenance", {})
    pairs |= {name: (made.get(name), makes.get(name)) for name in _TRAINING}
    differing = {name.replace("_", " "): values for name, values in pairs.items() if values[0] != values[1]}
    return [f"{name} was {then} and is {is_now}" for name, (then, is_now) in differing.items()]


def curation_effect(
    before: pd.DataFrame, now: pd.DataFrame, decisions: pd.DataFrame, changes: Sequence[str]
) -> dict[str, Any]:
    """Compare the model before the curation changed with the one after it.

    Errors become fewer for two reasons: the labels they are counted by are mended, and the network has learnt from
    mended labels. On the images that both models were measured on, the two are told apart.

    Args:
        before: Predictions of the earlier model on its validation part, with the labels of then; may be empty.
        now: Those of the present model, with the labels of now.
        decisions: ``action`` (drop, relabel, keep) of each decision that acts now.
        changes: From ``recipe_changes``: what may have an effect beside the curation.

    Returns:
        ``decisions`` (how many of each action); where there is an earlier model: ``changes``; ``before`` and ``now``,
        each with ``images``, ``errors``, ``error_rate``, ``error_low`` and ``error_high`` (Wilson 95 % interval), and
        ``both``, of the images that both were measured on: ``images``, ``errors_before`` (by the labels of then),
        ``errors_before_relabelled`` (by those of now), ``errors``, ``fixed``, ``broken`` (images that became right or
        wrong, by the labels of now) and ``p_value`` (exact McNemar test).
    """
    numbers: dict[str, Any] = {"decisions": decisions["action"].value_counts().to_dict()}
    if before.empty:
        return numbers
    both = before[["file", "label", "predicted"]].merge(
        now[["file", "label", "predicted"]], on="file", suffixes=("_before", ""), validate="one_to_one"
    )
    right_before, right = (both["label"] == both[name] for name in ("predicted_before", "predicted"))
    fixed, broken = int((right & ~right_before).sum()), int((right_before & ~right).sum())
    of_both = {
        "images": len(both),
        "errors_before": int((both["label_before"] != both["predicted_before"]).sum()),
        "errors_before_relabelled": int((~right_before).sum()),
        "errors": int((~right).sum()),
        "fixed": fixed,
        "broken": broken,
        "p_value": mcnemar_test(fixed, broken),
    }
    return numbers | {"changes": list(changes), "before": _errors(before), "now": _errors(now), "both": of_both}


def curation_sentence(effect: Mapping[str, Any]) -> str:
    """Say what the curation changed; empty where there is nothing to compare.

    Args:
        effect: From ``curation_effect``.
    """
    if "before" not in effect:
        return ""
    before, now, both = effect["before"], effect["now"], effect["both"]
    counts = effect["decisions"]
    decisions = [f"{counts[action]:,} {done}" for action, done in _ACTIONS.items() if action in counts]
    return (
        f"Since the curation changed ({', '.join(decisions) or 'nothing is curated any more'}), the error on the "
        f"validation part went from {_rate(before)} to {_rate(now)}. On the {count(both['images'], 'image')} that both "
        f"models were measured on, the earlier one made {count(both['errors_before'], 'error')} by the labels of then "
        f"and {both['errors_before_relabelled']:,} by those of now; the present one makes {both['errors']:,} "
        f"({both['fixed']:,} fixed, {both['broken']:,} broken; McNemar p = {both['p_value']:.2g}).{_others(effect)}"
    )


def _others(effect: Mapping[str, Any]) -> str:
    changes = effect["changes"]
    return f" That is not the effect of the curation alone: {'; '.join(changes)}." if changes else ""


def _errors(predictions: pd.DataFrame) -> dict[str, Any]:
    wrong, total = int((predictions["label"] != predictions["predicted"]).sum()), len(predictions)
    low, high = wilson_interval(wrong, total)
    return {"images": total, "errors": wrong, "error_rate": wrong / total, "error_low": low, "error_high": high}


def _rate(part: Mapping[str, Any]) -> str:
    interval = f"{percent(part['error_low'])} to {percent(part['error_high'])}"
    return f"{percent(part['error_rate'])} ({part['errors']:,} of {count(part['images'], 'image')}; {interval})"
