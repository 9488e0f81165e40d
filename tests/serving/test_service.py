"""What a program may rely on that asks the service."""

from __future__ import annotations

import io
import json
import random
import re
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import numpy as np
import pandas as pd
import psutil
import pytest
from load import after, load
from PIL import Image
from pillow_heif import register_heif_opener
from small_project import kedro_in
from small_service import Running, Start, bomb, jpeg
from torture import KILLS, SEED


@pytest.fixture(scope="module")
def service(start: Start) -> Running:
    """A service without any option, as a user starts it."""
    return start(forked=False)


def ask(client: httpx.Client, *pictures: bytes) -> httpx.Response:
    return client.post(
        "/predict", files=[("pictures", (f"{number}.jpg", each)) for number, each in enumerate(pictures)]
    )


def test_answers_are_those_of_the_evaluation(client: httpx.Client, finished_project: Path):
    (table,) = (finished_project / "data/07_model_output/demo/predictions.csv").glob("*/predictions.csv")
    rows = pd.read_csv(table)
    rows = rows[(rows["stage"] == "larger") & (rows["split"] == "test")]
    images = finished_project / "data/03_primary/demo/prepared_images"
    for row in rows.itertuples():
        (path,) = images.rglob(f"{row.image_id}*")
        (answer,) = ask(client, path.read_bytes()).json()["pictures"]
        assert answer["predicted"] == row.predicted
        assert answer["probability"] == max(answer["probabilities"].values())
        for label, probability in answer["probabilities"].items():
            assert probability == pytest.approx(getattr(row, f"probability_{label}"), abs=1e-5)


def test_a_picture_is_read_whatever_its_header_and_name_claim(client: httpx.Client, picture: bytes):
    wanted = ask(client, picture).json()["pictures"][0]["probabilities"]
    for kind in ("image/jpeg", "image/png", "text/plain", "application/json", None):
        answer = client.post("/predict", content=picture, headers={"content-type": kind} if kind else {})
        assert answer.status_code == 200
        assert answer.json()["pictures"][0]["probabilities"] == pytest.approx(wanted, abs=1e-6)


def test_several_pictures_are_answered_in_their_order_and_what_is_no_picture_with_its_reason(client: httpx.Client):
    alone = [ask(client, jpeg(seed)).json()["pictures"][0] for seed in range(3)]
    together = ask(client, jpeg(0), b"hello", jpeg(1), jpeg(2)).json()["pictures"]
    assert [each["file"] for each in together] == ["0.jpg", "1.jpg", "2.jpg", "3.jpg"]
    assert together[1]["reason"] == "not_an_image"
    for one, other in zip(alone, [together[0], *together[2:]], strict=True):
        assert one["probabilities"] == pytest.approx(other["probabilities"], abs=1e-5)


def cut(content: bytes) -> bytes:
    return content[: len(content) // 2]


@pytest.mark.parametrize(
    ("content", "status", "reason"),
    [
        (b"", 422, "empty_file"),
        (b"just words in a file called .jpg", 415, "not_an_image"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", 415, "format_not_allowed"),
        (b"\0\0\0\x18ftypavif\0\0\0\0", 415, "format_not_allowed"),
        (cut(jpeg(1)), 422, "truncated"),
        (bomb(300), 422, "too_many_pixels"),
    ],
    ids=["empty", "text", "SVG", "AVIF", "truncated", "bomb"],
)
def test_what_is_no_picture_is_refused_with_a_reason(client: httpx.Client, content: bytes, status: int, reason: str):
    answer = client.post("/predict", content=content, headers={"content-type": "image/jpeg"})
    assert (answer.status_code, answer.json()["reason"]) == (status, reason)
    assert answer.json()["detail"].endswith(".")


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_that_is_too_large_is_refused_and_the_sender_hears_it(client: httpx.Client, chunked: bool):
    content = b"\xff" * 30_000_000
    body = iter([content[start : start + 100_000] for start in range(0, len(content), 100_000)])
    answer = client.post("/predict", content=body if chunked else content)
    assert (answer.status_code, answer.json()["reason"]) == (413, "too_many_bytes")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "no_picture"),
        (b"nonsense", "damaged_form"),
        (b"--xyz\r\n\r\n\r\n--xyz--\r\n", "damaged_form"),
        (b'--xyz\r\nContent-Disposition: form-data; name="a"\r\n\r\nb\r\n--xyz--\r\n', "no_picture"),
    ],
)
def test_a_damaged_form_is_refused(client: httpx.Client, body: bytes, reason: str):
    answer = client.post("/predict", content=body, headers={"content-type": "multipart/form-data; boundary=xyz"})
    assert (answer.status_code, answer.json()["reason"]) == (422, reason)


