"""Laplace fit, updates, utilities, metrics and single picks against float64, for whatever numbers hypothesis finds.

Shapes are few and fixed, so that everything is compiled once; the number of rows varies by masks and by labels that
count for nothing. Tolerances are multiples of the rounding of float32 times the condition of the problem.
"""

from functools import partial

import hypothesis
import hypothesis.strategies as some
import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest

from alfamous_jax import acquisition, balance, cycle, laplace, metrics, updates
from alfamous_jax.laplace import Posterior

pytestmark = pytest.mark.fits

EPS = np.finfo(np.float32).eps
SHAPES = [(6, 3, 3), (3, 7, 2), (4, 2, 1)]  # rows, D, K: more rows than features, fewer, one class
of_every_shape = pytest.mark.parametrize("shape", SHAPES, ids="{0[0]}_rows_{0[1]}_features_{0[2]}_classes".format)
always_alike = hypothesis.settings(deadline=None, derandomize=True, database=None, max_examples=30)
seeds, sizes = some.integers(0, 2**32 - 1), some.floats(-3, 1.5)

fit, predict, update_many = jax.jit(laplace.fit), jax.jit(laplace.predict), updates.update_many
refresh, drift = jax.jit(updates.refresh), jax.jit(updates.drift)


def problem(shape, seed, size, decades):
    """Mean [K, D], features [rows, D] of norm about 10^size whose columns fall over some decades, labels, a mask."""
    rng, (rows, width, num_classes) = np.random.default_rng(seed), shape
    phi = rng.normal(size=(rows, width)) * 10.0 ** (size - decades * np.linspace(0, 1, width))
    mean = rng.normal(size=(num_classes, width)) / 10**size
    mask = rng.random(rows) < rng.choice([0.0, 0.3, 1.0])  # of none, of some, of all
    return tuple(x.astype(np.float32) for x in (mean, phi)) + (rng.integers(0, num_classes, rows), mask)


@of_every_shape
@always_alike
@hypothesis.given(seed=seeds, size=sizes, decades=some.floats(0, 3), ridge=some.floats(1e-2, 1e2))
def test_fit(shape, seed, size, decades, ridge):
    mean, phi, _, mask = problem(shape, seed, size, decades)
    exact = oracles.laplace_cov(mean.astype(float), phi[mask].astype(float), np.float32(ridge))
    phi[~mask] = np.nan
    got = fit(mean, phi, mask, np.float32(ridge))
    np.testing.assert_allclose(got.cov, exact, atol=50 * EPS * np.linalg.cond(exact) * np.abs(exact).max())
    np.testing.assert_array_equal(got.mean, mean)


@of_every_shape
@always_alike
@hypothesis.given(seed=seeds, size=sizes, decades=some.floats(0, 3))
def test_updates_and_refresh(shape, seed, size, decades):
    mean, phi, labels, mask = problem(shape, seed, size, decades)
    known = np.where(mask[:, None], phi, 0.0).astype(np.float32)  # zeros change nothing
    start = Posterior(jnp.asarray(mean), jnp.eye(shape[1]))
    after, gains = update_many(start, known, labels)
    exact = mean.astype(float), np.eye(shape[1])
    for row, label in zip(known[mask].astype(float), labels[mask], strict=True):
        exact = oracles.fast_update_woodbury(*exact, row, label)
    # Each label rounds the covariance, 1 at most, and takes a curvature from logits that are rounded themselves.
    largest = 1 + np.abs(known @ exact[0].T.astype(np.float32)).max() + np.abs(known @ mean.T).max()
    np.testing.assert_allclose(after.cov, exact[1], atol=50 * EPS * largest)
    np.testing.assert_allclose(after.mean, exact[0], atol=200 * EPS * largest * (1 + np.abs(exact[0]).max()))
    logits, variance = refresh(*predict(start, phi), phi, gains)
    squares = 1 + np.sum(phi.astype(float) ** 2, axis=1)
    anew = predict(after, phi)
    np.testing.assert_array_less(np.abs(logits - anew[0]).max(1), 50 * EPS * squares * (1 + np.abs(exact[0]).max()))
    np.testing.assert_array_less(np.abs(variance - anew[1]), 20 * EPS * squares)
    apart = np.abs(variance - anew[1]) / np.maximum(np.maximum(variance, anew[1]), 1e-30)
    np.testing.assert_allclose(drift(after, phi, variance), apart.max(), rtol=0.5, atol=20 * EPS * squares.max())


