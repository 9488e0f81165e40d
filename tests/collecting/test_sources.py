"""What sources are asked, and what is read of their answers, in the form that their documentation shows."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from guitar_kedro.collecting import CollectOptions, Search, all_sources
from guitar_kedro.collecting.collector import questions

SOURCES = all_sources()
OPENVERSE = {
    "result_count": 1, "page_count": 1, "page_size": 20, "page": 1,
    "results": [{
        "id": "36537842-b067-4ca0-ad67-e00ff2e06b2d", "title": "Cat", "url": "https://live.staticflickr.com/a_b.jpg",
        "foreign_landing_url": "https://www.flickr.com/photos/1/2", "creator": "Ann\n\u202eOther", "creator_url": None,
        "license": "by", "license_version": "2.0", "license_url": "https://creativecommons.org/licenses/by/2.0/",
        "provider": "flickr", "source": "flickr", "tags": [], "mature": False, "height": 768, "width": 1024,
    }],
}  # fmt: skip
COMMONS = {
    "batchcomplete": True, "continue": {"gsroffset": 50, "continue": "gsroffset||"},
    "query": {"pages": [
        {"pageid": 2, "ns": 6, "title": "File:B.jpg", "index": 2, "imagerepository": "local", "imageinfo": [{
            "thumburl": "https://upload.wikimedia.org/thumb/B.jpg/1280px-B.jpg", "thumbwidth": 1280,
            "url": "https://upload.wikimedia.org/B.jpg", "descriptionurl": "https://commons.wikimedia.org/wiki/File:B.jpg",
            "extmetadata": {
                "Artist": {"value": '<bdi><a href="//x.org" title="U">Ann &amp; Bob</a></bdi>', "source": "commons"},
                "LicenseShortName": {"value": "CC BY-SA 4.0", "hidden": ""},
                "LicenseUrl": {"value": "https://creativecommons.org/licenses/by-sa/4.0"},
            },
        }]},
        {"pageid": 1, "ns": 6, "title": "File:A.tif", "index": 1, "imageinfo": [{
            "url": "https://upload.wikimedia.org/A.tif", "descriptionurl": "https://commons.wikimedia.org/wiki/File:A.tif",
            "extmetadata": [],
        }]},
        {"pageid": 3, "ns": 6, "title": "File:Gone.jpg", "index": 3},
    ]},
}  # fmt: skip
INATURALIST = {
    "total_results": 101, "page": 1, "per_page": 100,
    "results": [
        {"uri": "https://www.inaturalist.org/observations/5", "user": {"login": "ann", "name": None}, "photos": [
            {"id": 6, "license_code": None, "url": "https://static.inaturalist.org/photos/6/square.jpg"},
            {"id": 7, "license_code": "cc-by", "url": "https://inaturalist-open-data.s3.amazonaws.com/photos/7/square.jpeg"},
            {"id": 8, "license_code": "cc-by", "url": "https://inaturalist-open-data.s3.amazonaws.com/photos/8/square.jpg"},
        ]},
        {"uri": "https://www.inaturalist.org/observations/9", "user": {"login": "bob", "name": "Bob"}, "photos": []},
    ],
}  # fmt: skip


def read(name: str, answer: Any) -> Any:
    return SOURCES[name].read(json.dumps(answer).encode())


def asked(name: str, query: str, page: int) -> dict[str, str]:
    source = SOURCES[name]
    options = CollectOptions(sources=(name,), licenses=("cc0", "by", "pdm"), per_query=240)
    url = urlsplit(questions(options, source, Search(query, "cat"))[page - 1].url)
    assert url._replace(query="").geturl() == source.address
    return {key: value for key, [value] in parse_qs(url.query).items()}


def test_openverse_is_asked_for_as_much_as_it_gives_without_a_key():
    assert asked("openverse", "tabby cat", 2) == {
        "q": "tabby cat",
        "license": "by,cc0,pdm",
        "page": "2",
        "page_size": "20",
    }
    assert SOURCES["openverse"].most == 240
    page = read("openverse", OPENVERSE)
    assert not page.more
    [candidate] = page.candidates
    assert candidate.url == "https://live.staticflickr.com/a_b.jpg"
    assert candidate.page == "https://www.flickr.com/photos/1/2"
    assert candidate.author == "Ann \\u202eOther"
    assert candidate.license_url == "https://creativecommons.org/licenses/by/2.0/"


def test_commons_is_asked_for_pictures_as_small_as_they_are_needed():
    question = asked("commons", "tabby cat", 2)
    assert question["gsrsearch"] == "tabby cat filetype:bitmap"
    assert (question["gsroffset"], question["gsrlimit"], question["iiurlwidth"]) == ("50", "50", "1280")
    page = read("commons", COMMONS)
    assert page.more
    first, second = page.candidates
    assert (first.url, first.license) == ("https://upload.wikimedia.org/A.tif", "")
    assert second.url == "https://upload.wikimedia.org/thumb/B.jpg/1280px-B.jpg"
    assert (second.author, second.license) == ("Ann & Bob", "CC BY-SA 4.0")
    assert read("commons", {"batchcomplete": True}).candidates == []


def test_of_an_observation_of_inaturalist_one_licensed_photo_is_taken():
    question = asked("inaturalist", "Danaus plexippus", 1)
    assert (question["taxon_name"], question["photo_license"]) == ("Danaus plexippus", "cc-by,cc0")
    assert question["quality_grade"] == "research"
    page = read("inaturalist", INATURALIST)
    assert page.more
    [candidate] = page.candidates
    assert candidate.url == "https://inaturalist-open-data.s3.amazonaws.com/photos/7/large.jpeg"
    assert (candidate.author, candidate.license) == ("ann", "cc-by 4.0")
    assert candidate.page == "https://www.inaturalist.org/observations/5"


@pytest.mark.parametrize("name", SOURCES)
@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<html>",
        b"[]",
        b"null",
        b'{"results": 3, "query": 3}',
        b'{"error": {"code": "ratelimited"}}',
        b"[" * 100_000,
    ],
)
def test_an_answer_that_is_none_is_told_as_such(name: str, content: bytes):
    with pytest.raises(ValueError):
        SOURCES[name].read(content)
