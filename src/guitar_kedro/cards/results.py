"""The sections that say how good the model is: scores, openings of the test part, how sure it is, where it errs."""

from __future__ import annotations

import pandas as pd

from guitar_kedro.cards.blocks import MOST_ROWS, NOTHING, Block, Share, table
from guitar_kedro.cards.facts import AVERAGES, CardFacts
from guitar_kedro.cards.limits import nothing_is_sure, nothing_is_unknown
from guitar_kedro.metrics.errors import share_of
from guitar_kedro.metrics.formatting import count, interval, percent, rounded
from guitar_kedro.metrics.tta import TtaGain


def results(facts: CardFacts) -> list[Block]:
    """Return how good every stage is, and the model on each class."""
    blocks = [
        Block("warning", f"{row.stage}, {row.phase}: {row.warning}")
        for row in facts.stages.itertuples(index=False)
        if row.warning
    ]
    blocks += [Block("text", sentences) for sentences in (facts.honest, facts.curation) if sentences]
    rows = [
        (
            split,
            stage,
            f"{score.images:,}",
            f"{score.errors:,}",
            percent(score.accuracy),
            interval(score.accuracy_low, score.accuracy_high),
            rounded(score.loss),
        )
        for split, stages in (("validation", facts.metrics.validation), ("test", facts.metrics.test))
        for stage, score in stages.items()
    ]
    head = "part|stage|images #|errors #|accuracy #|95 % interval #|mean loss #"
    blocks += table("Every stage, on every part it was tried on", head, rows)
    blocks += [Block("text", _tta_gain(facts.tta_gain))] if facts.tta_gain.views else []
    return blocks + _per_class(facts)


def _tta_gain(found: TtaGain) -> str:
    # 0 - x, for -x makes -0.00 of nothing
    change, low, high = (f"{0 - 100 * value:+.2f}" for value in (found.gain, found.gain_high, found.gain_low))
    chance = ": it may be chance" if found.gain_low <= 0 <= found.gain_high else ""
    return (
        f"Each answer is the mean over {count(found.views, 'augmented view')} and the picture as it is (test-time "
        f"augmentation). On {count(found.images, 'validation image')} this gives {count(found.errors, 'error')} "
        f"instead of {found.errors_plain:,}: the error rate changes by {change} percentage points (95 % interval "
        f"{low} to {high}{chance}), and an answer takes {found.times_slower:.1f} times as long."
    )


def _per_class(facts: CardFacts) -> list[Block]:
    report = facts.classes_report
    averages = report["label"].isin(AVERAGES)
    caption = "Each class, on the test images"
    if (number := int((~averages).sum())) > MOST_ROWS:
        caption = (
            f"The {MOST_ROWS} of {number:,} classes with the lowest F1, on the test images "
            "(classification_report.csv has all)"
        )
        tested = report[~averages & (report["support"] > 0)]
        # among equals, more images tell more
        lowest = tested.sort_values(["f1", "support"], ascending=[True, False]).head(MOST_ROWS)
        report = pd.concat([lowest, report[averages]])
    rows = [
        (
            row.label if row.label in AVERAGES else facts.name(row.label),
            Share(row.precision),
            Share(row.recall) if row.support else NOTHING,
            NOTHING if row.label in AVERAGES or not row.support else interval(recall.low, recall.high),
            Share(row.f1) if row.support else NOTHING,
            f"{row.support:,}",
        )
        for row in report.itertuples(index=False)
        for recall in [share_of(round(row.recall * row.support), int(row.support))]
    ]
    head = "class|precision #|recall #|95 % interval #|F1 #|images #"
    return table(caption, head, rows)


def test_openings(facts: CardFacts) -> list[Block]:
    """Return how often the test part was opened, and what that means for its numbers."""
    log = facts.test_log
    if log.empty:
        lost = "The log of its openings is missing: how often the test part was opened before is not known."
        return [Block("warning", lost)] if facts.metrics.of_model else []
    versions = log["model_version"].nunique()
    opened = f"The test part was opened {times(len(log))}"
    if len(log) == 1:
        block = Block("text", f"{opened}: no earlier look at it can have steered a choice.")
    elif versions == 1:
        block = Block("warning", f"{opened}, each time for the same version of the model.")
    else:
        block = Block(
            "warning",
            f"{opened}, with {count(versions, 'version')} of the model. Whoever chose among them by these numbers made "
            "them too good; only images that were never looked at can tell.",
        )
    rows = [
        (str(row.time), str(row.model_version), f"{row.images:,}", f"{row.errors:,}", percent(row.accuracy))
        for row in log.tail(MOST_ROWS).itertuples(index=False)
    ]
    caption = f"The last {MOST_ROWS} times" if len(log) > MOST_ROWS else ""
    return [block, *table(caption, "time|model|images #|errors #|accuracy #", rows)]


