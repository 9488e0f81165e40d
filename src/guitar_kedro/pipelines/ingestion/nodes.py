"""Nodes of ingestion."""

from __future__ import annotations

import logging
from collections.abc import Callable, Generator, Iterable, Mapping, Sequence
from contextlib import closing
from functools import partial

from guitar_kedro import datasets, images, plots
from guitar_kedro.display_names import look_alikes
from guitar_kedro.errors import UserError, listed
from guitar_kedro.files import one_spelling
from guitar_kedro.lazy import pd
from guitar_kedro.metrics.formatting import count
from guitar_kedro.pipelines.ingestion.accepting import accepted_pictures, join_accepted
from guitar_kedro.pipelines.ingestion.schemas import AcceptedRow, ImageRow, RejectedRow
from guitar_kedro.sizes import ImageSize, height_width, size_in_words
from guitar_kedro.versions import VERSIONS

logger = logging.getLogger(__name__)

GROUPS_ON_SHEET = 12
PICTURES_PER_ROW = 8
CLASSES_IN_LOG = 30


def prepare_images(
    raw_images: Sequence[images.RawImage],
    max_side: int,
    quality: int,
    max_bytes: int,
    max_pixels: int,
    max_frames: int,
    cluster: str | None,
    accepted_images: pd.DataFrame | None = None,
    unlabelled_pictures: images.PreparedImages | None = None,
) -> Callable[[Mapping[str, images.FileRecord]], Generator[tuple[images.FileRecord, bytes | None], None, None]]:
    """Read, turn upright, convert to RGB, shrink and hash every file.

    The workers of a Dask cluster do so where the address of one is given, and else the cores of this machine. Pictures
    without labels that were accepted are taken as they were prepared before.

    Returns:
        A function that takes the records of earlier runs by file name, and returns a stream of (record, prepared
        JPEG). The stream is worked off as it is saved: memory does not grow with the number of images.
    """
    how = images.PreparationOptions(max_side, quality, images.Limits(max_bytes, max_pixels, max_frames))
    return partial(_prepare_anew_or_keep, raw_images, how, cluster, accepted_images, unlabelled_pictures)


def _prepare_anew_or_keep(
    raw_images: Sequence[images.RawImage],
    how: images.PreparationOptions,
    cluster: str | None,
    accepted_images: pd.DataFrame | None,
    unlabelled_pictures: images.PreparedImages | None,
    earlier: Mapping[str, images.FileRecord],
) -> Generator[tuple[images.FileRecord, bytes | None], None, None]:
    from guitar_kedro.cluster import work_on
    from guitar_kedro.progress import track

    version = VERSIONS["prepared_pictures"]
    if outdated := sum(record.version != str(version) for record in earlier.values()):
        logger.info(
            "%d files were prepared by an earlier version: they are prepared anew (version %d)", outdated, version
        )
    with work_on(cluster), closing(images.prepare_files(raw_images, earlier, how)) as prepared:
        yield from track(prepared, len(raw_images), "Preparing images")
    if accepted_images is not None and unlabelled_pictures is not None:
        yield from accepted_pictures(accepted_images, unlabelled_pictures, earlier)


