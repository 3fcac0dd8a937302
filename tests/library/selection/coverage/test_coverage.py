"""Coverage against the N x N kernel that it never holds, against all subsets of small pools, and by hand."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from alfamous_jax import coverage


def kernel_of(features, kernel, radius):
    """All pairs, in float64."""
    rows = features.astype(float) / np.linalg.norm(features.astype(float), axis=1, keepdims=True)
    squares = np.maximum(2 - 2 * rows @ rows.T, 0)
    return (squares < radius**2).astype(float) if kernel == "ball" else np.exp(-squares / radius**2)


def pool(seed, num, width=3):
    rng = np.random.default_rng(seed)
    features = rng.normal(size=(num, width)).astype(np.float32)
    state = rng.choice(3, num, p=[0.1, 0.75, 0.15])
    return rng.uniform(0.2, 1, num).astype(np.float32), features, state == 0, state == 1


@pytest.mark.parametrize(("kernel", "radius"), [("gauss", 1.0), ("gauss", 0.2), ("ball", 0.5)])
def test_picks_are_those_of_greedy_on_the_whole_kernel(kernel, radius):
    weights, features, labelled, available = pool(0, 150)
    found = coverage.select(weights, features, labelled, available, budget=20, kernel=kernel, radius=radius)
    k = kernel_of(features, kernel, radius)
    covered, left = k[:, labelled].max(axis=1), available.copy()
    for row in np.asarray(found.indices):
        gains = weights @ np.maximum(k - covered[:, None], 0)
        assert left[row] and gains[row] >= (1 - 2e-3) * gains[left].max()
        covered, left[row] = np.maximum(covered, k[:, row]), False
    assert float(found.objective) == pytest.approx(-weights @ covered, rel=1e-5)
    assert found.num_selected == 20 and found.num_invalid == 0


@pytest.mark.parametrize("seed", range(4))
def test_no_batch_beats_the_bound_and_greedy_is_near_the_best(seed):
    weights, features, labelled, available = pool(seed, 14)
    found = coverage.select(weights, features, labelled, available, budget=3, radius=0.6)
    k = kernel_of(features, "gauss", 0.6)
    begin = k[:, labelled].max(axis=1) if labelled.any() else np.zeros(14)
    worth = [
        weights @ np.maximum(begin, k[:, list(rows)].max(axis=1))
        for rows in itertools.combinations(np.flatnonzero(available), 3)
    ]
    assert float(found.bound) <= -max(worth) <= float(found.objective) + 1e-5
    added = -float(found.objective) - weights @ begin
    assert added >= (1 - 1 / np.e) * (max(worth) - weights @ begin) - 1e-5


def test_a_large_pool_is_looked_at_in_blocks():
    """More rows than a block, fewer in the last one."""
    weights, features, labelled, available = pool(5, 333, width=8)
    some = np.flatnonzero(available)[:100]
    few = np.isin(np.arange(333), some)
    found = coverage.select(weights, features, labelled, few, budget=120)
    assert sorted(np.asarray(found.indices)[:100].tolist()) == some.tolist() and (found.indices[100:] == -1).all()
    assert found.bound == found.objective and found.num_selected == 100


def test_the_order_of_the_pool_does_not_matter_even_for_pairs():
    """Two rows that only cover each other gain alike; the one that was covered less is picked."""
    angles = np.array([0.0, 0.01, 0.02, 1.4, 1.7])
    features = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    labelled, order = np.arange(5) < 1, np.array([4, 3, 2, 1, 0])
    first = coverage.select(np.ones(5), features, labelled, ~labelled, budget=2).indices
    other = coverage.select(np.ones(5), features[order], labelled[order], ~labelled[order], budget=2).indices
    assert order[np.asarray(other)[0]] == first[0] == 4


def test_class_weights_by_hand():
    probs = np.array([[1.0, 0.0], [1.0, 0.0], [0.5, 0.5], [0.0, 1.0], [0.3, 0.7], [np.nan, 0.5]])
    pool, demand = np.array([True] * 4 + [False, True]), jnp.array([2.0, 6.0])
    weights = np.asarray(coverage.class_weights(jnp.asarray(probs), demand, 1.0, pool))
    mass = probs[:4].sum(axis=0)  # 2.5 and 1.5
    np.testing.assert_allclose(weights[:5], [0.4, 0.4, 1.2, 2.0, 0.0], rtol=1e-6)  # of the first 4 * .25 / 2.5
    assert np.mean(weights[:4]) == pytest.approx(1) and np.isnan(weights[5])
    np.testing.assert_allclose(coverage.class_weights(probs, demand, 0.0, pool)[:5], [1, 1, 1, 1, 0])
    half = coverage.class_weights(probs, jnp.zeros(2), 0.5, pool)[:4]
    np.testing.assert_allclose(half, 0.5 + 2 * (probs[:4] @ (0.5 / mass)), rtol=1e-6)


def test_doubt_by_hand():
    probs = jnp.array([[0.7, 0.2, 0.1], [0.4, 0.4, 0.2], [0.1, 0.1, 0.8]])
    np.testing.assert_allclose(coverage.doubt(probs, jnp.array([False, False, True])), [0.5, 1.0, 0.0], rtol=1e-6)
    np.testing.assert_array_equal(coverage.doubt(probs, jnp.zeros(3, bool)), 1.0)
    np.testing.assert_array_equal(coverage.doubt(jnp.ones((3, 1)), jnp.array([True, False, False])), 0.0)


def test_the_least_distance_of_labelled_rows():
    features = jnp.array([[1.0, 0.0], [2.0, 0.0], [0.0, 3.0], [1.0, 1.0], [jnp.nan, 0.0]])
    least = coverage.least_distance(features, jnp.array([True, True, True, False, True]))
    assert float(least) == pytest.approx(np.sqrt(2))  # the first two are one direction
    assert float(coverage.least_distance(features, jnp.array([True, True, False, False, True]))) == 1.0


def test_bad_rows_are_passed_over_and_bad_settings_refused():
    weights, features, labelled, available = pool(2, 40)
    features[np.flatnonzero(available)[0]] = np.inf
    weights[np.flatnonzero(available)[1]] = np.nan
    found = coverage.select(weights, features, labelled, available, budget=40)
    assert found.num_invalid == 2 and found.num_selected == available.sum() - 2 and np.isfinite(found.objective)
    for changes, message in (
        ({"kernel": "rbf"}, "kernel must be one of gauss, ball, got 'rbf'"),
        ({"radius": 0.0}, "radius must be above 0, got 0.0"),
        ({"budget": 0}, "budget must be at least 1, got 0"),
    ):
        with pytest.raises(ValueError, match=message):
            coverage.select(np.ones(40), features, labelled, available, **{"budget": 3} | changes)
    with pytest.raises(ValueError, match="weights must not be negative, row 3 has -1.0"):
        coverage.select(jnp.ones(40).at[3].set(-1), features, labelled, available, budget=3)


def test_jit_and_vmap_give_the_same():
    weights, features, labelled, available = pool(3, 60)
    alone = coverage.select(weights, features, labelled, available, budget=5)
    many = jax.vmap(lambda w: coverage.select(w, jnp.asarray(features), labelled, available, budget=5))(
        jnp.stack([jnp.asarray(weights), jnp.ones(60)])
    )
    np.testing.assert_array_equal(many.indices[0], alone.indices)
