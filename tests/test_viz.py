"""What a person sees who opens ``kedro viz`` in a browser."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import os
import random
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from PIL import Image
from playwright.sync_api import Browser, Locator, Page, Route, expect
from small_project import Kedro

LAYERS = ["raw", "prepared", "models", "predictions", "reports"]
STAGES_OF_THE_ARTICLE = ("resnet34_224px", "resnet50_224px", "resnet50_448px")
HERE = "127.0.0.1"
# kedro-viz asks for the typeface of its page there, and does without it; nothing of the project goes to it
TYPEFACE = "fonts.googleapis.com"
START_SECONDS, LOOK_SECONDS = 60, 20
# without loading the page anew, which takes seconds
GO = "(link) => { history.pushState(null, '', link); dispatchEvent(new PopStateEvent('popstate')); }"


@pytest.fixture(scope="module")
def viz_url(finished_project: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of kedro-viz, started by its command in a project in which ``kedro run`` has ended."""
    port = _free_port()
    console = tmp_path_factory.mktemp("viz") / "console.txt"
    # with no way out: kedro-viz would wait for the package index to hear of newer versions of itself
    nowhere = {"https_proxy": f"http://{HERE}:9", "http_proxy": f"http://{HERE}:9", "no_proxy": f"{HERE},localhost"}
    with console.open("w") as log:
        server = subprocess.Popen(
            [sys.executable, "-m", "kedro", "viz", "run", "--no-browser", "--host", HERE, "--port", str(port)],
            cwd=finished_project,
            env={**os.environ, **nowhere, "PYTHONPATH": str(finished_project / "src")},
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # it starts processes of its own, which end with it
        )
    try:
        url = f"http://{HERE}:{port}/"
        _wait_until_it_answers(url, server, console)
        yield url
    finally:
        with contextlib.suppress(ProcessLookupError):  # it may have ended on its own
            os.killpg(server.pid, signal.SIGTERM)
        server.wait(timeout=10)


def _free_port() -> int:
    # kedro-viz takes none above 49151, where those lie that the system would choose
    for port in random.sample(range(20_000, 30_000), 50):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind((HERE, port))
            return port
    pytest.fail("50 ports were tried, and none is free")


def _asked(url: str) -> Any:
    ask = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with ask.open(url, timeout=LOOK_SECONDS) as answer:
        return json.load(answer)


