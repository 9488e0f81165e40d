"""The model card says what is true of a run, safely, and needs nothing from outside."""

import base64
import dataclasses
import re
from html import unescape
from html.parser import HTMLParser

import pandas as pd
import pytest
from figures import made_calibration
from PIL import Image

from guitar_kedro.cards.blocks import CardFigure
from guitar_kedro.cards.card import model_card_html, model_card_markdown
from guitar_kedro.cards.facts import Attributions, CardFacts
from guitar_kedro.cards.limits import known_limits
from guitar_kedro.metrics.formatting import percent
from guitar_kedro.metrics.guessing import Guess, worse_than_guessing
from guitar_kedro.metrics.random_split import Leakage
from guitar_kedro.metrics.scores import Metrics, classification_report, compute_metrics, stage_comparison
from guitar_kedro.metrics.tta import TtaGain

# fmt: off
_NUMBERS = [
    "1.317", "87.1 %", "99.0 %", "82.3 %", "98.7 %", "-6.25", "95.1 %", "0.913", "77", "5.12 %", "2.13 %",
    "6.34 %", "3.45 %", "", "", "18.3 %", "0.0 %", "321", "37", "29.7 %", "19 images", "2,200 images",
    "1,760", "220", "1:01 h", "2:02 min", "42", "13", "", "", "1e-06, 0.0002", "2.9.1", "2.8.12", "1.7.3",
    "0.485, 0.456, 0.406", "0.229, 0.224, 0.225", "192 by 192", "", "",
    "flip horizontal; label smoothing 0.1; best epoch",
]
# fmt: on
_VOID = {"meta", "img", "br", "hr", "link", "input"}
_CARDS = [lambda facts: model_card_html(facts, {}), model_card_markdown]
_HOSTILE = '<script src="http://evil">|*x*</script>'


class _Page(HTMLParser):
    """Reads a page strictly: what is opened is closed, in order."""

    def __init__(self, page):
        super().__init__()
        self.open, self.tags, self.attributes, self.texts = [], [], [], []
        self.feed(page)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(tag, *pair) for pair in attrs]
        if tag not in _VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "style" not in self.open:
            self.texts.append(data)


@pytest.fixture
def facts(made_predictions, guitars):
    labels = [label for label in guitars for _ in range(20)]
    guesses = [*labels[20:40], *labels[20:]]
    rows = [made_predictions(labels, guesses, "large", split) for split in ("validation", "test")]
    predictions = pd.concat([made_predictions(labels, ["gibson_SG"] * len(labels), "small"), *rows])
    phases = pd.DataFrame(
        {
            "stage": ["small", "large", "large"],
            "phase": ["unfrozen", "frozen", "unfrozen"],
            "architecture": ["resnet34", "resnet50", "resnet50"],
            "image_size": [128, 192, 192],
            "epochs": [3, 5, 6],
            "error_rate": [0.5, 0.25, 20 / 220],
            "images": 220,
            "seconds": [61.0, 122.0, 3700.0],
        }
    )
    spec = {
        "architecture": "resnet50",
        "classes": tuple(guitars),
        "display_names": guitars,
        "image_size": 192,
        "resize_method": "squish",
        "precision": "float32",
        "mean": (0.485, 0.456, 0.406),
        "std": (0.229, 0.224, 0.225),
        "temperature": 1.317,
        "confidence_threshold": 0.871,
        "ood_threshold": -6.25,
        "provenance": {
            "stage": "large",
            "phase": "unfrozen",
            "started_from": "large, frozen",
            "epochs": 6,
            "learning_rates": [1e-6, 2e-4],
            "batch_size": 16,
            "recipe": {"flip": "horizontal", "label_smoothing": 0.1, "best_epoch": True},
            "seed": 42,
            "training_images": 1760,
            "versions": {"torch": "2.9.1", "fastai": "2.8.12"},
        },
        "sha256": "c0ffee" * 10 + "abcd",
    }
    return CardFacts(
        spec=spec,
        checksum="facade" * 10 + "abcd",
        counts=pd.DataFrame({"label": list(guitars), "train": 160, "validation": 20, "test": 20}),
        rejected={"not an image": 3, "too small": 13},
        source="Photos of data/01_raw/guitars.zip",
        fingerprint="deadbeef" * 8,
        stages=stage_comparison(phases),
        verdict="The last stage halved the error.",
        metrics=compute_metrics(predictions, "large"),
        classes_report=classification_report(rows[1], list(guitars)),
        calibration=made_calibration(),
        tta_gain=TtaGain(views=0),
        leakage=Leakage(random_split=0.183, this_split=0.0, images_with_relatives=321),
        similar=7,
        honest="About 91 % may be expected of new photos.",
        curation="Since the curation changed, less is wrong.",
        worst_slices=pd.DataFrame(
            {
                "slice": ["brightness"],
                "value": ["dark"],
                "images": [37],
                "error_rate": [0.2973],
                "error_low": [0.175],
                "error_high": [0.458],
            }
        ),
        searched=1980,
        searched_part="training and validation",
        suspects=19,
        test_log=pd.DataFrame(
            {
                "time": ["2026-11-24 10:00"],
                "model_version": ["2026-11-24T09.00.00.000Z"],
                "images": [220],
                "errors": [20],
                "accuracy": [10 / 11],
            }
        ),
        versions={"torch": "2.9.1", "kedro": "1.7.3"},
        limits=["Seen only by day."],
        model_path="data/06_models/guitars/model",
    )


