"""BatchBALD against the mutual information of every configuration of labels, in float64."""

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest

from alfamous_jax.selection import batch_bald

pytestmark = pytest.mark.slow

N, K, S = 12, 3, 6
KEY = jax.random.key(0)


def samples(seed, concentration=0.4):
    return np.random.default_rng(seed).dirichlet(np.full(K, concentration), size=(S, N))


def naive(prob_samples, size):
    """Greedy picks and the information of each prefix."""
    picked, values = [], []
    for _ in range(size):
        gains = [
            -1.0 if n in picked else oracles.joint_information(prob_samples, [*picked, n])
            for n in range(prob_samples.shape[1])
        ]
        picked.append(int(np.argmax(gains)))
        values.append(max(gains))
    return picked, values


def select(prob_samples, budget, key=KEY, available=None, **settings):
    available = np.ones(prob_samples.shape[1], bool) if available is None else available
    return batch_bald.select(key, jnp.asarray(prob_samples, jnp.float32), available, budget=budget, **settings)


def test_exact_for_four_picks():
    for seed in range(5):
        picked, values = naive(samples(seed), 4)
        selection = select(samples(seed), 4, num_configurations=K**4)
        np.testing.assert_array_equal(selection.indices, picked)
        np.testing.assert_allclose(-selection.objective, values[-1], rtol=1e-5)
        assert selection.num_selected == 4 and selection.bound == -np.inf


def test_resampled_configurations_estimate_the_same():
    """32 of 59,049 configurations: over many keys the information of a forced batch is right, with little spread."""
    p = samples(7, concentration=2.0)[:, :10]
    exact = oracles.joint_information(p, range(10))
    run = jax.jit(jax.vmap(lambda key: select(p, 10, key, num_configurations=32).objective))
    estimates = -np.asarray(run(jax.random.split(KEY, 400)))
    assert 0 < estimates.std() < 0.025 * exact
    assert abs(estimates.mean() - exact) < 4 * estimates.std() / 20


def test_a_copy_of_a_row_that_tells_the_samples_apart_adds_nothing():
    """Two samples that disagree for sure: log 2 for one row, and for its copy with it."""
    p = np.zeros((2, 3, 2))
    p[0, :2, 0] = p[1, :2, 1] = 1.0
    p[:, 2] = [[0.9, 0.1], [0.6, 0.4]]
    for budget in (1, 2):
        selection = select(p, budget)
        np.testing.assert_allclose(-selection.objective, np.log(2), rtol=1e-6)
        assert selection.indices[0] == 0


def test_redundancy_is_seen():
    """Copies of the best row are passed over for a weaker row that tells something else."""
    p = np.full((4, 6, 2), 0.5)
    p[:2, :5, 0], p[2:, :5, 0] = 0.99, 0.01  # five copies that tell the first half of the samples from the second
    p[::2, 5, 0], p[1::2, 5, 0] = 0.8, 0.2
    p[..., 1] = 1 - p[..., 0]
    np.testing.assert_array_equal(select(p, 2).indices, [0, 5])


def test_information_cannot_exceed_that_of_the_samples():
    """Where many rows tell the samples apart, the resampled estimate stays near log S."""
    p = np.random.default_rng(3).dirichlet(np.full(K, 0.3), size=(S, 300))
    information = -select(p, 40, num_configurations=48).objective
    assert 0.95 * np.log(S) < information < 1.005 * np.log(S)


def test_long_batches_do_not_underflow():
    """The probability of a configuration of 120 labels is below the smallest float32."""
    p = np.random.default_rng(4).dirichlet(np.full(K, 5.0), size=(S, 150))
    selection = select(p, 120, num_configurations=16)
    assert len(set(selection.indices.tolist())) == 120 and np.isfinite(selection.objective)


def test_unavailable_and_spoilt_rows():
    p, available = samples(5), np.arange(N) % 3 != 0
    p[2, 4, 0] = np.nan
    selection = select(p, 8, available=available)
    assert selection.num_selected == 7 and selection.num_invalid == 1 and selection.indices[7] == -1
    assert set(selection.indices[:7].tolist()) == set(np.flatnonzero(available)) - {4}


def test_impossible_sizes_are_refused():
    with pytest.raises(ValueError, match="num_configurations must be at least 1, got 0"):
        select(samples(0), 2, num_configurations=0)
    with pytest.raises(ValueError, match="budget must be at least 1, got 0"):
        select(samples(0), 0)
