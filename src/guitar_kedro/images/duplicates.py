"""Groups of near duplicates among perceptual hashes: exact, for a hundred thousand of them in seconds."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from guitar_kedro.memory import keep_freed_memory

MIN_SET_BITS = 8

_LARGE_RUN = 1_024
_BITS_ROWS = 1_024  # a byte a bit: what a core's cache holds
_STRIPE_ROWS = 2_048
_BLOCK_ROWS, _BLOCK_COLUMNS = 16, 8_192  # what a core's cache holds
_DISTANCES_AT_ONCE = 1_000_000


def near_duplicate_groups(
    hashes: Sequence[str] | np.ndarray, max_distance: int, pixel_hashes: Sequence[str] | None = None
) -> np.ndarray:
    """Return numbers for the groups of pictures that look alike.

    Two pictures belong to one group when a chain of pictures leads from one to the other in which neighbours differ in
    at most `max_distance` bits. The result is exact: no pair is missed, none is added.

    A picture of one colour, or a smooth gradient, has hardly a set bit in its difference hash, and so has any other:
    their hashes are alike although the pictures are not. Where `pixel_hashes` are given, pictures with fewer than
    `MIN_SET_BITS` set bits are grouped with those of equal pixels only.

    Args:
        hashes: a perceptual hash for each picture, all of the same length, a multiple of 16 hex digits.
        max_distance: bits in which neighbours may differ, 0 to 64.
        pixel_hashes: a hash of each picture's pixels, to tell apart pictures whose perceptual hash says nothing.

    Returns:
        int64 of the same length: group numbers 0, 1, 2, ... in order of first appearance. A picture that is like no
        other is a group of its own.

    Raises:
        ValueError: a hash that is not hexadecimal or of another length.
    """
    if len(hashes) == 0:
        return np.zeros(0, dtype=np.int64)
    words = _parse(hashes)
    distinct, which = np.unique(words, axis=0, return_inverse=True)
    which = which.reshape(-1)
    if pixel_hashes is None:
        return _number_by_appearance(_connect(distinct, max_distance)[which])
    says_nothing = np.bitwise_count(distinct).sum(axis=1) < MIN_SET_BITS
    groups = np.full(len(distinct), -1, dtype=np.int64)
    groups[~says_nothing] = _connect(distinct[~says_nothing], max_distance)
    groups = groups[which]
    blank = np.flatnonzero(says_nothing[which])
    groups[blank] = len(hashes) + np.unique(np.asarray(pixel_hashes)[blank], return_inverse=True)[1]
    return _number_by_appearance(groups)


def _parse(hashes: Sequence[str] | np.ndarray) -> np.ndarray:
    """Turn n hex strings into an array of shape (n, words), uint64."""
    lengths = {len(text) for text in hashes}
    if len(lengths) != 1 or (length := lengths.pop()) % 16 or not length:
        raise ValueError("Perceptual hashes must all have the same length, a multiple of 16 hex digits.")
    raw = bytes.fromhex("".join(hashes))
    return np.frombuffer(raw, dtype=">u8").astype(np.uint64).reshape(len(hashes), length // 16)


def _number_by_appearance(groups: np.ndarray) -> np.ndarray:
    _, first, which = np.unique(groups, return_index=True, return_inverse=True)
    rank = np.empty(len(first), dtype=np.int64)
    rank[np.argsort(first)] = np.arange(len(first))
    return rank[which.reshape(-1)]


class _Components:
    """Which hashes are known to be connected.

    Attributes:
        words: the hashes, shape (n, words), uint64.
        max_distance: bits in which connected neighbours may differ.
        labels: component of each hash, shape (n,).
    """

    def __init__(self, words: np.ndarray, max_distance: int) -> None:
        self.words = words
        self.max_distance = max_distance
        self.labels = np.arange(len(words))

    def near(self, left: np.ndarray, right: np.ndarray) -> np.ndarray:
        """Return the edges between components that the candidate pairs prove, shape (edges, 2)."""
        found = []
        for start in range(0, len(left), _DISTANCES_AT_ONCE):
            a, b = left[start : start + _DISTANCES_AT_ONCE], right[start : start + _DISTANCES_AT_ONCE]
            open_question = self.labels[a] != self.labels[b]
            a, b = a[open_question], b[open_question]
            near = np.bitwise_count(self.words[a] ^ self.words[b]).sum(axis=1, dtype=np.int64) <= self.max_distance
            found.append(np.unique(np.stack([self.labels[a[near]], self.labels[b[near]]], axis=1), axis=0))
        return np.concatenate(found) if found else np.empty((0, 2), dtype=np.int64)

    def join(self, edges: np.ndarray) -> None:
        """Merge the components that the edges connect."""
        if len(edges):
            count = len(self.words)
            graph = coo_array((np.ones(len(edges), dtype=bool), (edges[:, 0], edges[:, 1])), shape=(count, count))
            self.labels = connected_components(graph, directed=False)[1][self.labels]


def _connect(words: np.ndarray, max_distance: int) -> np.ndarray:
    """Find the connected components of distinct hashes.

    Of hashes that differ in at most d bits, dealt into d + 1 bands, at least one band is equal: only pairs with an
    equal band are compared. Where the bands are so short or so often equal that this saves nothing, all pairs are.
    """
    keep_freed_memory()  # to ask for that of a block takes longer than to count in it
    components = _Components(words, max_distance)
    if max_distance == 0 or len(words) < 2:
        return components.labels
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        keys = list(_band_keys(words, max(max_distance + 1, words.shape[1])))
        for order, _ in keys:  # neighbours in the order of a band are likely pairs, and joined ones need no more work
            components.join(components.near(order[:-1], order[1:]))
        pairs = sum(int((sizes * (sizes - 1) // 2).sum()) for sizes in (np.diff(starts) for _, starts in keys))
        if pairs > len(words) ** 2 // 32:  # gathering one pair costs as much as 16 pairs side by side
            _join_all_pairs(components, np.arange(len(words)), pool)
        else:
            for order, starts in keys:
                _join_runs(components, order, starts, pool)
    return components.labels


def _band_keys(words: np.ndarray, bands: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Deal the bits into bands and sort the hashes by each band.

    Bits that are nearly always equal (white margins) tell little, and neighbouring bits tell the same, so the bits are
    dealt like cards, from the most to the least telling: every band gets its share.

    Yields:
        the order that sorts the hashes by one band, and where in it the runs of equal bands start, with the end.
    """
    blocks = [words[start : start + _BITS_ROWS] for start in range(0, len(words), _BITS_ROWS)]
    set_bits = sum(_bits(block).sum(axis=0, dtype=np.int64) for block in blocks)
    dealt = np.argsort(np.abs(set_bits / len(words) - 0.5), kind="stable")
    for key in np.concatenate([_deal(block, dealt, bands) for block in blocks], axis=1):
        order = np.argsort(key)
        changes = np.flatnonzero(np.diff(key[order])) + 1
        yield order, np.concatenate([[0], changes, [len(words)]])