def test_a_form_without_boundary_or_with_too_many_pictures_is_refused(client: httpx.Client, picture: bytes):
    answer = client.post("/predict", content=b"x", headers={"content-type": "multipart/form-data"})
    assert (answer.status_code, answer.json()["reason"]) == (422, "damaged_form")
    assert ask(client, *[picture] * 17).json()["reason"] == "too_many_pictures"


def test_the_service_says_what_it_knows_and_how_it_is(client: httpx.Client, finished_project: Path):
    (version,) = (path.name for path in (finished_project / "data/06_models/demo/model").iterdir())
    classes = client.get("/classes").json()
    assert classes["model_version"] == version
    assert {"label": "gibson_ES", "display_name": "Gibson ES"} in classes["classes"]
    assert client.get("/health").json() == {"status": "ok"}
    assert client.get("/ready").json() == {"status": "ready"}
    assert client.get("/nothing").json()["reason"] == "not_found"


def test_prometheus_is_told_what_was_asked(client: httpx.Client, picture: bytes):
    def count() -> float:
        text = client.get("/metrics").text
        found = re.search(r'requests_total\{method="POST",route="/predict",status="200"\} (\S+)', text)
        return float(found.group(1)) if found else 0

    before = count()
    ask(client, picture)
    assert count() == before + 1
    assert "batch_pictures_bucket" in client.get("/metrics").text


@pytest.mark.parametrize("path", ["/", "/predict", "/classes", "/openapi.json", "/nothing", "/assets/style.css"])
def test_every_answer_protects_whoever_gets_it(client: httpx.Client, path: str):
    headers = client.get(path).headers
    assert headers["x-content-type-options"] == "nosniff"
    assert headers["x-frame-options"] == "DENY"
    assert "default-src 'none'" in headers["content-security-policy"]
    assert "unsafe" not in headers["content-security-policy"]
    assert len(headers["x-request-id"]) == 32


def test_the_log_knows_a_request_by_its_id_and_nothing_of_the_picture(
    client: httpx.Client, finished_project: Path, picture: bytes
):
    answer = client.post(
        "/predict", files={"pictures": ("my-holiday.jpg", picture)}, headers={"x-request-id": "trace-me.17"}
    )
    client.get("/my-holiday-too.jpg")
    assert answer.headers["x-request-id"] == "trace-me.17"
    log = (finished_project / "logs/guitar_kedro.log").read_text()
    assert re.search(r"trace-me\.17 POST /predict 200 \d+ ms", log)
    assert "holiday" not in log
    forged = client.get("/health", headers={"x-request-id": "a b"}).headers["x-request-id"]
    assert forged != "a b"


