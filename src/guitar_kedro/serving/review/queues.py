"""Queues of what to look at, each with what a look is worth most first."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from guitar_kedro.serving.review.items import LEFT_OUT, UNLABELLED, Items, conflict_groups
from guitar_kedro.serving.review.workspace import Artifacts
from guitar_kedro.session import with_session
from guitar_kedro.splits import TEST

MOST = 300  # of the queues that rank all images, where no bound says where to stop
NEXT = "next"  # key of the queue of pictures without labels
STRANGE = 0.95  # images that their network finds stranger than so many of the others


@dataclass(frozen=True)
class Queue:
    """Items in the order in which to look at them.

    Attributes:
        key: Its name in addresses.
        title: For people.
        about: What is in it, in which order, as a sentence.
        why: Goes into the curation file with a decision.
        rows: Of ``Items``, each once.
        remarks: What to say of a row here, beside what is said of it anywhere.
        groups: Number of the group of each row of ``rows``; empty where there are none.
        undecided: Whether it is only for what nobody has decided about.
    """

    key: str
    title: str
    about: str
    why: str
    rows: np.ndarray
    remarks: dict[int, str] = field(default_factory=dict)
    groups: np.ndarray = field(default_factory=lambda: np.empty(0, int))
    undecided: bool = False


def make_queues(items: Items, made: Artifacts, distance: int, oddness: np.ndarray) -> list[Queue]:
    """Make all queues.

    Args:
        items: The files.
        made: What runs have made of them.
        distance: Bits in which the hashes of near duplicates may differ.
        oddness: Of each item, high for those that are unlike their class.
    """
    table = items.table
    odd_first = np.argsort(-oddness, kind="stable")
    odd_first = odd_first[(table["part"] != UNLABELLED).to_numpy()[odd_first]]
    is_image = (~table["part"].isin([LEFT_OUT, UNLABELLED])).to_numpy()
    return [
        _wrong_labels(table, made),
        _conflicts(table, distance),
        _near_duplicates(table, made),
        Queue(
            "unreadable",
            "Unreadable",
            "Files that are no image of the dataset, and why. Mend or replace the file; drop says that you know.",
            "unreadable",
            np.flatnonzero((table["reason"] != "") & (table["image"] == "")),
        ),
        Queue(
            "unsure",
            "Least sure",
            "Where the two likeliest classes are closest (margin sampling).",
            "the model is not sure",
            _smallest(table["margin"].where(is_image))[:MOST],
        ),
        Queue(
            "strange",
            "None of these?",
            "What a network finds unlike everything it has seen (by energy), the strangest first.",
            "may be none of the classes",
            _smallest(-table["strange"].where(is_image & (table["strange"] > STRANGE)))[:MOST],
        ),
        _label_next(table, made),
        Queue(
            "rest",
            "Not looked at yet",
            "Everything that nobody has decided about, what is least like its class first.",
            "looked through",
            odd_first,
            undecided=True,
        ),
        Queue("all", "All pictures", "What is least like its class first.", "looked through", odd_first),
    ]


def _wrong_labels(table: pd.DataFrame, made: Artifacts) -> Queue:
    """Take the suspects of the last report, and what is predicted otherwise of the test part, which that leaves out."""
    suspects = made.tables["suspect_labels"]
    is_suspect = table["file"].isin(suspects["file"] if len(suspects) else [])
    is_error = (table["part"] == TEST) & (table["suggested"] != table["label"]) & (table["suggested"] != "")
    chosen = (is_suspect | is_error) & (table["reason"] == "")
    about = "The least likely label first, by networks that had not seen the picture (confident learning)."
    rows = _smallest(table["of_label"].where(chosen))
    return Queue("labels", "Likely wrong labels", about, "likely wrong label", rows)


def _label_next(table: pd.DataFrame, made: Artifacts) -> Queue:
    chosen, title = made.tables["label_queue"], "What to label next"
    if chosen.empty:
        about = with_session(
            "Name pictures without labels, and those stand here of which a label teaches most: `kedro run "
            "--pipeline=label_next --params=unlabelled=DIR`"
        )
        return Queue(NEXT, title, about, "what to label next", np.empty(0, int))
    about = (
        "Pictures without labels, those first of which one teaches most: unsure and unlike each other (BADGE). Keep "
        "where the predicted class is right, relabel where it is another, drop what is not to be used. The next run "
        "trains on those with a class, and never measures on them."
    )
    places = pd.Index(table["file"]).get_indexer(chosen["file"])
    rows = places[(places >= 0) & (table["part"].to_numpy()[places] == UNLABELLED)]
    why = f"what to label next, by model {chosen['model'].iloc[0]}"
    return Queue(NEXT, title, about, why, rows)


def _conflicts(table: pd.DataFrame, distance: int) -> Queue:
    groups = conflict_groups(table, distance)
    rows = _by_group(groups, -_sizes(groups).astype(float))
    about = "They are left out until you say which label is right: keep or relabel those that stay, drop the others."
    return Queue(
        "conflicts", "Same picture, two labels", about, "same picture under two labels", rows, groups=groups[rows]
    )


def _near_duplicates(table: pd.DataFrame, made: Artifacts) -> Queue:
    """Join the groups of near duplicates with the pairs that look alike to a network."""
    similar, place = made.tables["similar_images"], pd.Index(table["file"])
    pairs = np.empty((0, 2), int)
    if len(similar):
        pairs = np.column_stack([place.get_indexer(similar[name]) for name in ("file", "similar_file")])
    there = (pairs >= 0).all(axis=1)
    pairs, numbers = pairs[there], np.flatnonzero(there)
    of_hash = table["duplicate_group"].fillna(-1).to_numpy(int)
    firsts = pd.Series(np.arange(len(table))).groupby(of_hash).transform("first").to_numpy()
    edges = np.vstack([pairs, np.column_stack([np.arange(len(table)), firsts])[of_hash >= 0]])
    graph = coo_array((np.ones(len(edges), bool), tuple(edges.T)), shape=(len(table),) * 2)
    groups = connected_components(graph, directed=False)[1]
    groups = np.where(_sizes(groups) > 1, groups, -1)
    # the report has the pairs in the order of their worth: across parts, under two labels, most alike
    worth, remarks = np.full(len(table), np.inf), {}
    for number, (one, other) in zip(numbers[::-1], pairs[::-1], strict=True):
        worth[[one, other]] = number
        pair = similar.iloc[number]
        remarks[int(one)] = f"{pair['similarity']:.2f} alike to {pair['similar_file']}"
        remarks[int(other)] = f"{pair['similarity']:.2f} alike to {pair['file']}"
    worth = pd.Series(np.where(np.isinf(worth), len(similar) - _sizes(groups) / len(table), worth))
    rows = _by_group(groups, worth.groupby(groups).transform("min").to_numpy())
    about = "Groups that look alike: first those in different parts of the split, then under different labels."
    return Queue("duplicates", "Near duplicates", about, "near duplicate", rows, remarks, groups[rows])


def _smallest(values: pd.Series) -> np.ndarray:
    """Return the rows that have a value, the smallest first."""
    return values.dropna().sort_values(kind="stable").index.to_numpy(int)


def _sizes(groups: np.ndarray) -> np.ndarray:
    """Return for each row how many are in its group; 0 where it has none."""
    return np.where(groups < 0, 0, np.bincount(groups + 1)[groups + 1])


def _by_group(groups: np.ndarray, worth: np.ndarray) -> np.ndarray:
    """Return the rows that have a group, a group after the other, the smallest worth first."""
    rows = np.lexsort((groups, worth))
    return rows[groups[rows] >= 0]
