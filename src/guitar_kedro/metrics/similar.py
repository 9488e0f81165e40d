"""Pictures that look alike to a network: near duplicates that perceptual hashes miss."""

from __future__ import annotations

import numpy as np
import pandas as pd
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler, normalize

LEAST_MARGIN = 0.25
"""By how much the cosine of a pair exceeds those of their neighbours, at least.

Measured on 1,500 real photos of guitars and 640 copies of 80 of them, at 128 px, with the packaged EfficientNet-Lite0:
of the copies in half the size as JPEG of quality 70, it finds 99 %, in other colours 99 %, brighter or darker 94 %,
mirrored 93 %, of the central 90, 80 and 70 % of width and height 82, 45 and 10 %, of the mirrored central 80 % 30 %.
Of a thousand photos it lists 19 pairs whose hashes differ: about 9 show one guitar or one photo twice, 10 two guitars
before one background. No group was larger than three. A plain cosine that lists as many (0.79) finds 55 % of the
copies instead of 69 %.
"""
_LEAST_COSINE, _SURE_COSINE = 0.5, 0.85  # what is less alike is no pair; what is more is one, also in a large group
_NEIGHBOURS = 10


def similar_pairs(features: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find pairs of pictures whose features are more alike than those of the pictures around them.

    Compared are the cosines of standardised features, those of each picture with its ten nearest neighbours. As in A.
    Conneau et al. (2018), "Word translation without parallel data", ICLR, the mean cosine with the neighbours is
    subtracted, for where all pictures look alike, it says little that two of them do.

    Args:
        features: float32 of n x features.

    Returns:
        int64 of pairs x 2, rows of ``features``, the lower first; and float64 of pairs, their cosines.
    """
    if len(features) < 2:
        return np.empty((0, 2), np.int64), np.empty(0)
    units = normalize(StandardScaler().fit_transform(features))
    nearest = NearestNeighbors(n_neighbors=min(_NEIGHBOURS, len(units) - 1), algorithm="brute").fit(units)
    distances, others = nearest.kneighbors()  # Euclidean, which of unit vectors says the cosine
    cosines = 1 - distances**2 / 2
    around = cosines[:, 1:].mean(axis=1, keepdims=True) if cosines.shape[1] > 1 else np.zeros((len(units), 1))
    margins = cosines - (around + around[others, 0]) / 2
    rows, places = np.nonzero((cosines >= _SURE_COSINE) | ((cosines >= _LEAST_COSINE) & (margins >= LEAST_MARGIN)))
    found = np.sort(np.column_stack([rows, others[rows, places]]), axis=1)
    pairs, first = np.unique(found, axis=0, return_index=True)
    return pairs, cosines[rows, places][first]


def joined_groups(groups: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    """Make one group of those that pairs of pictures connect.

    Args:
        groups: int of n: number of the group of each picture, from 0.
        pairs: As of ``similar_pairs``.

    Returns:
        int64 of n: each group has the lowest number of those that it is made of.
    """
    count = int(groups.max(initial=-1)) + 1
    graph = coo_array((np.ones(len(pairs), bool), tuple(groups[pairs].T)), shape=(count, count))
    parts = connected_components(graph, directed=False)[1]
    lowest = np.unique(parts, return_index=True)[1]
    return lowest[parts[groups]]


def similar_images(images: pd.DataFrame, pairs: np.ndarray, cosines: np.ndarray) -> pd.DataFrame:
    """List pairs that look alike and are in different groups of near duplicates.

    Those that lie in different parts of the split come first, then those with different labels, then the most similar.

    Args:
        images: ``file``, ``label``, ``split`` and ``duplicate_group`` of each picture.
        pairs: As of ``similar_pairs``.
        cosines: Likewise.
    """
    one, other = (images.iloc[rows].reset_index(drop=True) for rows in pairs.T)
    table = pd.DataFrame({"file": one["file"], "similar_file": other["file"], "similarity": cosines})
    for column in ("label", "split"):
        table[column], table[f"similar_{column}"] = one[column], other[column]
    same = {f"same_{column}": one[column] == other[column] for column in ("split", "label")}
    missed = table.assign(**same)[one["duplicate_group"] != other["duplicate_group"]]
    order = missed.sort_values([*same, "similarity"], ascending=[True, True, False], ignore_index=True)
    return order[list(table)]


def crossing(similar: pd.DataFrame) -> int:
    """Count the pairs of ``similar_images`` that lie in different parts of the split."""
    return int((similar["split"] != similar["similar_split"]).sum())
