"""What a person can do who looks through pictures on the page of ``kedro review``."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, Response, Route, expect
from small_service import Running, start_service

from guitar_kedro.datasets.decisions import CurationRow, DecisionsFile

DESKTOP = {"viewport": {"width": 1280, "height": 800}}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
Visit = Callable[..., Page]


@pytest.fixture
def visit(browser: Browser, review: Running, curation: Path) -> Iterator[Visit]:
    """Opens the page, each time in a window of its own."""
    expect.set_options(timeout=20_000)
    contexts, errors = [], []

    def open_page(queue: str = "all", url: str = review.url, **options: object) -> Page:
        contexts.append(browser.new_context(**(options or DESKTOP)))
        page = contexts[-1].new_page()
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.goto(f"{url}#{queue}")
        expect(page.locator(".tile.current")).to_have_count(1)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert errors == []


def saved(curation: Path, count: int) -> list[CurationRow]:
    deadline = time.monotonic() + 10
    while len(rows := DecisionsFile(curation).rows()) != count and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(rows) == count
    return list(rows.values())


def files(page: Page, count: int) -> list[str]:
    return [page.locator(".tile").nth(place).get_attribute("title") for place in range(count)]


def test_keys_decide_and_each_decision_is_in_the_file_with_who_and_why(visit: Visit, curation: Path):
    page = visit("unsure")
    names = files(page, 5)
    for key in "kd r":
        page.keyboard.press("Space" if key == " " else key)
    page.locator("#search").fill("must")
    page.keyboard.press("Enter")
    rows = saved(curation, 4)
    assert [row.file for row in rows] == names[:4]
    assert [row.action for row in rows] == ["keep", "drop", "keep", "relabel"]
    assert rows[3].label == "fender_mustang"
    assert all(row.by and row.when.endswith("+00:00") and row.why.startswith("the model is not sure") for row in rows)
    assert page.locator(".tile").nth(4).get_attribute("class").split()[-1] == "current"
    expect(page.locator("#progress")).to_have_text(re.compile(r"^4 of \d+ looked at; 2 changed$"))
    expect(page.locator("#next")).to_have_text("4 decisions for the next run to follow: kedro run")


def test_what_was_decided_is_taken_back_and_survives_a_reload(visit: Visit, curation: Path):
    page = visit()
    page.keyboard.press("d")
    page.keyboard.press("d")
    page.keyboard.press("u")
    assert [row.file for row in saved(curation, 1)] == files(page, 1)
    page.reload()
    expect(page.locator(".tile.current")).to_have_attribute("data-place", "1")
    expect(page.locator(".tile").first.locator(".badge")).to_have_text("dropped")


def test_keys_are_for_pictures_also_after_a_queue_or_a_class_was_chosen(visit: Visit, curation: Path):
    page = visit("all")
    [first] = files(page, 1)
    page.locator('[data-queue="unsure"]').click()
    expect(page.locator(".tile").first).not_to_have_attribute("title", first)
    page.keyboard.press("k")
    saved(curation, 1)
    page.locator("#label").focus()
    page.locator("#label").select_option("gibson_SG")
    expect(page.locator(".tile .label").filter(has_not_text="Gibson SG")).to_have_count(0)
    page.keyboard.press("d")
    assert {row.action for row in saved(curation, 2)} == {"keep", "drop"}


def test_several_are_decided_at_once_with_shift(visit: Visit, curation: Path):
    page = visit()
    page.keyboard.press("Shift+ArrowRight")
    page.locator(".tile").nth(3).click(modifiers=["Shift"])
    page.keyboard.press("d")
    assert [row.file for row in saved(curation, 4)] == files(page, 4)
    page.keyboard.press("u")
    saved(curation, 0)


def test_a_class_is_looked_through_with_its_odd_ones_first_and_page_by_page(visit: Visit):
    page = visit()
    page.locator("#label").select_option("gibson_SG")
    expect(page.locator(".tile .label", has_text="Gibson SG").first).to_be_visible()
    expect(page.locator(".tile .label").filter(has_not_text="Gibson SG")).to_have_count(0)
    page.locator("#label").select_option("")
    expect(page.locator("#range")).to_have_text(re.compile(r"1 to 60 of \d+"))
    first = files(page, 1)
    page.keyboard.press("n")
    expect(page.locator("#range")).to_have_text(re.compile(r"61 to \d+ of \d+"))
    assert files(page, 1) != first
    page.keyboard.press("b")
    expect(page.locator("#range")).to_have_text(re.compile(r"1 to 60 of"))
    assert files(page, 1) == first


def test_one_picture_is_shown_large_with_what_is_known_of_it(visit: Visit, curation: Path):
    page = visit("unsure")
    page.keyboard.press("Enter")
    expect(page.locator("#likeliest li")).to_have_count(5)
    page.keyboard.press("z")
    expect(page.locator("#figure")).to_have_class("zoomed")
    name = page.locator("#file").text_content()
    page.keyboard.press("k")
    expect(page.locator("#file")).not_to_have_text(name)
    saved(curation, 1)
    page.keyboard.press("Escape")
    expect(page.locator("#single")).not_to_be_visible()


def test_beside_a_picture_is_shown_where_the_model_looks_and_keys_do_not_wait_for_it(visit: Visit, curation: Path):
    page = visit("unsure")
    page.keyboard.press("Enter")
    page.keyboard.press("k")
    saved(curation, 1)
    expect(page.locator("#maps svg")).to_have_count(2)
    expect(page.locator("#maps b").first).to_have_text(page.locator("#name").text_content() or "")
    expect(page.locator("#looked")).to_contain_text("Grad-CAM")
    assert page.evaluate("document.querySelector('#maps svg image + image').getBBox().width > 0")
    page.keyboard.press("ArrowLeft")
    expect(page.locator("#maps svg")).to_have_count(0)
    expect(page.locator("#maps svg")).to_have_count(2)


@pytest.mark.parametrize("look", [DESKTOP, PHONE], ids=["desktop", "phone"])
def test_nothing_runs_out_of_the_window_and_a_tap_decides(visit: Visit, curation: Path, look: dict[str, object]):
    page = visit("all", **look)
    page.locator("[data-act=drop]").click()
    page.locator(".tile").nth(3).dblclick()
    expect(page.locator("#single")).to_be_visible()
    page.locator("[data-act=drop]").click()
    assert [row.file for row in saved(curation, 2)] == [files(page, 4)[place] for place in (0, 3)]
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    page.locator("[data-act=close]").click()
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


class Typist:
    """Presses keys in a window, and notes which decisions the server has acknowledged."""

    def __init__(self, page: Page, keys: str) -> None:
        self.page, self.keys, self.acknowledged = page, keys, {}
        page.on("response", self._note)

    def _note(self, response: Response) -> None:
        if response.url.endswith("/decide") and response.ok:
            for decision in json.loads(response.request.post_data)["decisions"]:
                self.acknowledged[decision["file"]] = decision["action"]

    def press(self, number: int) -> None:
        self.page.keyboard.press(self.keys[number % len(self.keys)])


def test_whatever_was_acknowledged_is_in_the_file_though_the_server_is_killed(
    visit: Visit, reviewed_project: Path, curation: Path, tmp_path: Path
):
    (tmp_path / "again").mkdir()
    server = start_service(reviewed_project, tmp_path, name="review")
    typists = [Typist(visit(url=server.url), "kd"), Typist(visit(url=server.url), "dk")]
    typists[1].page.locator(".tile").nth(40).click()  # the one begins where the other will end
    for number in range(40):
        for typist in typists:
            typist.press(number)
        time.sleep(0.05)  # each gets ten keys a second, at least
        if number == 20:
            os.kill(server.process.pid, signal.SIGKILL)
            for typist in typists:
                acknowledged = dict(typist.acknowledged)
                assert acknowledged.items() <= decisions(curation).items()
    expect(typists[0].page.locator("#banner")).to_contain_text("to be saved")
    server.process.wait(timeout=10)
    server = start_service(reviewed_project, tmp_path / "again", f"--port={server.port}", name="review")
    for typist in typists:
        expect(typist.page.locator("#banner")).to_be_hidden()
        assert len(typist.acknowledged) == 40
        assert typist.acknowledged.items() <= decisions(curation).items()
    server.end()


def decisions(curation: Path) -> dict[str, str]:
    return {file: row.action for file, row in DecisionsFile(curation).rows().items()}


def test_of_decisions_that_waited_only_the_one_that_makes_no_sense_is_lost(visit: Visit, curation: Path):
    page = visit("unsure")
    names, away = files(page, 3), True

    def answer(route: Route) -> None:
        if away:
            return route.abort()
        body = route.request.post_data or ""
        return route.continue_(post_data=body.replace(json.dumps(names[1])[1:-1], "gone.jpg"))

    page.route("**/decide", answer)
    for _ in names:
        page.keyboard.press("d")
    expect(page.locator("#banner")).to_contain_text("3 decisions wait here")
    away = False
    expect(page.locator("#banner")).to_have_text("There is no picture gone.jpg any more: load the page again.")
    expect(page.locator(".tile[data-action=drop]")).to_have_count(2)
    assert {row.file for row in saved(curation, 2)} == {names[0], names[2]}
