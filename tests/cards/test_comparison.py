"""What a person sees who compares models: in the terminal, and on the page in a browser."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect
from rich.console import Console
from tried import many, tried

from guitar_kedro.cards import comparison_html, comparison_report, difference_report
from guitar_kedro.metrics import compare_experiments


def printed(report: object) -> str:
    console = Console(file=io.StringIO(), width=120)
    console.print(report, soft_wrap=True)
    return console.file.getvalue()


def test_the_terminal_says_of_each_model_how_good_it_is_and_in_what_it_differs():
    experiments = many(20)
    text = printed(comparison_report(experiments, compare_experiments(experiments), "demo", ["failed: no room"]))
    lines = text.splitlines()
    assert lines[0] == "Workspace demo: 20 models, the newest first"
    [head] = (number for number, line in enumerate(lines) if line.startswith("model "))
    assert [line[:24] for line in lines[head + 1 : head + 21]] == [experiment.version for experiment in experiments]
    assert "…" not in text, "the table is not cut off"
    assert "stages.small.unfrozen.epochs is" in text
    assert "1 run failed and made no model; the last one failed: no room" in text
    assert "of some of these models the split is not known" in text.lower()
    assert "\x1b" not in text


def test_models_of_one_split_need_no_word_about_it():
    experiments = [tried("2", "1110"), tried("1", "1100")]
    text = printed(comparison_report(experiments, compare_experiments(experiments), "demo", []))
    assert "split" not in text
    assert "nothing that is on record" in text


def test_two_models_are_told_apart_in_sentences_up_to_the_pictures():
    before, now = tried("1", "1" * 20 + "0" * 12 + "1"), tried("2", "1" * 32 + "0", "longer", device="cuda")
    text = printed(difference_report(before, now))
    assert text.startswith("From 1 to 2 (longer)")
    assert "device is cuda, was cpu." in text
    assert "The error on the validation part is 3.03 % (1 of 33 images; 0.5 % to 15.3 %), was 36.36 %" in text
    assert "longer fixed 12 images and broke 1 that 1 had right" in text
    assert "better, by more than chance would explain (McNemar p = 0.0034)" in text
    assert "The size of the weights is 4.5 MB, as before." in text
    assert "Fixed (12)" in text
    assert [line.split() for line in text.splitlines()[-1:]] == [["32.jpg", "a", "a", "b"]]


def test_two_models_of_different_splits_are_not_told_apart_by_their_errors():
    other = {"image_table": "one", "splits": "two"}
    text = printed(difference_report(tried("1", "1100"), tried("2", "1111", first=2, data=other)))
    assert "They are of different splits: these errors are of different images and do not compare." in text
    assert "Among the images that both held out, 2 fixed 2 images" in text
    text = printed(difference_report(tried("1", "1100"), tried("2", "1111", first=9, data=other)))
    assert "No image was held out by both, so that nothing says which of the two is better." in text


@pytest.mark.browser
def test_the_page_shows_table_and_figures_and_asks_nobody_for_anything(browser: Browser, tmp_path: Path):
    experiments = many(20)
    page_file = tmp_path / "page.html"
    text = comparison_html(experiments, compare_experiments(experiments), "demo", [])
    page_file.write_text(text, encoding="utf-8")
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    page = context.new_page()
    errors: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: message.type == "error" and errors.append(message.text))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(page_file.as_uri())
    expect(page.locator("tbody tr")).to_have_count(20)
    expect(page.locator("#curves .scatterlayer .trace")).to_have_count(20)
    expect(page.locator("#coordinates .parcoords")).to_be_attached()
    expect(page.get_by_text("small.unfrozen.epochs").first).to_be_visible()
    expect(page.locator("#models b")).to_have_count(0)
    assert errors == []
    assert [url for url in asked if not url.startswith(("file:", "data:", "blob:"))] == []
    context.close()
