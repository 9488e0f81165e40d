"""Nodes of collecting."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from functools import partial

from guitar_kedro import collecting, images
from guitar_kedro.collecting.options import CollectOptions
from guitar_kedro.errors import UserError, listed
from guitar_kedro.lazy import pd
from guitar_kedro.metrics.formatting import count
from guitar_kedro.pipelines.collect.schemas import AttributionRow, RejectedDownloadRow

logger = logging.getLogger(__name__)

CLASSES_IN_LOG = 30
TABLE = "table"  # the source of pictures that the table of queries names


def collect_images(
    queries: pd.DataFrame, options: CollectOptions, max_bytes: int, max_pixels: int, max_frames: int
) -> Callable[[collecting.Journal], None]:
    """Search the sources, and fetch what may be used.

    Returns:
        A function that takes the journal of earlier runs, and adds to it as it goes.

    Raises:
        UserError: If a source wants to know who asks, and nobody says it.
    """
    searches, limits = _searches(queries), images.Limits(max_bytes, max_pixels, max_frames)
    if searches and not options.contact:
        _refuse_unnamed(options.searched)
    return partial(_collect, searches, _named(queries), options, limits)


def _refuse_unnamed(sources: Sequence[collecting.Source]) -> None:
    strict = [source.title for source in sources if source.needs_contact]
    others = ",".join(source.name for source in sources if not source.needs_contact)
    if strict:
        way_out = f" Or ask others alone: --params=collect.sources=[{others}]." if others else ""
        raise UserError(
            f"{' and '.join(strict)} must be told who asks: give your e-mail address, or the address of a page about "
            f"you, with --params=contact=YOU@EXAMPLE.ORG.{way_out}"
        )


def _collect(
    searches: Sequence[collecting.Search],
    named: Sequence[collecting.Candidate],
    options: CollectOptions,
    limits: images.Limits,
    journal: collecting.Journal,
) -> None:
    from guitar_kedro.progress import track_found

    with track_found("Collecting images") as report:
        failed = collecting.collect(searches, named, options, limits, journal, report)
    for title, why in failed.items():
        logger.warning("%s was not asked for all: %s", title, why)


def list_attributions(
    collected_images: collecting.Collection, queries: pd.DataFrame, options: CollectOptions
) -> tuple[list[pd.DataFrame], list[pd.DataFrame]]:
    """List what was kept, with author and licence, and what was not, with the reason; say what to do for more.

    Returns:
        ``attributions``: a row for each picture that is there. ``rejected_downloads``: a row for each that was found
        and is not kept. Each is a stream of one table.
    """
    searches, outcomes = _searches(queries), collected_images.kept()
    kept = pd.DataFrame(map(_attribution, outcomes), columns=list(AttributionRow.model_fields))
    found = [*_named(queries), *collecting.found(collected_images, searches, options)]
    not_kept = _rejected(collected_images, found, options.licenses)
    rejected = pd.DataFrame(not_kept, columns=list(RejectedDownloadRow.model_fields))
    _say_per_class(kept, rejected, list(dict.fromkeys(queries["label"])))
    unanswered, again = collecting.unanswered(collected_images, searches, options), collected_images.to_be_tried_again()
    _say_what_to_do(options.sources, len(searches), unanswered, again)
    if outside := sum(collecting.refusal(outcome.candidate, options.licenses) is not None for outcome in outcomes):
        logger.warning(
            "%s collected under licences that collect.licenses does not name any more: see attributions.csv, and "
            "delete what you do not want",
            count(outside, "image"),
        )
    return [kept.sort_values("file")], [rejected.sort_values(["label", "url"])]


def _searches(queries: pd.DataFrame) -> list[collecting.Search]:
    rows = queries[queries["query"] != ""]
    return [collecting.Search(row.query, row.label) for row in rows.itertuples()]


def _named(queries: pd.DataFrame) -> list[collecting.Candidate]:
    rows = queries[queries["url"] != ""]
    return [
        collecting.Candidate(
            row.url, author=row.author, license=row.license, source=TABLE, label=row.label, file=row.file
        )
        for row in rows.itertuples()
    ]


def _attribution(outcome: collecting.Outcome) -> dict[str, str]:
    candidate, known = outcome.candidate, collecting.license_of(outcome.candidate)
    return AttributionRow(
        file=outcome.file,
        label=outcome.file.partition("/")[0],
        source=candidate.source,
        page=candidate.page or candidate.url,
        url=candidate.url,
        author=candidate.author,
        license=known.name if known else candidate.license,
        license_url=known.address if known else candidate.license_url,
        query=candidate.query,
        time=outcome.time,
        sha256=outcome.sha256,
    ).model_dump()


def _rejected(
    collection: collecting.Collection,
    found: Sequence[collecting.Candidate],
    licenses: Sequence[str],
) -> Iterator[dict[str, str]]:
    """Go through what is not kept: for its licence, which is known before it is fetched, or for what came of it."""
    for candidate in {candidate.key: candidate for candidate in found}.values():
        if candidate.key not in collection.outcomes and (why := collecting.refusal(candidate, licenses)):
            yield _rejection(candidate, *why)
    for outcome in collection.outcomes.values():
        if outcome.reason:
            later = " The next run tries again." if outcome.again else ""
            yield _rejection(outcome.candidate, outcome.reason, outcome.detail + later)


def _rejection(candidate: collecting.Candidate, reason: str, detail: str) -> dict[str, str]:
    return RejectedDownloadRow(**asdict(candidate), reason=reason, detail=detail).model_dump()


def _say_per_class(kept: pd.DataFrame, rejected: pd.DataFrame, labels: Sequence[str]) -> None:
    """Say how many pictures each class has, and from where; those with the fewest first."""
    counts = kept["label"].value_counts().reindex(sorted({*labels, *kept["label"]}), fill_value=0)
    logger.info(
        "%s of %s collected; rejected: %s%s",
        count(len(kept), "image"),
        count(len(counts), "class"),
        ", ".join(f"{number} {reason}" for reason, number in rejected["reason"].value_counts().items()) or "none",
        " (rejected_downloads says why)" if len(rejected) else "",
    )
    for label, number in counts.sort_values(kind="stable")[:CLASSES_IN_LOG].items():
        sources = kept.loc[kept["label"] == label, "source"].value_counts()
        whence = f" ({', '.join(f'{name} {each}' for name, each in sources.items())})" if number else ""
        logger.info("  %s: %s%s", label, count(number, "image"), whence)
    if len(counts) > CLASSES_IN_LOG:
        logger.info("  and %d classes with more", len(counts) - CLASSES_IN_LOG)


def _say_what_to_do(asked: Sequence[str], searches: int, unanswered: dict[str, int], again: int) -> None:
    left = [f"{title} answered {searches - number} of {searches} searches" for title, number in unanswered.items()]
    left += [f"{count(again, 'image')} could not be fetched"] if again else []
    if left:
        logger.warning("Not all is done: %s. The same command goes on, and asks nothing twice", "; ".join(left))
    others = sorted(collecting.all_sources().keys() - set(asked)) if searches else []
    further = "searches: other words, other languages" if searches else "addresses, each with its license"
    logger.info(
        "For more of a class, give the table further %s. %sPhotos of your own may lie in its folder as well. Look "
        "through all of them: what you delete does not come again",
        further,
        f"Or ask other sources: collect.sources knows {listed(others)} as well. " if others else "",
    )
