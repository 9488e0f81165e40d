"""What a visitor sees who shows the page a picture."""

from __future__ import annotations

import base64
import io
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pillow_heif
import pytest
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Locator, expect
from small_service import Running, bomb, jpeg

LOOK_SECONDS = 20
DESKTOP = {"viewport": {"width": 1280, "height": 800}}
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
# what a browser gives a page when files are dropped or pasted
GIVE = """([kind, files]) => {
  const data = new DataTransfer();
  for (const [name, text] of files) {
    const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
    data.items.add(new File([bytes], name, {type: "image/jpeg"}));
  }
  const event = kind === "paste" ? new ClipboardEvent("paste", {clipboardData: data, bubbles: true})
    : new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true});
  document.body.dispatchEvent(event);
}"""


class Visit:
    """The page in a browser, and what happened around it."""

    def __init__(self, context: BrowserContext, url: str) -> None:
        self.context, self.url, self.page = context, url, context.new_page()
        self.errors: list[str] = []
        self.hosts: set[str | None] = set()
        self.page.on("console", lambda message: message.type == "error" and self.errors.append(message.text))
        self.page.on("pageerror", lambda error: self.errors.append(str(error)))
        self.page.on("request", lambda request: self.hosts.add(urlsplit(request.url).hostname))
        self.page.goto(url)

    @property
    def answers(self) -> Locator:
        return self.page.locator(".answer:not(.waiting)")

    def choose(self, *files: tuple[str, bytes]) -> None:
        payload = [{"name": name, "mimeType": "image/jpeg", "buffer": content} for name, content in files]
        self.page.set_input_files("#pictures", payload)

    def give(self, kind: str, *files: tuple[str, bytes]) -> None:
        self.page.evaluate(GIVE, [kind, [[name, base64.b64encode(content).decode()] for name, content in files]])

    def end(self) -> None:
        """No visit may end with an error in the console, or have asked another host for anything."""
        errors, self.errors[:] = list(self.errors), []
        assert errors == []
        assert self.hosts <= {"127.0.0.1", None, ""}


VisitWith = Callable[..., Visit]


@pytest.fixture(scope="module")
def visit_with(browser: Browser, service: Running) -> Iterator[VisitWith]:
    """Visits the page with options of the browser, each time in one of its own."""
    expect.set_options(timeout=LOOK_SECONDS * 1000)
    contexts = []

    def make(**options: object) -> Visit:
        context = browser.new_context(**options)
        context.set_default_timeout(LOOK_SECONDS * 1000)
        contexts.append(context)
        return Visit(context, service.url)

    yield make
    for context in contexts:
        context.close()


@pytest.fixture(scope="module")
def desk(visit_with: VisitWith) -> Visit:
    return visit_with(**DESKTOP)


@pytest.fixture
def visit(desk: Visit) -> Iterator[Visit]:
    """The page as one sees it who comes again, for a new browser takes a second."""
    desk.page.goto(desk.url)
    yield desk
    desk.end()


DECISIONS = {"sure": "Sure", "not_sure": "Not sure", "none_of_these": "None of these"}


def shares(answer: Locator) -> list[float]:
    return [float(text.split()[0].lstrip("<>")) for text in answer.locator(".share").all_text_contents()]


def shown_map(answer: Locator) -> Locator:
    return answer.locator(".row input:checked ~ .map")


def test_a_chosen_picture_is_answered_with_words_bars_and_the_picture(visit: Visit, service: Running, picture: bytes):
    with service.client() as client:
        (wanted,) = client.post("/predict", content=picture).json()["pictures"]
    visit.choose(("strat.jpg", picture))
    expect(visit.answers).to_have_count(1)
    expect(visit.answers.locator(".decision")).to_have_text(DECISIONS[wanted["decision"]])
    expect(visit.answers.locator(".name").first).to_have_text(wanted["display_name"])
    assert shares(visit.answers)[0] == pytest.approx(100 * wanted["probability"], abs=0.5)
    assert shares(visit.answers) == sorted(shares(visit.answers), reverse=True)
    assert len(shares(visit.answers)) == len(wanted["probabilities"])
    shown = visit.answers.locator(".picture img")
    assert shown.evaluate("image => image.decode().then(() => image.naturalWidth)") == 60
    assert shown.get_attribute("alt") == "strat.jpg"
    expect(visit.page.locator("#said")).to_contain_text(wanted["display_name"])


def test_a_picture_of_a_phone_is_answered_and_shown_though_the_browser_cannot_read_it(visit: Visit, picture: bytes):
    content = io.BytesIO()
    pillow_heif.from_pillow(Image.open(io.BytesIO(picture))).save(content)
    visit.choose(("IMG_0001.HEIC", content.getvalue()))
    expect(visit.answers.locator(".share").first).to_contain_text("%")
    shown = visit.answers.locator(".picture img")
    assert shown.evaluate("image => image.decode().then(() => image.naturalWidth)") == 60


