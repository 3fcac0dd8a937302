"""The limit of BALD that a query for one row rests on: no row lies above it."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from alfamous_jax import acquisition, laplace

pytestmark = pytest.mark.slow
SELDOM = pytest.mark.exhaustive

bald_gaussian = jax.jit(acquisition.bald_gaussian)


def above(logits, variance):
    """BALD less its ceiling, over the variance."""
    limit = acquisition.bald_ceiling(laplace.mean_field(logits, variance), variance)
    return (bald_gaussian(logits, variance) - limit) / variance


@pytest.mark.parametrize("num_classes", [2, 3, 5, 10, 26, 77, 200, 1000])
def test_no_row_is_above(num_classes):
    rng = np.random.default_rng(num_classes)
    logits = rng.normal(size=(600, num_classes)) * rng.uniform(0, 6, (600, 1))
    for row, ahead in enumerate(rng.integers(1, num_classes, 300)):  # some classes ahead, and nearly tied
        logits[row] = rng.uniform(0, 0.5) * logits[row] + rng.uniform(0, 12) * (np.arange(num_classes) < ahead)
    variance = np.where(np.arange(600) % 2, rng.uniform(0, 2.2, 600), np.exp(rng.uniform(-9, 7, 600)))
    assert above(jnp.asarray(logits), jnp.asarray(variance)).max() <= 0


@pytest.mark.parametrize("num_classes", [4, *(pytest.param(k, marks=SELDOM) for k in (2, 10, 40))])
def test_no_row_is_above_after_climbing_to_it(num_classes):
    """Gradient ascent from many starts, on logits and variance."""
    rng = np.random.default_rng(num_classes)

    def gap(logits, place):
        variance = 2 * jax.nn.sigmoid(place)
        limit = acquisition.bald_ceiling(laplace.mean_field(logits, variance), variance)
        return (acquisition.bald_gaussian(logits, variance) - limit) / variance

    @jax.jit
    def climb(logits, place):
        slope = jax.grad(lambda *x: jnp.sum(gap(*x)), argnums=(0, 1))
        step = lambda _, x: jax.tree.map(lambda y, d: jnp.clip(y + 0.1 * jnp.sign(d), -30, 30), x, slope(*x))  # noqa: E731
        logits, place = jax.lax.fori_loop(0, 60, step, (logits, place))
        return gap(logits, place)

    logits = rng.normal(size=(400, num_classes)) * rng.uniform(0.1, 5, (400, 1))
    assert climb(jnp.asarray(logits), jnp.asarray(rng.uniform(-4, 4, 400))).max() <= 0


def test_is_half_the_variance_times_the_gini_index_in_the_limit():
    probs = jnp.array([[0.5, 0.25, 0.25], [1.0, 0.0, 0.0]])
    limit = acquisition.bald_ceiling(probs, jnp.array([1e-2, 1e-2]))
    np.testing.assert_allclose(limit[0], 0.5e-2 * (1 - 0.375), rtol=0.06)
    assert 0 <= limit[1] < 1e-5