def _wait_until_it_answers(url: str, server: subprocess.Popen, console: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        try:
            _asked(url + "api/main")
            return
        except OSError:
            time.sleep(0.2)
    pytest.fail(f"kedro viz did not start:\n{console.read_text(encoding='utf-8')}")


class Visit:
    """A page of kedro-viz, and what happened around it."""

    def __init__(self, page: Page, url: str) -> None:
        self.page, self.url = page, url
        self.errors: list[str] = []
        self.hosts: set[str] = set()
        page.on("console", lambda message: message.type == "error" and self.errors.append(message.text))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.route("**/*", self._let_through_what_is_here)
        page.goto(url)
        expect(self.group("train")).to_be_attached()

    def _let_through_what_is_here(self, route: Route) -> None:
        host = urlsplit(route.request.url).hostname
        self.hosts.add(host)
        if host == HERE:
            route.continue_()
        else:
            route.fulfill(status=200, content_type="text/css", body="")

    def group(self, name: str) -> Locator:
        """A group of nodes that is drawn as one box."""
        return self.page.locator(f'.pipeline-node--modularPipeline[data-node-fullname="{name}"]')

    def nodes(self, kind: str) -> set[str]:
        """The names of what is drawn: kind is task, data or modularPipeline."""
        found = self.page.locator(f".pipeline-node--{kind}")
        return set(found.evaluate_all("nodes => nodes.map(node => node.dataset.nodeFullname)"))

    def unfold(self, group: str) -> None:
        """Opens a group in the list at the side."""
        row = self.page.locator("[role=treeitem]", has=self.page.locator(f'button[title="{group}"]')).last
        row.locator(".MuiTreeItem-iconContainer").first.click()

    def look_at(self, name: str) -> Locator:
        """Goes to kedro-viz's link to a dataset, as the browser's arrows do: gives the panel that shows it."""
        self.page.evaluate(GO, f"?pid=__default__&sn={name}")
        expect(self.page.locator(".pipeline-metadata__title")).to_have_text(name)
        return self.page.locator(".pipeline-metadata")


@contextlib.contextmanager
def _visit(browser: Browser, url: str) -> Iterator[Visit]:
    expect.set_options(timeout=LOOK_SECONDS * 1000)
    context = browser.new_context(viewport={"width": 1600, "height": 1000})
    context.set_default_timeout(LOOK_SECONDS * 1000)
    visit = Visit(context.new_page(), url)
    yield visit
    assert visit.errors == []
    context.close()


@pytest.fixture
def first_visit(browser: Browser, viz_url: str) -> Iterator[Visit]:
    """A visit of one who has not been there; it must end without an error in the browser's console."""
    with _visit(browser, viz_url) as visit:
        yield visit


@pytest.fixture(scope="module")
def long_visit(browser: Browser, viz_url: str) -> Iterator[Visit]:
    with _visit(browser, viz_url) as visit:
        yield visit


@pytest.fixture
def visit(long_visit: Visit) -> Iterator[Visit]:
    """A visit of one who looks at many things; none may end with an error in the browser's console."""
    yield long_visit
    assert long_visit.errors == []


def test_the_dag_shows_stages_as_groups(first_visit: Visit) -> None:
    assert first_visit.nodes("modularPipeline") == {"train", "calibrate", "evaluate", "report"}
    tasks = {"accept_images", "prepare_images", "build_image_table", "split_images", "list_image_labels"}
    assert first_visit.nodes("task") == tasks
    assert "find_frozen_learning_rate" not in first_visit.nodes("task")
    first_visit.unfold("train")
    expect(first_visit.group("train.small")).to_be_attached()
    expect(first_visit.group("train.larger")).to_be_attached()
    first_visit.unfold("train.small")
    expect(first_visit.page.locator('[data-node-fullname="train_unfrozen"]')).to_be_attached()


def test_the_dag_shows_its_layers_from_raw_pictures_to_reports(visit: Visit) -> None:
    names = visit.page.locator(".pipeline-layer-name")
    expect(names).to_have_text(LAYERS)


FIGURES = [
    "class_contact_sheet",
    "class_balance",
    "split_balance",
    "training_sheet",
    "confusion_matrix",
    "embedding_map",
    "top_losses_sheet",
    "grad_cam_by_class",
    "grad_cam_of_errors",
    "reliability_diagram",
    "risk_coverage",
    "energies",
    "stage_steps_plot",
    "fixed_and_broken_sheet",
    "suspects_sheet",
    "slices_plot",
]
TABLES = {
    "image_table": "perceptual_hash",
    "splits": "duplicate_group",
    "predictions": "probability_gibson_SG",
    "top_losses": "predicted_name",
    "suspect_labels": "probability_of_label",
    "curation_proposal": "relabel",
    "stage_steps": "p_value",
    "slices": "aspect ratio",
    "similar_images": "similar_split",
    "test_log": "accuracy",
}
NUMBERS = {
    "metrics": "accuracy_low",
    "calibration": "ece_after",
    "curation_effect": "decisions",
    "tta_gain": "views",
    "leakage": "random_split",
}


@pytest.fixture(scope="module")
def previews(viz_url: str) -> dict[str, Any]:
    """What kedro-viz has to show of each dataset, by its name."""
    nodes = _asked(f"{viz_url}api/main")["nodes"]
    names = {*FIGURES, *TABLES, *NUMBERS}
    shown = {node["name"]: node["id"] for node in nodes if node["type"] == "data" and node["name"] in names}
    return {name: _asked(f"{viz_url}api/nodes/{number}").get("preview") for name, number in shown.items()}


@pytest.mark.parametrize("figure", FIGURES)
def test_every_figure_has_a_picture_to_preview(previews: dict[str, Any], figure: str) -> None:
    with Image.open(io.BytesIO(base64.b64decode(previews[figure]))) as picture:
        picture.verify()
        assert picture.width > 100


@pytest.mark.parametrize(("name", "word"), {**TABLES, **NUMBERS}.items())
def test_every_table_and_all_numbers_have_a_preview(previews: dict[str, Any], name: str, word: str) -> None:
    assert word in json.dumps(previews[name])


def test_a_figure_is_previewed_as_a_picture(visit: Visit) -> None:
    picture = visit.look_at("grad_cam_by_class").locator("img.pipeline-metadata__plot-image")
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 100


def test_a_table_is_previewed_by_its_first_rows(visit: Visit) -> None:
    expect(visit.look_at("predictions").locator("table")).to_contain_text(TABLES["predictions"])


def test_numbers_are_previewed(visit: Visit) -> None:
    preview = visit.look_at("metrics").locator(".pipeline-metadata__preview-json")
    expect(preview).to_contain_text(NUMBERS["metrics"])


def test_the_confusion_matrix_can_be_pointed_at(visit: Visit) -> None:
    expect(visit.look_at("confusion_explorer").locator(".js-plotly-plot")).to_be_visible()


def test_the_embedding_map_can_be_pointed_at(visit: Visit) -> None:
    expect(visit.look_at("embedding_explorer").locator(".js-plotly-plot")).to_be_visible()


def test_the_model_card_is_previewed_as_a_page(visit: Visit) -> None:
    expect(visit.look_at("model_card").locator("h1")).to_contain_text("11 classes")


def test_a_checkpoint_is_previewed_by_its_spec(visit: Visit) -> None:
    preview = visit.look_at("train.small.unfrozen_checkpoint").locator(".pipeline-metadata__preview-json")
    expect(preview).to_contain_text("architecture")
    expect(preview).to_contain_text("squeezenet1_1")


def test_looking_at_the_project_tells_nobody_about_it(visit: Visit, viz_url: str) -> None:
    visit.look_at("model")
    assert visit.hosts <= {HERE, TYPEFACE}
    assert "heap" not in visit.page.content()


@pytest.mark.parametrize("environment", ["photos", "modern"])
def test_recipes_with_a_probe_are_drawn_in_layers_too(project: Path, kedro: Kedro, environment: str) -> None:
    built = kedro("viz", "build", KEDRO_ENV=environment)
    assert built.returncode == 0, built.stdout + built.stderr
    drawn = json.loads((project / "build" / "api" / "main").read_text())
    assert "train.small.probe_history" in {node["name"] for node in drawn["nodes"]}
    assert drawn["layers"] == LAYERS


def test_the_whole_recipe_of_the_article_is_drawn_with_a_layer_for_every_dataset(project: Path, kedro: Kedro) -> None:
    built = kedro("viz", "build", KEDRO_ENV="guitars")
    assert built.returncode == 0, built.stdout + built.stderr
    drawn = json.loads((project / "build" / "api" / "main").read_text())
    assert drawn["layers"] == LAYERS
    tasks = [
        node["name"] for node in drawn["nodes"] if node["type"] == "task" and "train." in str(node["modular_pipelines"])
    ]
    of_a_phase = ("find_{}_learning_rate", "train_{}", "show_{}")
    assert Counter(tasks) == {task.format(phase): 3 for task in of_a_phase for phase in ("frozen", "unfrozen")}
    groups = {node["name"] for node in drawn["nodes"] if node["type"] == "modularPipeline"}
    stages = {f"train.{stage}" for stage in STAGES_OF_THE_ARTICLE}
    earlier = {f"evaluate.{stage}" for stage in STAGES_OF_THE_ARTICLE[:-1]}
    assert groups == {"train", "calibrate", "evaluate", "report", "report.data", *stages, *earlier}
    assert [node["name"] for node in drawn["nodes"] if node["type"] == "data" and not node["layer"]] == []