@pytest.fixture
def bare(facts):
    """Facts of a run in which everything optional is missing."""
    return dataclasses.replace(
        facts,
        spec={**facts.spec, "confidence_threshold": None, "ood_threshold": None, "provenance": {}},
        rejected={},
        stages=facts.stages[:1],
        verdict="",
        honest="",
        curation="",
        calibration=_changed(
            made_calibration(),
            temperature=1.0,
            validation={"images": 9},
            sure={"threshold": None, "test": {"images": 0, "right": 0, "coverage": 0.0, "accuracy": None}},
            unknown={"threshold": None, "auroc": None, "ood_images": 0, "refused": None},
        ),
        leakage=Leakage(random_split=0.0, this_split=0.0, images_with_relatives=0),
        similar=0,
        worst_slices=facts.worst_slices[:0],
        suspects=0,
        test_log=facts.test_log[:0],
        versions={},
        limits=(),
    )


def _changed(result, **changes):
    """Change fields of a result, and of results in it."""
    now = {
        name: _changed(getattr(result, name), **value) if isinstance(value, dict) else value
        for name, value in changes.items()
    }
    return result.model_copy(update=now)


def _figures():
    noise = Image.effect_noise((1800, 900), 90).convert("RGB")
    matrix = CardFigure("Confusion matrix", "results", "how often each class was taken for each other one")
    return {matrix: Image.new("RGBA", (300, 200)), CardFigure("Top losses", "errors"): noise}


def _words(card):
    return " ".join(" ".join(_Page(card).texts).split()) if card.startswith("<!DOCTYPE") else card.replace("\\", "")


def _renamed(facts, name):
    return dataclasses.replace(
        facts,
        spec={**facts.spec, "display_names": {**facts.spec["display_names"], "gibson_SG": name}},
        source=name,
        verdict=name,
        limits=[name],
        model_path=name,
        rejected={name: 1},
    )


def test_the_page_needs_nothing_from_outside(facts):
    page = _Page(model_card_html(facts, _figures()))
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    targets = [value for _, name, value in page.attributes if name in ("src", "href", "srcset", "style")]
    assert targets and all(value.startswith(("data:image/", "#")) for value in targets)
    assert page.tags.count("style") == 1
    assert not re.search(r"url\(|@import", model_card_html(facts, {}))


@pytest.mark.parametrize("section", ["Results", "How sure it is", "What it gets wrong", "Data", "Recipe"])
def test_a_picture_stands_in_its_section_and_is_described_by_what_it_shows(facts, section):
    keys = {"Results": "results", "How sure it is": "calibration", "What it gets wrong": "errors"}
    figure = CardFigure("Class balance", keys.get(section, section.lower()), "bars of how many images each class has")
    page = model_card_html(facts, {figure: Image.new("RGB", (9, 9))})
    place = page.index('alt="Class balance: bars of how many images each class has"')
    assert re.findall(r"<h2[^>]*>([^<]*)", page[:place])[-1] == section


