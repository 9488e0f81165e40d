"""The section that says how sure the model is, and what that means."""

from __future__ import annotations

from guitar_kedro.cards.blocks import Block, table
from guitar_kedro.cards.facts import CardFacts
from guitar_kedro.cards.limits import nothing_is_sure, nothing_is_unknown
from guitar_kedro.metrics.formatting import count, interval, percent


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
