"""The sections that say what the model is, what it is for, and what it was made from."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import Any

from guitar_kedro.cards.blocks import MOST_ROWS, NOTHING, Block, known_facts, plain, table
from guitar_kedro.cards.facts import Attributions, CardFacts
from guitar_kedro.metrics.formatting import clock, count, interval, percent
from guitar_kedro.metrics.random_split import Leakage
from guitar_kedro.sizes import height_width
from guitar_kedro.splits import SPLITS

_MOST_NAMED = 40  # classes that are listed in a sentence


def what_it_is(facts: CardFacts) -> list[Block]:
    """Return what kind of network it is and what it takes."""
    spec = facts.spec
    made = spec["provenance"]
    height, width = height_width(spec["image_size"])
    shape = ", made square" if height == width else " (height by width), resized"
    names = [facts.name(label) for label in spec["classes"]]
    rows = [
        ("Task", "image classification: one answer per picture, with a probability for each class"),
        ("Network", f"{spec['architecture']}, a PyTorch state dict; answers in {spec['precision']}"),
        ("Input", f"RGB, {height} by {width} pixels{shape} by: {spec['resize_method']}"),
        (
            "Normalisation",
            f"mean {plain(spec['mean'])}; standard deviation {plain(spec['std'])} of values from 0 to 1",
        ),
        ("Trained as", ", ".join(made[key] for key in ("stage", "phase") if key in made)),
        ("Classes", ", ".join(names) if len(names) <= _MOST_NAMED else f"{len(names):,}, all listed in spec.json"),
    ]
    return known_facts(rows)


def use(facts: CardFacts) -> list[Block]:
    """Return what it is for, and how it is used."""
    number = len(facts.spec["classes"])
    heeded = ", unless its energy is heeded (How sure it is)" if facts.calibration.unknown.threshold is not None else ""
    return [
        Block(
            "text",
            f"For telling which of its {count(number, 'class')} a picture shows, on pictures like those it was trained "
            "on. No other use was measured. It knows nothing else: a picture of something else gets one of these "
            f"names too{heeded}.",
        ),
        Block("text", "In a notebook or console of the project it is a fastai Learner:"),
        Block(
            "code",
            'learner = catalog.load("learner")\nlabel, _, probabilities = learner.predict("photo.jpg")',
        ),
        Block(
            "text",
            f"Elsewhere: {facts.model_path} holds weights.safetensors (no pickle) and spec.json, which says all that "
            "is needed to use them: network, classes, preprocessing, temperature and thresholds.",
        ),
    ]


def data(facts: CardFacts) -> list[Block]:
    """Return what it was trained and measured on."""
    counts = facts.counts
    totals = [int(counts[part].sum()) for part in SPLITS]
    parts = ", ".join(f"{number:,} for {part}" for part, number in zip(("training", *SPLITS[1:]), totals, strict=True))
    blocks = [Block("text", f"{count(sum(totals), 'image')}: {parts}."), Block("text", _split_sentence(facts.leakage))]
    if facts.accepted:
        blocks.append(Block("text", facts.accepted))
    left_out = [(reason, f"{number:,}") for reason, number in facts.rejected.items() if number]
    if not left_out:
        blocks.append(Block("text", "No file was left out."))
    caption = "Images of each class"
    if len(counts) > MOST_ROWS:
        caption = f"The {MOST_ROWS} of {len(counts):,} classes with the fewest images"
        sizes = counts[list(SPLITS)].sum(axis=1)
        counts = counts.loc[sizes.sort_values(kind="stable").index[:MOST_ROWS]]
    rows = [
        (facts.name(row.label), *(f"{getattr(row, part):,}" for part in SPLITS))
        for row in counts.itertuples(index=False)
    ]
    rows.append(("all", *(f"{number:,}" for number in totals)))
    blocks += table(caption, "class|training #|validation #|test #", rows)
    blocks += table("Files that were left out", "reason|files #", left_out)
    blocks += known_facts([("Source", facts.source), ("Fingerprint", facts.fingerprint)])
    return blocks + (_licences(facts.attributions) if facts.attributions else [])


def _licences(attributions: Attributions) -> list[Block]:
    rows = [(row.license, f"{row.images:,}", row.license_url) for row in attributions.licenses.itertuples()]
    rows += [("not collected, and so not known", f"{attributions.others:,}", NOTHING)] if attributions.others else []
    content = base64.b64encode(attributions.table.encode()).decode("ascii")
    return [
        *table("Licences of the images", "licence|images #|its text", rows),
        Block("text", f"Who made each image that was collected, and where it is from: {attributions.path}"),
        Block("file", "attributions.csv", address=f"data:text/csv;charset=utf-8;base64,{content}"),
    ]


def _split_sentence(leakage: Leakage) -> str:
    words = _given_sentence(leakage.given)
    if not leakage.images_with_relatives:
        return f"{words}By their hashes, no two images are near duplicates."
    return (
        f"{words}{count(leakage.images_with_relatives, 'image')} had {leakage.relatives}. Under a plain random split, "
        f"{percent(leakage.random_split)} of the validation images would have had one in training; here it is "
        f"{percent(leakage.this_split)}."
    )


def _given_sentence(given: Sequence[str]) -> str:
    if not given:
        return ""
    dealt = [part for part in SPLITS if part not in given]
    verb = "is" if len(dealt) == 1 else "are"
    of_training = f", but {' and '.join(dealt)}, which {verb} dealt from its training part" if dealt else ""
    return f"The images came with this split{of_training}. "


def recipe(facts: CardFacts) -> list[Block]:
    """Return how it was trained."""
    rows = [
        (
            str(row.stage),
            str(row.phase),
            str(row.architecture),
            f"{row.image_size}",
            f"{row.epochs:g}",
            percent(row.error_rate, 2),
            interval(row.error_low, row.error_high, 2),
            f"{row.images:,}",
            clock(row.minutes),
        )
        for row in facts.stages.itertuples(index=False)
    ]
    head = "stage|phase|network|pixels #|epochs #|error #|95 % interval #|images #|time #"
    blocks = table("Error on the validation images after each phase", head, rows)
    if facts.verdict:
        blocks = [Block("text", facts.verdict), *blocks]
    made = facts.spec["provenance"]
    labels = {
        "started_from": "Started from",
        "epochs": "Epochs",
        "kept_epoch": "Epoch whose weights are kept, from 0",
        "learning_rates": "Learning rates",
        "batch_size": "Batch size",
        "seed": "Seed",
        "training_images": "Training images",
    }
    settings = [(label, plain(made[key])) for key, label in labels.items() if made.get(key) is not None]
    settings.append(("Switched on", _switched_on(made.get("recipe", {}))))
    last = known_facts(settings)
    return [*blocks, *([Block("text", "The last phase, whose weights these are:"), *last] if last else [])]


def _switched_on(options: Mapping[str, Any]) -> str:
    words = [name.replace("_", " ") + ("" if value is True else f" {plain(value)}") for name, value in options.items()]
    return "; ".join(words)


def versions(facts: CardFacts) -> list[Block]:
    """Return what identifies it."""
    trained, now = facts.spec["provenance"].get("versions", {}), facts.versions
    both = {
        name: (trained.get(name, NOTHING), now.get(name, NOTHING)) for name in sorted({*trained, *now}, key=str.lower)
    }
    if any(name in trained and name in now and trained[name] != now[name] for name in both):
        rows = [(name, *values) for name, values in both.items()]
        blocks = table("", "package|in training|for this card", rows)
    else:
        blocks = table("", "package|version", [(name, {**trained, **now}[name]) for name in both])
    return blocks + known_facts(
        [
            ("Model", facts.model_path),
            ("SHA-256 of the model", facts.checksum),
            ("SHA-256 of the weights", facts.spec["sha256"]),
        ]
    )
