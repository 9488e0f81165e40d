"""What collecting does with sources and hosts that page, throttle, die and lie."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from picture_sources import PictureSources, closed_port, picture, picture_sources

from guitar_kedro.collecting import Candidate, Collection, CollectOptions, Journal, Search, all_sources, collect
from guitar_kedro.collecting import unanswered as count_unanswered
from guitar_kedro.collecting.collector import questions
from guitar_kedro.errors import UserError
from guitar_kedro.images import Limits

BY = "https://creativecommons.org/licenses/by/4.0/"
LIMITS = Limits(max_bytes=1_000_000)


@pytest.fixture
def sources() -> Iterator[PictureSources]:
    with picture_sources() as server:
        yield server


class Collecting:
    """A folder to which pictures are collected, in this process."""

    def __init__(self, folder: Path, sources: PictureSources) -> None:
        self.folder, self.journal = folder / "collected", folder / "collected.jsonl"
        self.options = CollectOptions(
            sources=("openverse", "commons"),
            addresses={name: f"{sources.url}/{name}" for name in ("openverse", "commons")},
            licenses=("by", "by-sa"),
            per_query=240,
            contact="me@example.org",
            own_hosts=(sources.host,),
        )

    def change(self, **options: Any) -> None:
        """Asks for something else from now on."""
        self.options = self.options.model_copy(update=options)

    def search(self, *queries: str, label: str = "cat", named: Sequence[Candidate] = ()) -> dict[str, str]:
        """Collects what there is for queries; gives which sources failed."""
        searches = [Search(query, label) for query in queries]

        def run() -> dict[str, str]:  # in a thread of its own, for a browser may have an event loop in this one
            with Journal.open(self.folder, self.journal) as journal:
                return collect(searches, named, self.options, LIMITS, journal, lambda *_: None)

        with ThreadPoolExecutor(1) as threads:
            return threads.submit(run).result()

    def known(self) -> Collection:
        return Collection.read(self.folder, self.journal)

    def kept(self) -> list[str]:
        """The names of the pictures that are there."""
        return sorted(outcome.candidate.url.rpartition("/")[2] for outcome in self.known().kept())

    def rejected(self) -> dict[str, str]:
        """The reasons why pictures are not, by their names."""
        outcomes = self.known().outcomes.values()
        return {each.candidate.url.rpartition("/")[2]: each.reason for each in outcomes if each.reason}


@pytest.fixture
def collecting(tmp_path: Path, sources: PictureSources) -> Collecting:
    return Collecting(tmp_path, sources)


def test_all_pages_of_all_sources_are_asked_for_once_and_each_says_who_asks(
    collecting: Collecting, sources: PictureSources
):
    sources.found = {
        "cat": [f"o-{number}" for number in range(45)],
        "commons cat": [f"c-{number}" for number in range(60)],
    }
    assert collecting.search("cat") == {}
    assert collecting.kept() == sorted([*sources.found["cat"], *sources.found["commons cat"]])
    assert len(sources.log) == len(set(sources.log)) == 3 + 2 + 105
    assert {agent.partition("/")[0] for agent in sources.agents} == {"guitar-kedro"}
    assert all("(me@example.org)" in agent for agent in sources.agents)
    asked = len(sources.log)
    assert collecting.search("cat") == {}
    assert len(sources.log) == asked
    [outcome, *_] = collecting.known().kept()
    assert outcome.file.startswith("cat/")
    assert outcome.candidate.query == "cat"
    assert (collecting.folder / outcome.file).read_bytes() == picture(outcome.candidate.url.rpartition("/")[2])


def test_a_source_that_is_named_twice_is_asked_once(collecting: Collecting, sources: PictureSources):
    sources.found = {"cat": ["o-1"]}
    collecting.change(sources=("openverse", "openverse"))
    collecting.search("cat")
    assert len(sources.log) == len(set(sources.log))


def test_no_more_than_was_asked_for_is_taken(collecting: Collecting, sources: PictureSources):
    sources.found = {"cat": [f"o-{number}" for number in range(300)]}
    collecting.change(per_query=25)
    collecting.search("cat")
    assert len(collecting.kept()) == 25
    collecting.change(per_query=1000)
    collecting.search("cat")
    assert len(collecting.kept()) == 240  # all that Openverse gives
    assert count_unanswered(collecting.known(), [Search("cat", "cat")], collecting.options) == {}


def test_what_lies_about_its_type_or_size_is_cut_or_gone_is_rejected_with_the_reason(
    collecting: Collecting, sources: PictureSources
):
    sources.found = {
        "cat": ["good", "page-1", "cut-1", "missing-1", "endless-1", "other-1", "moved-better", "inside-1"]
    }
    collecting.search("cat")
    assert collecting.kept() == ["good", "moved-better"]
    assert collecting.rejected() == {
        "page-1": "format_not_allowed",
        "cut-1": "truncated",
        "missing-1": "not_fetched",
        "endless-1": "too_many_bytes",
        "other-1": "not_an_image",
        "inside-1": "address_refused",
    }
    assert [path.name for path in collecting.folder.glob("*/.*")] == []
    asked = len(sources.log)
    collecting.search("cat")
    assert len(sources.log) == asked


def test_addresses_of_the_own_network_are_not_asked(collecting: Collecting, sources: PictureSources):
    with picture_sources() as another:
        urls = [f"{another.url}/picture/a", "http://127.0.0.1/a.jpg", "http://localhost/a.jpg", "file:///etc/passwd"]
        collecting.search(named=[Candidate(url, license=BY, label="cat") for url in urls])
        assert another.log == []
    assert {outcome.reason for outcome in collecting.known().outcomes.values()} == {"address_refused"}
    assert collecting.kept() == []


def test_a_host_that_throttles_is_asked_again_after_the_time_that_it_names(
    collecting: Collecting, sources: PictureSources
):
    sources.found, sources.retry_after = {"cat": ["a", "b"]}, "1"
    sources.throttled["/picture/a"] = 1
    began = time.monotonic()
    assert collecting.search("cat") == {}
    assert time.monotonic() - began >= 1
    assert collecting.kept() == ["a", "b"]


def test_a_host_that_asks_for_a_long_pause_is_left_alone_and_the_next_run_goes_on(
    collecting: Collecting, sources: PictureSources
):
    sources.found, sources.retry_after = {"cat": [f"o-{number}" for number in range(30)]}, "3600"
    collecting.change(sources=("openverse",))
    second = questions(collecting.options, all_sources()["openverse"], Search("cat", "cat"))[1].url
    sources.throttled[second.removeprefix(sources.url)] = 1
    failed = collecting.search("cat")
    assert "60 minutes" in failed["Openverse"]
    assert len(collecting.kept()) < 30
    assert count_unanswered(collecting.known(), [Search("cat", "cat")], collecting.options) == {"Openverse": 1}
    assert collecting.search("cat") == {}
    assert len(collecting.kept()) == 30


def test_a_source_that_is_down_or_answers_nonsense_does_not_hold_up_the_others(
    collecting: Collecting, sources: PictureSources
):
    sources.found = {"cat": ["a"]}
    down = closed_port()
    addresses = {**collecting.options.addresses, "commons": f"http://{down}/"}
    collecting.change(addresses=addresses, own_hosts=[sources.host, down])
    assert list(collecting.search("cat")) == ["Wikimedia Commons"]
    addresses["commons"] = f"{sources.url}/picture/page-1"
    assert "cannot be understood" in collecting.search("cat")["Wikimedia Commons"]
    assert collecting.kept() == ["a"]


def test_what_is_found_under_another_licence_is_not_fetched(collecting: Collecting, sources: PictureSources):
    sources.found, sources.licenses = {"cat": ["free", "sold"]}, {"sold": "by-nc"}
    collecting.search("cat")
    assert "/picture/sold" not in sources.log
    collecting.change(licenses=["by", "by-nc"])
    collecting.search("cat")
    assert collecting.kept() == ["free", "sold"]


def test_a_picture_is_kept_once_whoever_finds_it_and_in_one_class(collecting: Collecting, sources: PictureSources):
    sources.found = {"cat": ["a", "moved-a"], "commons cat": ["a"], "kitten": ["a"]}
    collecting.search("cat", "kitten")
    collecting.search("kitten", label="dog")
    assert len(collecting.kept()) == 1
    assert sources.log.count("/picture/a") == 2  # once under another address
    already = [each for each in collecting.known().outcomes.values() if each.reason == "collected_already"]
    assert {(each.candidate.url.rpartition("/")[2], each.candidate.label) for each in already} >= {("a", "dog")}


def test_a_picture_that_a_person_moved_keeps_its_author_and_one_that_was_deleted_stays_away(
    collecting: Collecting, sources: PictureSources
):
    sources.found = {"cat": ["a", "b"]}
    collecting.search("cat")
    first, second = (collecting.folder / outcome.file for outcome in collecting.known().kept())
    (collecting.folder / "dog").mkdir()
    first.rename(collecting.folder / "dog" / first.name)
    second.unlink()
    collecting.search("cat")
    [outcome] = collecting.known().kept()
    assert outcome.file == f"dog/{first.name}"


def test_a_line_that_was_not_written_to_its_end_is_as_if_it_were_not_there(
    collecting: Collecting, sources: PictureSources
):
    sources.found = {"cat": ["a"]}
    collecting.search("cat")
    lines = collecting.journal.read_bytes()
    collecting.journal.write_bytes(lines[:-30])
    collecting.search("cat")
    assert collecting.kept() == ["a"]
    collecting.journal.write_bytes(b"mine\n" + lines)
    with pytest.raises(UserError, match="line 1"):
        collecting.known()


@pytest.mark.parametrize(
    "line",
    [
        "{}}",
        "[]",
        '{"page": 7}',
        '{"page": {"asked": "x", "found": [{"url": "x", "page": 5}], "more": true}}',
        '{"page": {"asked": "x", "found": "none", "more": true}}',
        '{"page": {"asked": "x", "found": [], "more": "yes"}}',
        '{"picture": {"candidate": {"url": 7}, "time": "now"}}',
        '{"picture": {"candidate": {"url": "x", "licence": "by"}, "time": "now"}}',
        '{"picture": {"candidate": {"url": "x"}, "time": "now", "file": ["cat/a.jpg"]}}',
        '{"picture": {"candidate": {"url": "x"}, "time": "now", "again": "no"}}',
        '{"pictures": {}}',
    ],
)
def test_a_line_of_the_journal_with_something_else_in_it_is_named(tmp_path: Path, line: str):
    journal = tmp_path / "collected.jsonl"
    whole = '{"picture": {"candidate": {"url": "x", "label": "cat"}, "time": "now", "reason": "gone"}}\n'
    journal.write_text(whole)
    assert list(Collection.read(tmp_path, journal).outcomes) == [("x", "cat")]
    journal.write_text(f"{whole}{line}\n")
    with pytest.raises(UserError, match=r"collected.jsonl, line 2: it is not as it was written; remove the line"):
        Collection.read(tmp_path, journal)