@pytest.mark.parametrize("kind", ["drop", "paste"])
def test_a_picture_may_be_dropped_or_pasted(visit: Visit, picture: bytes, kind: str):
    visit.give(kind, ("a.jpg", picture))
    expect(visit.answers.locator("h2")).to_have_count(1)
    expect(visit.answers.locator(".share").first).to_contain_text("%")


def test_several_pictures_make_a_gallery(visit: Visit):
    visit.give("drop", *((f"{seed}.jpg", jpeg(seed)) for seed in range(6)))
    expect(visit.answers).to_have_count(6)
    names = visit.answers.locator(".picture img").evaluate_all("images => images.map((image) => image.alt)")
    assert names == [f"{seed}.jpg" for seed in range(6)]
    lefts = {round(visit.answers.nth(number).bounding_box()["x"]) for number in range(6)}
    assert len(lefts) == 3


def test_the_map_lies_over_the_picture_and_shows_the_class_that_is_clicked(visit: Visit, picture: bytes):
    visit.choose(("wide.jpg", jpeg(3, (90, 40))))
    expect(visit.answers).to_have_count(1)
    first = shown_map(visit.answers)
    expect(first).to_have_css("opacity", "1")
    places = visit.page.evaluate(
        "[...document.querySelectorAll('.picture img, .row input:checked ~ .map')].map("
        "(each) => JSON.stringify(each.getBoundingClientRect()))"
    )
    assert len(places) == 2
    assert len(set(places)) == 1
    before = first.locator("image").get_attribute("href")
    visit.answers.locator(".row label").nth(1).click()
    expect(shown_map(visit.answers)).to_have_css("opacity", "1")
    assert shown_map(visit.answers).locator("image").get_attribute("href") != before
    visit.answers.get_by_text("Only the picture").click()
    expect(shown_map(visit.answers)).to_have_count(0)


def test_a_drawn_example_may_be_tried(visit: Visit):
    examples = visit.page.locator(".thumbs img")
    assert examples.evaluate_all(
        "images => Promise.all(images.map((image) => image.decode())).then(() => images.length)"
    )
    visit.page.locator(".thumbs button").nth(1).click()
    expect(visit.answers).to_have_count(1)
    expect(visit.answers.locator(".picture img")).to_have_attribute("alt", "Drawn picture 2")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"dear diary", "This is not a picture"),
        (b"\0\0\0\x18ftypavif\0\0\0\0mif1avif", "This kind of file is not read here"),
        (b"", "This file is empty"),
        (jpeg(1)[:700], "This picture ends too early"),
        (bomb(300), "This picture is too large"),
    ],
    ids=["text", "AVIF", "empty", "truncated", "bomb"],
)
def test_what_cannot_be_read_is_explained_kindly(visit: Visit, content: bytes, words: str):
    visit.choose(("photo.jpg", content))
    expect(visit.answers.locator("h2")).to_have_text(words)
    expect(visit.answers.locator(".remark")).not_to_be_empty()
    expect(visit.answers.locator(".file")).to_have_text("photo.jpg")
    expect(visit.page.get_by_role("alert")).to_be_visible()


def test_what_is_too_large_to_send_is_told_before_it_is_sent(visit: Visit, tmp_path: Path):
    (tmp_path / "large.jpg").write_bytes(b"\xff" * 26_000_000)
    visit.page.set_input_files("#pictures", tmp_path / "large.jpg")
    expect(visit.answers.locator("h2")).to_have_text("This picture is too large")
    expect(visit.answers.locator(".remark")).to_contain_text("It has 26 MB; 25 MB can be sent.")


def test_a_lost_connection_is_told_and_the_picture_can_be_sent_again(visit: Visit, picture: bytes):
    visit.context.set_offline(True)
    visit.choose(("a.jpg", picture))
    expect(visit.answers.locator("h2")).to_have_text("The connection was lost")
    visit.context.set_offline(False)
    visit.page.get_by_role("button", name="Try again").click()
    expect(visit.answers.locator(".share").first).to_contain_text("%")
    expect(visit.answers).to_have_count(1)
    assert all("ERR_INTERNET_DISCONNECTED" in error for error in visit.errors)
    visit.errors.clear()


@pytest.mark.parametrize(("status", "body"), [(500, '{"reason": "internal_error"}'), (502, "<h1>Bad gateway</h1>")])
def test_a_visitor_reads_when_the_service_could_not_answer_and_can_send_the_picture_again(
    visit: Visit, picture: bytes, status: int, body: str
):
    visit.page.route(visit.url, lambda route: route.fulfill(status=status, body=body))
    visit.choose(("a.jpg", picture))
    expect(visit.answers.locator("h2")).to_have_text("The service could not answer")
    expect(visit.answers.locator(".remark")).to_contain_text(str(status))
    visit.page.unroute(visit.url)
    visit.page.get_by_role("button", name="Try again").click()
    expect(visit.answers.locator(".share").first).to_contain_text("%")
    expect(visit.answers).to_have_count(1)
    assert all(f"status of {status}" in error for error in visit.errors)
    visit.errors.clear()


