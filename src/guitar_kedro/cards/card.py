"""The model card: what a model is, what it is for, how good it is and where it fails, on one page.

After Mitchell et al. (2019), "Model cards for model reporting", FAT* '19, 220-229. All that a card says is put together
here once, as sections of plain text; the templates only lay them out, as one self-contained HTML page and as Markdown.
"""

from __future__ import annotations

import base64
import io
import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal, TypeGuard
from urllib.parse import quote

import pandas as pd
from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

from guitar_kedro.metrics.formatting import clock, count, display_name, percent, rounded
from guitar_kedro.metrics.statistics import wilson_interval
from guitar_kedro.plots.style import MOST_CLASSES

FEW_IMAGES = 10  # test images of a class below which its numbers say little
LOW_AUROC = 0.8
MANY_SUSPECTS = 0.01  # share of all images

_WIDEST, _LARGEST = 1400, 8_000_000  # pixels across an embedded figure, and in it
_MOST_BYTES = 500_000  # of one embedded figure, before JPEG is preferred
_MOST_NAMED = 40  # classes that are listed in a sentence
_MOST_ROWS = MOST_CLASSES  # of a table
_AVERAGES = ("macro average", "weighted average")
_SPLITS = ("train", "validation", "test")
_NOTHING = "-"  # in a cell
_FITTED_ON = {"validation": "validation, which the temperature was fitted on"}
_WHEN = ("before", "after")

_Place = Literal["data", "recipe", "results", "calibration", "errors"]
_PLACES: tuple[tuple[str, _Place], ...] = (
    ("confusion matrix", "results"),
    ("reliab", "calibration"),
    ("calibration", "calibration"),
    ("risk", "calibration"),
    ("coverage", "calibration"),
    ("unknown", "calibration"),
    ("energy", "calibration"),
    ("stage", "recipe"),
    ("training", "recipe"),
    ("learning rate", "recipe"),
    ("history", "recipe"),
    ("balance", "data"),
    ("resolution", "data"),
    ("contact sheet", "data"),
)
_ALT_TEXTS = (
    ("confusion matrix", "how often each class was taken for each other one; right answers lie on the diagonal"),
    ("top loss", "the pictures on which the model was most wrong, each with its label and the answer"),
    ("look", "pictures overlaid with the regions that decided the answer"),
    ("reliab", "how often answers were right, against how probable the model called them"),
    ("fixed and broke", "what the stage before had wrong and this one right, and the other way round"),
    ("stage", "error of each stage with its interval"),
    ("balance of the parts", "bars of how many images of each class each part has"),
    ("balance", "bars of how many images each class has"),
)


