"""Puts model, service and page together, and serves until a signal ends it."""

from __future__ import annotations

import logging
import socket
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from guitar_kedro.metrics.errors import share_of
from guitar_kedro.metrics.experiments import errors_on_test
from guitar_kedro.serving.app import create_app
from guitar_kedro.serving.options import ServingOptions
from guitar_kedro.serving.pages import About, Pages
from guitar_kedro.serving.server import Server, address, let_in
from guitar_kedro.serving.service import Service

if TYPE_CHECKING:
    from guitar_kedro.learning.inference.onnx import OnnxPredictor
    from guitar_kedro.learning.inference.predictor import Predictor
    from guitar_kedro.learning.networks.checkpoint import ModelSpec

logger = logging.getLogger(__name__)


def start(
    sock: socket.socket,
    predictor: Predictor | OnnxPredictor,
    version: str,
    title: str,
    options: ServingOptions,
    test_log: pd.DataFrame,
    model_cards: list[Path],
    examples: tuple[str, ...],
) -> None:
    """Serve a model.

    Args:
        sock: Bound to the address.
        predictor: The model.
        version: Its version.
        title: What the page calls it.
        options: The limits.
        test_log: Results on the sealed test part, a row per evaluation; empty before the first.
        model_cards: Pages, the latest first; the first that is about this model is shown.
        examples: Names of things that the project can draw for visitors.
    """
    spec = predictor.spec
    service = Service(predictor, version, options)
    test = errors_on_test(test_log, spec.checksum)
    tested = test.images if test else 0
    accuracy = share_of(tested - test.errors, tested) if test else None
    about = About(title, version, spec, accuracy, tested, _model_card(model_cards, spec), examples)
    here = address(sock)
    app = create_app(service, Pages(about, here, options.max_bytes))
    server = Server(app, options.shutdown_seconds, service.begin_to_end)
    let_in(sock)
    logger.info("Serving at %s (Ctrl-C ends it)", here)
    server.run([sock])
    service.stop()
    logger.info("Ended; what was accepted is answered")


def _model_card(pages: list[Path], spec: ModelSpec) -> str | None:
    texts = (page.read_text(encoding="utf-8", errors="replace") for page in pages)
    return next((text for text in texts if spec.checksum in text), None)
