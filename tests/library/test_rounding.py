"""Drift of float32 over many labels, the root of a precision and the recomputation, against float64."""

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest

from alfamous_jax import cycle, laplace, rounding, updates
from alfamous_jax.laplace import Posterior

N, D, K, LABELS = 40, 8, 3, 24
KEY = jax.random.key(0)


def state_of(scale, seed=0):
    """A pool whose features are there twice, so that the condition grows with `scale`^2; nothing learnt yet."""
    rng = np.random.default_rng(seed)
    half = scale * rng.normal(size=(N, D // 2))
    phi = jnp.asarray(np.concatenate([half, half], axis=1), jnp.float32)
    start = Posterior(jnp.zeros((K, D)), jnp.eye(D))
    return cycle.init(start, phi, jnp.ones(N, bool), jnp.zeros(K, int)), phi, jnp.asarray(rng.integers(0, K, N))


def learnt(scale):
    state, phi, labels = state_of(scale)
    return *cycle.acquire(KEY, state, phi, labels, utility="random", budget=LABELS), phi


def variances_of(state, phi, rows):
    """In float64, of the rows labelled, at the mean and with the curvatures that float32 has."""
    wide = np.asarray(phi, float)
    weights = np.asarray(laplace.curvature(phi[rows] @ state.posterior.mean.T), float)
    cov = np.linalg.inv(np.eye(D) + (wide[rows].T * weights) @ wide[rows])
    return np.sum(wide @ cov * wide, axis=1), np.linalg.cond(cov)


class TestRoot:
    @pytest.mark.parametrize("rows", [0, 1, 5, 30], ids="{}_rows".format)
    def test_its_square_is_the_precision(self, rows):
        rng = np.random.default_rng(rows)
        mean, phi = rng.normal(size=(K, D)), rng.normal(size=(rows + 2, D))
        phi[rows:] = np.nan  # masked out
        upper = np.asarray(laplace.root(jnp.asarray(mean), jnp.asarray(phi), jnp.arange(rows + 2) < rows, 0.5))
        precision = np.linalg.inv(oracles.laplace_cov(mean, phi[:rows], 0.5))
        np.testing.assert_allclose(upper.T @ upper, precision, atol=2e-5)
        np.testing.assert_array_equal(upper, np.triu(upper))

    def test_ridge(self):
        arrays = jnp.zeros((K, D)), jnp.zeros((1, D)), jnp.ones(1, bool)
        with pytest.raises(ValueError, match="ridge must be above 0, got -1"):
            laplace.root(*arrays, -1)
        assert np.isnan(jax.jit(lambda ridge: laplace.root(*arrays, ridge))(0.0)).any()


class TestFit:
    def test_a_ridge_too_small_for_float32_is_refused_with_one_that_is_not(self):
        _, phi, _ = state_of(100.0)
        arrays = jnp.zeros((K, D)), phi, jnp.ones(N, bool)
        with pytest.raises(
            ValueError, match=r"ridge must be at least about \S+ for these features in float32, got 1e-06"
        ) as e:
            laplace.fit(*arrays, 1e-6)
        least = float(str(e.value).split("about ")[1].split()[0])
        assert np.isfinite(laplace.fit(*arrays, least).cov).all()

    def test_rows_that_are_not_finite_are_no_matter_of_the_ridge(self):
        phi = jnp.ones((2, D)).at[0, 0].set(jnp.nan)
        assert np.isnan(laplace.fit(jnp.zeros((K, D)), phi, jnp.ones(2, bool)).cov).all()


class TestDrift:
    def test_hand_computed(self):
        posterior = Posterior(jnp.zeros((K, 2)), jnp.diag(jnp.array([2.0, 1.0])))
        rows = jnp.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]])  # variances 2, 1 and 3
        assert updates.drift(posterior, rows, jnp.array([2.0, 1.0, 3.0])) == 0.0
        np.testing.assert_allclose(updates.drift(posterior, rows, jnp.array([2.0, 1.25, 3.0])), 0.2)
        np.testing.assert_allclose(updates.drift(posterior, rows, jnp.array([1.5, 1.0, 3.0])), 0.25)
        assert updates.drift(posterior, rows, jnp.array([2.0, 1.0, 0.0])) == 1.0

    def test_a_negative_variance_is_at_least_1(self):
        posterior = Posterior(jnp.zeros((K, 2)), jnp.diag(jnp.array([1.0, -0.1])))
        assert updates.drift(posterior, jnp.eye(2), jnp.array([1.0, 0.0])) == 1.0
        assert updates.drift(posterior, jnp.eye(2), jnp.array([1.0, 0.1])) == 2.0

    def test_nothing_known_is_no_drift_and_nan_is_no_number(self):
        nothing = Posterior(jnp.zeros((K, 2)), jnp.zeros((2, 2)))
        assert updates.drift(nothing, jnp.eye(2), jnp.zeros(2)) == 0.0
        assert updates.drift(nothing, jnp.zeros((0, 2)), jnp.zeros(0)) == 0.0
        assert np.isnan(updates.drift(Posterior(nothing.mean, jnp.full((2, 2), jnp.nan)), jnp.eye(2), jnp.ones(2)))

    def test_padding_and_rows_that_are_not_finite_count_nothing(self):
        state, phi, _ = state_of(1.0)
        spoilt = phi.at[3].set(jnp.nan)
        state = state._replace(variance=state.variance.at[5].multiply(1.5).at[3].set(jnp.nan))
        assert rounding.drift(state, spoilt, jnp.array([-1, 3, 0])) < 1e-6
        np.testing.assert_allclose(rounding.drift(state, spoilt, jnp.array([-1, 3, 5])), 1 / 3, rtol=1e-5)

    @pytest.mark.parametrize("scale", [0.1, 1.0, 3e3, 3e4, 1e6], ids="scale_{:g}".format)
    def test_a_cycle_says_what_its_covariance_has_lost(self, scale):
        state, info, phi = learnt(scale)
        np.testing.assert_allclose(info.drift, rounding.drift(state, phi, info.indices), rtol=0.1, atol=1e-6)
        cov = np.asarray(state.posterior.cov, float)
        lost = np.linalg.eigvalsh((cov + cov.T) / 2)[0] <= 0
        assert info.drift < 1e-5 if scale <= 1 else info.drift > 1e-3
        assert not lost or info.drift > 0.1
        assert lost == (scale > 1e4)


