"""What changes of the images, and a person's decisions about single ones, did to the accuracy."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import pandas as pd

from guitar_kedro.errors import listed
from guitar_kedro.metrics.errors import Errors, compare_answers, count_errors
from guitar_kedro.metrics.formatting import count, interval, percent
from guitar_kedro.metrics.results import Result

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


class ImageChanges(Result):
    """How many images came, went, got another label, or moved to another part of the split.

    ``renamed`` are classes that are called otherwise, by their names of before: their images count as relabelled only
    where they got another label beside that.
    """

    added: int
    removed: int
    relabelled: int
    moved: int
    renamed: dict[str, str]
    new_classes: tuple[str, ...]
    lost_classes: tuple[str, ...]


class CurationEffect(Result):
    """What changes of the images did; without an earlier model, only the decisions are known, how many of each action.

    ``before`` and ``now`` are of the validation part of each model; ``changes`` may have an effect beside the images.
    ``mended_in_test`` images of the test part have another label than they came with. ``test`` is there where, since
    the earlier model, labels of the test part were mended, or images dropped from it.
    """

    decisions: dict[str, int]
    mended_in_test: int = 0
    images: ImageChanges | None = None
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
    recipes = made.get("recipe", {}), makes.get("recipe", {})
    pairs |= {name: (recipes[0].get(name, "off"), recipes[1].get(name, "off")) for name in {**recipes[0], **recipes[1]}}
    differing = {name.replace("_", " "): values for name, values in pairs.items() if values[0] != values[1]}
    return [f"{name} was {then} and is {is_now}" for name, (then, is_now) in differing.items()]


def image_changes(before: pd.DataFrame, now: pd.DataFrame) -> ImageChanges:
    """Compare the images of two models, which are told by their content.

    Args:
        before: ``image_id``, ``label`` and ``split`` of each image of the earlier model.
        now: Those of the present one.
    """
    both = before.merge(now, on="image_id", suffixes=("_before", ""), validate="one_to_one")
    lost, new = (sorted(set(one["label"]) - set(other["label"])) for one, other in ((before, now), (now, before)))
    renamed: dict[str, str] = {}
    for label in lost:
        labels = set(both.loc[both["label_before"] == label, "label"])
        if len(labels) == 1 and labels <= set(new) - set(renamed.values()):
            renamed[label] = labels.pop()
    return ImageChanges(
        added=len(now) - len(both),
        removed=len(before) - len(both),
        relabelled=int((both["label_before"].replace(renamed) != both["label"]).sum()),
        moved=int((both["split_before"] != both["split"]).sum()),
        renamed=renamed,
        new_classes=tuple(label for label in new if label not in renamed.values()),
        lost_classes=tuple(label for label in lost if label not in renamed),
    )


def curation_effect(
    before: pd.DataFrame,
    now: pd.DataFrame,
    decisions: pd.DataFrame,
    changes: Sequence[str],
    images: ImageChanges | None = None,
    test: tuple[pd.DataFrame, pd.DataFrame] | None = None,
) -> CurationEffect:
    """Compare the model before the images, or their labels, changed with the one after it.

    Errors become fewer for two reasons: the labels they are counted by are mended, and the network has learnt from
    other images and labels. On the images that both models were measured on, the two are told apart.

    Args:
        before: Predictions of the earlier model on its validation part, with the labels of then; may be empty.
        now: Those of the present model, with the labels of now.
        decisions: ``file`` and ``action`` (drop, relabel, keep) of each decision that acts now.
        changes: From ``recipe_changes``: what may have an effect beside the images.
        images: From ``image_changes``; ``None`` without an earlier model.
        test: Predictions of both models on their test parts, the earlier ones first; these may be empty.
    """
    counts = decisions["action"].value_counts().to_dict()
    mended = decisions.loc[decisions["action"] == "relabel", "file"]
    in_test = int(test[1]["file"].isin(mended).sum()) if test else 0
    if before.empty or images is None:
        return CurationEffect(decisions=counts, mended_in_test=in_test)
    names = {"label": images.renamed, "predicted": images.renamed}
    both = (
        before[["image_id", "label", "predicted"]]
        .replace(names)
        .merge(now[["image_id", "label", "predicted"]], on="image_id", suffixes=("_before", ""), validate="one_to_one")
    )
    found = compare_answers(*(both["label"] == both[name] for name in ("predicted_before", "predicted")))
    wrong_before = both["label_before"] != both["predicted_before"]
    return CurationEffect(
        decisions=counts,
        mended_in_test=in_test,
        images=images,
        changes=tuple(changes),
        before=count_errors(before),
        now=count_errors(now),
        both=OfBoth(
            **{**found, "errors_before": int(wrong_before.sum()), "errors_before_relabelled": found["errors_before"]}
        ),
        test=_of_test(test[0].replace({"label": images.renamed}), test[1], decisions) if test else None,
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
    """Say what changed of the images, and what that did.

    It is empty where no image changed or there is nothing to compare, and the test part is as it came.

    Args:
        effect: From ``curation_effect``.
    """
    before, now, both, images = effect.before, effect.now, effect.both, effect.images
    if not (before and now and both and images and _changed(images)):
        return _mended_sentence(effect)
    counts = effect.decisions
    decisions = [f"{counts[action]:,} {done}" for action, done in _ACTIONS.items() if action in counts]
    curated = f" (the curation: {', '.join(decisions)})" if decisions else ""
    others = f" That is not the effect of the images alone: {'; '.join(effect.changes)}." if effect.changes else ""
    return (
        f"Since the model before: {'; '.join(_changed(images))}{curated}. The error on the "
        f"validation part went from {_rate(before)} to {_rate(now)}. On the {count(both.images, 'image')} that both "
        f"models were measured on, the earlier one made {count(both.errors_before, 'error')} by the labels of then "
        f"and {both.errors_before_relabelled:,} by those of now; the present one makes {both.errors:,} "
        f"({both.fixed:,} fixed, {both.broken:,} broken; McNemar p = {both.p_value:.2g}).{others}"
        f" {_test_sentence(effect.test) if effect.test else _mended_sentence(effect)}".rstrip()
    )


def accepted_sentence(accepted: pd.DataFrame, left_out: int) -> str:
    """Say how many images of the training part came without a label; empty where there are none.

    Args:
        accepted: Their ``accepted_by`` and ``accepted_when``, as in ``image_table``.
        left_out: How many others were accepted, and left out.
    """
    if accepted.empty and not left_out:
        return ""
    people = sorted({*accepted["accepted_by"]} - {""})
    days = sorted({when[:10] for when in accepted["accepted_when"]} - {""})
    by = f" by {listed(people)}" if people else ""
    on = f" on {days[0]}" if len(days) == 1 else f" between {days[0]} and {days[-1]}" if days else ""
    verb = "was" if len(accepted) == 1 else "were"
    sentence = (
        f"{count(len(accepted), 'image')} of the training part came without a label, and {verb} accepted{by}{on} after "
        "a model had predicted them. None of that kind is in the validation or test part. image_table.csv names each, "
        "with who, when, and what was predicted."
    )
    if left_out:
        sentence += (
            f" {count(left_out, 'picture')} more {'was' if left_out == 1 else 'were'} accepted and left out: near "
            "duplicates of images that came with a label, which may be in those parts, or of a class without such "
            "images."
        )
    return sentence


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


def _changed(images: ImageChanges) -> list[str]:
    numbers = {"added": images.added, "removed": images.removed, "relabelled": images.relabelled}
    words = [f"{count(number, 'image')} {what}" for what, number in numbers.items() if number]
    words += [f"class {label} is called {name} now" for label, name in images.renamed.items()]
    words += [f"class {label} is new" for label in images.new_classes]
    words += [f"class {label} is gone" for label in images.lost_classes]
    return words + ([f"{count(images.moved, 'image')} in another part of the split"] if images.moved else [])


def _rate(errors: Errors) -> str:
    assert errors.error_rate is not None  # a validation part is never empty
    among = f"{errors.errors:,} of {count(errors.images, 'image')}"
    return f"{percent(errors.error_rate)} ({among}; {interval(errors.error_low, errors.error_high)})"