def sureness(facts: CardFacts) -> list[Block]:
    """Return what temperature and thresholds do, and how well."""
    temperature, *thresholds = (
        Block("text", sentence) for sentence in (_temperature(facts), _sure(facts), _unknown(facts))
    )
    parts = {
        "validation, which the temperature was fitted on": facts.calibration.validation,
        "test": facts.calibration.test,
    }
    rows = [
        (name, f"{part.images:,}", percent(part.ece_before, 2), percent(part.ece_after, 2))
        for name, part in parts.items()
    ]
    caption = "Expected calibration error (mean gap between probability and accuracy)"
    return [temperature, *table(caption, "part|images #|before the temperature #|after it #", rows), *thresholds]


def _temperature(facts: CardFacts) -> str:
    temperature, test = facts.calibration.temperature, facts.calibration.test
    if temperature == 1:
        return "Probabilities are as the network gives them (temperature 1)."
    turned = "less" if temperature > 1 else "more"
    sentence = (
        f"Logits are divided by a temperature of {temperature:.3f}, fitted on the validation images, which makes the "
        f"answers {turned} confident."
    )
    if test.ece_after > test.ece_before:
        sentence += " On the test images this made the calibration error larger, not smaller."
    return sentence


def _sure(facts: CardFacts) -> str:
    sure, test = facts.calibration.sure, facts.calibration.sure.test
    if sure.threshold is None:
        return nothing_is_sure(facts)
    sentence = (
        f"An answer counts as sure from a probability of {percent(sure.threshold)} on, chosen on the validation "
        f"images so that {percent(sure.accuracy_asked)} of the sure answers should be right"
    )
    if test.accuracy is None:
        return f"{sentence}. No answer to a test image is sure."
    return (
        f"{sentence}. Of the answers to the test images {percent(test.coverage)} are sure, and "
        f"{percent(test.accuracy)} of those are right ({test.right:,} of {test.images:,}; 95 % interval "
        f"{interval(test.accuracy_low, test.accuracy_high)})."
    )


def _unknown(facts: CardFacts) -> str:
    unknown, test = facts.calibration.unknown, facts.calibration.unknown.test
    if unknown.threshold is None:
        return nothing_is_unknown(facts)
    sentence = (
        f"A picture with an energy above {unknown.threshold:.4g} counts as none of the classes (energy as in Liu et "
        f"al. 2020), chosen on the validation images so that {percent(unknown.share_asked)} of the pictures of the "
        f"classes should stay below. Of the test images {percent(test.share)} do ({test.kept:,} of {test.images:,}; "
        f"95 % interval {interval(test.share_low, test.share_high)})."
    )
    if unknown.auroc is None or unknown.refused is None:
        return f"{sentence} How well this finds other pictures was not measured."
    return (
        f"{sentence} Of {count(unknown.ood_images, 'other picture')} {percent(unknown.refused)} lie above it; "
        f"energy ranks the test images below them with an AUROC of {unknown.auroc:.3f}."
    )


def worst_slices(facts: CardFacts) -> list[Block]:
    """Return the kinds of images on which it errs most."""
    rows = [
        (
            str(row.slice),
            str(row.value),
            f"{row.images:,}",
            Share(row.error_rate),
            interval(row.error_low, row.error_high),
        )
        for row in facts.worst_slices.head(MOST_ROWS).itertuples(index=False)
    ]
    more = f", the worst {len(rows)} of {len(facts.worst_slices):,}" if len(facts.worst_slices) > len(rows) else ""
    head = "slice|value|images #|error #|95 % interval #"
    return table(f"Where errors of validation images are most frequent{more}", head, rows)


def times(number: int) -> str:
    """Write how often something happened."""
    return {1: "once", 2: "twice"}.get(number, f"{number:,} times")
