"""DropQuery: the law of its passes by all masks there are, its picks by clusters and distances in float64."""

import itertools

import jax
import numpy as np
import pytest

from alfamous_jax import clusters, dropquery

pytestmark = pytest.mark.fits

N, K, H, BUDGET = 60, 3, 4, 5
KEY = jax.random.key(0)


@pytest.fixture(scope="module")
def pool():
    rng = np.random.default_rng(2)
    features = (3 * rng.normal(size=(5, H))[rng.integers(0, 5, N)] + rng.normal(size=(N, H))).astype(np.float32)
    return rng.choice([0, 1 / 3, 2 / 3, 1], N).astype(np.float32), features, rng.random(N) < 0.8


@pytest.mark.parametrize("rate", [0.75, 0.3])
def test_passes_disagree_as_often_as_all_masks_do(pool, rate):
    phi, weights, passes = pool[1][:12].copy(), np.random.default_rng(0).normal(size=(K, H)).astype(np.float32), 4000
    phi[3, 1], expected = np.nan, np.zeros(12)
    for mask in itertools.product([0, 1], repeat=H):
        weight = np.prod(np.where(mask, 1 - rate, rate))
        kept = np.where(mask, np.nan_to_num(phi), 0.0).astype(float)
        expected += weight * ((kept @ weights.T).argmax(axis=1) != (np.nan_to_num(phi) @ weights.T).argmax(axis=1))
    shares = np.asarray(dropquery.disagreement(KEY, weights, phi, passes=passes, rate=rate))
    whole = np.arange(12) != 3
    assert np.isnan(shares[3]) and expected[whole].min() < 0.5 < expected[whole].max()
    np.testing.assert_allclose(shares[whole], expected[whole], atol=5 * np.sqrt(0.25 / passes))


def test_nothing_is_lost_at_a_rate_of_0_and_three_passes_have_four_levels(pool):
    weights = np.random.default_rng(0).normal(size=(K, H)).astype(np.float32)
    shares = [np.asarray(dropquery.disagreement(KEY, weights, pool[1], rate=rate)) for rate in (0.0, 0.75)]
    assert not shares[0].any()
    assert set(np.rint(3 * shares[1]).tolist()) == {0, 1, 2, 3}


@pytest.mark.parametrize("candidates", [1, 6, 25])
def test_picks_are_the_rows_nearest_to_the_centres_of_those_in_doubt(pool, candidates):
    """Enough rows above one half, some of the level below as well, all rows."""
    utility, features, available = pool
    found = np.asarray(dropquery.select(KEY, *pool, budget=BUDGET, candidates=candidates).indices)
    level = next(
        t for t in (2 / 3, 1 / 3, 0) if (available & (utility >= t - 1e-6)).sum() >= candidates * BUDGET or not t
    )
    doubted = available & (utility >= level - 1e-6)
    assert {1: 2 / 3, 6: 1 / 3, 25: 0}[candidates] == level

    means_key, order_key = jax.random.split(KEY)
    order = np.asarray(jax.random.permutation(order_key, N))
    many = clusters.k_means(means_key, features[order], doubted[order], BUDGET, most=BUDGET)
    labels = np.asarray(many.labels)[np.argsort(order)]
    rows = features.astype(float) / np.linalg.norm(features.astype(float), axis=1, keepdims=True)
    least = []
    for label in range(BUDGET):
        members = np.flatnonzero(labels == label)
        far = np.linalg.norm(rows[members] - rows[members].mean(axis=0), axis=1)
        (row,) = set(found.tolist()) & set(members.tolist())
        assert far[members == row] <= far.min() + 1e-5  # the two rows of a pair are as near
        least.append((far.min(), row))
    assert [row for _, row in sorted(least)] == found.tolist()


def test_rows_that_coincide_leave_the_rest_to_the_most_doubtful(pool):
    """Two directions, a batch of four; then a batch beyond the pool."""
    features = np.float32([[1, 0], [2, 0], [3, 0], [0, 1], [0, 2], [0, 3]])
    utility, every = np.float32([0.9, 0.9, 0.9, 0.6, 0.7, 0.8]), np.arange(6) > 0
    found = dropquery.select(KEY, utility, features, every, budget=4, candidates=1)
    assert found.num_selected == 4 and len(set(found.indices.tolist())) == 4 and {1, 2} <= set(found.indices.tolist())
    found = dropquery.select(KEY, utility, features, every, budget=8)
    assert sorted(found.indices[:5].tolist()) == [1, 2, 3, 4, 5] and (found.indices[5:] == -1).all()
    assert found.num_selected == 5 and np.isnan(found.objective) and found.bound == -np.inf


def test_rows_that_are_not_finite_are_as_if_not_there(pool):
    utility, features, available = (np.array(x) for x in pool)
    bad = np.flatnonzero(available)[:2]
    utility[bad[0]], features[bad[1], 0] = np.nan, np.inf
    found = dropquery.select(KEY, utility, features, available, budget=BUDGET)
    same = dropquery.select(KEY, *pool[:2], available & ~np.isin(np.arange(N), bad), budget=BUDGET)
    np.testing.assert_array_equal(found.indices, same.indices)
    assert found.num_invalid == 2


def test_impossible_settings_are_refused(pool):
    for changes in ({"budget": 0}, {"candidates": 0}):
        with pytest.raises(ValueError, match=f"{next(iter(changes))} must be at least 1, got 0"):
            dropquery.select(KEY, *pool, **{"budget": 2} | changes)
    with pytest.raises(ValueError, match="passes must be at least 1, got 0"):
        dropquery.disagreement(KEY, np.ones((K, H)), pool[1], passes=0)
