"""iNaturalist: observations of plants, animals and fungi."""

from __future__ import annotations

from collections.abc import Collection

from pydantic import BaseModel

from guitar_kedro.collecting.candidate import Candidate, plain
from guitar_kedro.collecting.source import Page, Source


class INaturalist(Source):
    """The observations of https://api.inaturalist.org/v1/docs/ whose species others have confirmed (research grade).

    A query is the name of a taxon. Of each observation the first licensed photo is taken: the others show the same
    individual, and would stand on both sides of a split. A file is the one of at most 1,024 pixels. iNaturalist asks
    for at most 60 requests a minute and 10,000 a day, and gives 10,000 results of a query; it names licences without
    their version, which is 4.0.
    """

    name, title, address = "inaturalist", "iNaturalist", "https://api.inaturalist.org/v1/observations"
    page_size, most, pause, needs_contact = 100, 10_000, 1.0, True

    def parameters(self, query: str, page: int, licenses: Collection[str]) -> dict[str, str | int]:
        """Return the parameters of a request."""
        codes = (code if code == "cc0" else f"cc-{code}" for code in licenses if code != "pdm")
        return {
            "taxon_name": query,
            "quality_grade": "research",
            "photo_license": ",".join(codes),
            "page": page,
            "per_page": self.page_size,
        }

    def read(self, content: bytes) -> Page:
        """Read an answer."""
        answer = _Answer.model_validate_json(content)
        found = (_candidate(observation) for observation in answer.results)
        return Page([each for each in found if each], answer.page * answer.per_page < answer.total_results)


class _Photo(BaseModel):
    url: str
    license_code: str | None = None


class _User(BaseModel):
    login: str = ""
    name: str | None = None


class _Observation(BaseModel):
    uri: str = ""
    user: _User = _User()
    photos: list[_Photo] = []


class _Answer(BaseModel):
    page: int
    per_page: int
    total_results: int
    results: list[_Observation]


def _candidate(observation: _Observation) -> Candidate | None:
    photo = next((photo for photo in observation.photos if photo.license_code), None)
    if photo is None:
        return None
    code = plain(photo.license_code)
    return Candidate(
        url=photo.url.replace("/square.", "/large."),
        page=plain(observation.uri),
        author=plain(observation.user.name or observation.user.login),
        license=code if code == "cc0" else f"{code} 4.0",
    )
