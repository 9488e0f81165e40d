"""``kedro review``: a page to look through suspects, duplicates and unsure ones, and to keep, drop or relabel them."""

from __future__ import annotations

import logging
from typing import Any

import click

from guitar_kedro.command_options import WHERE, in_one_sentence, opened_catalog

logger = logging.getLogger(__name__)


@click.command(short_help="Look through pictures, and keep, drop or relabel them.")
@click.option("--host", default="127.0.0.1", show_default=True, help="Address; 0.0.0.0 is for all networks.")
@click.option("--port", default=8001, show_default=True, type=click.IntRange(0, 65535), help="0 chooses a free one.")
@in_one_sentence()
def review(host: str, port: int, **where: Any) -> None:
    """Look through pictures on a web page; what is decided there stands in the curation file at once."""
    with opened_catalog(where) as catalog:
        from guitar_kedro.serving.review.app import create_app
        from guitar_kedro.serving.review.gate import Gate
        from guitar_kedro.serving.review.session import Session
        from guitar_kedro.serving.review.workspace import Workspace
        from guitar_kedro.serving.server import Server, address, let_in, listen
        from guitar_kedro.serving.watch import Metrics, Watch

        logging.getLogger("guitar_kedro.serving.requests").setLevel(logging.WARNING)  # each thumbnail is one
        sock = listen(host, port)
        session = Session(Workspace(catalog))
        gate = Gate(create_app(session), *sock.getsockname()[:2])
        server = Server(Watch(gate, Metrics(lambda: 0, ""), lambda: False), 0, lambda: None)
        let_in(sock)
        logger.info("Review at %s (Ctrl-C ends it)", address(sock))
        if gate.token:  # which the log file does not get
            click.echo(f"Open {address(sock)}?token={gate.token}")
        server.run([sock])


review.params += WHERE