def build_image_table(
    prepared_images: images.PreparedImages,
    curation: pd.DataFrame,
    duplicate_distance: int,
    accepted_images: pd.DataFrame | None = None,
) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Group duplicates, apply the curation, and decide which files make the dataset.

    Returns:
        ``image_table``: a row for each image of the dataset; ``duplicate_group`` is shared by near duplicates, ``note``
        says what was not followed of what a file says of its colours.
        ``rejected_images``: a row for each other file, with ``reason`` and ``detail``. ``applied_curation``: the
        decisions that are about these images.

    Raises:
        UserError: If no image is left, or those that are left have only one class.
    """
    records = prepared_images.records.sort_values("file", kind="stable")
    is_accepted = images.are_unlabelled(records["file"])  # these come last, so that the ids of others stay as they were
    records = pd.concat([records[~is_accepted], records[is_accepted]], ignore_index=True)
    readable = records[records["reason"] == ""].reset_index(drop=True)
    if readable.empty:
        raise UserError(
            f"None of the {len(records)} files can be read as an image ({_reasons(records)}).{_why(records)}"
        )
    curation = _as_named_here(curation, set(records["file"]))
    # that a file stays out which cannot be read is no news
    is_out = curation["file"].isin(records.loc[records["reason"] != "", "file"])
    curation = curation[~is_out | (curation["action"] != "drop")]
    readable["image_id"] = _image_ids(readable["prepared"])
    is_accepted = images.are_unlabelled(readable["file"])
    own, accepted = (readable[which].reset_index(drop=True) for which in (~is_accepted, is_accepted))
    own["duplicate_group"] = images.near_duplicate_groups(
        own["perceptual_hash"].tolist(), duplicate_distance, own["pixel_hash"].tolist()
    )
    about_own = curation[~images.are_unlabelled(curation["file"])]
    curated = _reject_label_conflicts(_apply_curation(own, about_own), decided=set(about_own["file"]))
    if accepted_images is None:
        accepted_images = pd.DataFrame(columns=list(AcceptedRow.model_fields))
    curated = join_accepted(curated, accepted, accepted_images, duplicate_distance)
    kept = curated["reason"] == ""
    image_table = curated.loc[kept, list(ImageRow.model_fields)].reset_index(drop=True)
    refused = pd.concat([records[records["reason"] != ""], curated[~kept]])
    rejected = refused.sort_values("file")[list(RejectedRow.model_fields)].reset_index(drop=True)
    _check_and_report(image_table, rejected, len(records))
    applied = curation.loc[curation["file"].isin(readable["file"]), list(datasets.DecisionRow.model_fields)]
    return image_table, rejected, applied.sort_values("file").reset_index(drop=True)


def _image_ids(prepared: pd.Series) -> pd.Series:
    copies = prepared.groupby(prepared).cumcount()
    return prepared.where(copies == 0, prepared + "-" + (copies + 1).astype(str))


def _as_named_here(curation: pd.DataFrame, files: set[str]) -> pd.DataFrame:
    """Spell files as the tables do, and labels as classes are; of the shared file, take what is about these images.

    Two spellings of an accent are one name. Where two files differ by nothing else, each line is about the one that is
    spelled alike.
    """
    spelled = {one_spelling(file): file for file in sorted(files)}
    names = [file if file in files else spelled.get(one_spelling(file), file) for file in curation["file"]]
    named = curation.assign(file=names, label=[one_spelling(label) for label in curation["label"]])
    own, shared = named[named["source"] == ""], named[named["source"] != ""]
    for table in (own, shared):
        if len(twice := table[table["file"].duplicated()]):
            place = table["source"].iloc[0] or "the curation file"
            raise UserError(f"{twice['file'].iloc[0]} stands twice in {place}; leave one line for each file.")
    shared = shared[shared["file"].isin(files - set(own["file"]))]
    if len(shared):
        logger.warning(
            "Curation: %s about these images read from %s, which all workspaces read; move its lines to the curation "
            "file of this one, and they act here alone",
            count(len(shared), "decision"),
            shared["source"].iloc[0],
        )
    return pd.concat([own, shared], ignore_index=True)


def _apply_curation(readable: pd.DataFrame, curation: pd.DataFrame) -> pd.DataFrame:
    if curation.empty:
        return readable
    decisions = curation.set_index("file")
    action = readable["file"].map(decisions["action"]).fillna("")
    label = readable["file"].map(decisions["label"]).fillna("")
    dropped = action == "drop"
    relabelled = (action == "relabel") & (label != readable["label"])
    unknown = sorted(set(decisions.index) - set(readable["file"]))
    logger.info(
        "Curation: %s dropped, %d relabelled, %d kept",
        *(count(int(dropped.sum()), "image"), relabelled.sum(), (action == "keep").sum()),
    )
    if unknown:
        logger.warning(
            "Curation: %d of %d lines name files that are none of these images, for example %s",
            len(unknown),
            len(decisions),
            unknown[0],
        )
    curated = readable.copy()
    curated.loc[relabelled, "label"] = label[relabelled]
    curated.loc[dropped, "reason"] = "dropped_by_curation"
    curated.loc[dropped, "detail"] = "The curation file drops it."
    return curated


def _reject_label_conflicts(readable: pd.DataFrame, decided: set[str]) -> pd.DataFrame:
    """Keep of a group under several labels only what a person has decided about."""
    kept = readable[readable["reason"] == ""]
    labels = kept.groupby("duplicate_group")["label"].nunique()
    members = kept[kept["duplicate_group"].isin(labels[labels > 1].index)]
    files = members.groupby("duplicate_group")["file"].agg(list)
    rejected = readable.copy()
    in_conflict = (readable["reason"] == "") & readable["duplicate_group"].isin(files.index)
    undecided = in_conflict & ~readable["file"].isin(decided)
    rejected.loc[undecided, "reason"] = "label_conflict"
    rejected.loc[undecided, "detail"] = [
        f"The same picture is {listed([file for file in files[row.duplicate_group] if file != row.file], 3)}, under "
        "another label; decide in the curation file which is right."
        for row in readable[undecided].itertuples()
    ]
    return rejected


def _check_and_report(image_table: pd.DataFrame, rejected: pd.DataFrame, given: int) -> None:
    if len(image_table) + len(rejected) != given or set(image_table["file"]) & set(rejected["file"]):
        raise RuntimeError(f"{given} files came in, {len(image_table)} + {len(rejected)} went out")
    logger.info("%d of %d files make the dataset; rejected: %s", len(image_table), given, _reasons(rejected))
    if len(unlisted := rejected[rejected["reason"] == "folder_not_readable"]):  # nobody knows how many are in it
        logger.warning(
            "Whatever lies in %s is left out, for it cannot be listed: give yourself the right to read it",
            listed(unlisted["file"].tolist()),
        )
    if len(noted := image_table[image_table["note"] != ""]):
        logger.warning(
            "Colours of %d files may not be as they were meant (column note of image_table), for example %s: %s",
            len(noted),
            noted["file"].iloc[0],
            noted["note"].iloc[0],
        )
    counts = image_table["label"].value_counts().sort_index()
    if len(counts) < 2:
        found = f"only one, {counts.index[0]}," if len(counts) else "none"
        other_classes = rejected[~rejected["label"].isin(counts.index)]
        raise UserError(
            f"A classifier needs images of at least two classes, and {found} is left of {given} files "
            f"(rejected: {_reasons(rejected)}).{_why(other_classes)}"
        )
    logger.info("%d classes: %s", len(counts), _counted(counts))
    known = ["", *counts.index]
    gone = rejected[~rejected["label"].isin(known) & (rejected["reason"] != "dropped_by_curation")]
    if labels := sorted(set(gone["label"])):
        logger.warning(
            "No picture is left of what would be classes, %s (rejected: %s).%s",
            listed(labels),
            _reasons(gone),
            _why(gone),
        )
    for alike in look_alikes(counts.index):
        logger.warning(
            "%s are different classes, though their names look alike; if they are one, call it alike where the photos "
            "come from, or relabel in the curation file",
            " and ".join(map(repr, alike)),
        )


def _reasons(rejected: pd.DataFrame) -> str:
    return ", ".join(f"{number} {reason}" for reason, number in rejected["reason"].value_counts().items()) or "none"


def _why(rejected: pd.DataFrame) -> str:
    """Say why most files were rejected, by an example."""
    if rejected.empty:
        return ""
    first = rejected[rejected["reason"] == rejected["reason"].mode().iloc[0]].iloc[0]
    return f" For example {first['file']}: {first['detail']}"


def _counted(counts: pd.Series) -> str:
    """List classes with their numbers of images; of very many the largest and the smallest."""
    if len(counts) <= CLASSES_IN_LOG:
        return ", ".join(f"{label} {number}" for label, number in counts.items())
    ordered, half = counts.sort_values(ascending=False, kind="stable"), CLASSES_IN_LOG // 2
    return f"{_counted(ordered[:half])} ... {_counted(ordered[-half:])} (the others lie between)"


def plot_resolutions(image_table: pd.DataFrame, *image_sizes: ImageSize, stages: Sequence[str]) -> plots.Figure:
    """Draw the sizes of the originals, and warn where a stage enlarges most of them."""
    sizes = dict(zip(stages, image_sizes, strict=True))
    median = image_table[["width", "height"]].min(axis=1).median()
    for name, size in sizes.items():
        if min(height_width(size)) > median:
            logger.warning(
                "Stage %s trains at %s px, more than the shorter side of half of the originals (%.0f px)",
                name,
                size_in_words(size),
                median,
            )
    return plots.resolutions(image_table, sizes)


def show_classes(
    image_table: pd.DataFrame, prepared_images: images.PreparedImages, display_names: dict[str, str]
) -> tuple[plots.Figure, plots.Figure]:
    """Draw how many images each class has, and a contact sheet with as many of each as there is room for."""
    ids = image_table.groupby("label")["image_id"].agg(list)
    labels, most = plots.classes_on_sheet(list(ids.index))
    rows = {
        label: open_thumbnails(prepared_images, [ids[label][place] for place in _evenly(len(ids[label]), most)])
        for label in labels
    }
    sheet = plots.class_contact_sheet(rows, display_names, list(ids.index))
    return plots.class_balance(image_table, display_names), sheet


def show_duplicates(
    image_table: pd.DataFrame, rejected_images: pd.DataFrame, prepared_images: images.PreparedImages
) -> tuple[pd.DataFrame, plots.Figure]:
    """List the groups of duplicates, and draw the largest ones.

    Returns:
        ``duplicates``: a row for each image that has a near duplicate in the dataset (``duplicate_group``, ``label``,
        ``file``, ``exact``: whether another file of the group has the same pixels), and the contact sheet.
    """
    sizes = image_table["duplicate_group"].map(image_table["duplicate_group"].value_counts())
    grouped = image_table[sizes > 1].sort_values(["duplicate_group", "file"])
    duplicates = grouped[["duplicate_group", "label", "file"]].reset_index(drop=True)
    duplicates["exact"] = grouped["pixel_hash"].duplicated(keep=False).to_numpy()
    conflicts = (rejected_images["reason"] == "label_conflict").sum()
    logger.info(
        "%s in %s of near duplicates (%d with the same pixels); %d more under two labels",
        count(len(duplicates), "image"),
        count(duplicates["duplicate_group"].nunique(), "group"),
        duplicates["exact"].sum(),
        conflicts,
    )
    group_sizes = grouped.groupby("duplicate_group").size().sort_values(ascending=False, kind="stable")
    largest = group_sizes.index[:GROUPS_ON_SHEET]
    rows = [grouped[grouped["duplicate_group"] == group].head(PICTURES_PER_ROW) for group in largest]
    sheet = [list(zip(open_thumbnails(prepared_images, row["image_id"]), row["file"], strict=True)) for row in rows]
    return duplicates, plots.duplicates_sheet(sheet, group_sizes.tolist())


def _evenly(count: int, wanted: int) -> list[int]:
    return sorted({index * count // wanted for index in range(wanted)})


def open_thumbnails(
    prepared_images: images.PreparedImages, image_ids: Iterable[str], longest_side: int = 256
) -> list[images.Picture]:
    """Open pictures, shrunk to what a sheet shows of them."""
    return [images.open_thumbnail(prepared_images.path(image_id), longest_side) for image_id in image_ids]