@dataclass(frozen=True)
class CardFacts:
    """All that the card of a model is made of.

    Attributes:
        spec: The model's spec as a dictionary: ``architecture``, ``classes``, ``display_names``, ``image_size``,
            ``resize_method``, ``precision``, ``mean``, ``std``, ``temperature``, ``confidence_threshold`` (probability
            or ``None``), ``ood_threshold`` (energy or ``None``), ``provenance`` and ``sha256``.
        checksum: Of the model.
        counts: One row per class: ``label`` and the number of images in ``train``, ``validation`` and ``test``.
        rejected: How many files were left out, by reason.
        source: Where the images came from.
        fingerprint: SHA-256 of the table of the images' content hashes.
        stages: From ``stage_comparison``.
        verdict: A sentence on whether the last stage was worth it; may be empty.
        metrics: From ``metrics``: split, then stage, then numbers; the last stage of ``test`` is the headline.
        classes_report: From ``classification_report``, of the test images.
        calibration: ``temperature``; ``validation`` and ``test`` with ``images``, ``ece_before`` and ``ece_after``;
            ``sure`` with ``accuracy_asked``, ``threshold``, ``fewest_images`` (that it takes), and of ``test``
            ``images`` (that are sure), ``right``, ``coverage``, ``accuracy``, ``accuracy_low`` and ``accuracy_high``;
            ``unknown`` with ``share_asked``, ``threshold`` (energy), ``fewest_images``, of ``test`` ``images``,
            ``kept``, ``share``, ``share_low``, ``share_high``, and against ``ood_images`` ``auroc`` and ``refused``.
            What is missing or ``None`` is not spoken of.
        tta_gain: ``views`` (0 for none), ``images``, ``errors``, ``errors_plain``, ``gain``, ``gain_low`` and
            ``gain_high`` (share of images, positive where errors became fewer), ``times_slower``.
        leakage: ``random_split`` and ``this_split`` (shares of validation images with a near duplicate in training)
            and ``images_with_relatives`` (images that have near duplicates).
        honest: A sentence or two about the accuracy that may honestly be claimed; may be empty.
        curation: A sentence on what the curation changed; may be empty.
        worst_slices: ``slice``, ``value``, ``images``, ``error_rate``, the worst first.
        searched: How many images were searched for wrong labels.
        searched_part: Of which part they are, such as ``validation``.
        suspects: How many images are suspected of a wrong label.
        test_log: One row per time the test part was opened: ``time``, ``model_version``, ``images``, ``errors``,
            ``accuracy``.
        versions: Of packages, by name, when the card was made.
        limits: Sentences on limits that no number tells.
        model_path: Folder of the weights and their spec.
    """

    spec: Mapping[str, Any]
    checksum: str
    counts: pd.DataFrame
    rejected: Mapping[str, int]
    source: str
    fingerprint: str
    stages: pd.DataFrame
    verdict: str
    metrics: Mapping[str, Mapping[str, Mapping[str, Any]]]
    classes_report: pd.DataFrame
    calibration: Mapping[str, Any]
    tta_gain: Mapping[str, Any]
    leakage: Mapping[str, float]
    honest: str
    curation: str
    worst_slices: pd.DataFrame
    searched: int
    searched_part: str
    suspects: int
    test_log: pd.DataFrame
    versions: Mapping[str, str]
    limits: Sequence[str]
    model_path: str


@dataclass(frozen=True)
class _Share:
    """A cell that is a share between 0 and 1, shown with a bar where there is room."""

    value: float

    def __str__(self) -> str:
        return percent(self.value)


@dataclass(frozen=True)
class _Figure:
    title: str
    source: str
    alt: str
    width: int = 0
    height: int = 0


@dataclass(frozen=True)
class _Block:
    """A piece of a section; ``kind`` says which of the others is filled."""

    kind: Literal["text", "warning", "code", "items", "facts", "table", "figure"]
    text: str = ""
    items: Sequence[str] = ()
    head: Sequence[tuple[str, bool]] = ()  # name of a column, and whether it holds numbers
    rows: Sequence[Sequence[str | _Share]] = ()
    figure: _Figure | None = None


@dataclass(frozen=True)
class _Section:
    key: str
    title: str
    blocks: Sequence[_Block]


def model_card_html(facts: CardFacts, figures: Mapping[str, Image.Image]) -> str:
    """Write the card as one HTML page that needs nothing from outside.

    Args:
        facts: What it says.
        figures: Pictures by title. Well-known titles (confusion matrix, reliability, stages) stand where they belong,
            all others under what the model gets wrong. They are embedded, at most 1,400 pixels wide.
    """
    embedded = [_embedded(title, picture) for title, picture in figures.items()]
    return _render("model_card.html.j2", facts, embedded)


def model_card_markdown(facts: CardFacts, figures: Mapping[str, str] | None = None) -> str:
    """Write the card as Markdown, with the same words and tables.

    Args:
        facts: What it says.
        figures: Paths of the pictures, relative to the file of the card, by title.
    """
    named = [_Figure(title, quote(path), _alt_text(title)) for title, path in (figures or {}).items()]
    return _render("model_card.md.j2", facts, named)


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
        _not_sure_at_all(facts),
        _no_known_threshold(facts),
        _weak_unknown(facts),
        _wrong_labels(facts),
        _relatives(facts),
        _leaking(facts),
    ]
    return [sentence for sentence in found if sentence] + [limit for limit in facts.limits if limit.strip()]


