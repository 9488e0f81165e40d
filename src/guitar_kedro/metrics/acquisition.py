"""Which pictures without labels teach a model most: active learning in batches."""

from __future__ import annotations

import numpy as np


def badge(probabilities: np.ndarray, features: np.ndarray, most: int, seed: int) -> np.ndarray:
    """Choose pictures by uncertainty and diversity.

    BADGE of J. T. Ash et al. (2020), "Deep batch active learning by diverse, uncertain gradient lower bounds", ICLR:
    each picture stands for the gradient that the loss would have in the last layer if the prediction were right, which
    is long where the model is not sure; among these gradients, k-means++ (Arthur and Vassilvitskii 2007) chooses. The
    longest comes first, each further one with a probability that grows with the square of its distance from those
    chosen. Any beginning of the order is a diverse batch. A gradient is the product of a vector of classes with one of
    features, so that distances are computed without it.

    Here the pooled features of the network's body stand for those of its last hidden layer. They are standardised and
    have length 1: how long a gradient is depends on uncertainty alone. A gradient of 0 counts as chosen from the
    beginning, or one of the many pictures that are sure, which teach nothing, would soon be chosen for all of them.

    Args:
        probabilities: n x classes.
        features: n x features.
        most: How many are chosen, at most.
        seed: Of the draws.

    Returns:
        int64: rows in the order in which they were chosen.
    """
    if not len(probabilities):
        return np.array([], np.int64)
    errors = probabilities.astype(np.float32)
    errors[np.arange(len(errors)), errors.argmax(axis=1)] -= 1
    units = (features - features.mean(axis=0)) / (features.std(axis=0) + 1e-6)
    units /= np.maximum(np.linalg.norm(units, axis=1, keepdims=True), 1e-12)
    lengths = np.einsum("ij,ij->i", errors, errors) * np.einsum("ij,ij->i", units, units)
    draw, distances = np.random.default_rng(seed), lengths
    chosen = [int(lengths.argmax())]
    left = np.ones(len(errors), bool)
    while True:
        last = chosen[-1]
        left[last] = False
        products = (errors @ errors[last]) * (units @ units[last])
        distances = np.minimum(distances, np.maximum(lengths + lengths[last] - 2 * products, 0))
        weights = np.where(left, distances, 0).astype(float)
        if len(chosen) >= most or not left.any():
            break
        if not weights.sum() > 0:  # all that are left are like those chosen: the least sure come first
            rest = np.flatnonzero(left)
            chosen += rest[np.argsort(-lengths[rest], kind="stable")][: most - len(chosen)].tolist()
            break
        chosen.append(int(draw.choice(len(weights), p=weights / weights.sum())))
    return np.array(chosen, np.int64)
