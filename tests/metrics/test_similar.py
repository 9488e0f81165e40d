"""What a user may rely on about pictures that look alike to a network."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from guitar_kedro.metrics import crossing, joined_groups, similar_images, similar_pairs


def test_pairs_with_similar_features_are_found_and_others_are_not():
    random = np.random.default_rng(0)
    features = random.normal(3, 2, (300, 512)).astype(np.float32)
    features[299] = features[0]
    features[7] = features[3] + random.normal(0, 0.5, 512)
    pairs, similarities = similar_pairs(features)
    assert pairs.tolist() == [[0, 299], [3, 7]]
    assert similarities[0] == pytest.approx(1, abs=1e-6)
    again, _ = similar_pairs(features)
    assert np.array_equal(pairs, again)


def test_where_all_pictures_look_alike_only_those_are_a_pair_that_are_more_alike_than_the_others():
    random = np.random.default_rng(0)
    features = random.normal(0, 1, (100, 512)).astype(np.float32)
    features[:30] = 1.5 * features[0] + features[:30]
    features[20] = features[10]
    assert similar_pairs(features)[0].tolist() == [[10, 20]]


def test_a_picture_that_is_there_many_times_is_found_each_time():
    features = np.random.default_rng(0).normal(0, 1, (100, 512)).astype(np.float32)
    features[:30] = features[0]
    assert set(similar_pairs(features)[0].ravel()) == set(range(30))


@pytest.mark.parametrize("count", [0, 1, 2, 50])
def test_however_few_or_alike_pictures_are_each_brings_ten_neighbours_at_most(count: int):
    pairs, similarities = similar_pairs(np.ones((count, 8), np.float32))
    assert len(pairs) == len(similarities) <= 10 * count


def test_groups_that_pairs_connect_become_one():
    assert joined_groups(np.array([0, 1, 1, 2, 3]), np.array([[0, 2], [0, 3]])).tolist() == [0, 0, 0, 0, 3]
    assert joined_groups(np.array([4, 1]), np.empty((0, 2), np.int64)).tolist() == [4, 1]


def test_pairs_that_cross_parts_come_first_then_those_under_two_labels_and_near_duplicates_by_hash_not_at_all():
    images = pd.DataFrame(
        {"file": list("abcde"), "label": ["x", "x", "y", "x", "x"], "split": ["train"] * 4 + ["test"]}
    ).assign(duplicate_group=[0, 1, 2, 0, 4])
    pairs = np.array([[0, 1], [0, 2], [0, 3], [0, 4]])
    listed = similar_images(images, pairs, np.array([0.99, 0.9, 0.98, 0.95]))
    assert listed["similar_file"].tolist() == ["e", "c", "b"]
    assert listed["similar_split"].tolist() == ["test", "train", "train"]
    assert crossing(listed) == 1
    assert crossing(similar_images(images, pairs[:0], np.empty(0))) == 0