def test_pictures_are_embedded_small_and_described(facts):
    page = model_card_html(facts, _figures())
    images = [pair for pair in _Page(page).attributes if pair[0] == "img"]
    assert all(value for _, name, value in images if name == "alt")
    assert [int(value) for _, name, value in images if name == "width"] == [300, 1400]
    assert "data:image/png" in page and "data:image/jpeg" in page
    assert len(page) < 4_000_000


@pytest.mark.parametrize("card", _CARDS)
def test_every_number_appears(card, facts):
    words = _words(card(facts))
    numbers = [f"{row.recall * 100:.1f} %" for row in facts.classes_report.itertuples()]
    numbers += [
        percent(getattr(row, end), 2) for row in facts.stages.itertuples() for end in ("error_rate", "error_low")
    ]
    last = facts.metrics.test["large"]
    numbers += [percent(share) for share in (last.accuracy, last.accuracy_low, last.accuracy_high)]
    numbers += _NUMBERS
    numbers += [facts.fingerprint, facts.checksum, facts.spec["sha256"], facts.model_path, facts.source]
    assert [number for number in numbers if number not in words] == []
    for sentence in (facts.verdict, facts.honest, facts.curation, *facts.limits, *facts.spec["display_names"].values()):
        assert sentence in words


def test_both_cards_use_the_same_words(facts):
    markdown = " ".join(_words(model_card_markdown(facts)).split())
    page = model_card_html(facts, {})
    for tag in ("p", "li", "h1", "h2", "td", "dd", "th"):
        texts = re.findall(rf"<{tag}[^>]*>([^<]+)", page[page.index("<main>") : page.index("</main>")])
        assert [text for text in texts if " ".join(unescape(text).split()) not in markdown] == []


def test_hostile_names_stay_text_on_the_page(facts):
    page = _Page(model_card_html(_renamed(facts, _HOSTILE), {CardFigure(_HOSTILE, "errors"): Image.new("L", (9, 9))}))
    assert "script" not in page.tags
    assert _HOSTILE in " ".join(page.texts)


def test_hostile_names_stay_text_in_markdown(facts):
    card = model_card_markdown(_renamed(facts, "<b>a|*b*`\n# _c_ [d](e) $f$"))
    assert r"\<b\>a\|\*b\*\` # \_c\_ \[d\](e) \$f\$" in card
    assert not re.search(r"^# _c_", card, re.MULTILINE)
    widths = {len(re.findall(r"(?<!\\)\|", line)) for line in card.splitlines() if "SG" not in line and "d](e)" in line}
    assert widths <= {0, 3, 5, 6}


@pytest.mark.parametrize("start", ["# a", "1. a", "- a", "+ a", "=== a", "--- a"])
def test_a_sentence_never_becomes_a_heading_or_a_list(facts, start):
    card = model_card_markdown(dataclasses.replace(facts, verdict=start))
    assert f"\n{start}\n" not in card
    assert start in card.replace("\\", "")


def test_every_table_of_the_markdown_has_rows_of_one_width(facts):
    lines = [line for line in model_card_markdown(facts).splitlines() if not line.startswith("#")]
    tables = re.findall(r"(?:^\|.*\n)+", "\n".join(lines) + "\n", re.MULTILINE)
    assert len(tables) == 9
    for table in tables:
        assert len({line.count("|") for line in table.splitlines()}) == 1


@pytest.mark.parametrize("card", _CARDS)
def test_it_says_how_often_the_test_part_was_opened(card, facts):
    assert "The test part was opened once" in _words(card(facts))
    more = pd.concat([facts.test_log] * 3, ignore_index=True)
    same = _words(card(dataclasses.replace(facts, test_log=more)))
    assert "opened 3 times, each time for the same version" in same
    other = more.assign(model_version=["a", "b", "b"])
    words = _words(card(dataclasses.replace(facts, test_log=other)))
    assert "opened 3 times, with 2 versions of the model" in words
    assert "too good" in words


