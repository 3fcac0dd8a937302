"""The last-layer posterior against explicit inverses, and its samples against its moments."""

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alfamous_jax import acquisition, laplace

K, D = 3, 5


def problem(seed, rows=8):
    """Mean [K, D], features [rows, D] and a covariance [D, D] that is far from diagonal."""
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(D, D))
    return rng.normal(size=(K, D)), rng.normal(size=(rows, D)), 0.2 * root @ root.T + 0.1 * np.eye(D)


def posterior_of(mean, cov):
    return laplace.Posterior(jnp.asarray(mean), jnp.asarray(cov))


@pytest.mark.parametrize("ridge", [0.1, 1.0, 4.0])
@pytest.mark.parametrize("rows", [1, 3, 40], ids="{}_rows".format)
def test_fit_equals_the_explicit_inverse(rows, ridge):
    mean, phi, _ = problem(0, rows)
    posterior = laplace.fit(jnp.asarray(mean), jnp.asarray(phi), jnp.ones(rows, bool), ridge)
    np.testing.assert_array_equal(posterior.mean, mean.astype(np.float32))
    np.testing.assert_allclose(posterior.cov, oracles.laplace_cov(mean, phi, ridge), atol=1e-5 / ridge)


def test_fit_in_float64():
    mean, phi, _ = problem(1)
    with jax.enable_x64(True):
        cov = laplace.fit(jnp.asarray(mean), jnp.asarray(phi), jnp.ones(8, bool), 0.5).cov
        assert cov.dtype == np.float64
    np.testing.assert_allclose(cov, oracles.laplace_cov(mean, phi, 0.5), atol=1e-14)


@pytest.mark.parametrize("padding", [1e3, np.nan], ids=["large", "nan"])
def test_fit_ignores_padding(padding):
    mean, phi, _ = problem(2)
    mask = np.array([True, False, True, True, False, False, True, False])
    padded = np.where(mask[:, None], phi, padding)
    posterior = laplace.fit(jnp.asarray(mean), jnp.asarray(padded), jnp.asarray(mask))
    np.testing.assert_allclose(posterior.cov, oracles.laplace_cov(mean, phi[mask], 1.0), atol=1e-5)


def test_fit_without_labels_is_the_prior():
    mean, phi, _ = problem(3)
    posterior = laplace.fit(jnp.asarray(mean), jnp.asarray(phi), jnp.zeros(8, bool), ridge=4.0)
    np.testing.assert_allclose(posterior.cov, np.eye(D) / 4, atol=1e-7)


def test_fit_with_more_features_than_rows_and_a_certain_model():
    """Saturated probabilities have no curvature and leave the prior as it is."""
    mean, phi, _ = problem(4, rows=2)
    posterior = laplace.fit(jnp.asarray(1e4 * mean), jnp.asarray(phi), jnp.ones(2, bool), ridge=2.0)
    np.testing.assert_allclose(posterior.cov, np.eye(D) / 2, atol=1e-6)


def test_fit_weights_by_the_larger_class_variance_of_two_classes():
    """For K = 2, p_max (1 - p_max) is the Bernoulli variance: one row gives a posterior in closed form."""
    mean, phi = np.array([[0.7], [-0.2]]), np.array([[2.0]])
    p = 1 / (1 + np.exp(-0.9 * 2.0))
    posterior = laplace.fit(jnp.asarray(mean), jnp.asarray(phi), jnp.ones(1, bool))
    np.testing.assert_allclose(posterior.cov, [[1 / (1 + 4 * p * (1 - p))]], rtol=1e-6)


def test_predict_equals_the_quadratic_form():
    mean, phi, cov = problem(5)
    logits, variance = laplace.predict(posterior_of(mean, cov), jnp.asarray(phi))
    expected_logits, expected_variance = oracles.predict(mean, cov, phi)
    np.testing.assert_allclose(logits, expected_logits, atol=2e-6)
    np.testing.assert_allclose(variance, expected_variance, rtol=2e-6)


def test_variance_has_no_ridge_factor():
    posterior = laplace.fit(jnp.zeros((K, D)), jnp.zeros((1, D)), jnp.zeros(1, bool), ridge=4.0)
    _, variance = laplace.predict(posterior, jnp.eye(D))
    np.testing.assert_allclose(variance, 0.25, rtol=1e-6)


def test_mean_field_hand_value():
    probs = laplace.mean_field(jnp.array([[0.54545455, -0.54545455]]), jnp.array([1.16974369]))
    np.testing.assert_allclose(probs, [[0.71157415, 0.28842585]], atol=1e-6)


def test_mean_field_equals_numpy():
    rng = np.random.default_rng(6)
    logits, variance = rng.normal(size=(10, 4)), rng.uniform(0, 5, 10)
    probs = laplace.mean_field(jnp.asarray(logits), jnp.asarray(variance))
    np.testing.assert_allclose(probs, oracles.mean_field(logits, variance), atol=1e-6)
    certain = laplace.mean_field(jnp.asarray(logits), jnp.zeros(10))
    np.testing.assert_allclose(certain, oracles.softmax(logits), atol=1e-6)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(
    st.lists(st.floats(-30, 30, width=32), min_size=3, max_size=3),
    st.floats(0, 100, width=32),
    st.floats(0, 100, width=32),
)
def test_mean_field_flattens_with_variance_and_keeps_the_class(logits, low, more):
    logits, variance = jnp.array([logits, logits]), jnp.array([low, low + more])
    certain, uncertain = np.asarray(laplace.mean_field(logits, variance))
    np.testing.assert_allclose([certain.sum(), uncertain.sum()], 1.0, atol=1e-6)
    assert uncertain.max() <= certain.max() + 1e-6
    assert uncertain[np.argmax(certain)] >= uncertain.max() - 1e-6