@always_alike
@hypothesis.given(seed=seeds, spread=some.floats(0, 60), variance=some.floats(0, 1e4))
def test_probabilities_and_utilities(seed, spread, variance):
    rng = np.random.default_rng(seed)
    logits = (spread * rng.normal(size=(4, 3))).astype(np.float32)
    variances = np.float32([0.0, variance / 1e4, variance, 1e4])
    probs = np.asarray(laplace.mean_field(logits, variances))
    exact = oracles.mean_field(logits.astype(float), variances.astype(float))
    np.testing.assert_allclose(probs, exact, atol=20 * EPS * (1 + spread))
    assert (probs >= 0).all()
    np.testing.assert_allclose(probs.sum(1), 1.0, atol=10 * EPS)
    np.testing.assert_allclose(acquisition.entropy(probs), oracles.entropy(probs.astype(float)), atol=20 * EPS)
    ranked = np.sort(probs, axis=1)
    np.testing.assert_array_equal(acquisition.margin(probs), ranked[:, 1] - ranked[:, 2])
    np.testing.assert_array_equal(acquisition.least_confidence(probs), 1 - ranked[:, 2])
    np.testing.assert_allclose(laplace.curvature(logits), oracles.curvature(logits.astype(float)), atol=10 * EPS * 4)


@always_alike
@hypothesis.given(seed=seeds, counts=some.lists(some.integers(0, 2**31 - 1), min_size=4, max_size=4))
def test_metrics(seed, counts):
    exact = np.array(counts, float)
    total = exact.sum()
    l1 = np.abs(exact - total / 4).sum() / (1.5 * total) if total else 0.0
    np.testing.assert_allclose(metrics.l1_score(counts), l1, atol=1e-6)
    deviation = exact.std()
    ratio = metrics.imbalance_ratio(counts)
    np.testing.assert_allclose(ratio, deviation / exact.mean() if total else 0.0, rtol=1e-3, atol=1e-6)
    features = np.random.default_rng(seed).gamma(0.5, size=(5, 3)).astype(np.float32)
    np.testing.assert_allclose(metrics.euclidean_diversity(features), oracles.euclidean_diversity(features), rtol=1e-5)
    np.testing.assert_allclose(metrics.kl_diversity(features), oracles.kl_diversity(features), rtol=1e-4, atol=1e-6)


@always_alike
@hypothesis.given(
    seed=seeds, lam=some.sampled_from([0.0, 1e-3, 0.5, 100.0]), size=some.floats(-4, 4), short=some.floats(0, 1e3)
)
def test_a_single_pick_is_the_best(seed, lam, size, short):
    rng = np.random.default_rng(seed)
    utility = (10**size * rng.normal(size=8)).astype(np.float32)
    probs = rng.dirichlet(np.full(3, 0.3), 8).astype(np.float32)
    demand, available = (short * rng.random(3)).astype(np.float32), rng.random(8) < 0.6
    index = int(balance.select_one(utility, probs, demand, lam, available))
    if not available.any():
        assert index == -1
        return
    wide = utility.astype(float), probs.astype(float), demand.astype(float), lam
    values = np.array([oracles.objective([n], *wide) for n in range(8)])
    assert available[index]
    # Gains are compared without the norm of the demand, which float32 could not tell them apart from.
    assert values[index] <= values[available].min() + 8 * EPS * (np.abs(utility).max() + 4 * lam)


def tiny():
    rng = np.random.default_rng(0)
    phi = jnp.asarray(rng.normal(size=(8, 3)), jnp.float32)
    posterior = Posterior(jnp.asarray(rng.normal(size=(2, 3)), jnp.float32), jnp.eye(3))
    arrays = posterior, phi, jnp.asarray(rng.integers(0, 2, 8)), jnp.arange(8) > 1, jnp.ones(2, int)
    return jax.block_until_ready((jax.random.key(0), *arrays))


class TestUnderTheDebuggersOfJax:
    """A whole cycle, its first trace included where the debugger looks at that."""

    run = staticmethod(partial(cycle.run, utility="entropy", budget=2))

    @pytest.mark.slow
    def test_nothing_is_nan_on_the_way(self):
        with jax.debug_nans(True):
            state, info = self.run(*tiny(), lam=jnp.float32(0.3))
        assert info.num_selected == 2 and jnp.isfinite(state.variance).all()

    @pytest.mark.slow
    def test_no_tracer_leaks(self):
        with jax.checking_leaks():
            _, info = self.run(*tiny(), lam=jnp.float32(0.3))
        assert info.num_selected == 2

    def test_nothing_is_moved_between_host_and_device(self):
        arrays, lam = tiny(), jnp.float32(0.3)
        expected = jax.block_until_ready(self.run(*arrays, lam=lam))
        with jax.transfer_guard("disallow"):
            got = jax.block_until_ready(self.run(*arrays, lam=lam))
        jax.tree.map(np.testing.assert_array_equal, got, expected)

    def test_without_compilation(self):
        _, posterior, phi, labels, _, _ = tiny()
        compiled = update_many(posterior, phi, labels)
        with jax.disable_jit():
            stepwise = update_many(posterior, phi, labels)
        for a, b in zip(jax.tree.leaves(compiled), jax.tree.leaves(stepwise), strict=True):
            np.testing.assert_allclose(a, b, atol=1e-6)