def _bits(words: np.ndarray) -> np.ndarray:
    return np.unpackbits(words.view(np.uint8), axis=1)


def _deal(words: np.ndarray, dealt: np.ndarray, bands: int) -> np.ndarray:
    """Return the bits of each band as one number for each hash, shape (bands, n), uint64."""
    bits = _bits(words)
    keys = np.zeros((bands, len(words), 8), dtype=np.uint8)
    for band in range(bands):
        packed = np.packbits(bits[:, dealt[band::bands]], axis=1)
        keys[band, :, : packed.shape[1]] = packed
    return keys.view(np.uint64)[:, :, 0]


def _join_runs(components: _Components, order: np.ndarray, starts: np.ndarray, pool: ThreadPoolExecutor) -> None:
    """Compare all pairs within each run of hashes with one equal band."""
    sizes = np.diff(starts)
    for run in np.flatnonzero(sizes > _LARGE_RUN):
        _join_all_pairs(components, order[starts[run] : starts[run + 1]], pool)
    small = sizes <= _LARGE_RUN
    ends = np.repeat(np.where(small, starts[1:], 0), sizes)
    left, edges = np.arange(len(order)), []
    for step in range(1, _LARGE_RUN):
        left = left[left + step < ends[left]]
        if not len(left):
            break
        edges.append(components.near(order[left], order[left + step]))
        if sum(map(len, edges)) > _DISTANCES_AT_ONCE:
            edges = [np.unique(np.concatenate(edges), axis=0)]
    if edges:
        components.join(np.concatenate(edges))


def _join_all_pairs(components: _Components, members: np.ndarray, pool: ThreadPoolExecutor) -> None:
    """Compare all pairs of some hashes, but those that are known to be connected, in blocks that fit a core's cache."""
    members = members[np.argsort(components.labels[members], kind="stable")]
    labels = components.labels[members]
    label_ends = np.searchsorted(labels, labels, side="right")
    columns = np.ascontiguousarray(components.words[members].T)

    def compare(row: int) -> np.ndarray:
        found = [np.empty((0, 2), dtype=np.int64)]
        for column in range(int(label_ends[row]), len(members), _BLOCK_COLUMNS):
            near = _near_in_block(
                columns[:, row : row + _BLOCK_ROWS],
                columns[:, column : column + _BLOCK_COLUMNS],
                components.max_distance,
            )
            if near is not None:
                found.append(components.near(members[near[0] + row], members[near[1] + column]))
        return np.concatenate(found)

    for stripe in range(0, len(members), _STRIPE_ROWS):
        left = components.labels[members[stripe:]]
        if (left == left[0]).all():
            return
        rows = range(stripe, min(stripe + _STRIPE_ROWS, len(members)), _BLOCK_ROWS)
        components.join(np.unique(np.concatenate(list(pool.map(compare, rows))), axis=0))


def _near_in_block(rows: np.ndarray, columns: np.ndarray, max_distance: int) -> tuple[np.ndarray, np.ndarray] | None:
    """Return the positions of pairs that may be near, None when there are none.

    Distances are counted in 8 bits, so that one of 256 looks like 0: who asks must look at the pairs again.

    Args:
        rows: words of some hashes, shape (words, rows).
        columns: words of others, shape (words, columns).
        max_distance: bits in which near hashes may differ.
    """
    distances = np.zeros((rows.shape[1], columns.shape[1]), dtype=np.uint8)
    for word in range(len(rows)):
        distances += np.bitwise_count(rows[word][:, None] ^ columns[word][None, :])
        if distances.min() > max_distance and word < 3:
            return None
    near_rows, near_columns = np.nonzero(distances <= max_distance)
    return near_rows, near_columns
