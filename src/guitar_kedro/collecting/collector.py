"""Searching sources and fetching what they find, all at once and each as it permits."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from itertools import chain
from typing import NamedTuple
from urllib.parse import urlencode

import anyio

from guitar_kedro.collecting.candidate import Candidate, Search
from guitar_kedro.collecting.hosts import Hosts, may_pass
from guitar_kedro.collecting.journal import ALREADY, Collection, Journal
from guitar_kedro.collecting.licenses import refusal
from guitar_kedro.collecting.options import CollectOptions
from guitar_kedro.collecting.source import Page, Source
from guitar_kedro.images.fetching import NotFetched
from guitar_kedro.images.probing import Limits, UnreadableImage, probe

READERS = 2  # pictures that are decoded at once: each may ask for half a gigabyte
MAX_ANSWER = 10_000_000  # bytes
LONGEST_SIDE = 512  # pixels, that are enough to find damage: JPEGs are then decoded in a fraction of the time
_SUFFIXES = {"JPEG": ".jpg", "TIFF": ".tif"}

Report = Callable[[int, int], None]


class Question(NamedTuple):
    """What a source is asked.

    Attributes:
        url: Address of a page of the answer.
        source: That is asked.
        search: That it is asked for.
        most: Pictures of the page that are taken at most.
    """

    url: str
    source: Source
    search: Search
    most: int

    def candidates(self, page: Page) -> Iterator[Candidate]:
        """Go through the pictures of the answer, with all that is known of them."""
        for candidate in page.candidates[: self.most]:
            yield replace(candidate, source=self.source.name, query=self.search.query, label=self.search.label)


def questions(options: CollectOptions, source: Source, search: Search) -> list[Question]:
    """List what a source is asked, page after page, as long as it has more; the same addresses for the same question.

    Args:
        options: What is asked for.
        source: That is asked.
        search: That it is asked for.
    """
    address, most = options.addresses.get(source.name, source.address), min(options.per_query, source.most)
    pages = range(1, -(-most // source.page_size) + 1)
    asked = (urlencode(source.parameters(search.query, page, sorted(options.licenses))) for page in pages)
    return [
        Question(f"{address}?{words}", source, search, most - before * source.page_size)
        for before, words in enumerate(asked)
    ]


def found(collection: Collection, searches: Sequence[Search], options: CollectOptions) -> Iterator[Candidate]:
    """Go through the pictures that sources have found up to now.

    Args:
        collection: What is known.
        searches: For sources.
        options: What is asked for.
    """
    for source in options.searched:
        for question in chain.from_iterable(questions(options, source, search) for search in searches):
            if page := collection.pages.get(question.url):
                yield from question.candidates(page)


def unanswered(collection: Collection, searches: Sequence[Search], options: CollectOptions) -> dict[str, int]:
    """Count the searches that a source has not answered to their end, by its title, where there are some.

    Args:
        collection: What is known.
        searches: For sources.
        options: What is asked for.
    """
    counts = {
        source.title: sum(not _is_answered(collection, questions(options, source, search)) for search in searches)
        for source in options.searched
    }
    return {title: number for title, number in counts.items() if number}


def _is_answered(collection: Collection, asked: Sequence[Question]) -> bool:
    for question in asked:
        page = collection.pages.get(question.url)
        if page is None or not page.more:
            return page is not None
    return True


def collect(
    searches: Sequence[Search],
    listed: Sequence[Candidate],
    options: CollectOptions,
    limits: Limits,
    journal: Journal,
    report: Report,
) -> dict[str, str]:
    """Search, and fetch what is found; what the journal knows is neither asked nor fetched again.

    Args:
        searches: For sources.
        listed: Pictures that a table names.
        options: What is asked for, and how.
        limits: What a file may ask of the machine.
        journal: To which all is noted.
        report: Is told how many pictures are done, and of how many.

    Returns:
        Why a source could not be asked for all, by its title.
    """
    from guitar_kedro.images.reading import pillow_strict_and_quiet

    with pillow_strict_and_quiet(), ThreadPoolExecutor(READERS) as readers:
        collector = _Collector(options, limits, journal, report, readers)
        try:
            asyncio.run(collector.run(searches, listed))
        except Exception as error:
            raise _first(error) from None
    return collector.failed


def _first(error: BaseException) -> BaseException:
    """Take the first error out of groups, in which anyio puts those of tasks that run together."""
    while inner := getattr(error, "exceptions", None):
        error = inner[0]
    return error


class _Collector:
    def __init__(
        self,
        options: CollectOptions,
        limits: Limits,
        journal: Journal,
        report: Report,
        readers: ThreadPoolExecutor,
    ) -> None:
        self.failed: dict[str, str] = {}
        self._options, self._limits, self._journal = options, limits, journal
        self._report, self._readers = report, readers
        self._taken: set[tuple[str, str]] = set()
        # of several classes, the first is that for which it was fetched
        before = (outcome.candidate for outcome in reversed(journal.outcomes.values()))
        self._labels = {candidate.url: candidate.label for candidate in before}
        self._begun = self._done = 0

    async def run(self, searches: Sequence[Search], listed: Sequence[Candidate]) -> None:
        """Search all sources, and fetch what is found meanwhile."""
        hosts = Hosts(self._options.user_agent, self._options.own_hosts)
        async with hosts as self._hosts, anyio.create_task_group() as self._tasks:
            for candidate in listed:
                self._take(candidate)
            for source in self._options.searched:
                self._tasks.start_soon(self._search_all, source, searches)

    async def _search_all(self, source: Source, searches: Sequence[Search]) -> None:
        """Search a source, with one request after the other; it is left alone once it does not answer one."""
        try:
            for search in searches:
                await self._search(source, search)
        except NotFetched as error:
            self.failed[source.title] = error.detail
        except ValueError as error:  # also of pydantic
            self.failed[source.title] = f"Its answer cannot be understood: {' '.join(str(error).split())[:200]}."

    async def _search(self, source: Source, search: Search) -> None:
        async def read(content: bytes) -> Page:
            return source.read(content)

        for question in questions(self._options, source, search):
            page = self._journal.pages.get(question.url)
            if page is None:
                page = await self._hosts.get(question.url, MAX_ANSWER, read, source.pause)
                self._journal.note_page(question.url, page)
            for candidate in question.candidates(page):
                self._take(candidate)
            if not page.more:
                return

    def _take(self, candidate: Candidate) -> None:
        """Begin to fetch a picture, unless its licence forbids that, or it was settled before."""
        if candidate.key in self._taken or refusal(candidate, self._options.licenses):
            return
        self._taken.add(candidate.key)
        label = self._labels.setdefault(candidate.url, candidate.label)
        if self._journal.is_settled(candidate):
            return
        if label != candidate.label:
            detail = f"It was found for {label} before: move it, or that folder, to have it in another class."
            self._journal.reject(candidate, ALREADY, detail)
            return
        self._begun += 1
        self._tasks.start_soon(self._fetch, candidate)

    async def _fetch(self, candidate: Candidate) -> None:
        async def read(content: bytes) -> tuple[bytes, str]:
            loop = asyncio.get_running_loop()
            return content, await loop.run_in_executor(self._readers, suffix_of, content, self._limits)

        try:
            self._journal.keep(candidate, *await self._hosts.get(candidate.url, self._limits.max_bytes, read))
        except NotFetched as error:
            self._journal.reject(candidate, error.reason, error.detail, again=may_pass(error))
        except UnreadableImage as error:
            self._journal.reject(candidate, error.reason, error.detail)
        self._done += 1
        self._report(self._done, self._begun)


def suffix_of(content: bytes, limits: Limits) -> str:
    """Read a picture as ingestion will, and return how the name of its file ends.

    Raises:
        UnreadableImage: If ingestion would reject it.
    """
    from guitar_kedro.images.reading import read

    kind = probe(content, limits.max_frames).format
    read(content, limits, LONGEST_SIDE)
    return _SUFFIXES.get(kind, f".{kind.lower()}")