@pytest.mark.parametrize(
    ("status", "words"), [(None, "The connection was lost"), (500, "The service could not answer")]
)
def test_a_visitor_whose_example_did_not_come_can_try_it_again(visit: Visit, status: int | None, words: str):
    examples = "**/examples/1.jpg"
    visit.page.route(examples, lambda route: route.fulfill(status=status) if status else route.abort())
    visit.page.locator(".thumbs button").nth(1).click()
    expect(visit.answers.locator("h2")).to_have_text(words)
    visit.page.unroute(examples)
    visit.page.get_by_role("button", name="Try again").click()
    expect(visit.answers.locator(".share").first).to_contain_text("%")
    expect(visit.answers.locator(".picture img")).to_have_attribute("alt", "Drawn picture 2")
    assert all("Failed to load resource" in error for error in visit.errors)
    visit.errors.clear()


def test_the_keyboard_is_enough(visit: Visit, picture: bytes):
    keyboard = visit.page.keyboard
    # from here on the browser hands file choosers over; that takes a moment
    visit.page.on("filechooser", lambda _: None)
    keyboard.press("Tab")
    expect(visit.page.get_by_text("Skip to the answers")).to_be_focused()
    keyboard.press("Tab")
    expect(visit.page.locator("#pictures")).to_be_focused()
    with visit.page.expect_file_chooser() as chooser:
        keyboard.press("Enter")
    chooser.value.set_files({"name": "a.jpg", "mimeType": "image/jpeg", "buffer": picture})
    expect(visit.answers).to_have_count(1)
    for _ in range(20):
        keyboard.press("Tab")
        if visit.page.evaluate("document.activeElement.type") == "radio":
            break
    before = shown_map(visit.answers).locator("image").get_attribute("href")
    keyboard.press("ArrowDown")
    expect(visit.answers.locator("input").nth(1)).to_be_focused()
    assert shown_map(visit.answers).locator("image").get_attribute("href") != before


def test_without_javascript_a_form_does_the_same(visit_with: VisitWith, picture: bytes):
    visit = visit_with(**DESKTOP, java_script_enabled=False)
    visit.choose(("a.jpg", picture), ("b.jpg", b"dear diary"))
    visit.page.get_by_role("button", name="Look at them").click()
    expect(visit.answers).to_have_count(2)
    expect(visit.answers.first.locator(".share").first).to_contain_text("%")
    expect(visit.answers.last.locator("h2")).to_have_text("This is not a picture")
    expect(shown_map(visit.answers.first)).to_have_css("opacity", "1")
    visit.page.locator(".thumbs button").first.click()
    expect(visit.answers).to_have_count(1)
    expect(visit.answers.locator(".share").first).to_contain_text("%")
    visit.end()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_phone_shows_all_of_it_without_scrolling_sideways(visit_with: VisitWith, picture: bytes, scheme: str):
    visit = visit_with(**PHONE, color_scheme=scheme)
    expect(visit.page.get_by_text("Take a photo")).to_be_visible()
    for button in ("Choose pictures", "Take a photo"):
        assert visit.page.get_by_text(button).bounding_box()["height"] >= 44
    visit.choose(("a.jpg", picture))
    expect(visit.answers).to_have_count(1)
    assert visit.page.evaluate("document.documentElement.scrollWidth") <= 390
    background = visit.page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (background == "rgb(255, 255, 255)") == (scheme == "light")
    visit.end()


def test_the_page_says_how_good_the_model_is_and_leads_to_its_card(visit: Visit, service: Running):
    with service.client() as client:
        version = client.get("/classes").json()["model_version"]
    footer = visit.page.locator("footer")
    expect(footer).to_contain_text(version)
    expect(footer).to_contain_text("95\N{NO-BREAK SPACE}% interval")
    visit.page.get_by_role("link", name="Model card").click()
    expect(visit.page.locator("h1")).to_contain_text("11 classes of pictures")
    assert visit.page.locator("header").evaluate("header => getComputedStyle(header).maxWidth") != "none"


def test_names_are_shown_as_text_whatever_is_in_them(visit: Visit, picture: bytes):
    name = "<img src=x onerror=alert(1)>.jpg"
    visit.choose((name, picture), (name, b"dear diary"))
    expect(visit.answers).to_have_count(2)
    expect(visit.answers.last.locator(".file")).to_have_text(name)
    assert visit.answers.first.locator(".picture img").get_attribute("alt") == name