def _render(template: str, facts: CardFacts, figures: Sequence[_Figure]) -> str:
    placed: dict[str, list[_Block]] = {}
    for figure in figures:
        placed.setdefault(_place(figure.title), []).append(_Block("figure", figure=figure))
    return (
        _templates()
        .get_template(template)
        .render(
            title=_title(facts),
            lead=_lead(facts),
            tiles=_tiles(facts),
            sections=[section for section in _sections(facts, placed) if section.blocks],
        )
    )


@cache
def _templates() -> Environment:
    environment = Environment(
        loader=PackageLoader("guitar_kedro.cards", "templates"),
        autoescape=lambda name: bool(name and name.endswith(".html.j2")),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters["md"] = _markdown_safe
    environment.filters["unbroken"] = lambda words: words.replace(" %", "\N{NO-BREAK SPACE}%")
    return environment


# sections -------------------------------------------------------------------------------------------------------------


def _sections(facts: CardFacts, figures: Mapping[str, list[_Block]]) -> list[_Section]:
    return [
        _Section("what", "What it is", _what_it_is(facts)),
        _Section("use", "Intended use", _use(facts)),
        _Section("results", "Results", [*_results(facts), *figures.get("results", [])]),
        _Section("test", "How often the test part was opened", _test_openings(facts)),
        _Section("calibration", "How sure it is", [*_calibration(facts), *figures.get("calibration", [])]),
        _Section("errors", "What it gets wrong", [*_slices(facts), *figures.get("errors", [])]),
        _Section("limits", "Known limits", _items(known_limits(facts))),
        _Section("data", "Data", [*_data(facts), *figures.get("data", [])]),
        _Section("recipe", "Recipe", [*_recipe(facts), *figures.get("recipe", [])]),
        _Section("versions", "Versions and checksums", _versions(facts)),
    ]


def _title(facts: CardFacts) -> str:
    classes = facts.spec["classes"]
    return f"{facts.spec['architecture']} for {count(len(classes), 'class')} of pictures"


def _lead(facts: CardFacts) -> str:
    headline = _headline(facts)
    if headline is None:
        return "There are no results on test images."
    right = headline["images"] - headline["errors"]
    return (
        f"It names {right:,} of {count(headline['images'], 'test image')} rightly: {percent(headline['accuracy'])} "
        f"(Wilson 95 % interval {percent(headline['accuracy_low'])} to {percent(headline['accuracy_high'])})."
    )


def _tiles(facts: CardFacts) -> list[tuple[str, str]]:
    headline, openings, size = _headline(facts), len(facts.test_log), facts.spec["image_size"]
    tiles = [("classes", f"{len(facts.spec['classes']):,}"), ("input, pixels", f"{size} by {size}")]
    if headline is not None:
        interval = f"{percent(headline['accuracy_low']).removesuffix(' %')} to {percent(headline['accuracy_high'])}"
        tiles = [("test accuracy", percent(headline["accuracy"])), ("95 % interval", interval), *tiles]
    return [*tiles, ("test part opened", _times(openings))] if openings else tiles


def _what_it_is(facts: CardFacts) -> list[_Block]:
    spec = facts.spec
    made = spec.get("provenance", {})
    names = _names(facts)
    rows = [
        ("Task", "image classification: one answer per picture, with a probability for each class"),
        ("Network", f"{spec['architecture']}, a PyTorch state dict; answers in {spec['precision']}"),
        ("Input", f"RGB, {spec['image_size']} by {spec['image_size']} pixels, made square by: {spec['resize_method']}"),
        (
            "Normalisation",
            f"mean {_plain(spec['mean'])}; standard deviation {_plain(spec['std'])} of values from 0 to 1",
        ),
        ("Trained as", ", ".join(_plain(made[key]) for key in ("stage", "phase") if _is_known(made.get(key)))),
        ("Classes", ", ".join(names) if len(names) <= _MOST_NAMED else f"{len(names):,}, all listed in spec.json"),
    ]
    return _facts(rows)


def _use(facts: CardFacts) -> list[_Block]:
    number = len(facts.spec["classes"])
    return [
        _Block(
            "text",
            f"For telling which of its {count(number, 'class')} a picture shows, on pictures like those it was trained "
            "on. No other use was measured. It knows nothing else: a picture of something else gets one of these "
            "names too" + (", unless its energy is heeded (How sure it is)." if _has_unknown(facts) else "."),
        ),
        _Block("text", "In a notebook or console of the project it is a fastai Learner:"),
        _Block(
            "code",
            'learner = catalog.load("learner")\nlabel, _, probabilities = learner.predict("photo.jpg")',
        ),
        _Block(
            "text",
            f"Elsewhere: {facts.model_path} holds weights.safetensors (no pickle) and spec.json, which says all that "
            "is needed to use them: network, classes, preprocessing, temperature and thresholds.",
        ),
    ]


def _results(facts: CardFacts) -> list[_Block]:
    blocks = [
        _Block("warning", f"{row.stage}, {row.phase}: {row.warning}")
        for row in facts.stages.itertuples(index=False)
        if row.warning
    ]
    blocks += [_Block("text", sentences) for sentences in (facts.honest, facts.curation) if sentences.strip()]
    rows = [
        (split, stage, f"{n['images']:,}", f"{n['errors']:,}", percent(n["accuracy"]), _interval(n), rounded(n["loss"]))
        for split, stages in facts.metrics.items()
        for stage, n in stages.items()
    ]
    head = _head("part", "stage", "images #", "errors #", "accuracy #", "95 % interval #", "mean loss #")
    blocks += _table("Every stage, on every part it was tried on", head, rows)
    blocks += [_Block("text", _tta_gain(facts.tta_gain))] if facts.tta_gain.get("views") else []
    return blocks + _per_class(facts)


def _tta_gain(views: Mapping[str, Any]) -> str:
    # 0 - x, for -x makes -0.00 of nothing
    change, low, high = (f"{0 - 100 * views[name]:+.2f}" for name in ("gain", "gain_high", "gain_low"))
    chance = ": it may be chance" if views["gain_low"] <= 0 <= views["gain_high"] else ""
    return (
        f"Each answer is the mean over {count(views['views'], 'augmented view')} and the picture as it is (test-time "
        f"augmentation). On {count(views['images'], 'validation image')} this gives {count(views['errors'], 'error')} "
        f"instead of {views['errors_plain']:,}: the error rate changes by {change} percentage points (95 % interval "
        f"{low} to {high}{chance}), and an answer takes {views['times_slower']:.1f} times as long."
    )


def _per_class(facts: CardFacts) -> list[_Block]:
    report = facts.classes_report
    averages = report["label"].isin(_AVERAGES)
    caption = "Each class, on the test images"
    if (number := int((~averages).sum())) > _MOST_ROWS:
        caption = (
            f"The {_MOST_ROWS} of {number:,} classes with the lowest F1, on the test images "
            "(classification_report.csv has all)"
        )
        tested = report[~averages & (report["support"] > 0)]
        # among equals, more images tell more
        lowest = tested.sort_values(["f1", "support"], ascending=[True, False]).head(_MOST_ROWS)
        report = pd.concat([lowest, report[averages]])
    rows = [
        (
            row.label if row.label in _AVERAGES else _name(facts, row.label),
            _share(row.precision),
            _share(row.recall) if row.support else _NOTHING,
            _NOTHING if row.label in _AVERAGES or not row.support else _recall_interval(row),
            _share(row.f1) if row.support else _NOTHING,
            f"{row.support:,}",
        )
        for row in report.itertuples(index=False)
    ]
    head = _head("class", "precision #", "recall #", "95 % interval #", "F1 #", "images #")
    return _table(caption, head, rows)


def _recall_interval(row: Any) -> str:
    return _range(*wilson_interval(round(row.recall * row.support), int(row.support)))


def _test_openings(facts: CardFacts) -> list[_Block]:
    log = facts.test_log
    if log.empty:
        lost = "The log of its openings is missing: how often the test part was opened before is not known."
        return [_Block("warning", lost)] if _headline(facts) else []
    versions = log["model_version"].nunique()
    opened = f"The test part was opened {_times(len(log))}"
    if len(log) == 1:
        block = _Block("text", f"{opened}: no earlier look at it can have steered a choice.")
    elif versions == 1:
        block = _Block("warning", f"{opened}, each time for the same version of the model.")
    else:
        block = _Block(
            "warning",
            f"{opened}, with {count(versions, 'version')} of the model. Whoever chose among them by these numbers made "
            "them too good; only images that were never looked at can tell.",
        )
    rows = [
        (str(row.time), str(row.model_version), f"{row.images:,}", f"{row.errors:,}", percent(row.accuracy))
        for row in log.tail(_MOST_ROWS).itertuples(index=False)
    ]
    caption = f"The last {_MOST_ROWS} times" if len(log) > _MOST_ROWS else ""
    return [block, *_table(caption, _head("time", "model", "images #", "errors #", "accuracy #"), rows)]


def _calibration(facts: CardFacts) -> list[_Block]:
    sentences = [_temperature(facts), _sure(facts), _unknown(facts)]
    blocks = [_Block("text", sentence) for sentence in sentences if sentence]
    parts = {part: facts.calibration.get(part) or {} for part in ("validation", "test")}
    rows = [
        (_FITTED_ON.get(part, part), f"{numbers['images']:,}", *(percent(numbers[f"ece_{when}"], 2) for when in _WHEN))
        for part, numbers in parts.items()
        if _is_known(numbers.get("ece_before")) and _is_known(numbers.get("ece_after"))
    ]
    head = _head("part", "images #", "before the temperature #", "after it #")
    tables = _table("Expected calibration error (mean gap between probability and accuracy)", head, rows)
    return [*blocks[:1], *tables, *blocks[1:]]


def _temperature(facts: CardFacts) -> str:
    temperature = facts.calibration.get("temperature", facts.spec.get("temperature"))
    if not _is_known(temperature):
        return ""
    if temperature == 1:
        return "Probabilities are as the network gives them (temperature 1)."
    turned = "less" if temperature > 1 else "more"
    sentence = (
        f"Logits are divided by a temperature of {temperature:.3f}, fitted on the validation images, which makes the "
        f"answers {turned} confident."
    )
    test = facts.calibration.get("test") or {}
    before, after = test.get("ece_before"), test.get("ece_after")
    if _is_known(before) and _is_known(after) and after > before:
        sentence += " On the test images this made the calibration error larger, not smaller."
    return sentence


def _sure(facts: CardFacts) -> str:
    sure = facts.calibration.get("sure") or {}
    if not _is_known(sure.get("accuracy_asked")):
        return ""
    if not _is_known(sure.get("threshold")):
        return _not_sure_at_all(facts)
    sentence = (
        f"An answer counts as sure from a probability of {percent(sure['threshold'])} on, chosen on the validation "
        f"images so that {percent(sure['accuracy_asked'])} of the sure answers should be right"
    )
    test = sure.get("test") or {}
    if not _is_known(test.get("coverage")):
        return f"{sentence}; below it the model is not sure."
    if not test["images"]:
        return f"{sentence}. No answer to a test image is sure."
    return (
        f"{sentence}. Of the answers to the test images {percent(test['coverage'])} are sure, and "
        f"{percent(test['accuracy'])} of those are right ({test['right']:,} of {test['images']:,}; 95 % interval "
        f"{_range(test['accuracy_low'], test['accuracy_high'])})."
    )


def _unknown(facts: CardFacts) -> str:
    unknown = facts.calibration.get("unknown") or {}
    if not _is_known(unknown.get("share_asked")):
        return ""
    if not _has_unknown(facts):
        return _no_known_threshold(facts)
    sentence = (
        f"A picture with an energy above {unknown['threshold']:.4g} counts as none of the classes (energy as in Liu et "
        f"al. 2020), chosen on the validation images so that {percent(unknown['share_asked'])} of the pictures of the "
        "classes should stay below."
    )
    if test := unknown.get("test"):
        sentence += (
            f" Of the test images {percent(test['share'])} do ({test['kept']:,} of {test['images']:,}; 95 % interval "
            f"{_range(test['share_low'], test['share_high'])})."
        )
    if not _is_known(unknown.get("auroc")):
        return f"{sentence} How well this finds other pictures was not measured."
    return (
        f"{sentence} Of {count(unknown['ood_images'], 'other picture')} {percent(unknown['refused'])} lie above it; "
        f"energy ranks the test images below them with an AUROC of {unknown['auroc']:.3f}."
    )


def _slices(facts: CardFacts) -> list[_Block]:
    rows = [
        (
            str(row.slice),
            _plain(row.value),
            f"{row.images:,}",
            _share(row.error_rate),
            _range(row.error_low, row.error_high),
        )
        for row in facts.worst_slices.head(_MOST_ROWS).itertuples(index=False)
    ]
    more = f", the worst {len(rows)} of {len(facts.worst_slices):,}" if len(facts.worst_slices) > len(rows) else ""
    head = _head("slice", "value", "images #", "error #", "95 % interval #")
    return _table(f"Where errors of validation images are most frequent{more}", head, rows)


def _data(facts: CardFacts) -> list[_Block]:
    counts = _counts(facts)
    totals = [int(counts[part].sum()) for part in _SPLITS]
    parts = ", ".join(f"{number:,} for {part}" for part, number in zip(("training", *_SPLITS[1:]), totals, strict=True))
    blocks = [_Block("text", f"{count(sum(totals), 'image')}: {parts}.")]
    if _is_known(facts.leakage.get("random_split")):
        blocks.append(_Block("text", _split_sentence(facts)))
    left_out = [(reason, f"{number:,}") for reason, number in facts.rejected.items() if number]
    if not left_out:
        blocks.append(_Block("text", "No file was left out."))
    caption = "Images of each class"
    if len(counts) > _MOST_ROWS:
        caption = f"The {_MOST_ROWS} of {len(counts):,} classes with the fewest images"
        sizes = counts[list(_SPLITS)].sum(axis=1)
        counts = counts.loc[sizes.sort_values(kind="stable").index[:_MOST_ROWS]]
    rows = [
        (_name(facts, row.label), *(f"{getattr(row, part):,}" for part in _SPLITS))
        for row in counts.itertuples(index=False)
    ]
    rows.append(("all", *(f"{number:,}" for number in totals)))
    blocks += _table(caption, _head("class", "training #", "validation #", "test #"), rows)
    blocks += _table("Files that were left out", _head("reason", "files #"), left_out)
    return blocks + _facts([("Source", facts.source), ("Fingerprint", facts.fingerprint)])


def _split_sentence(facts: CardFacts) -> str:
    leakage = facts.leakage
    if not leakage["images_with_relatives"]:
        return "No image has a near duplicate, so that any random split would do."
    return (
        f"{count(int(leakage['images_with_relatives']), 'image')} had near duplicates. Under a plain random split, "
        f"{percent(leakage['random_split'])} of the validation images would have had one in training; here it is "
        f"{percent(leakage['this_split'])}."
    )


def _recipe(facts: CardFacts) -> list[_Block]:
    rows = [
        (
            str(row.stage),
            str(row.phase),
            str(row.architecture),
            f"{row.image_size}",
            f"{row.epochs:g}",
            percent(row.error_rate, 2),
            f"{percent(row.error_low, 2)} to {percent(row.error_high, 2)}",
            f"{row.images:,}",
            clock(row.minutes),
        )
        for row in facts.stages.itertuples(index=False)
    ]
    names = "stage|phase|network|pixels #|epochs #|error #|95 % interval #|images #|time #"
    blocks = _table("Error on the validation images after each phase", _head(*names.split("|")), rows)
    if facts.verdict.strip():
        blocks = [_Block("text", facts.verdict), *blocks]
    made = facts.spec.get("provenance", {})
    labels = {
        "started_from": "Started from",
        "epochs": "Epochs",
        "learning_rates": "Learning rates",
        "batch_size": "Batch size",
        "seed": "Seed",
        "training_images": "Training images",
    }
    settings = [(label, _plain(made[key])) for key, label in labels.items() if _is_known(made.get(key))]
    last = _facts(settings)
    return [*blocks, *([_Block("text", "The last phase, whose weights these are:"), *last] if last else [])]


def _versions(facts: CardFacts) -> list[_Block]:
    trained = {
        str(name): str(value) for name, value in (facts.spec.get("provenance", {}).get("versions") or {}).items()
    }
    now = {str(name): str(value) for name, value in facts.versions.items()}
    both = {
        name: (trained.get(name, _NOTHING), now.get(name, _NOTHING)) for name in sorted({*trained, *now}, key=str.lower)
    }
    if any(name in trained and name in now and trained[name] != now[name] for name in both):
        rows = [(name, *values) for name, values in both.items()]
        blocks = _table("", _head("package", "in training", "for this card"), rows)
    else:
        blocks = _table("", _head("package", "version"), [(name, {**trained, **now}[name]) for name in both])
    return blocks + _facts(
        [
            ("Model", facts.model_path),
            ("SHA-256 of the model", facts.checksum),
            ("SHA-256 of the weights", facts.spec.get("sha256", "")),
        ]
    )


# limits ---------------------------------------------------------------------------------------------------------------


def _drawn(facts: CardFacts) -> str:
    if not re.search(r"(?<![a-z])drawn(?![a-z])", facts.source, re.IGNORECASE):
        return ""
    return "The images are drawn, not photographed: nothing here says how it does on photos."


def _few_images(facts: CardFacts) -> str:
    report = facts.classes_report
    few = report.loc[~report["label"].isin(_AVERAGES) & (report["support"] < FEW_IMAGES), "label"]
    if few.empty:
        return ""
    named = [_name(facts, label) for label in few[:5]] + ([f"{len(few) - 5:,} more"] if len(few) > 5 else [])
    whose = "Its" if len(few) == 1 else "Their"
    return f"Fewer than {FEW_IMAGES} test images: {', '.join(named)}. {whose} numbers say little."


def _not_sure_at_all(facts: CardFacts) -> str:
    sure = facts.calibration.get("sure") or {}
    if not _is_known(sure.get("accuracy_asked")) or _is_known(sure.get("threshold")):
        return ""
    asked, images = percent(sure["accuracy_asked"]), _validation_images(facts)
    if images is not None and images < sure["fewest_images"]:
        return (
            f"No answer counts as sure: that {asked} of the sure ones are right cannot be expected from fewer than "
            f"{count(sure['fewest_images'], 'validation image')}, and there are {images:,}. Add images, or ask for "
            "less (calibration.selective_accuracy)."
        )
    return (
        f"No probability was found from which {asked} of the answers can be expected to be right, going by the "
        "validation images, so none counts as sure."
    )


def _no_known_threshold(facts: CardFacts) -> str:
    unknown = facts.calibration.get("unknown") or {}
    if not _is_known(unknown.get("share_asked")) or _is_known(unknown.get("threshold")):
        return ""
    sentence = "No picture counts as none of the classes"
    asked, fewest, images = percent(unknown["share_asked"]), unknown.get("fewest_images"), _validation_images(facts)
    if not _is_known(fewest) or images is None:
        return f"{sentence}: all pictures of the classes are to be kept (calibration.in_distribution_recall)."
    return (
        f"{sentence}: an energy below which {asked} of the pictures of the classes stay cannot be told from fewer than "
        f"{count(fewest, 'validation image')}, and there are {images:,}. Add images, or ask for less "
        "(calibration.in_distribution_recall)."
    )


def _weak_unknown(facts: CardFacts) -> str:
    auroc = (facts.calibration.get("unknown") or {}).get("auroc")
    if not _is_known(auroc) or auroc >= LOW_AUROC:
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
    number = int(facts.leakage.get("images_with_relatives") or 0)
    if not number:
        return ""
    have = "has" if number == 1 else "have"
    return f"{count(number, 'image')} {have} near duplicates: the set is less varied than its size suggests."


def _leaking(facts: CardFacts) -> str:
    share = facts.leakage.get("this_split")
    if not _is_known(share) or share <= 0:
        return ""
    return (
        f"{percent(share)} of the validation images have a near duplicate in training: validation numbers are too good."
    )


# pieces ---------------------------------------------------------------------------------------------------------------


def _headline(facts: CardFacts) -> Mapping[str, Any] | None:
    stages = list(facts.metrics.get("test", {}).values())
    return stages[-1] if stages else None


def _has_unknown(facts: CardFacts) -> bool:
    return _is_known((facts.calibration.get("unknown") or {}).get("threshold"))


def _counts(facts: CardFacts) -> pd.DataFrame:
    table = facts.counts if "label" in facts.counts else facts.counts.rename_axis("label").reset_index()
    table = table.reindex(columns=["label", *_SPLITS]).fillna(dict.fromkeys(_SPLITS, 0))
    return table.astype(dict.fromkeys(_SPLITS, "int64"))


def _names(facts: CardFacts) -> list[str]:
    return [_name(facts, label) for label in facts.spec["classes"]]


def _name(facts: CardFacts, label: str) -> str:
    return display_name(label, facts.spec["display_names"])


def _times(number: int) -> str:
    return {1: "once", 2: "twice"}.get(number, f"{number:,} times")


def _interval(numbers: Mapping[str, Any]) -> str:
    return _range(numbers["accuracy_low"], numbers["accuracy_high"])


def _range(low: float, high: float) -> str:
    return f"{percent(low)} to {percent(high)}"


def _validation_images(facts: CardFacts) -> int | None:
    return (facts.calibration.get("validation") or {}).get("images")


def _share(value: float) -> str | _Share:
    return _Share(float(value)) if _is_known(value) else _NOTHING


def _is_known(value: Any) -> TypeGuard[Any]:
    return not (pd.api.types.is_scalar(value) and pd.isna(value))


def _plain(value: Any) -> str:
    if not _is_known(value):
        return _NOTHING
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        return "; ".join(f"{name} {_plain(each)}" for name, each in value.items())
    if isinstance(value, (list, tuple)):
        return ", ".join(_plain(each) for each in value)
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) and value > 99_999 else str(value)