class TestSamples:
    """Logit samples row by row, weight samples jointly."""

    mean, phi, cov = problem(7)
    logits, variance = (x.astype(np.float32) for x in oracles.predict(mean, cov, phi))
    draws = 20_000

    def test_logit_moments(self):
        samples = np.asarray(laplace.sample_logits(jax.random.key(0), self.logits, self.variance, self.draws))
        assert samples.shape == (self.draws, 8, K)
        error = 5 * np.sqrt(self.variance.max() / self.draws)
        np.testing.assert_allclose(samples.mean(0), self.logits, atol=error)
        expected = np.broadcast_to(self.variance[:, None], (8, K))
        np.testing.assert_allclose(samples.var(0), expected, rtol=5 * np.sqrt(2 / self.draws))

    def test_logits_are_independent_over_classes_and_shared_by_rows(self):
        samples = np.asarray(laplace.sample_logits(jax.random.key(1), self.logits, self.variance, 2000))
        noise = (samples - self.logits) / np.sqrt(self.variance)[:, None]
        np.testing.assert_allclose(noise, np.broadcast_to(noise[:, :1], noise.shape), atol=1e-4)
        correlation = np.corrcoef(noise[:, 0].T)
        np.testing.assert_allclose(correlation, np.eye(K), atol=5 / np.sqrt(2000))

    def test_weight_moments(self):
        posterior = posterior_of(self.mean, self.cov)
        samples = np.asarray(laplace.sample_weights(jax.random.key(2), posterior, self.draws), np.float64)
        assert samples.shape == (self.draws, K, D)
        scale = np.sqrt(np.outer(np.diag(self.cov), np.diag(self.cov)).max() * 2 / self.draws)
        error = 5 * np.sqrt(np.diag(self.cov).max() / self.draws)
        np.testing.assert_allclose(samples.mean(0), self.mean, atol=error)
        deviation = samples - self.mean
        for k in range(K):
            np.testing.assert_allclose(deviation[:, k].T @ deviation[:, k] / self.draws, self.cov, atol=5 * scale)
        np.testing.assert_allclose(deviation[:, 0].T @ deviation[:, 1] / self.draws, 0.0, atol=5 * scale)

    def test_both_give_the_same_bald(self):
        posterior = posterior_of(self.mean, self.cov)
        weights = np.asarray(laplace.sample_weights(jax.random.key(3), posterior, self.draws), float)
        logits = np.asarray(laplace.sample_logits(jax.random.key(4), self.logits, self.variance, self.draws), float)
        joint, error = oracles.bald(oracles.softmax(np.einsum("nd,skd->snk", self.phi, weights)))
        marginal, _ = oracles.bald(oracles.softmax(logits))
        assert (np.abs(marginal - joint) < 5 * np.sqrt(2) * error).all()
        assert (joint > 20 * error).all()

    def test_zero_variance_gives_the_mean(self):
        samples = laplace.sample_logits(jax.random.key(5), self.logits, jnp.zeros(8), 3)
        np.testing.assert_array_equal(samples, np.broadcast_to(self.logits, samples.shape))


@pytest.mark.parametrize("ridge", [0, 0.0, -1.0, np.nan, np.float32(0), np.array(-2.0)], ids=str)
def test_a_ridge_that_is_not_above_0(ridge):
    """Refused where it is known, a covariance of NaN inside a trace."""
    mean, phi, _ = (jnp.asarray(x, jnp.float32) for x in problem(0))
    with pytest.raises(ValueError, match="ridge must be above 0, got"):
        laplace.fit(mean, phi, jnp.ones(8, bool), ridge)
    cov = jax.jit(lambda ridge: laplace.fit(mean, phi, jnp.ones(8, bool), ridge))(jnp.float32(ridge)).cov
    assert jnp.isnan(cov).all()


@pytest.mark.slow
@pytest.mark.parametrize("variance", [0.0, 1e-30, 0.5, 3.0])
@pytest.mark.parametrize("name", ["mean_field", "sample_logits", "bald_gaussian", "bald_sampled"])
def test_gradients_are_finite(name, variance):
    """At a variance of 0 as well, where the root has none."""
    key, logits = jax.random.key(0), jnp.array([[1.0, 0.5, -1.0], [3.0, 0.0, 0.0]])
    function = {
        "mean_field": laplace.mean_field,
        "sample_logits": lambda logits, variance: laplace.sample_logits(key, logits, variance, 7) ** 2,
        "bald_gaussian": acquisition.bald_gaussian,
        "bald_sampled": lambda logits, variance: acquisition.bald_sampled(key, logits, variance, 7),
    }[name]
    slopes = jax.grad(lambda *x: jnp.sum(function(*x)), argnums=(0, 1))(logits, jnp.full(2, variance))
    assert all(jnp.isfinite(x).all() for x in slopes)
