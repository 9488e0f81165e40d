"""Pictures that came without a label, and were accepted: they join the images, for the training part alone."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from guitar_kedro import images
from guitar_kedro.errors import UserError
from guitar_kedro.files import one_spelling
from guitar_kedro.lazy import pd
from guitar_kedro.metrics.formatting import count
from guitar_kedro.pipelines.ingestion.schemas import AcceptedRow
from guitar_kedro.session import with_session

logger = logging.getLogger(__name__)

PROVENANCE = ("accepted_by", "accepted_when", "accepted_why")
_NAME_AGAIN = "name the folder that they came in again: `kedro run --pipeline=label_next --params=unlabelled=DIR`"


def accept_images(
    unlabelled_pictures: images.PreparedImages, curation: pd.DataFrame, raw_images: Sequence[images.RawImage] = ()
) -> pd.DataFrame:
    """List the pictures without labels that got one in the curation file of the workspace.

    Args:
        unlabelled_pictures: As they were prepared.
        curation: The decisions.
        raw_images: Not looked at, but listed before: where they cannot be, nothing is written.

    Returns:
        An ``AcceptedRow`` for each that is kept or relabelled there.

    Raises:
        UserError: If one is kept without a class, or has two lines.
    """
    decided = decisions_by_hash(curation)
    records = unlabelled_pictures.records
    prepared = dict(zip(records["file_hash"].str[:20], records["prepared"], strict=True))
    accepted = {key: row for key, row in decided.items() if row["action"] != "drop"}
    for row in accepted.values():
        if not row["label"]:
            raise UserError(
                f"The curation file keeps {row['file']} without a class: name it in the column label, since the "
                "picture came without one."
            )
    if lost := [row["file"] for key, row in accepted.items() if not prepared.get(key)]:
        sentence = f"{_NAME_AGAIN}, or take their lines out of the curation file"
        logger.warning(
            "Accepted, but not at hand any more: %s, for example %s; %s",
            *(count(len(lost), "picture"), lost[0], with_session(sentence)),
        )
    rows = [
        {
            "file": row["file"],
            "label": one_spelling(row["label"]),
            "prepared": prepared[key],
            **{name: row[name.removeprefix("accepted_")] for name in PROVENANCE},
        }
        for key, row in accepted.items()
        if prepared.get(key)
    ]
    return pd.DataFrame(rows, columns=list(AcceptedRow.model_fields), dtype="str")


def decisions_by_hash(curation: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Return the lines of the workspace's curation file about pictures without labels, by ``unlabelled_hash``.

    Raises:
        UserError: If two lines are about one content.
    """
    found: dict[str, dict[str, Any]] = {}
    for row in curation[curation["source"] == ""].to_dict(orient="records"):
        if not (key := images.unlabelled_hash(row["file"])):
            continue
        if key in found:
            raise UserError(
                f"The curation file has two lines about one picture, {found[key]['file']} and {row['file']}; leave one."
            )
        found[key] = row
    return found


def accepted_pictures(
    accepted_images: pd.DataFrame, unlabelled_pictures: images.PreparedImages, earlier: Mapping[str, images.FileRecord]
) -> Iterator[tuple[images.FileRecord, bytes | None]]:
    """Take the pictures that were accepted from those without labels.

    Args:
        accepted_images: From ``accept_images``.
        unlabelled_pictures: Where they are.
        earlier: What is there already, by file.

    Yields:
        For each its record, under its name and its class, and the prepared JPEG; ``None`` where that is there.

    Raises:
        UserError: If a prepared picture cannot be read.
    """
    records = unlabelled_pictures.records.drop_duplicates("prepared").set_index("prepared", drop=False)
    for row in accepted_images.itertuples():
        record = replace(images.FileRecord(**records.loc[row.prepared].to_dict()), file=row.file, label=row.label)
        if (known := earlier.get(row.file)) and known.prepared == row.prepared:
            yield record, None
            continue
        path = unlabelled_pictures.path(row.prepared)
        try:
            jpeg = path.read_bytes()
        except OSError as error:
            raise UserError(f"{path} cannot be read ({error.strerror}), and was accepted: {_NAME_AGAIN}.") from None
        yield record, jpeg


def join_accepted(
    own: pd.DataFrame, accepted: pd.DataFrame, accepted_images: pd.DataFrame, duplicate_distance: int
) -> pd.DataFrame:
    """Put the accepted pictures below the images, and reject those that may not join the training part.

    A near duplicate of an image may be in the validation or test part, and leak there; one of a training image adds
    little. So none of these joins, whatever part the image is in.

    Args:
        own: The readable images that came with their class, with ``duplicate_group`` and ``reason``.
        accepted: The records of those that were accepted.
        accepted_images: From ``accept_images``.
        duplicate_distance: Bits in which the hashes of near duplicates may differ.

    Returns:
        Both tables in one; the numbers of the groups of ``own`` are as they were.
    """
    own = own.assign(**dict.fromkeys(PROVENANCE, ""))
    if accepted.empty:
        return own
    provenance = accepted_images.set_index("file").loc[accepted["file"], list(PROVENANCE)]
    joined = accepted.assign(**{name: provenance[name].to_numpy() for name in PROVENANCE})
    both = pd.concat([own, joined], ignore_index=True)
    groups = images.near_duplicate_groups(
        both["perceptual_hash"].tolist(), duplicate_distance, both["pixel_hash"].tolist()
    )
    is_own = pd.Series(range(len(both))) < len(own)
    like = both[is_own].groupby(groups[: len(own)])["file"].min()  # an image of each group
    both.loc[~is_own, "duplicate_group"] = both["duplicate_group"].max() + 1 + groups[len(own) :]
    both = both.astype({"duplicate_group": "int64"})
    classes = set(both.loc[is_own & (both["reason"] == ""), "label"])
    for place in both.index[~is_own]:
        if (group := groups[place]) in like.index:
            detail = (
                f"It looks like {like[group]}, which came with a class: accepted pictures that are near duplicates of "
                "such images stay out, since those may be in the validation or test part."
            )
            both.loc[place, ["reason", "detail"]] = "near_duplicate", detail
        elif (label := both.at[place, "label"]) not in classes:
            detail = (
                f"No image came with the class {label}: accepted pictures join the training part alone, and a class "
                "needs others to be measured on."
            )
            both.loc[place, ["reason", "detail"]] = "no_such_class", detail
    _tell(both[~is_own])
    return both


def _tell(accepted: pd.DataFrame) -> None:
    out = accepted[accepted["reason"] != ""]
    logger.info("Accepted: %s without labels for the training part", count(len(accepted) - len(out), "picture"))
    if len(out):
        logger.warning(
            "Accepted, but left out: %s, for example %s: %s (rejected_images.csv names all)",
            *(count(len(out), "picture"), out["file"].iloc[0], out["detail"].iloc[0]),
        )