def _head(*names: str) -> list[tuple[str, bool]]:
    return [(name.removesuffix(" #"), name.endswith(" #")) for name in names]


def _table(caption: str, head: Sequence[tuple[str, bool]], rows: Sequence[Sequence[str | _Share]]) -> list[_Block]:
    return [_Block("table", caption, head=head, rows=rows)] if rows else []


def _facts(rows: Sequence[tuple[str, str]]) -> list[_Block]:
    known = [row for row in rows if row[1]]
    return [_Block("facts", rows=known)] if known else []


def _items(sentences: Sequence[str]) -> list[_Block]:
    return [_Block("items", items=sentences)] if sentences else []


def _place(title: str) -> _Place:
    return next((place for words, place in _PLACES if words in title.lower()), "errors")


def _alt_text(title: str) -> str:
    more = next((words for key, words in _ALT_TEXTS if key in title.lower()), "")
    return f"{title}: {more}" if more else title


def _embedded(title: str, picture: Image.Image) -> _Figure:
    upright = picture.convert("RGBA")
    flat = Image.new("RGB", upright.size, "white")
    flat.paste(upright, mask=upright.getchannel("A"))
    scale = min(1, _WIDEST / flat.width, (_LARGEST / (flat.width * flat.height)) ** 0.5)
    if scale < 1:
        flat = flat.resize([max(1, round(side * scale)) for side in flat.size], Image.Resampling.LANCZOS)
    kind, content = "png", _encoded(flat, "PNG", compress_type=zlib.Z_RLE)  # as FigureDataset saves it
    if len(content) > _MOST_BYTES:
        smaller = _encoded(flat, "JPEG", quality=85, optimize=True)
        kind, content = ("jpeg", smaller) if len(smaller) < len(content) else (kind, content)
    source = f"data:image/{kind};base64,{base64.b64encode(content).decode('ascii')}"
    return _Figure(title, source, _alt_text(title), flat.width, flat.height)


def _encoded(picture: Image.Image, kind: str, **options: Any) -> bytes:
    file = io.BytesIO()
    picture.save(file, kind, **options)
    return file.getvalue()


def _markdown_safe(words: object) -> str:
    """Escapes all that Markdown or HTML would read as more than text; the result is one line."""
    line = " ".join(str(words).split())
    line = re.sub(r"([\\`*\[\]<>|~&$])", r"\\\1", line)
    line = re.sub(r"(?<![^\W_])_|_(?![^\W_])", r"\\_", line)  # inside of a word it is only a character
    return re.sub(r"^(\d*)([-+#=.)])(?=\s|[-+#=]|$)", r"\1\\\2", line)
