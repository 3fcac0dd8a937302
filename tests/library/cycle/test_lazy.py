"""A single pick by BALD, which is evaluated for the rows that can win alone: the picks are those of evaluating all."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from alfamous_jax import acquisition, cycle, laplace
from alfamous_jax.cycle import _lazy

pytestmark = pytest.mark.slow


def of_all(logits, variance, key):
    """As a function of one's own: the cycle knows no limit of it."""
    return acquisition.bald_gaussian(logits, variance)


def problem(rng, size, num_classes, scale, features=16):
    phi = jnp.asarray(rng.normal(size=(size, features)) * rng.uniform(0, scale, (size, 1)) / features**0.5)
    posterior = laplace.Posterior(jnp.asarray(2 * rng.normal(size=(num_classes, features))), jnp.eye(features))
    labels = jnp.asarray(rng.integers(-1, num_classes, size))  # some rows are skipped
    available, counts = jnp.asarray(rng.random(size) < 0.9), jnp.asarray(rng.integers(0, 9, num_classes))
    return cycle.init(posterior, phi, available, counts), phi, labels


@pytest.mark.parametrize("lam", [0.0, 0.1, 2.0])
@pytest.mark.parametrize("scale", [0.3, 1.0, 5.0], ids="scale={}".format)
@pytest.mark.parametrize("num_classes", [2, 26])
def test_the_picks_are_those_of_evaluating_all_rows(num_classes, scale, lam):
    state, phi, labels = problem(np.random.default_rng(num_classes), 700, num_classes, scale)
    lazily, fully = (
        cycle.acquire(jax.random.key(0), state, phi, labels, utility=utility, lam=lam, budget=25)[1]
        for utility in ("bald", of_all)
    )
    np.testing.assert_array_equal(lazily.indices, fully.indices)
    np.testing.assert_allclose(lazily.utility, fully.utility, atol=2e-6)
    np.testing.assert_array_equal(lazily.num_invalid, fully.num_invalid)


def test_few_rows_are_evaluated_where_variances_are_small():
    state, *_ = problem(np.random.default_rng(3), 2000, 5, 1.0)
    limit, probs = _lazy.ceilings(state, "bald")
    demand, lam = jnp.ones(5), 0.1
    worth = _lazy.evaluate(state, jax.random.key(0), "bald", limit, probs, demand, lam, state.available, None)
    assert 1 <= (worth > -jnp.inf).sum() < 100
    assert not (worth > -jnp.inf)[~state.available].any()


def test_rows_that_are_not_finite_are_passed_over_and_counted():
    state, *_ = problem(np.random.default_rng(0), 300, 5, 1.0)
    state = state._replace(
        available=jnp.ones(300, bool),
        logits=state.logits.at[7, 2].set(jnp.nan),
        variance=state.variance.at[9].set(jnp.inf).at[11].set(jnp.nan),
    )
    for utility in ("bald", of_all):
        indices, info = cycle.query(state, jax.random.key(0), utility=utility)
        assert indices[0] not in (7, 9, 11) and info.num_invalid == 3


def test_a_pool_without_a_row_to_pick():
    state, *_ = problem(np.random.default_rng(0), 300, 5, 1.0)
    indices, info = cycle.query(state._replace(available=jnp.zeros(300, bool)), jax.random.key(0), utility="bald")
    assert indices.tolist() == [-1] and info.utility.tolist() == [-jnp.inf]


def test_the_first_of_equal_rows_wins():
    state, *_ = problem(np.random.default_rng(0), 3, 5, 1.0)
    twice = jnp.tile(jnp.arange(3), 200)  # more than are evaluated at a time
    state = cycle.PoolState(
        state.posterior, state.logits[twice], state.variance[twice], jnp.ones(600, bool), state.counts
    )
    assert cycle.query(state, jax.random.key(0), utility="bald")[0][0] < 3


def test_lanes_under_vmap():
    states = [problem(np.random.default_rng(seed), 300, 4, 2.0)[0] for seed in range(3)]
    ask = lambda state: cycle.query(state, jax.random.key(0), utility="bald", lam=0.1)[0]  # noqa: E731
    together = jax.vmap(ask)(jax.tree.map(lambda *x: jnp.stack(x), *states))
    np.testing.assert_array_equal(together, [ask(state) for state in states])
