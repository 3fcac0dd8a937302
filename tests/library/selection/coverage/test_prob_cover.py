"""ProbCover against greedy maximum coverage on the N x N matrix, with ties by chance."""

import jax
import numpy as np
import pytest

from alfamous_jax import clusters, coverage

N, K, BUDGET = 60, 3, 8
KEY = jax.random.key(1)


@pytest.fixture(scope="module")
def pool():
    rng = np.random.default_rng(0)
    features = (rng.normal(size=(K, 3))[np.arange(N) % K] + 0.4 * rng.normal(size=(N, 3))).astype(np.float32)
    state = rng.choice(3, N, p=[0.05, 0.8, 0.15])
    return features, state == 0, state == 1


def cover(key, pool, weights=None, purity=0.95):
    weights = np.ones(N, np.float32) if weights is None else weights
    return coverage.prob_cover(key, weights, *pool, budget=BUDGET, num_classes=K, purity=purity)


@pytest.mark.parametrize("weighted", [False, True])
def test_every_pick_covers_most_of_what_is_left(pool, weighted):
    features, labelled, available = pool
    rng = np.random.default_rng(1)
    weights = rng.uniform(0.2, 1, N).astype(np.float32) if weighted else np.ones(N, np.float32)
    found = cover(KEY, pool, weights)
    known = available | labelled
    groups = clusters.k_means(jax.random.split(KEY)[0], features, known, K, most=K).labels
    radius = float(coverage.pure_radius(features, groups, known))
    rows = features.astype(float) / np.linalg.norm(features.astype(float), axis=1, keepdims=True)
    near = 2 - 2 * rows @ rows.T < radius**2
    covered, left = near[:, labelled].any(axis=1), available.copy()
    for row in np.asarray(found.indices):
        gains = weights @ (near & ~covered[:, None])
        assert left[row] and gains[row] >= gains[left].max() - 2e-3
        covered, left[row] = covered | near[:, row], False
    assert float(found.objective) == pytest.approx(-weights[covered].sum(), rel=1e-5)
    assert found.bound <= found.objective and found.num_selected == BUDGET and found.num_invalid == 0


def test_ties_are_decided_by_the_key(pool):
    """At a purity of 0 one ball covers all, and every row is as good as any other."""
    _, labelled, available = pool
    first = {int(cover(jax.random.key(seed), pool, purity=0.0).indices[-1]) for seed in range(12)}
    assert len(first) > 4 and all(available[row] for row in first)
    again = cover(KEY, pool, purity=0.0).indices
    np.testing.assert_array_equal(again, cover(KEY, pool, purity=0.0).indices)


def test_rows_that_are_not_finite_are_as_if_not_there(pool):
    features, labelled, available = pool
    spoilt = features.copy()
    row = np.flatnonzero(available)[3]
    spoilt[row, 1] = np.nan
    found = cover(KEY, (spoilt, labelled, available))
    np.testing.assert_array_equal(
        found.indices, cover(KEY, (features, labelled, available & (np.arange(N) != row))).indices
    )
    assert found.num_invalid == 1


def test_impossible_settings_are_refused(pool):
    for changes, message in (
        ({"budget": 0}, "budget must be at least 1, got 0"),
        ({"num_classes": 0}, "num_classes must be at least 1, got 0"),
        ({"purity": 95}, "purity must be from 0 to 1, got 95"),
    ):
        with pytest.raises(ValueError, match=message):
            coverage.prob_cover(KEY, np.ones(N), *pool, **{"budget": 2, "num_classes": K} | changes)
    with pytest.raises(ValueError, match="weights must not be negative, row 0 has -1.0"):
        cover(KEY, pool, -np.ones(N, np.float32))