@pytest.mark.torture
@pytest.mark.parametrize("clients", [16, 64])
def test_many_at_once_get_the_answers_of_one_or_hear_that_they_must_wait(
    service: Running, client: httpx.Client, clients: int
):
    pictures = [jpeg(seed, (80 + seed, 60)) for seed in range(24)]
    alone = [ask(client, each).json()["pictures"][0]["probabilities"] for each in pictures]
    before = psutil.Process(service.process.pid).memory_info().rss
    seen = load(service.port, pictures, clients, after(max(2, 0.6 * KILLS)), pause=0.05)
    assert not seen.failures
    assert len(seen.answers) >= 16
    assert bool(seen.refused) == (clients > 32)
    for _, number, body in seen.answers:
        assert json.loads(body)["pictures"][0]["probabilities"] == pytest.approx(alone[number], abs=1e-5)
    grown = psutil.Process(service.process.pid).memory_info().rss - before
    assert grown < 200e6  # batches, and pictures that wait
    times = seen.seconds
    slow = times[-1 - len(times) // 100]
    print(
        f"{clients} clients: {len(times)} answered, {seen.refused} refused, p99 {slow:.3f} s, {grown / 1e6:.0f} MB more"
    )


@pytest.mark.torture
def test_who_ends_the_service_under_load_loses_no_request(start: Start, picture: bytes):
    moments = random.Random(SEED)
    for _ in range(max(1, KILLS // 5)):
        service, stop = start(params="serving.shutdown_seconds=2"), threading.Event()
        with ThreadPoolExecutor(1) as pool, service.client() as client:
            asking = pool.submit(load, service.port, [picture], 48, stop, pause=0.05)
            time.sleep(moments.uniform(0.2, 1.5))
            service.process.terminate()
            while client.get("/ready").status_code != 503:  # those who send requests look there
                time.sleep(0.02)
            stop.set()
            seen = asking.result()
        assert seen.answers
        assert not seen.failures
        assert service.process.wait(timeout=30) == 0


@pytest.mark.torture
def test_damaged_pictures_and_bodies_break_nothing(client: httpx.Client, picture: bytes):
    generator = np.random.default_rng(5)
    buffers = {}
    register_heif_opener()  # to write one
    for kind in ("PNG", "WEBP", "GIF", "BMP", "TIFF", "HEIF"):
        buffer = io.BytesIO()
        Image.open(io.BytesIO(picture)).save(buffer, kind)
        buffers[kind] = buffer.getvalue()
    for number in range(max(300, 20 * KILLS)):
        content = bytearray([picture, *buffers.values()][number % 7])
        for place in generator.integers(0, len(content), generator.integers(1, 20)):
            content[place] = generator.integers(0, 256)
        answer = client.post("/predict", content=bytes(content[: generator.integers(1, len(content) + 1)]))
        assert answer.status_code in {200, 415, 422}
    assert client.get("/health").status_code == 200


@pytest.fixture(scope="module")
def narrow(start: Start) -> Running:
    """A service in which one may wait, and which is told to go on for two seconds when it is to end."""
    limits = {"max_waiting": 1, "slow_seconds": 1, "upload_seconds": 12, "shutdown_seconds": 2}
    return start(params=",".join(f"serving.{name}={value}" for name, value in limits.items()))


def half_a_request(url: str, content: bytes = b"", length: int = 1000, path: str = "/predict") -> socket.socket:
    """Begins to send a picture, and stops."""
    parts = httpx.URL(url)
    connection = socket.create_connection((parts.host, parts.port), timeout=20)
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: image/jpeg\r\ncontent-length: {length}\r\n\r\n"
    connection.sendall(head.encode() + content)
    return connection


def test_who_comes_when_the_queue_is_full_hears_it_before_sending_and_a_slow_sender_holds_nobody_up(
    narrow: Running, picture: bytes
):
    slow = half_a_request(narrow.url, length=len(picture))
    time.sleep(0.3)
    with narrow.client() as client:
        refused = ask(client, picture)
        assert (refused.status_code, refused.headers["retry-after"]) == (503, "1")
        assert refused.json()["reason"] == "busy"
        waiting = half_a_request(narrow.url)  # sends no body, and hears all the same
        assert waiting.recv(100).startswith(b"HTTP/1.1 503")
        time.sleep(1)
        assert ask(client, picture).status_code == 200
        slow.sendall(picture)
        assert slow.recv(100).startswith(b"HTTP/1.1 200")


def test_a_body_that_does_not_come_is_given_up(narrow: Running):
    stalled = half_a_request(narrow.url, b"\xff\xd8")
    assert stalled.recv(100).startswith(b"HTTP/1.1 408")


def test_fifty_connections_that_trickle_hold_nobody_up(service: Running, client: httpx.Client, picture: bytes):
    parts = httpx.URL(service.url)
    heads = [socket.create_connection((parts.host, parts.port)) for _ in range(25)]
    bodies = [half_a_request(service.url, length=1_000_000) for _ in range(25)]
    for _ in range(3):
        for connection in heads + bodies:
            connection.sendall(b"G")
        began = time.monotonic()
        assert client.get("/health").status_code == 200
        assert time.monotonic() - began < 1
        time.sleep(0.5)
    assert ask(client, picture).status_code == 200
    for connection in heads + bodies:
        connection.close()


def test_a_service_that_is_told_to_end_says_so_first_and_answers_what_it_has_accepted(narrow: Running, picture: bytes):
    last = half_a_request(narrow.url, picture[:100], len(picture))
    narrow.process.terminate()
    time.sleep(0.3)
    with narrow.client() as client:
        assert client.get("/health").status_code == 200
        ready = client.get("/ready")
        assert ready.status_code == 503
        assert ready.headers["connection"] == "close"
    last.sendall(picture[100:])
    assert b"200 OK" in last.recv(1000)
    assert narrow.process.wait(timeout=20) == 0


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        (["--model-version=2020-01-01"], "--model-version=2020-01-01: there is no such version; choose one of 20"),
        (["--params=serving.max_waitin=3"], "serving.max_waitin"),
        (["--host=no.such.host.invalid"], "--host=no.such.host.invalid: this computer has no such address"),
        (["--env=photos"], "there is no model yet; run `kedro run --env=photos` first"),
    ],
)
def test_a_mistake_at_the_start_is_answered_with_one_sentence(finished_project: Path, arguments: list[str], wrong: str):
    run = kedro_in(finished_project, "serve", "--port=0", *arguments)
    output = run.stdout + run.stderr
    assert run.returncode == 1, output
    assert "Traceback" not in output
    assert output.strip().splitlines()[-1].startswith("Error: ")
    assert wrong in output


def test_a_port_that_is_taken_is_told(service: Running, finished_project: Path):
    port = httpx.URL(service.url).port
    run = kedro_in(finished_project, "serve", f"--port={port}")
    assert run.returncode == 1
    assert f"--port={port} cannot be used (Address already in use)" in run.stdout + run.stderr
