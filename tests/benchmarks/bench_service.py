"""How many pictures a second the service answers, against the usual web application around ``learner.predict``."""

from __future__ import annotations

import contextlib
import io
import os
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING

from harness import Fresh, Line, precisions
from load import after, load

if TYPE_CHECKING:
    from guitar_kedro.learning import Checkpoint

CLASSES = 11
NETWORKS = (  # name, px, calibration.precision
    ("resnet18", 96, "float32"),
    ("resnet50", 224, "float32"),
    ("resnet50", 224, "bfloat16"),
)


def lines(quick: bool) -> Iterator[Line]:
    """Yields a line for each network and number of clients."""
    named = precisions()
    for architecture, size, precision in (network for network in NETWORKS if network[2] in named):
        for clients in (16,) if quick else (1, 16, 64, 128):
            seconds = 6 if quick else 60
            how = {"architecture": architecture, "size": size, "clients": clients, "seconds": seconds}
            yield Line(
                what=f"{clients} clients of the service, {architecture} at {size} px, {precision}",
                against="a threaded web server, learner.predict for each request",
                ours=Fresh(ask_service, {**how, "precision": precision}),
                theirs=Fresh(ask_learner, how),
                at_least=1 if clients == 1 else 3,
            )


def ask_service(architecture: str, size: int, precision: str, clients: int, seconds: float) -> float:
    """Gives the seconds for each answer of the service."""
    return _ask(f"serve_model('{architecture}', {size}, '{precision}')", clients, seconds)


def ask_learner(architecture: str, size: int, clients: int, seconds: float) -> float:
    """Gives the seconds for each answer of ``learner.predict`` behind a web server."""
    return _ask(f"serve_learner('{architecture}', {size})", clients, seconds)


def _ask(server: str, clients: int, seconds: float) -> float:
    code, pictures = f"import bench_service; bench_service.{server}", [draw_picture(number) for number in range(16)]
    with subprocess.Popen(
        [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, encoding="utf-8"
    ) as process:
        try:
            port = int(process.stdout.readline())
            load(port, pictures, 1, after(3), None)  # the first answers take longer
            before = _cpu_seconds(process.pid)
            began = time.perf_counter()
            seen = load(port, pictures, clients, after(seconds), None)
            took = time.perf_counter() - began  # what was asked in time was waited for
            work, memory = _cpu_seconds(process.pid) - before, _memory(process.pid)
        finally:
            process.kill()
    times = seen.seconds
    print(
        f"{server}, {clients} clients: {len(times) / took:.1f} answers/s, median {statistics.median(times):.3f} s, "
        f"p99 {times[int(0.99 * len(times))]:.3f} s, {seen.refused} refused, {len(seen.failures)} failed, "
        f"{work / len(times):.3f} s of CPU each, {memory:.0f} MB",
        file=sys.stderr,
    )
    return took / len(times)


def _cpu_seconds(pid: int) -> float:
    """Gives the seconds that all cores have worked for a process."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _memory(pid: int) -> float:
    """Gives the resident memory of a process in megabytes."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(status.partition("VmRSS:")[2].split()[0]) / 1000


def draw_picture(number: int) -> bytes:
    """Draws a picture of 640 x 480 pixels."""
    import numpy as np
    from PIL import Image

    pixels = np.random.default_rng(number).integers(0, 256, (12, 16, 3)).astype(np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).resize((640, 480), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def _checkpoint(architecture: str, size: int, precision: str) -> Checkpoint:
    import torch

    from guitar_kedro.learning import Checkpoint, ModelSpec
    from guitar_kedro.learning.inference.learner import inference_loaders
    from guitar_kedro.learning.networks.learner import build_learner, state_on_cpu

    names = tuple(f"class {number}" for number in range(CLASSES))
    spec = ModelSpec(
        architecture=architecture,
        classes=names,
        display_names={},
        image_size=size,
        resize_method="squish",
        mean=(0.485, 0.456, 0.406),
        std=(0.229, 0.224, 0.225),
        precision=precision,
    )
    torch.manual_seed(0)
    return Checkpoint(state_on_cpu(build_learner(inference_loaders(spec), spec)), spec)


def serve_model(architecture: str, size: int, precision: str) -> None:
    """Serves as ``kedro serve`` does, with the limits of the configuration; prints the port."""
    import pandas as pd
    import yaml

    from guitar_kedro.serving.options import ServingOptions
    from guitar_kedro.serving.server import listen, share_cores

    share_cores()
    from guitar_kedro.learning import Predictor
    from guitar_kedro.serving.start import start

    parameters = Path(__file__).parents[2] / "conf/base/parameters_serving.yml"
    options = ServingOptions(**yaml.safe_load(parameters.read_text())["serving"])
    checkpoint, sock = _checkpoint(architecture, size, precision), listen("127.0.0.1", 0)
    sock.listen()
    print(sock.getsockname()[1], flush=True)
    start(sock, Predictor(checkpoint), "1", "benchmark", options, test_log=pd.DataFrame(), model_cards=[], examples=())


def serve_learner(architecture: str, size: int) -> None:
    """Serves as the article does: a thread for each request, and one at a time asks the learner; prints the port."""
    from guitar_kedro.learning import learner_for_inference

    learner, one_at_a_time = learner_for_inference(_checkpoint(architecture, size, "float32")), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            picture = self.rfile.read(int(self.headers["content-length"]))
            with one_at_a_time:
                label, _, probabilities = learner.predict(picture)
            answer = f"{label} {probabilities.tolist()}".encode()
            self.send_response(200)
            self.send_header("content-length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        request_queue_size = 256

    server = Server(("127.0.0.1", 0), Handler)
    print(server.server_port, flush=True)
    # progress bars would fill the pipe
    with open(os.devnull, "w", encoding="utf-8") as nowhere, contextlib.redirect_stdout(nowhere):
        server.serve_forever()
