"""What the numbers forbid to expect of a model."""

from __future__ import annotations

import re

from guitar_kedro.cards.facts import AVERAGES, CardFacts
from guitar_kedro.metrics.formatting import count, percent

FEW_IMAGES = 10  # test images of a class below which its numbers say little
LOW_AUROC = 0.8
MANY_SUSPECTS = 0.01  # share of all images


def known_limits(facts: CardFacts) -> list[str]:
    """Say what the numbers forbid to expect of a model, and what else is known.

    Args:
        facts: Of the model.

    Returns:
        Sentences, those in ``facts.limits`` last.
    """
    found = [
        _drawn(facts),
        _few_images(facts),
        nothing_is_sure(facts),
        nothing_is_unknown(facts),
        _weak_unknown(facts),
        _wrong_labels(facts),
        _relatives(facts),
        _leaking(facts),
        _similar(facts),
    ]
    return [sentence for sentence in found if sentence] + list(facts.limits)


def _drawn(facts: CardFacts) -> str:
    if not re.search(r"(?<![a-z])drawn(?![a-z])", facts.source, re.IGNORECASE):
        return ""
    return "The images are drawn, not photographed: nothing here says how it does on photos."


def _few_images(facts: CardFacts) -> str:
    report = facts.classes_report
    few = report.loc[~report["label"].isin(AVERAGES) & (report["support"] < FEW_IMAGES), "label"]
    if few.empty:
        return ""
    named = [facts.name(label) for label in few[:5]] + ([f"{len(few) - 5:,} more"] if len(few) > 5 else [])
    whose = "Its" if len(few) == 1 else "Their"
    return f"Fewer than {FEW_IMAGES} test images: {', '.join(named)}. {whose} numbers say little."


def nothing_is_sure(facts: CardFacts) -> str:
    """Say why no answer counts as sure; empty where some do."""
    sure, images = facts.calibration.sure, facts.calibration.validation.images
    if sure.threshold is not None:
        return ""
    asked = percent(sure.accuracy_asked)
    if images < sure.fewest_images:
        return (
            f"No answer counts as sure: that {asked} of the sure ones are right cannot be expected from fewer than "
            f"{count(sure.fewest_images, 'validation image')}, and there are {images:,}. Add images, or ask for "
            "less (calibration.selective_accuracy)."
        )
    return (
        f"No probability was found from which {asked} of the answers can be expected to be right, going by the "
        "validation images, so none counts as sure."
    )


def nothing_is_unknown(facts: CardFacts) -> str:
    """Say why no picture counts as none of the classes; empty where some do."""
    unknown, images = facts.calibration.unknown, facts.calibration.validation.images
    if unknown.threshold is not None:
        return ""
    sentence = "No picture counts as none of the classes"
    if unknown.fewest_images is None:
        return f"{sentence}: all pictures of the classes are to be kept (calibration.in_distribution_recall)."
    return (
        f"{sentence}: an energy below which {percent(unknown.share_asked)} of the pictures of the classes stay cannot "
        f"be told from fewer than {count(unknown.fewest_images, 'validation image')}, and there are {images:,}. Add "
        "images, or ask for less (calibration.in_distribution_recall)."
    )


def _weak_unknown(facts: CardFacts) -> str:
    auroc = facts.calibration.unknown.auroc
    if auroc is None or auroc >= LOW_AUROC:
        return ""
    return (
        f"It tells pictures of something else poorly from the test images of its classes (AUROC {auroc:.3f}; 0.5 is "
        "chance)."
    )


def _wrong_labels(facts: CardFacts) -> str:
    if not facts.suspects:
        return ""
    are = "is" if facts.suspects == 1 else "are"
    share = facts.suspects / facts.searched
    found, searched = count(facts.suspects, "image"), count(facts.searched, f"{facts.searched_part} image")
    sentence = f"{found} {are} suspected of a wrong label, of {searched} that were searched"
    return f"{sentence} ({percent(share)}): errors may be theirs." if share >= MANY_SUSPECTS else f"{sentence}."


def _relatives(facts: CardFacts) -> str:
    number = facts.leakage.images_with_relatives
    if not number:
        return ""
    have = "has" if number == 1 else "have"
    return f"{count(number, 'image')} {have} {facts.leakage.relatives}: the set is less varied than its size suggests."


def _leaking(facts: CardFacts) -> str:
    found, told = facts.leakage, []
    for share, part, before in (
        (found.this_split, "validation", "training"),
        (found.test_split, "test", "training or validation"),
    ):
        if share:
            told.append(
                f"{percent(share)} of the {part} images have {found.relative} in {before}: {part} numbers are too good."
            )
    if told and found.given:
        told.append("leaking_images.csv lists them, and splitting.leaks=move keeps them together.")
    return " ".join(told)


def _similar(facts: CardFacts) -> str:
    if not facts.similar:
        return ""
    look = "looks" if facts.similar == 1 else "look"
    return (
        f"{count(facts.similar, 'pair')} of images in different parts of the split {look} alike to a network "
        "(similar_images.csv): where these are near duplicates, numbers are too good. ingestion.duplicates=features "
        "keeps them together."
    )
