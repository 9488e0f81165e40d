"""Whether an image costs the same among a hundred thousand as among a thousand."""

from __future__ import annotations

import statistics
import tempfile
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import pandas as pd
from bench_ingestion import ingest
from harness import Fresh, Line, cost
from photos import draw_small
from synthetic import make_hashes, make_image_table, make_model, make_predictions, make_records

from guitar_kedro import metrics, plots
from guitar_kedro.datasets import CurationDataset
from guitar_kedro.images.duplicates import near_duplicate_groups
from guitar_kedro.pipelines.ingestion import nodes as ingestion
from guitar_kedro.pipelines.reporting import nodes as reports
from guitar_kedro.pipelines.splitting import nodes as splitting

FEW = 1_000
DUPLICATE_DISTANCE = 4
SPLITTING = splitting.SplittingOptions(validation=0.2, test=0.1)


def lines(quick: bool) -> Iterator[Line]:
    """Yields a line for each kind of work and each step of ten times as many images."""
    for many in (10_000,) if quick else (10_000, 100_000):
        with tempfile.TemporaryDirectory() as folder:
            photos = {count: str(draw_small(Path(folder) / str(count), count)) for count in (FEW, many)}
            yield _growth(
                "ingestion", many, lambda count, where=photos: Fresh(ingest, {"photos": where[count]}).cost({})
            )
        for kind in ("scattered", "with copies", "white margins"):
            hashes = {count: make_hashes(kind, count) for count in (FEW, many)}
            yield _growth(f"grouping, {kind}", many, lambda count, hashes=hashes: _group(hashes[count]))
        work = {count: _work_on_tables(count) for count in (FEW, many)}
        for name in work[FEW]:
            work[FEW][name]()  # what it imports is not what it costs
            yield _growth(name, many, lambda count, name=name, work=work: _run(work[count][name]))


def _growth(what: str, many: int, work: Callable[[int], float | None]) -> Line:
    return Line(
        what=f"{what}: cost per image of {many:,}",
        against=f"of {FEW:,}",
        ours=lambda: cost(work, count=many) / many,
        theirs=lambda: statistics.median(cost(work, count=FEW) for _ in range(3)) / FEW,
        at_most=1.2,
    )


def _run(work: Callable[[], object]) -> None:
    work()


def _group(hashes: list[str]) -> None:
    near_duplicate_groups(hashes, DUPLICATE_DISTANCE)


def _work_on_tables(count: int) -> dict[str, Callable[[], object]]:
    """Makes the tables of so many images, and names what is done to them."""
    prepared = SimpleNamespace(records=make_records(count))
    curation = CurationDataset(filepath="none.csv").load()
    image_table = make_image_table(count)
    splits, assignments = splitting.split_images(image_table, SPLITTING, 0, pd.DataFrame())
    predictions, model = make_predictions(image_table), make_model()
    validation = metrics.of_stage(predictions, model.spec.provenance["stage"], "validation")
    names = model.spec.display_names
    return {
        "image table": partial(ingestion.build_image_table, prepared, curation, DUPLICATE_DISTANCE),
        "class balance and resolutions": lambda: (
            plots.class_balance(image_table, names),
            plots.resolutions(image_table, {"only": 224}),
        ),
        "splitting": partial(splitting.split_images, image_table, SPLITTING, 0, assignments),
        "leakage": partial(splitting.report_leakage, splits, image_table, SPLITTING),
        "metrics and classes": lambda: (reports.compute_metrics(predictions, model),),
        "confusion": lambda: (reports.plot_confusion_matrix(predictions, model),),
        "top losses": partial(metrics.top_losses, validation, names),
        "calibration": partial(reports.report_calibration, predictions, predictions.iloc[:0], model, 0.99),
        "slices": partial(reports.report_slices, predictions, image_table, model),
        "suspects": lambda: metrics.curation_proposal(metrics.suspect_labels(validation)),
    }