@pytest.mark.parametrize("card", _CARDS)
def test_licences_of_collected_images_are_listed_with_who_made_them(card, facts):
    licenses = pd.DataFrame([["CC BY 4.0", "https://creativecommons.org/licenses/by/4.0/", 1234]])
    licenses.columns = ["license", "license_url", "images"]
    table = "file,author\ncat/1.jpg,Ann\n"
    collected = Attributions(licenses, others=56, path="data/01_raw/pets/attributions.csv", table=table)
    page = card(dataclasses.replace(facts, attributions=collected))
    for words in ("CC BY 4.0", "https://creativecommons.org/licenses/by/4.0/", "1,234", "56", collected.path):
        assert words in page
    assert "Licences of the images" not in card(facts)
    if card is _CARDS[0]:
        found = re.search(r'href="data:text/csv;charset=utf-8;base64,([^"]+)" download="attributions.csv"', page)
        assert found is not None and base64.b64decode(found[1]).decode() == table


@pytest.mark.parametrize("card", _CARDS)
def test_images_that_came_without_a_label_are_told(card, facts):
    assert "came without a label" in card(dataclasses.replace(facts, accepted="3 images came without a label."))


@pytest.mark.parametrize("card", _CARDS)
def test_what_is_missing_leaves_no_trace(card, bare):
    text = card(bare)
    words = _words(text)
    assert not re.search(r"\b(None|nan|NaN|NA)\b", words)
    assert "how often the test part was opened before is not known" in words
    assert "What it gets wrong" not in words
    assert "AUROC" not in words
    assert (
        "No answer counts as sure: that 99.0 % of the sure ones are right cannot be expected from fewer than" in words
    )
    assert "98 validation images, and there are 9." in words
    assert "No picture counts as none of the classes" in words
    assert "No file was left out." in words
    assert not re.search(r"^## .*\n+(## |\Z)", text, re.MULTILINE)
    assert not re.search(r"</h2>\s*</section>", text)


@pytest.mark.parametrize("card", _CARDS)
def test_without_test_images_it_says_so(card, bare):
    facts = dataclasses.replace(bare, metrics=Metrics(), classes_report=bare.classes_report[:0])
    assert "There are no results on test images." in _words(card(facts))


@pytest.mark.parametrize("card", _CARDS)
def test_it_says_how_many_pairs_of_images_look_alike_across_the_split(card, facts):
    assert "7 pairs of images in different parts of the split look alike to a network" in _words(card(facts))


def test_a_model_without_flaws_has_no_limits(bare):
    assert [limit.split(":")[0] for limit in known_limits(bare)] == [
        "No answer counts as sure",
        "No picture counts as none of the classes",
    ]
    many = _changed(bare.calibration, validation={"images": 500}, unknown={"threshold": -6.25})
    assert known_limits(dataclasses.replace(bare, calibration=many)) == [
        "No probability was found from which 99.0 % of the answers can be expected to be right, going by the "
        "validation images, so none counts as sure."
    ]
    all_kept = _changed(made_calibration(), unknown={"threshold": None, "fewest_images": None})
    assert known_limits(dataclasses.replace(bare, calibration=all_kept)) == [
        "No picture counts as none of the classes: all pictures of the classes are to be kept "
        "(calibration.in_distribution_recall)."
    ]
    without = dataclasses.replace(bare, calibration=made_calibration())
    assert known_limits(without) == []
    assert "Known limits" not in model_card_html(without, {})


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"source": "Drawn by this project"}, "The images are drawn"),
        ({"calibration": _changed(made_calibration(), unknown={"auroc": 0.6})}, "AUROC 0.600"),
        ({"suspects": 19}, "suspected of a wrong label, of 1,980 training and validation images that were searched."),
        (
            {"suspects": 19, "searched": 220},
            "of 220 training and validation images that were searched (8.6 %): errors may be theirs.",
        ),
        ({"suspects": 1}, "1 image is suspected of a wrong label, of"),
        (
            {"leakage": Leakage(random_split=0.3, this_split=0.25, images_with_relatives=7)},
            "25.0 % of the validation images have a near duplicate",
        ),
        (
            {"leakage": Leakage(random_split=0.3, this_split=0.0, images_with_relatives=7)},
            "7 images have near duplicates",
        ),
        (
            {"leakage": Leakage(random_split=0.3, this_split=0.0, images_with_relatives=7, grouped=True)},
            "7 images have near duplicates or images of their group",
        ),
        (
            {
                "leakage": Leakage(
                    random_split=0.3, this_split=0.0, images_with_relatives=7, test_split=0.5, given=("train", "test")
                )
            },
            "50.0 % of the test images have a near duplicate in training or validation: test numbers are too good. "
            "leaking_images.csv lists them",
        ),
    ],
)
def test_limits_follow_from_the_numbers(bare, changes, sentence):
    assert any(sentence in limit for limit in known_limits(dataclasses.replace(bare, **changes)))
    assert not any(sentence in limit for limit in known_limits(bare))


