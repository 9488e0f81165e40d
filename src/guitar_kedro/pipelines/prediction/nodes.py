"""Nodes of prediction. Pictures may be many: tables are gone through in pieces."""

from __future__ import annotations

from collections.abc import Callable, Container, Generator, Iterable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

from guitar_kedro import images, learning, metrics, plots
from guitar_kedro.files import sha256_of_lines
from guitar_kedro.lazy import pd

if TYPE_CHECKING:
    from pyarrow.parquet import ParquetFile

PICTURES_PER_CLASS = 8
CLASSES_ON_SHEET = 20
DECISIONS = {"sure": "sure", "not_sure": "not sure", "none_of_these": "not one of these"}


def predict_images(
    images_to_predict: images.ImageStream, model: learning.Checkpoint, device: str, cluster: str | None
) -> Callable[[Container[str]], Generator[tuple[str, pd.DataFrame | None], None, None]]:
    """Predict every file, on the workers of a Dask cluster where the address of one is given.

    Returns:
        A generator function that takes the keys of the chunks that are kept already, and yields all in the order of the
        files, with their keys: what ``learning.predict_in_chunks`` describes, or ``None`` for those that are kept.
        Memory does not grow with the number of images.
    """

    def predict(kept: Container[str]) -> Generator[tuple[str, pd.DataFrame | None], None, None]:
        from joblib import Parallel, delayed

        from guitar_kedro.cluster import work_on

        with work_on(cluster) as shared:
            tasks = (
                delayed(_predict)(chunk.key, *(() if chunk.key in kept else (chunk.predict, shared(chunk.predictor))))
                for chunk in learning.predict_in_chunks(model, images_to_predict, device)
            )
            # in a stream; one at a time on this machine, since a network takes all cores
            parallel = Parallel(n_jobs=-1 if cluster else 1, batch_size=1, return_as="generator")
            with closing(parallel(tasks)) as predicted:
                yield from predicted

    return predict


def _predict(
    key: str, predict: Callable[[learning.Predictor], pd.DataFrame] | None = None, *predictor: learning.Predictor
) -> tuple[str, pd.DataFrame | None]:
    return key, predict(*predictor) if predict else None


def write_table(image_predictions: ParquetFile) -> Iterable[pd.DataFrame]:
    """Pick out what people read: file, prediction, its probability, second guess, decision, error, and a note."""
    columns = ["file", "predicted", "probability", "second_guess", "decision", "error", "note"]
    return (part.assign(decision=_in_words(part["decision"])) for part in _parts(image_predictions, columns))


def summarise_predictions(image_predictions: ParquetFile) -> dict[str, Any]:
    """Count.

    Returns:
        ``images``, ``unreadable``; how many there are of each decision (``decisions``) and class (``predicted``);
        where folders are called like classes (``folders``): ``images``, ``right``, and ``accuracy`` with its Wilson
        95 % interval (``accuracy_low``, ``accuracy_high``).
    """
    decisions, predicted = pd.Series(dtype="int64"), pd.Series(dtype="int64")
    count = unreadable = labelled = right = 0
    for part in _parts(image_predictions, ["label", "predicted", "decision", "reason"]):
        read = part[part["reason"] == ""]
        count, unreadable = count + len(part), unreadable + len(part) - len(read)
        decisions = decisions.add(_in_words(read["decision"]).value_counts(), fill_value=0)
        predicted = predicted.add(read["predicted"].value_counts(), fill_value=0)
        compared = read[read["label"] != ""]
        labelled, right = labelled + len(compared), right + int((compared["label"] == compared["predicted"]).sum())
    summary = {
        "images": count,
        "unreadable": unreadable,
        "decisions": decisions.reindex(DECISIONS.values(), fill_value=0).astype(int).to_dict(),
        "predicted": predicted.astype(int).to_dict(),
    }
    if labelled:
        names = ("images", "right", "accuracy", "accuracy_low", "accuracy_high")
        summary["folders"] = dict(zip(names, (labelled, right, *metrics.share_of(right, labelled)), strict=True))
    return summary


def show_predictions(
    image_predictions: ParquetFile, images_to_predict: images.ImageStream, model: learning.Checkpoint
) -> plots.Figure:
    """Draw pictures of each predicted class, chosen at random, with what was said of them.

    Of many predicted classes the most frequent ones are drawn.
    """
    chosen, unreadable, counts = pd.DataFrame(), 0, pd.Series(dtype="int64")
    for part in _parts(image_predictions, ["file", "label", "predicted", "probability", "decision", "reason"]):
        read = part[part["reason"] == ""]
        unreadable += len(part) - len(read)
        counts = counts.add(read["predicted"].value_counts(), fill_value=0)
        # by checksum: at random, and the same in each run
        drawn = read.assign(order=[sha256_of_lines([file]) for file in read["file"]])
        chosen = pd.concat([chosen, drawn]).sort_values("order").groupby("predicted").head(PICTURES_PER_CLASS)
    if len(chosen):
        frequent = counts.sort_values(ascending=False, kind="stable").index[:CLASSES_ON_SHEET]
        chosen = chosen[chosen["predicted"].isin(frequent)]
    wanted = set(chosen["file"]) if len(chosen) else set()
    files = {image.file: image for image in images_to_predict if image.file in wanted}
    rows = [
        (label, [(images.open_thumbnail(files[row.file].read()), row) for row in members.itertuples()])
        for label, members in (chosen.groupby("predicted", sort=True) if len(chosen) else ())
    ]
    return plots.predictions_sheet(rows, model.spec.display_names, DECISIONS, unreadable, len(counts))


def _in_words(decisions: pd.Series) -> pd.Series:
    return decisions.map(DECISIONS).fillna("")


def _parts(image_predictions: ParquetFile, columns: list[str]) -> Iterator[pd.DataFrame]:
    return (batch.to_pandas() for batch in image_predictions.iter_batches(columns=columns))
