"""Openverse: pictures of many collections, such as Flickr and museums."""

from __future__ import annotations

from collections.abc import Collection

from pydantic import BaseModel

from guitar_kedro.collecting.candidate import Candidate, plain
from guitar_kedro.collecting.source import Page, Source


class Openverse(Source):
    """The search for images of https://api.openverse.org/v1/ (its documentation is at that address).

    Without a key it gives 20 results a page and 240 a query, at most 20 requests a minute and 200 a day; it answers 429
    with ``Retry-After`` to more.
    """

    name, title, address = "openverse", "Openverse", "https://api.openverse.org/v1/images/"
    page_size, most, pause, needs_contact = 20, 240, 3.0, False

    def parameters(self, query: str, page: int, licenses: Collection[str]) -> dict[str, str | int]:
        """Return the parameters of a request."""
        return {"q": query, "license": ",".join(licenses), "page": page, "page_size": self.page_size}

    def read(self, content: bytes) -> Page:
        """Read an answer."""
        answer = _Answer.model_validate_json(content)
        candidates = [
            Candidate(
                url=result.url,
                page=plain(result.foreign_landing_url),
                author=plain(result.creator),
                license=plain(f"{result.license} {result.license_version or ''}"),
                license_url=plain(result.license_url),
            )
            for result in answer.results
        ]
        return Page(candidates, answer.page < answer.page_count)


class _Result(BaseModel):
    url: str
    foreign_landing_url: str | None = None
    creator: str | None = None
    license: str = ""
    license_version: str | None = None
    license_url: str | None = None


class _Answer(BaseModel):
    page: int
    page_count: int
    results: list[_Result]