def test_a_split_that_the_images_came_with_is_told(bare):
    leakage = Leakage(random_split=0.3, this_split=0.0, images_with_relatives=7, given=("train", "test"))
    card = model_card_markdown(dataclasses.replace(bare, leakage=leakage))
    assert "The images came with this split, but validation, which is dealt from its training part. 7 images" in card
    assert "came with this split" not in model_card_markdown(bare)


@pytest.mark.parametrize("card", _CARDS)
def test_what_augmented_views_bring_and_cost_is_told_where_there_are_any(card, facts):
    found = TtaGain(
        **{"views": 4, "images": 440, "errors": 20, "errors_plain": 26, "times_slower": 5.06},
        **{"gain": 6 / 440, "gain_low": -0.001, "gain_high": 0.0273},
    )
    words = _words(card(dataclasses.replace(facts, tta_gain=found)))
    assert "the mean over 4 augmented views" in words and "20 errors instead of 26" in words
    assert "by -1.36 percentage points (95 % interval -2.73 to +0.10: it may be chance)" in words
    assert "takes 5.1 times as long" in words
    words = _words(card(dataclasses.replace(facts, tta_gain=_changed(found, gain_low=0.001))))
    assert "(95 % interval -2.73 to -0.10)" in words
    words = _words(card(dataclasses.replace(facts, tta_gain=_changed(found, gain=0.0))))
    assert "by +0.00 percentage points" in words
    assert "augmented view" not in _words(card(facts))


def test_classes_with_few_test_images_are_named(bare):
    report = bare.classes_report.assign(support=[9, 10, *[20] * 11])
    limits = known_limits(dataclasses.replace(bare, classes_report=report))
    assert "Fewer than 10 test images: Fender Jaguar. Its numbers say little." in limits


def test_versions_that_changed_since_training_are_shown_side_by_side(facts):
    card = model_card_markdown(dataclasses.replace(facts, versions={"torch": "2.10.0"}))
    assert "| torch | 2.9.1 | 2.10.0 |" in card


def test_entities_are_written_once(facts):
    named = _renamed(facts, "Rock & Roll")
    assert "Rock &amp; Roll" in model_card_html(named, {})
    assert "&amp;amp;" not in model_card_html(named, {})


def test_what_was_chosen_on_validation_is_measured_on_test_with_its_interval(facts):
    words = _words(model_card_html(facts, {}))
    assert "chosen on the validation images so that 99.0 % of the sure answers should be right." in words
    assert (
        "Of the answers to the test images 82.3 % are sure, and 98.7 % of those are right (179 of 181; 95 % int"
        in words
    )
    assert (
        "so that 95.0 % of the pictures of the classes should stay below. Of the test images 95.1 % do (209 of" in words
    )
    assert "95 % interval 91.3 % to 97.2 %" in words
    assert "Of 77 other pictures 66.2 % lie above it; energy ranks the test images below them" in words
    assert "fitted on the validation images" in words
    assert "validation, which the temperature was fitted on" in words
    assert "Where errors of validation images are most frequent" in words
    assert "17.5 % to 45.8 %" in words


@pytest.mark.parametrize("card", _CARDS)
def test_a_phase_that_is_worse_than_guessing_is_warned_of(facts, card):
    sentence = worse_than_guessing(4e30, 0.95, Guess(11, "gibson_SG", 10 / 11))
    stages = facts.stages.assign(warning=["", "", sentence])
    words = _words(card(dataclasses.replace(facts, stages=stages)))
    assert "large, unfrozen: It ended worse than guessing: its validation loss is 4e30, and that of giving" in words
    assert "worse than guessing" not in _words(card(facts))


@pytest.mark.parametrize("card", _CARDS)
def test_a_loss_that_is_no_number_is_a_dash(facts, card):
    score = _changed(facts.metrics.test["large"], loss=None)
    words = _words(
        card(dataclasses.replace(facts, metrics=facts.metrics.model_copy(update={"test": {"large": score}})))
    )
    assert "Every stage, on every part" in words