class TestRecompute:
    @pytest.mark.parametrize("scale", [1.0, 300.0, 3e4], ids="scale_{:g}".format)
    def test_variances_whatever_the_condition(self, scale):
        state, info, phi = learnt(scale)
        rows = np.asarray(info.indices)
        anew = rounding.recompute(state, phi, phi[rows], jnp.ones(LABELS, bool))
        exact, condition = variances_of(state, phi, rows)
        assert condition < 1e11
        np.testing.assert_allclose(anew.variance, exact, rtol=1e-6 + 1e-8 * condition**0.5 * 30)
        np.testing.assert_array_equal(anew.posterior.mean, state.posterior.mean)
        np.testing.assert_array_equal(anew.available, state.available)
        np.testing.assert_array_equal(anew.counts, state.counts)

    def test_is_a_fit_where_that_works(self):
        state, info, phi = learnt(1.0)
        known, mask = jnp.concatenate([phi[info.indices], phi[:2] * jnp.nan]), jnp.arange(LABELS + 2) < LABELS
        anew = rounding.recompute(state, phi, known, mask, 2.0)
        fitted = cycle.init(laplace.fit(state.posterior.mean, known, mask, 2.0), phi, state.available, state.counts)
        for a, b in zip(jax.tree.leaves(anew), jax.tree.leaves(fitted), strict=True):
            np.testing.assert_allclose(a, b, atol=3e-6)
        half = rounding.recompute(state, phi.astype(jnp.bfloat16), known, mask, 2.0)
        rounded = laplace.predict(fitted.posterior, phi.astype(jnp.bfloat16))
        np.testing.assert_allclose(half.variance, rounded[1], atol=3e-6)
        np.testing.assert_allclose(half.logits, rounded[0], atol=3e-6)

    def test_a_pool_without_rows(self):
        state, phi, _ = state_of(1.0)
        with pytest.raises(ValueError, match="no rows, N = 0"):
            rounding.recompute(state, phi[:0], phi[:1], jnp.ones(1, bool))
