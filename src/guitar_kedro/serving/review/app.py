"""The application: the page, its pictures, and what it asks."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import asdict
from importlib import resources
from typing import Annotated, Any, Literal

from fastapi import FastAPI, Query, Request, Response
from fastapi.responses import FileResponse, JSONResponse
from kedro.io import DatasetError
from pydantic import BaseModel, ConfigDict, Field
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from guitar_kedro.errors import UserError
from guitar_kedro.images.probing import UnreadableImage
from guitar_kedro.mistakes import user_error_behind
from guitar_kedro.serving.review.decisions import Decided, NotPossible
from guitar_kedro.serving.review.session import Session, Wanted

_ASSETS = {
    "style.css": ("guitar_kedro.serving", "text/css"),
    "icon.svg": ("guitar_kedro.serving", "image/svg+xml"),
    "review.css": ("guitar_kedro.serving.review", "text/css"),
    **dict.fromkeys(
        ("review.js", "saving.js", "grid.js", "single.js", "relabel.js"),
        ("guitar_kedro.serving.review", "text/javascript"),
    ),
}
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
    "form-action 'none'; base-uri 'none'; frame-ancestors 'none'"
)
_NEVER_CHANGES = {"cache-control": "private, max-age=31536000, immutable"}  # it is named by its content


class DecisionsIn(BaseModel):
    """Decisions that were taken in one queue, in their order, and the workspace that the page is about."""

    model_config = ConfigDict(extra="forbid")

    workspace: str
    queue: str
    decisions: list[Decided] = Field(max_length=1000)


def create_app(session: Session) -> FastAPI:
    """Build the application.

    Args:
        session: What it shows, and where it writes decisions.
    """
    app = FastAPI(title="kedro review", docs_url=None, redoc_url=None, openapi_url=None)

    @app.get("/")
    def page() -> Response:
        content = _asset("guitar_kedro.serving.review", "review.html")
        return Response(content, media_type="text/html", headers={"content-security-policy": _POLICY})

    @app.get("/assets/{name}")
    def asset(name: str) -> Response:
        package, kind = _there(lambda: _ASSETS[name])
        return Response(_asset(package, name), media_type=kind, headers={"cache-control": "max-age=60"})

    @app.get("/overview")
    def overview() -> dict[str, Any]:
        return session.overview()

    @app.get("/items")
    def items(wanted: Annotated[Wanted, Query()]) -> dict[str, Any]:
        return _there(lambda: session.page(wanted))

    @app.get("/detail")
    def detail(file: str) -> dict[str, Any]:
        return _there(lambda: session.detail(file))

    @app.get("/looks")
    async def looks(file: str) -> dict[str, Any]:
        asked = await run_in_threadpool(lambda: _there(lambda: session.look(file)))
        return asdict(await asyncio.wrap_future(asked))

    @app.post("/decide")
    def decide(given: DecisionsIn) -> dict[str, Any]:
        if given.workspace != session.workspace:
            sentence = f"This server is about {session.workspace}, and the page about {given.workspace}."
            raise HTTPException(409, f"{sentence} Start kedro review for that, or load the page again.")
        return session.decide(given.queue, given.decisions)

    @app.get("/{size}/{name}.jpg")
    def picture(size: Literal["thumbnail", "picture"], name: str) -> Response:
        path = _there(lambda: session.picture(name, size == "thumbnail"))
        return FileResponse(path, media_type="image/jpeg", headers=_NEVER_CHANGES)

    @app.exception_handler(NotPossible)
    def explain(_request: Request, error: NotPossible) -> Response:
        return JSONResponse({"detail": str(error)}, 422)

    @app.exception_handler(UserError)
    @app.exception_handler(DatasetError)
    def report(_request: Request, error: Exception) -> Response:
        mistake = user_error_behind(error)
        if mistake is None:
            raise error
        return JSONResponse({"detail": str(mistake)}, 503)

    return app


def _there(find: Callable[[], Any]) -> Any:
    try:
        return find()
    except (KeyError, FileNotFoundError, UnreadableImage):
        raise HTTPException(404) from None


def _asset(package: str, name: str) -> bytes:
    return (resources.files(package) / "page" / name).read_bytes()
