"""Nobody but the page decides, and nobody but this computer, or who has the token, sees it."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient
from small_service import Running, start_service

from guitar_kedro.serving.review.gate import Gate

JSON = {"content-type": "application/json"}


def client(host: str, port: int = 8001) -> tuple[TestClient, Gate]:
    app = FastAPI()
    app.get("/")(lambda: "page")
    app.post("/decide")(lambda: "decided")
    gate = Gate(app, host, port)
    return TestClient(gate, base_url=f"http://{host}:{port}"), gate


def test_a_page_of_another_site_under_its_own_name_is_not_answered():
    asks, _ = client("127.0.0.1")
    assert asks.get("/").status_code == 200
    assert asks.get("/", headers={"host": "localhost:8001"}).status_code == 200
    for host in ("evil.example:8001", "127.0.0.1", "127.0.0.1:80", ""):
        assert asks.get("/", headers={"host": host}).status_code == 421


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({**JSON, "origin": "http://127.0.0.1:8001"}, 200),
        ({**JSON, "origin": "http://evil.example"}, 403),
        ({**JSON, "origin": "null"}, 403),
        (JSON, 403),
        ({"content-type": "text/plain", "origin": "http://127.0.0.1:8001"}, 403),
        ({**JSON, "origin": "http://127.0.0.1:8001", "content-length": "2000000"}, 413),
    ],
)
def test_only_the_page_itself_may_decide(headers: dict[str, str], status: int):
    asks, _ = client("127.0.0.1")
    assert asks.post("/decide", content="{}", headers=headers).status_code == status


def test_on_a_network_only_the_token_opens_the_page():
    asks, gate = client("192.0.2.7")
    assert asks.get("/").status_code == asks.get("/?token=guess").status_code == 403
    assert asks.get("/decide", params={"token": gate.token}).status_code == 403
    answer = asks.get("/", params={"token": gate.token}, follow_redirects=False)
    assert (answer.status_code, answer.headers["location"]) == (303, "/")
    assert "HttpOnly" in answer.headers["set-cookie"]
    assert asks.get("/").status_code == 200
    asks.cookies.clear()
    assert asks.get("/").status_code == 403


def test_the_command_serves_this_computer_with_headers_that_protect(review: Running):
    assert review.url.startswith("http://127.0.0.1:")
    with review.client() as asks:
        page = asks.get("/")
        assert "script-src 'self'" in page.headers["content-security-policy"]
        assert page.headers["x-frame-options"] == "DENY"
        assert asks.get("/assets/../review.html").status_code == 404
        assert asks.get("/picture/..%2Findex.jpg").status_code == 404


def test_the_page_does_not_wait_for_torch(reviewed_project: Path, tmp_path: Path):
    running = start_service(reviewed_project, tmp_path, name="review", forked=False)  # a process as a user starts it
    with running.client() as asks:
        file = asks.get("/items", params={"queue": "all"}).json()["items"][0]["file"]
        assert asks.get("/detail", params={"file": file}).status_code == 200
    maps = Path(f"/proc/{running.process.pid}/maps")
    if maps.exists():
        assert "libtorch" not in maps.read_text(encoding="utf-8")
    running.end()


def test_what_makes_no_sense_is_refused_with_a_sentence_and_nothing_is_written(review: Running, curation: Path):
    with review.client() as asks:
        item = asks.get("/items", params={"queue": "all"}).json()["items"][0]

        def decide(workspace: str = "demo", **decision: str) -> httpx.Response:
            body = {"workspace": workspace, "queue": "all", "decisions": [decision]}
            return asks.post("/decide", json=body, headers={"origin": review.url.rstrip("/")})

        wrong = decide(file="none.jpg", action="keep"), decide(file=item["file"], action="relabel", label="banjo")
        wrong += (decide("pets", file=item["file"], action="drop"),)
        assert [answer.status_code for answer in wrong] == [422, 422, 409]
        assert wrong[1].json()["detail"] == "There is no class banjo."
        assert not curation.exists()
        assert decide(file=item["file"], action="relabel", label=item["label"]).status_code == 200
