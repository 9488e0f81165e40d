"""The application: which request is answered by what."""

from __future__ import annotations

from typing import Any, cast

from fastapi import FastAPI, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import BaseModel, ConfigDict, ValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp

from guitar_kedro.images.fetching import NotFetched, fetch
from guitar_kedro.images.probing import UnreadableImage
from guitar_kedro.serving import answers
from guitar_kedro.serving.intake import Refusal
from guitar_kedro.serving.model import Answer
from guitar_kedro.serving.pages import Pages, page_routes
from guitar_kedro.serving.service import Seen, Service
from guitar_kedro.serving.uploads import Upload, read_form
from guitar_kedro.serving.watch import Watch

RETRY_SECONDS = 1
_FOREIGN = ("not_an_image", "format_not_allowed")
_NOT_FETCHED = {"address_refused": 422, "not_fetched": 502, "too_many_bytes": 413}
_BODY = {
    "requestBody": {
        "required": True,
        "content": {
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": ["pictures"],
                    "properties": {
                        "pictures": {"type": "array", "minItems": 1, "items": {"type": "string", "format": "binary"}}
                    },
                }
            },
            **{
                kind: {"schema": {"type": "string", "format": "binary"}}
                for kind in ("application/octet-stream", "image/jpeg", "image/png", "image/webp")
            },
        },
    }
}


class Address(BaseModel):
    """Where a picture lies."""

    model_config = ConfigDict(extra="forbid")

    url: str


def create_app(service: Service, pages: Pages) -> ASGIApp:
    """Build the application.

    Args:
        service: What answers.
        pages: What people see.

    Returns:
        An ASGI application. Its OpenAPI document is at ``/openapi.json``; there is no page that shows it, since
        FastAPI's loads scripts from elsewhere.
    """
    app = FastAPI(
        title=pages.about.title,
        version=service.version,
        description="Tells which class a picture shows. Nothing that is sent is stored.",
        docs_url=None,
        redoc_url=None,
    )
    _add_predictions(app, service)
    _add_state(app, service)
    page_routes(app, service, pages)

    @app.exception_handler(Refusal)
    async def refuse(request: Request, refusal: Refusal) -> Response:
        headers = {"retry-after": str(RETRY_SECONDS)} if refusal.status == 503 else {}
        if not await service.intake.drain(request):
            headers["connection"] = "close"
        if request.url.path == "/":
            return pages.refused(refusal, headers)
        return _problem(refusal.status, refusal.reason, refusal.detail, headers)

    @app.exception_handler(ClientDisconnect)
    async def forget(_request: Request, _error: ClientDisconnect) -> Response:
        return Response(status_code=400)  # nobody reads it

    @app.exception_handler(HTTPException)
    async def explain(_request: Request, error: HTTPException) -> Response:
        reason = error.detail.lower().replace(" ", "_")
        return _problem(error.status_code, reason, f"{error.detail}; see /openapi.json.", error.headers)

    @app.exception_handler(Exception)
    async def fail(_request: Request, _error: Exception) -> Response:
        return _problem(500, "internal_error", "Something went wrong here; the log says what, under the request's id.")

    return Watch(app, service.metrics, lambda: service.is_ending)


def _add_predictions(app: FastAPI, service: Service) -> None:
    @app.post(
        "/predict",
        responses=answers.problems(408, 413, 415, 422, 503),
        openapi_extra=_BODY,
        summary="Tell what pictures show",
    )
    async def predict(request: Request) -> answers.Predictions:
        """Take a picture as the body, or one or several as a form.

        A form with several pictures is answered in their order; those that cannot be read have a reason there.
        """
        async with service.intake.body(request) as body:
            content_type = request.headers.get("content-type", "")
            form = await service.in_reader(read_form, content_type, body, service.options.max_pictures)
            if not form.uploads:
                raise Refusal(422, "no_picture", "There is no picture in the form; send it as a file.")
            return _answers(service, await service.see(form.uploads))

    if not service.options.fetch_urls:
        return

    @app.post(
        "/predict-url",
        responses=answers.problems(408, 413, 415, 422, 502, 503),
        openapi_extra={
            "requestBody": {"required": True, "content": {"application/json": {"schema": Address.model_json_schema()}}}
        },
        summary="Tell what a picture at an address shows",
    )
    async def predict_url(request: Request) -> answers.Predictions:
        """Fetch a picture from a public http or https address; redirects are not followed."""
        async with service.intake.body(request) as body:
            try:
                content = await fetch(_address(body), service.options.max_bytes)
            except NotFetched as error:
                raise Refusal(_NOT_FETCHED[error.reason], error.reason, error.detail) from None
            return _answers(service, await service.see([Upload("", content)]))


def _address(body: bytearray) -> str:
    try:
        return Address.model_validate_json(bytes(body)).url
    except ValidationError:
        raise Refusal(422, "no_address", 'The body must be JSON like {"url": "https://example.org/a.jpg"}.') from None


def _add_state(app: FastAPI, service: Service) -> None:
    @app.get("/classes", summary="List the classes")
    async def classes() -> answers.Classes:
        return answers.known_classes(service.version, service.model.spec)

    @app.head("/health", include_in_schema=False)
    @app.get("/health", responses={503: {"model": answers.State}}, summary="Does the process work?")
    async def health(response: Response) -> answers.State:
        return _state(response, service.model.is_alive, "ok", "the model's thread has ended")

    @app.head("/ready", include_in_schema=False)
    @app.get("/ready", responses={503: {"model": answers.State}}, summary="May requests be sent here?")
    async def ready(response: Response) -> answers.State:
        return _state(response, service.model.is_alive and not service.is_ending, "ready", "ending")

    @app.get("/metrics", response_class=PlainTextResponse, summary="Numbers for Prometheus")
    async def metrics() -> Response:
        return Response(generate_latest(service.metrics.registry), media_type=CONTENT_TYPE_LATEST)


def _state(response: Response, is_good: bool, good: str, bad: str) -> answers.State:
    response.status_code = 200 if is_good else 503
    return answers.State(status=good if is_good else bad)


def _answers(service: Service, seen: list[Seen]) -> answers.Predictions:
    if len(seen) == 1 and seen[0].error:
        raise unreadable(seen[0].error)
    spec = service.model.spec
    pictures = [
        answers.Unread(file=each.upload.name, reason=each.error.reason, detail=each.error.detail)
        if each.error
        else answers.prediction(each.upload.name, cast(Answer, each.answer), spec)
        for each in seen
    ]
    return answers.Predictions(model_version=service.version, pictures=pictures)


def unreadable(error: UnreadableImage) -> Refusal:
    """Make the refusal of a request whose only picture cannot be read."""
    return Refusal(415 if error.reason in _FOREIGN else 422, error.reason, error.detail)


def _problem(status: int, reason: str, detail: str, headers: Any = None) -> JSONResponse:
    return JSONResponse(answers.Problem(reason=reason, detail=detail).model_dump(), status, headers)
