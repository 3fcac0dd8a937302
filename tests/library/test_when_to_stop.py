"""When to stop: divergences against dense Gaussians in float64, agreement against sets and by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from alfamous_jax import laplace, stopping, updates
from alfamous_jax.laplace import Posterior

pytestmark = pytest.mark.fits

CLASSES, WIDTH = 3, 5


def dense(new, old):
    """KL of the Gaussian over all K D weights, its covariance a block for each class."""
    mean, base = (np.asarray(one.mean, np.float64).ravel() for one in (new, old))
    cov, before = (np.kron(np.eye(CLASSES), np.asarray(one.cov, np.float64)) for one in (new, old))
    inverse, shift = np.linalg.inv(before), mean - base
    volumes = np.linalg.slogdet(before)[1] - np.linalg.slogdet(cov)[1]
    return 0.5 * (np.trace(inverse @ cov) - mean.size + shift @ inverse @ shift + volumes)


@pytest.fixture(scope="module")
def moved():
    """A posterior, and the same after each of four labels, with the gains."""
    rng = np.random.default_rng(0)
    phi = jnp.asarray(rng.normal(size=(9, WIDTH)), jnp.float32)
    start = laplace.fit(jnp.asarray(rng.normal(size=(CLASSES, WIDTH)), jnp.float32), phi, jnp.ones(9, bool), 0.5)
    chain, changes = [start], []
    for row, label in zip(phi[:4], (0, 2, 1, 1), strict=True):
        posterior, change = updates.rank_one(chain[-1], row, jnp.asarray(label))
        chain.append(posterior)
        changes.append((change, row))
    return chain, changes


def test_a_label_moves_the_posterior_as_far_as_dense_gaussians_say(moved):
    chain, changes = moved
    for old, new, (change, row) in zip(chain[:-1], chain[1:], changes, strict=True):
        to_old, to_new = stopping.gain_kl(change, row)
        np.testing.assert_allclose([to_old, to_new], [dense(new, old), dense(old, new)], rtol=2e-3, atol=1e-6)


def test_a_fit_moves_it_as_far_too(moved):
    chain, _ = moved
    np.testing.assert_allclose(stopping.posterior_kl(chain[-1], chain[0]), dense(chain[-1], chain[0]), rtol=1e-3)
    np.testing.assert_allclose(stopping.posterior_kl(chain[0], chain[0]), 0.0, atol=1e-5)


def test_a_row_of_zeros_moves_nothing(moved):
    start = moved[0][0]
    _, change = updates.rank_one(start, jnp.zeros(WIDTH), jnp.asarray(0))
    assert [x.item() for x in stopping.gain_kl(change, jnp.zeros(WIDTH))] == [0.0, 0.0]


def test_agreement_is_that_of_the_sets():
    before, after = np.random.default_rng(1).integers(0, 4, (2, 200))
    found = np.asarray(stopping.agreement(before, after, 5))
    sets = [[set(np.flatnonzero(x == k)) for k in range(4)] for x in (before, after)]
    wanted = [2 * len(a & b) / (len(a) + len(b)) for a, b in zip(*sets, strict=True)]
    np.testing.assert_allclose(found[:4], wanted, rtol=1e-6)
    assert np.isnan(found[4])
    order = np.array([2, 0, 3, 1, 4])  # classes under other numbers
    np.testing.assert_allclose(np.asarray(stopping.agreement(order[before], order[after], 5))[order], found)
    np.testing.assert_array_equal(stopping.agreement(before, before, 4), 1.0)


def test_agreement_sees_the_rare_class_that_kappa_hides():
    from sklearn.metrics import cohen_kappa_score

    before = np.repeat([0, 1], [990, 10])
    after = np.where(np.arange(1000) < 995, 0, 1)  # half of the rare class is lost, the majority does not move
    assert cohen_kappa_score(before, np.where(np.arange(1000) < 992, 0, 1)) > 0.85
    np.testing.assert_allclose(stopping.agreement(before, after, 2), [2 * 990 / 1985, 2 * 5 / 15])


def test_shapes_are_checked():
    with pytest.raises(AssertionError):
        stopping.agreement(np.zeros(3, int), np.zeros(4, int), 2)
    with pytest.raises(ValueError, match="before must be whole numbers"):
        stopping.agreement(np.zeros(3), np.zeros(3, int), 2)
    with pytest.raises(AssertionError):
        stopping.posterior_kl(Posterior(jnp.zeros((2, 3)), jnp.eye(3)), Posterior(jnp.zeros((2, 4)), jnp.eye(4)))
    assert jax.jit(stopping.agreement, static_argnums=2)(jnp.zeros(3, int), jnp.zeros(3, int), 1).shape == (1,)
