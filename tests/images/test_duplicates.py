"""Groups of near duplicates: no pair missed, none added, and quickly."""

import time

import numpy as np
import pytest
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components

from guitar_kedro.images import duplicates
from guitar_kedro.images.duplicates import near_duplicate_groups


def in_hex(words: np.ndarray) -> list[str]:
    return [row.tobytes().hex() for row in words.astype(">u8")]


def flipped(words: np.ndarray, random: np.random.Generator, bits: int) -> np.ndarray:
    words = words.copy()
    for _ in range(bits):
        at = random.integers(0, 256, len(words))
        words[np.arange(len(words)), at // 64] ^= np.uint64(1) << (at % 64).astype(np.uint64)
    return words


def scattered(count: int, random: np.random.Generator) -> np.ndarray:
    return random.integers(0, 2**64, (count, 4), dtype=np.uint64)


def clustered(count: int, random: np.random.Generator) -> np.ndarray:
    centres = scattered(count // 4, random)
    return flipped(centres[random.integers(0, len(centres), count)], random, 3)


def padded(count: int, random: np.random.Generator) -> np.ndarray:
    """As of photos with white margins: most bits are 0 everywhere."""
    words = clustered(count, random)
    words[:, (0, 3)] = 0
    words[:, 1] &= np.uint64(0xFFFF)
    return words


def one_crowd(count: int, random: np.random.Generator) -> np.ndarray:
    return flipped(np.repeat(scattered(1, random), count, axis=0), random, 7)


def by_comparing_all(words: np.ndarray, max_distance: int) -> np.ndarray:
    near = np.array([np.bitwise_count(word ^ words).sum(axis=1) <= max_distance for word in words])
    return connected_components(coo_array(near), directed=False)[1]


def same_partition(one: np.ndarray, other: np.ndarray) -> bool:
    pairs = set(zip(one.tolist(), other.tolist(), strict=True))
    return len(pairs) == len(set(one.tolist())) == len(set(other.tolist()))


@pytest.mark.parametrize("make", [scattered, clustered, padded, one_crowd])
@pytest.mark.parametrize("max_distance", [0, 1, 2, 3, 4, 7, 11, 16, 31, 64])
def test_groups_are_those_that_comparing_all_pairs_finds(make, max_distance: int):
    words = make(700, np.random.default_rng(max_distance))
    groups = near_duplicate_groups(in_hex(words), max_distance)
    assert same_partition(groups, by_comparing_all(words, max_distance))


@pytest.mark.parametrize("make", [clustered, padded, one_crowd])
@pytest.mark.parametrize(("large_run", "stripe"), [(2, 32), (5, 2048), (10_000, 2048)])
def test_groups_do_not_depend_on_how_the_work_is_cut(make, large_run: int, stripe: int, monkeypatch):
    monkeypatch.setattr(duplicates, "_LARGE_RUN", large_run)
    monkeypatch.setattr(duplicates, "_STRIPE_ROWS", stripe)
    monkeypatch.setattr(duplicates, "_BLOCK_COLUMNS", 100)
    monkeypatch.setattr(duplicates, "_DISTANCES_AT_ONCE", 50)
    for max_distance in (2, 5, 40):
        words = make(400, np.random.default_rng(3))
        assert same_partition(near_duplicate_groups(in_hex(words), max_distance), by_comparing_all(words, max_distance))


def test_opposite_hashes_are_not_taken_for_equal():
    hashes = ["0" * 64, "f" * 64, "0" * 63 + "1"]
    assert near_duplicate_groups(hashes, 64).tolist() == [0, 1, 0]


def test_groups_are_numbered_by_first_appearance():
    a, b, c = "a" * 64, "5" * 64, "f0" * 32
    assert near_duplicate_groups([b, a, b, c, a], 4).tolist() == [0, 1, 0, 2, 1]
    assert near_duplicate_groups(np.array([c, c, a]), 0).tolist() == [0, 0, 1]


def test_a_chain_of_near_pictures_is_one_group():
    chain = [f"{(1 << 3 * link) - 1 << 99:064x}" for link in range(10)]
    assert set(near_duplicate_groups(chain, 3).tolist()) == {0}
    assert len(set(near_duplicate_groups(chain, 2).tolist())) == 10


def test_hashes_of_other_lengths_work_too():
    assert near_duplicate_groups(["0" * 16, "0" * 15 + "3", "f" * 16], 2).tolist() == [0, 0, 1]


def test_pictures_without_structure_are_grouped_by_their_pixels():
    nothing, little, a = "0" * 64, "0" * 63 + "1", "a" * 64
    assert near_duplicate_groups([nothing, nothing, little, a, a], 4).tolist() == [0, 0, 0, 1, 1]
    pixels = ["red", "blue", "red", "x", "y"]
    assert near_duplicate_groups([nothing, nothing, little, a, a], 4, pixels).tolist() == [0, 1, 0, 2, 2]


def test_no_pictures_are_no_groups():
    assert near_duplicate_groups([], 4).tolist() == []
    assert near_duplicate_groups(["a" * 64], 4).tolist() == [0]


@pytest.mark.parametrize(
    ("hashes", "message"),
    [(["a" * 64, "a" * 48], "same length"), (["a" * 15], "multiple of 16"), (["x" * 64], "hexadecimal")],
)
def test_what_cannot_be_compared_is_refused(hashes: list[str], message: str):
    with pytest.raises(ValueError, match=message):
        near_duplicate_groups(hashes, 4)


@pytest.mark.parametrize("make", [clustered, padded])
def test_twenty_thousand_hashes_take_seconds(make):
    hashes = in_hex(make(20_000, np.random.default_rng(0)))
    start = time.process_time()
    near_duplicate_groups(hashes, 4)
    assert time.process_time() - start < 10
