"""What who asks the service, or watches it, may rely on whatever the model is."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from fastapi.testclient import TestClient
from small_service import OPTIONS, client_of, jpeg

from guitar_kedro.errors import UserError
from guitar_kedro.learning import Checkpoint, ModelSpec, Predictor
from guitar_kedro.learning.inference.learner import inference_loaders
from guitar_kedro.learning.networks.learner import build_learner
from guitar_kedro.metrics.errors import Share
from guitar_kedro.serving import answers
from guitar_kedro.serving.model import Answer
from guitar_kedro.serving.pages import About, Pages
from guitar_kedro.serving.server import listen
from guitar_kedro.serving.start import start

SPEC = ModelSpec(
    architecture="none",
    classes=("cat", "dog"),
    display_names={},
    image_size=8,
    resize_method="squish",
    mean=(0.5, 0.5, 0.5),
    std=(0.5, 0.5, 0.5),
)


class Model:
    """Reads everything, and is never asked."""

    spec = SPEC

    def read(self, _content: bytes) -> np.ndarray:
        return np.zeros((3, 8, 8), np.uint8)


@pytest.fixture
def client() -> Iterator[TestClient]:
    with client_of(Model(), "cat", "banjo") as client:
        yield client


def test_pictures_are_answered_and_mapped_in_the_shape_that_the_network_takes():
    spec = SPEC.model_copy(update={"architecture": "squeezenet1_1", "image_size": (64, 48)})
    network = build_learner(inference_loaders(spec), spec).model.state_dict()
    with client_of(Predictor(Checkpoint(network, spec), "cpu")) as client:
        (answer,) = client.post("/predict", content=jpeg(1)).json()["pictures"]
        page = client.post("/", files={"pictures": ("a.jpg", jpeg(1))}).text
    assert set(answer["probabilities"]) == set(spec.classes)
    assert "at 64 x 48 px" in page
    assert 'class="map"' in page


@pytest.mark.parametrize("number", ["2", "-1", "\u00b2", "9" * 5000])
def test_a_visitor_who_chooses_an_example_that_is_not_there_is_told(client: TestClient, number: str):
    answer = client.post("/", files={"example": (None, number)})
    assert answer.status_code == 422
    assert "choose one first" in answer.text


def test_a_client_who_invents_methods_does_not_fill_the_metrics(client: TestClient, caplog: pytest.LogCaptureFixture):
    caplog.set_level("INFO", "guitar_kedro.serving.requests")
    for number in range(3):
        assert client.request(f"INVENTED{number}", "/predict").status_code == 405
    assert 'method="other",route="/predict",status="405"} 3.0' in client.get("/metrics").text
    assert "INVENTED" not in client.get("/metrics").text + caplog.text


@pytest.mark.parametrize("path", ["/health", "/ready"])
def test_a_watcher_may_ask_for_the_state_without_its_body(client: TestClient, path: str):
    answer = client.head(path)
    assert (answer.status_code, answer.content) == (200, b"")


@pytest.mark.parametrize("part", [("pictures", ("", b"")), ("note", (None, b"hello"))], ids=["empty files", "one name"])
def test_a_client_who_sends_too_many_parts_is_refused(client: TestClient, part: tuple):
    assert client.post("/predict", files=[part] * 10).json()["reason"] == "no_picture"
    assert client.post("/predict", files=[part] * 100).json()["reason"] == "damaged_form"


def test_who_sends_pictures_beside_empty_parts_is_heard_about_the_pictures(client: TestClient):
    files = [("pictures", ("a.jpg", jpeg(1)))] * 3 + [("camera", ("", b""))]
    assert client.post("/predict", files=files).json()["reason"] == "too_many_pictures"


def test_who_starts_a_second_service_while_the_first_one_loads_is_told_that_the_port_is_taken():
    with listen("127.0.0.1", 0) as first:
        port = first.getsockname()[1]
        with listen("127.0.0.1", port) as second:
            first.listen()
            with pytest.raises(UserError, match=rf"--host=127\.0\.0\.1 --port={port} cannot be used \(Address alrea"):
                start(second, Model(), "2026", "demo", OPTIONS, pd.DataFrame(), [], ())


@pytest.mark.parametrize(
    ("share", "words"),
    [(0.0, "0.0"), (1e-5, "&lt;0.1"), (0.0123, "1.2"), (0.5, "50.0"), (0.9996, "&gt;99.9"), (1.0, "100.0")],
)
def test_the_page_says_0_or_100_percent_only_where_nothing_else_is_meant(share: float, words: str):
    about = About("demo", "2026", SPEC, Share(share, share, share), 8, None, ())
    page = Pages(about, "http://here/", OPTIONS.max_bytes).page().body.decode()
    assert f"<dd>{words}\N{NO-BREAK SPACE}% " in page


def test_a_model_of_5000_classes_has_a_small_page_and_an_answer_of_a_few_megabytes():
    classes = tuple(f"a class with number {number:04d}" for number in range(5000))
    spec = SPEC.model_copy(update={"classes": classes, "display_names": {label: label.upper() for label in classes}})
    page = Pages(About("many", "2026", spec, None, 0, None, ()), "http://here/", 1).page().body.decode()
    assert len(page) < 50_000
    assert page.count("<li>A CLASS") == 200
    assert '4800 more: <a href="/classes">' in page
    answer = Answer((1 / 5000,) * 5000, -1.0)
    pictures = [answers.prediction("a.jpg", answer, spec) for _ in range(16)]
    assert len(answers.Predictions(model_version="2026", pictures=pictures).model_dump_json()) < 5_000_000
    assert len(answers.known_classes("2026", spec).classes) == 5000
