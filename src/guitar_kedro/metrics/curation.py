"""What a person's decisions about single images did to the accuracy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from guitar_kedro.metrics.errors import Errors, count_changes, count_errors
from guitar_kedro.metrics.formatting import count, interval, percent
from guitar_kedro.metrics.results import Result
from guitar_kedro.metrics.statistics import mcnemar_test

_ACTIONS = {"drop": "dropped", "relabel": "relabelled", "keep": "kept as they are"}
_RECIPE = ("architecture", "image_size", "resize_method", "precision", "tta_views")
_TRAINING = ("stage", "phase", "started_from", "epochs", "learning_rates", "batch_size", "seed")


class OfBoth(Result):
    """Errors on the images that both models were measured on.

    Those of the earlier model are counted by the labels of then and by those of now, all else by those of now.
    ``p_value`` is that of the exact McNemar test.
    """

    images: int
    errors_before: int
    errors_before_relabelled: int
    errors: int
    fixed: int
    broken: int
    p_value: float


class OfTest(Result):
    """What became of the labels of the test part, by which the present model is judged.

    ``mended`` of the ``images`` that are in it then and now have other labels, ``left`` are in it no more. The errors
    are those of the present model on these ``images``, by the labels of then and by those of now.
    """

    images: int
    mended: int
    left: int
    errors_by_labels_before: int
    errors: int


class CurationEffect(Result):
    """What the curation changed; without an earlier model, only how many decisions of each action there are is known.

    ``before`` and ``now`` are of the validation part of each model; ``changes`` may have an effect beside the curation.
    ``mended_in_test`` images of the test part have another label than they came with. ``test`` is there where, since
    the earlier model, labels of the test part were mended, or images dropped from it.
    """

    decisions: dict[str, int]
    mended_in_test: int = 0
    changes: tuple[str, ...] = ()
    before: Errors | None = None
    now: Errors | None = None
    both: OfBoth | None = None
    test: OfTest | None = None


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
    before: pd.DataFrame,
    now: pd.DataFrame,
    decisions: pd.DataFrame,
    changes: Sequence[str],
    test: tuple[pd.DataFrame, pd.DataFrame] | None = None,
) -> CurationEffect:
    """Compare the model before the curation changed with the one after it.

    Errors become fewer for two reasons: the labels they are counted by are mended, and the network has learnt from
    mended labels. On the images that both models were measured on, the two are told apart.

    Args:
        before: Predictions of the earlier model on its validation part, with the labels of then; may be empty.
        now: Those of the present model, with the labels of now.
        decisions: ``file`` and ``action`` (drop, relabel, keep) of each decision that acts now.
        changes: From ``recipe_changes``: what may have an effect beside the curation.
        test: Predictions of both models on their test parts, the earlier ones first; these may be empty.
    """
    counts = decisions["action"].value_counts().to_dict()
    mended = decisions.loc[decisions["action"] == "relabel", "file"]
    in_test = int(test[1]["file"].isin(mended).sum()) if test else 0
    if before.empty:
        return CurationEffect(decisions=counts, mended_in_test=in_test)
    both = before[["file", "label", "predicted"]].merge(
        now[["file", "label", "predicted"]], on="file", suffixes=("_before", ""), validate="one_to_one"
    )
    right_before, right = (both["label"] == both[name] for name in ("predicted_before", "predicted"))
    fixed, broken = count_changes(right_before, right)
    return CurationEffect(
        decisions=counts,
        mended_in_test=in_test,
        changes=tuple(changes),
        before=count_errors(before),
        now=count_errors(now),
        both=OfBoth(
            images=len(both),
            errors_before=int((both["label_before"] != both["predicted_before"]).sum()),
            errors_before_relabelled=int((~right_before).sum()),
            errors=int((~right).sum()),
            fixed=fixed,
            broken=broken,
            p_value=mcnemar_test(fixed, broken),
        ),
        test=_of_test(*test, decisions) if test else None,
    )


def _of_test(before: pd.DataFrame, now: pd.DataFrame, decisions: pd.DataFrame) -> OfTest | None:
    """Compare the labels of the test part; ``None`` where all are as they were."""
    both = before[["file", "label"]].merge(now[["file", "label", "predicted"]], on="file", suffixes=("_before", ""))
    dropped = decisions.loc[decisions["action"] == "drop", "file"]
    mended, left = int((both["label_before"] != both["label"]).sum()), int(before["file"].isin(dropped).sum())
    if both.empty or not (mended or left):
        return None
    return OfTest(
        images=len(both),
        mended=mended,
        left=left,
        errors_by_labels_before=int((both["label_before"] != both["predicted"]).sum()),
        errors=int((both["label"] != both["predicted"]).sum()),
    )


def curation_sentence(effect: CurationEffect) -> str:
    """Say what the curation changed; empty where there is nothing to compare, and the test part is as it came.

    Args:
        effect: From ``curation_effect``.
    """
    before, now, both, counts = effect.before, effect.now, effect.both, effect.decisions
    if not (before and now and both):
        return _mended_sentence(effect)
    decisions = [f"{counts[action]:,} {done}" for action, done in _ACTIONS.items() if action in counts]
    others = f" That is not the effect of the curation alone: {'; '.join(effect.changes)}." if effect.changes else ""
    return (
        f"Since the curation changed ({', '.join(decisions) or 'nothing is curated any more'}), the error on the "
        f"validation part went from {_rate(before)} to {_rate(now)}. On the {count(both.images, 'image')} that both "
        f"models were measured on, the earlier one made {count(both.errors_before, 'error')} by the labels of then "
        f"and {both.errors_before_relabelled:,} by those of now; the present one makes {both.errors:,} "
        f"({both.fixed:,} fixed, {both.broken:,} broken; McNemar p = {both.p_value:.2g}).{others}"
        f" {_test_sentence(effect.test) if effect.test else _mended_sentence(effect)}".rstrip()
    )


def _mended_sentence(effect: CurationEffect) -> str:
    if not effect.mended_in_test:
        return ""
    return f"Labels of the test part that were mended by hand: {effect.mended_in_test:,}."


def _test_sentence(test: OfTest) -> str:
    """Say that labels by which the model is judged were mended, and how much of its accuracy comes from that."""
    before, now = (percent(1 - errors / test.images) for errors in (test.errors_by_labels_before, test.errors))
    return (
        f"The test part was mended as well: {count(test.mended, 'label')} changed, {count(test.left, 'image')} "
        f"dropped. On the {count(test.images, 'image')} of before that it has, the accuracy of the present model is "
        f"{before} by the labels of then and {now} by those of now. Where labels were looked at because a model "
        "disagreed, the second number flatters it."
    )


def _rate(errors: Errors) -> str:
    assert errors.error_rate is not None  # a validation part is never empty
    among = f"{errors.errors:,} of {count(errors.images, 'image')}"
    return f"{percent(errors.error_rate)} ({among}; {interval(errors.error_low, errors.error_high)})"
