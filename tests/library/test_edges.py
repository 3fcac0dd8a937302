"""Functions at their edges: nothing in, one class, narrow types, gradients where a root or a logarithm has none."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from alfamous_jax import acquisition, cycle, diversity, imbalance, laplace, metrics, minority, single_stage, updates
from alfamous_jax.laplace import Posterior
from alfamous_jax.networks import map_head

KEY = jax.random.key(0)


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16], ids=["float32", "bfloat16"])
def test_a_pool_without_rows(dtype):
    logits, variance = laplace.predict(Posterior(jnp.ones((2, 3)), jnp.eye(3)), jnp.zeros((0, 3), dtype))
    assert logits.shape == (0, 2) and variance.shape == (0,) and variance.dtype == jnp.float32
    assert acquisition.bald_gaussian(logits, variance).shape == (0,)


def test_a_batch_without_rows_or_columns_has_no_diversity():
    for shape in ((0, 3), (2, 0)):
        assert np.isnan(metrics.kl_diversity(jnp.zeros(shape)))
    assert np.isnan(metrics.euclidean_diversity(jnp.zeros((0, 3)))) and np.isnan(metrics.euclidean_diversity([[1.0]]))


def test_numpy_in_float64_is_taken_as_float32():
    posterior = Posterior(jnp.ones((2, 3)), jnp.eye(3))
    logits, variance = laplace.predict(posterior, np.eye(3))
    np.testing.assert_array_equal(logits, np.ones((3, 2)))
    np.testing.assert_array_equal(variance, np.ones(3))


def test_one_class_and_no_labels_in_profiles_and_weights():
    np.testing.assert_array_equal(imbalance.exp_profile(jnp.array([5]), 0.1), [5])
    for beta in (None, 0.9):
        np.testing.assert_array_equal(imbalance.class_weights(jnp.zeros(3), beta), 0.0)
    np.testing.assert_array_equal(imbalance.class_weights(jnp.array([2, 2]), 0.9), 1.0)


def test_nan_is_no_variance_of_0():
    assert np.isnan(laplace.deviation(jnp.nan))
    assert np.isnan(acquisition.bald_sampled(KEY, jnp.zeros((1, 2)), jnp.array([jnp.nan]), 2)).all()
    for normalize in ("sum", "minmax"):
        assert np.isnan(metrics.class_balance_index(jnp.array([1.0, jnp.nan]), normalize))
        assert np.isinf(metrics.class_balance_index(jnp.array([3.0, 3.0]), normalize))


@pytest.mark.slow
def test_gradients():
    """Of entropies at certainty, distances between equal rows, deviations of equal counts."""
    certain = jnp.array([[1.0, 0.0], [0.5, 0.5]])
    slope = np.asarray(jax.grad(lambda x: acquisition.entropy(x).sum())(certain))
    np.testing.assert_allclose(slope, [[-1.0, 0.0], [np.log(2) - 1, np.log(2) - 1]], atol=1e-6)
    far = jnp.array([[200.0, 0.0], [0.0, 0.0]])
    assert np.isfinite(jax.grad(lambda x: acquisition.entropy(laplace.mean_field(x, jnp.zeros(2))).sum())(far)).all()
    rows = jnp.array([[0.0, 0.0], [0.0, 0.0], [3.0, 4.0]])
    slope = np.asarray(jax.grad(metrics.euclidean_diversity)(rows))
    np.testing.assert_allclose(slope[2], np.array([3.0, 4.0]) / 5 * 2 / 3, atol=1e-6)
    assert np.isfinite(slope).all()
    for score in (metrics.imbalance_ratio, metrics.class_balance_index):
        assert np.isfinite(jax.grad(score)(jnp.full(3, 4.0))).all()


@pytest.mark.slow
def test_narrow_types():
    half = Posterior(jnp.ones((2, 3), jnp.bfloat16), jnp.eye(3, dtype=jnp.bfloat16))
    after, _ = updates.update_many(half, jnp.ones((2, 3)), jnp.array([0, 1]))
    wide, _ = updates.update_many(Posterior(jnp.ones((2, 3)), jnp.eye(3)), jnp.ones((2, 3)), jnp.array([0, 1]))
    jax.tree.map(np.testing.assert_array_equal, after, wide)
    assert laplace.sample_weights(KEY, half, 2).dtype == jnp.float32
    turned = [map_head.basis(jnp.eye(3).astype(t), jnp.ones(3, bool)).rows for t in (jnp.bfloat16, jnp.float32)]
    np.testing.assert_array_equal(*turned)
    mixed = acquisition.bald_sampled(KEY, jnp.zeros((1, 2)), jnp.ones(1, jnp.bfloat16), 3)
    np.testing.assert_array_equal(mixed, acquisition.bald_sampled(KEY, jnp.zeros((1, 2)), jnp.ones(1), 3))


@pytest.mark.slow
def test_counts_and_places_beyond_a_byte():
    """More candidates of a class than uint8 counts, more ranks than int8 features could number."""
    rng = np.random.default_rng(0)
    probs, labels = rng.dirichlet([9.0, 0.5], 300).astype(np.float32), rng.integers(0, 2, 300)
    features, none = rng.integers(-9, 9, (300, 3)), np.zeros(300, bool)
    found = [
        minority.select(KEY, probs, np.array([3, 9], t), features.astype(s), labels, none, ~none, budget=8).indices
        for t, s in ((np.uint8, np.int8), (np.int32, np.float32))
    ]
    np.testing.assert_array_equal(*found)
    how = {"budget": 40, "num_classes": 2, "ranking": "entropy", "balance_from": 0.5}
    found = [
        single_stage.select(KEY, probs, features.astype(t), labels, ~none, **how).indices for t in (np.int8, np.float32)
    ]
    np.testing.assert_array_equal(*found)


def test_a_huge_row_is_passed_over_alone():
    features, labelled = jnp.array([[0.0], [1.0], [1e30], [9.0]]), jnp.array([True, False, False, False])
    batch = diversity.k_center(features, labelled, ~labelled, budget=2)
    np.testing.assert_array_equal(batch.indices, [3, 1])
    assert batch.num_invalid == 1


def test_an_infinite_variance_is_no_utility():
    posterior = Posterior(jnp.zeros((2, 1)), jnp.eye(1))
    state = cycle.PoolState(
        posterior, jnp.zeros((2, 2)), jnp.array([jnp.inf, 1.0]), jnp.ones(2, bool), jnp.ones(2, int)
    )
    indices, info = cycle.query(state, KEY)
    assert indices[0] == 1 and info.num_invalid == 1


@pytest.mark.parametrize(("budget", "minibatch"), [(0, 1), (1, 0), (-1, 1), (3, 2), (0, 0)])
def test_budgets_that_are_none(budget, minibatch):
    state = cycle.init(Posterior(jnp.zeros((2, 1)), jnp.eye(1)), jnp.ones((3, 1)), jnp.ones(3, bool), jnp.ones(2, int))
    with pytest.raises(ValueError, match=f"multiple of minibatch, got {budget} and {minibatch}"):
        cycle.acquire(KEY, state, jnp.ones((3, 1)), jnp.zeros(3, int), budget=budget, minibatch=minibatch)
