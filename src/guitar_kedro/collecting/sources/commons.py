"""Wikimedia Commons: the media of Wikipedia and its sisters."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from markupsafe import Markup
from pydantic import BaseModel, Field

from guitar_kedro.collecting.candidate import Candidate, plain
from guitar_kedro.collecting.source import Page, Source

_WIDTH = 1280  # pixels; one of the widths that Wikimedia keeps, https://www.mediawiki.org/wiki/Common_thumbnail_sizes


class Commons(Source):
    """The search of https://commons.wikimedia.org/w/api.php for files that are bitmaps.

    As https://www.mediawiki.org/wiki/API:Search and https://www.mediawiki.org/wiki/API:Imageinfo describe it, and
    licences as in ``extmetadata`` of https://www.mediawiki.org/wiki/Extension:CommonsMetadata. One request follows the
    other (https://www.mediawiki.org/wiki/API:Etiquette), the user agent says who asks
    (https://foundation.wikimedia.org/wiki/Policy:Wikimedia_Foundation_User-Agent_Policy), and files come as small as
    they are needed (https://wikitech.wikimedia.org/wiki/Robot_policy).
    """

    name, title, address = "commons", "Wikimedia Commons", "https://commons.wikimedia.org/w/api.php"
    page_size, most, pause, needs_contact = 50, 10_000, 1.0, True

    def parameters(self, query: str, page: int, licenses: Collection[str]) -> dict[str, str | int]:
        """Return the parameters of a request; the search knows no licences."""
        return {
            "action": "query",
            "format": "json",
            "formatversion": 2,
            "generator": "search",
            "gsrnamespace": 6,  # of files
            "gsrsearch": f"{query} filetype:bitmap",
            "gsrlimit": self.page_size,
            "gsroffset": (page - 1) * self.page_size,
            "prop": "imageinfo",
            "iiprop": "url|extmetadata",
            "iiurlwidth": _WIDTH,
            "iiextmetadatafilter": "Artist|LicenseShortName|LicenseUrl",
        }

    def read(self, content: bytes) -> Page:
        """Read an answer; of what its search found nothing for, there is no ``query`` in it."""
        answer = _Answer.model_validate_json(content)
        if answer.error:
            raise ValueError(f"{answer.error.get('code')}: {answer.error.get('info')}")
        files = sorted(answer.query.pages, key=lambda file: file.index)
        return Page([_candidate(info) for file in files for info in file.imageinfo[:1]], "gsroffset" in answer.proceed)


class _Info(BaseModel):
    url: str
    thumburl: str = ""
    descriptionurl: str = ""
    extmetadata: dict[str, dict[str, Any]] | list[Any] = {}  # PHP writes an empty dictionary as a list


class _File(BaseModel):
    index: int = 0
    imageinfo: list[_Info] = []


class _Query(BaseModel):
    pages: list[_File] = []


class _Answer(BaseModel):
    query: _Query = _Query()
    proceed: dict[str, Any] = Field({}, alias="continue")
    error: dict[str, Any] = {}


def _candidate(info: _Info) -> Candidate:
    known = info.extmetadata if isinstance(info.extmetadata, dict) else {}

    def said(name: str) -> str:
        return plain(Markup(known[name].get("value", "")).striptags()) if name in known else ""

    return Candidate(
        url=info.thumburl or info.url,
        page=plain(info.descriptionurl),
        author=said("Artist"),
        license=said("LicenseShortName"),
        license_url=said("LicenseUrl"),
    )
