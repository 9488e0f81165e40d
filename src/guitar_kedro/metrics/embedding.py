"""Features on a plane."""

from __future__ import annotations

import numpy as np
from sklearn.decomposition import PCA
from sklearn.manifold import TSNE
from threadpoolctl import threadpool_limits

_COMPONENTS = 50
_STEPS = 500  # twice as many move hardly a point, and take twice as long


def embed(features: np.ndarray, seed: int) -> np.ndarray:
    """Place pictures on a plane, so that those with similar features lie close together.

    Only what lies close together means something: distances between groups, and sizes of groups, do not. Source: L. van
    der Maaten and G. Hinton (2008), "Visualizing data using t-SNE", JMLR 9, as scikit-learn computes it, on the first
    50 principal components and from the first two (D. Kobak and P. Berens 2019, "The art of using t-SNE for single-cell
    transcriptomics", Nature Communications 10).

    Args:
        features: float32 of n x features.
        seed: The same one gives the same map.

    Returns:
        float32 of n x 2.
    """
    count = len(features)
    if count < 4 or not features.std(axis=0).any():  # nothing to tell apart
        return np.column_stack([np.arange(count), np.zeros(count)]).astype(np.float32)
    # sums of several threads differ from run to run, and t-SNE makes another map of each
    with threadpool_limits(1):
        components = PCA(min(_COMPONENTS, *features.shape), svd_solver="randomized", random_state=seed)
        principal = components.fit_transform(features)
        perplexity = min(30, (count - 1) / 3)
        return TSNE(perplexity=perplexity, max_iter=_STEPS, init="pca", random_state=seed).fit_transform(principal)


def lie_apart(places: np.ndarray, distance: float) -> list[int]:
    """Choose points whose squares do not overlap; those that come first are chosen first.

    Args:
        places: n x 2: the centres of squares.
        distance: The side of a square.

    Returns:
        Rows of ``places``.
    """
    chosen: list[int] = []
    for row, place in enumerate(places):
        if (np.abs(places[chosen] - place).max(axis=1) >= distance).all():
            chosen.append(row)
    return chosen
