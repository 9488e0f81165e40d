"""What a user may rely on about the choice of pictures to label next."""

from __future__ import annotations

import numpy as np
import pytest

from guitar_kedro.metrics import badge


def test_the_least_sure_come_first_and_each_beginning_of_the_order_is_diverse():
    random = np.random.default_rng(0)
    kinds = random.normal(size=(5, 64)).astype(np.float32)
    of_kind = np.repeat(np.arange(5), 40)
    features = kinds[of_kind] + random.normal(0, 0.05, (200, 64)).astype(np.float32)
    sure = np.tile([0.998, 0.001, 0.001], (200, 1))
    shares = np.where((np.arange(200) % 40 < 4)[:, None], [0.4, 0.35, 0.25], sure)
    drawn = [badge(shares, features, 5, seed) for seed in range(100)]
    assert np.mean([chosen[0] % 40 < 4 for chosen in drawn]) == 1
    assert np.mean([(chosen % 40 < 4).all() for chosen in drawn]) > 0.95
    # others of a kind would teach the same; of five that are drawn blindly, one in 26 has all kinds
    assert np.mean([len(set(of_kind[chosen])) == 5 for chosen in drawn]) > 0.9


def test_each_is_chosen_once_and_the_same_ones_by_the_same_seed():
    random = np.random.default_rng(0)
    shares, features = random.dirichlet(np.ones(4), 50), random.normal(size=(50, 8)).astype(np.float32)
    chosen = badge(shares, features, 20, seed=3)
    assert len(set(chosen)) == 20
    assert np.array_equal(chosen, badge(shares, features, 20, seed=3))
    assert sorted(badge(shares, features, 100, seed=3)) == list(range(50))


def test_copies_of_one_picture_are_taken_the_least_sure_first():
    shares = np.tile([0.5, 0.5], (6, 1))
    assert badge(shares, np.ones((6, 4), np.float32), 3, seed=0).tolist()[0] == 0
    assert len(set(badge(shares, np.ones((6, 4), np.float32), 3, seed=0))) == 3


@pytest.mark.filterwarnings("error")
def test_of_no_pictures_none_is_chosen():
    assert badge(np.empty((0, 2)), np.empty((0, 4), np.float32), 3, seed=0).tolist() == []
