"""The page, with and without JavaScript: a form, answers as cards, and what belongs to them."""

from __future__ import annotations

import base64
import hashlib
import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib import resources

from fastapi import FastAPI, Request, Response
from fastapi.responses import HTMLResponse
from jinja2 import Environment, PackageLoader, StrictUndefined
from starlette.exceptions import HTTPException

from guitar_kedro.learning.networks.checkpoint import ModelSpec
from guitar_kedro.metrics.errors import Share
from guitar_kedro.metrics.formatting import percent
from guitar_kedro.serving import cards
from guitar_kedro.serving.cards import Card, ErrorCard
from guitar_kedro.serving.intake import Refusal
from guitar_kedro.serving.service import Seen, Service
from guitar_kedro.serving.uploads import Form, Upload, read_form
from guitar_kedro.sizes import size_in_words

EXAMPLE_SIDE = 480  # px
_EXAMPLE_SEED = 7_000_000_000  # the demo set's seeds are smaller, unless somebody chooses a very large one
_MOST_NAMES = 200  # classes that the page lists; it is sent anew with each answer
_ACCEPTED = "image/jpeg,image/png,image/webp,image/gif,image/bmp,image/tiff,image/heic,image/heif"
_ASSETS = {"style.css": "text/css", "script.js": "text/javascript", "icon.svg": "image/svg+xml"}
_PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)


@dataclass(frozen=True)
class About:
    """What the page says of the model.

    Attributes:
        title: The name of the workspace.
        version: Of the model.
        spec: What it is.
        accuracy: On the test part, with its 95 % interval; ``None`` before an evaluation.
        tested: How many images that was measured on.
        model_card: A page of its own; ``None`` before an evaluation.
        examples: Names of things that the project can draw, for visitors without a picture.
    """

    title: str
    version: str
    spec: ModelSpec
    accuracy: Share | None
    tested: int
    model_card: str | None
    examples: tuple[str, ...]


class Pages:
    """Renders what people see."""

    def __init__(self, about: About, here: str, max_bytes: int) -> None:
        """Read the template.

        Args:
            about: The model.
            here: The address of the service.
            max_bytes: Of a request.
        """
        self.about, self.limits = about, {"here": here, "max_bytes": max_bytes}
        environment = Environment(
            loader=PackageLoader("guitar_kedro.serving", "page"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.filters["percent"] = lambda share: percent(share).replace(" ", "\N{NO-BREAK SPACE}")
        environment.filters["size_in_words"] = size_in_words
        self._template = environment.get_template("page.html.j2")

    def page(
        self, answered: Sequence[Card | ErrorCard] = (), status: int = 200, headers: dict[str, str] | None = None
    ) -> Response:
        """Render the page with the cards of what was asked."""
        html = self._template.render(
            about=self.about,
            cards=answered,
            open_rows=cards.OPEN_ROWS,
            most_names=_MOST_NAMES,
            accept=_ACCEPTED,
            **self.limits,
        )
        return HTMLResponse(html, status, {"content-security-policy": _PAGE_POLICY, **(headers or {})})

    def answers(self, seen: Sequence[Seen]) -> Response:
        """Render answers; that a picture cannot be read is one too."""
        made = [
            cards.error_card(each.upload.name, each.error) if each.error else cards.card(each, self.about.spec)
            for each in seen
        ]
        return self.page(made)

    def refused(self, refusal: Refusal, headers: dict[str, str]) -> Response:
        """Render a request that was not answered."""
        headline = _REFUSED.get(refusal.status, "That did not work")
        return self.page([ErrorCard("", headline, refusal.detail)], refusal.status, headers)

    def card_policy(self) -> str:
        """Allow the model card its own style, by its checksum, and the pictures that are in it."""
        styles = re.findall(r"<style>(.*?)</style>", self.about.model_card or "", re.DOTALL)
        hashes = [base64.b64encode(hashlib.sha256(style.encode()).digest()).decode() for style in styles]
        allowed = " ".join(f"'sha256-{each}'" for each in hashes)
        return f"default-src 'none'; img-src data:; style-src {allowed}; base-uri 'none'; frame-ancestors 'none'"


def page_routes(app: FastAPI, service: Service, pages: Pages) -> None:
    """Add the page and what it is made of; they are no part of the OpenAPI document."""
    about = pages.about

    @app.get("/", include_in_schema=False)
    async def page() -> Response:
        return pages.page()

    @app.post("/", include_in_schema=False)
    async def look(request: Request) -> Response:
        async with service.intake.body(request) as body:
            content_type = request.headers.get("content-type", "")
            form = await service.in_reader(read_form, content_type, body, service.options.max_pictures)
            uploads = form.uploads or await service.in_reader(_drawn, form, about.examples)
            return await service.in_reader(pages.answers, await service.see(uploads, cards.MAX_ROWS))

    @app.get("/assets/{name}", include_in_schema=False)
    async def asset(name: str) -> Response:
        if name not in _ASSETS:
            raise HTTPException(404)
        content = (resources.files("guitar_kedro.serving") / "page" / name).read_bytes()
        return Response(content, media_type=_ASSETS[name], headers={"cache-control": "max-age=60"})

    @app.get("/examples/{number}.jpg", include_in_schema=False)
    async def example(number: int) -> Response:
        if not 0 <= number < len(about.examples):
            raise HTTPException(404)
        content = await service.in_reader(draw_example, about.examples[number])
        return Response(content, media_type="image/jpeg", headers={"cache-control": "max-age=3600"})

    @app.get("/model-card", include_in_schema=False)
    async def model_card() -> Response:
        if about.model_card is None:
            raise HTTPException(404)
        return HTMLResponse(about.model_card, headers={"content-security-policy": pages.card_policy()})


@lru_cache(maxsize=32)
def draw_example(name: str) -> bytes:
    """Draw a guitar or another thing as a JPEG."""
    from guitar_kedro.demo import MODELS, draw_guitar, draw_other

    draw = draw_guitar if name in MODELS else draw_other
    buffer = io.BytesIO()
    draw(name, EXAMPLE_SIDE, _EXAMPLE_SEED).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def _drawn(form: Form, examples: tuple[str, ...]) -> list[Upload]:
    drawable = {str(number): name for number, name in enumerate(examples)}
    chosen = form.fields.get("example", "")
    if chosen not in drawable:
        raise Refusal(422, "no_picture", "No picture came with that: choose one first.")
    return [Upload("", draw_example(drawable[chosen]))]


_REFUSED = {
    408: "The connection is too slow",
    413: "That is too large",
    503: "Too much to do just now",
}
