"""Utilities against hand-computed values and float64 references."""

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest

from alfamous_jax import acquisition

PROBS = np.array([[0.5, 0.3, 0.2], [1.0, 0.0, 0.0], [1 / 3, 1 / 3, 1 / 3], [0.25, 0.05, 0.7]])


@pytest.mark.parametrize(
    ("function", "expected"),
    [
        (acquisition.least_confidence, [0.5, 0.0, 2 / 3, 0.3]),
        (acquisition.margin, [-0.2, -1.0, 0.0, -0.45]),
        (acquisition.entropy, [1.0296530, 0.0, np.log(3), 0.7460318]),
    ],
    ids=["least_confidence", "margin", "entropy"],
)
def test_hand_values(function, expected):
    np.testing.assert_allclose(function(jnp.asarray(PROBS)), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("function", "binary"),
    [
        (acquisition.least_confidence, lambda p: np.minimum(p, 1 - p)),
        (acquisition.margin, lambda p: -np.abs(2 * p - 1)),
        (acquisition.entropy, lambda p: oracles.entropy(np.stack([p, 1 - p], -1))),
    ],
    ids=["least_confidence", "margin", "entropy"],
)
def test_binary_formula(function, binary):
    p = np.linspace(0.01, 0.99, 50)
    np.testing.assert_allclose(function(jnp.stack([p, 1 - p], -1)), binary(p), atol=1e-6)


@pytest.mark.parametrize("name", ["least_confidence", "margin", "entropy"])
def test_does_not_depend_on_the_order_of_classes(name):
    probs = np.random.default_rng(0).dirichlet(np.ones(5), 20).astype(np.float32)
    function = getattr(acquisition, name)
    np.testing.assert_allclose(function(probs), function(probs[:, [3, 1, 4, 0, 2]]), atol=1e-6)


def test_margin_of_tied_top_classes_is_zero():
    np.testing.assert_array_equal(acquisition.margin(jnp.array([[0.4, 0.4, 0.2], [0.1, 0.45, 0.45]])), [0.0, 0.0])


def test_entropy_has_a_finite_gradient_at_zero_probability():
    gradient = jax.grad(lambda p: acquisition.entropy(p).sum())(jnp.array([[1.0, 0.0, 0.0]]))
    assert not np.isnan(gradient).any()


@pytest.mark.parametrize("sharpness", [0.05, 1.0, 20.0], ids=["nearly_one_hot", "uniform", "nearly_equal"])
def test_bald_equals_the_naive_sum(sharpness):
    samples = np.random.default_rng(1).dirichlet(np.full(4, sharpness), (30, 12))
    np.testing.assert_allclose(acquisition.bald(samples.astype(np.float32)), oracles.bald(samples)[0], atol=2e-6)


def test_bald_hand_values():
    disagree = np.array([[1.0, 0.0], [0.0, 1.0]])
    agree = np.array([[0.5, 0.5], [0.5, 0.5]])
    samples = jnp.asarray(np.stack([disagree, agree], axis=1))
    np.testing.assert_allclose(acquisition.bald(samples), [np.log(2), 0.0], atol=1e-7)


def test_bald_is_the_jensen_shannon_divergence_over_samples():
    samples = np.random.default_rng(2).dirichlet(np.ones(3), (7, 5)).astype(np.float32)
    np.testing.assert_allclose(acquisition.bald(samples), acquisition.jensen_shannon(samples, 0), atol=1e-7)


@pytest.mark.parametrize("axis", [0, 1], ids=["first", "second"])
def test_jensen_shannon_is_entropy_of_mean_less_mean_entropy(axis):
    q = np.random.default_rng(3).dirichlet(np.full(4, 0.4), (6, 8))
    expected = oracles.entropy(q.mean(axis)) - oracles.entropy(q).mean(axis)
    np.testing.assert_allclose(acquisition.jensen_shannon(q.astype(np.float32), axis), expected, atol=1e-6)


class TestBaldGaussian:
    """BALD in logit space: one normal block for the whole pool."""

    rng = np.random.default_rng(4)
    logits = rng.normal(size=(9, 3)).astype(np.float32)
    variance = rng.uniform(0.1, 3.0, 9).astype(np.float32)

    def test_matches_quadrature_for_two_classes(self):
        """For K = 2 only f_1 - f_2 ~ N(m, 2 v) matters, so Gauss-Hermite gives the exact score."""
        logits, variance = self.logits[:, :2].astype(float), self.variance.astype(float)
        nodes, weights = np.polynomial.hermite_e.hermegauss(80)
        weights = weights / weights.sum()
        difference = logits[:, 0] - logits[:, 1] + np.sqrt(2 * variance) * nodes[:, None]
        probs = 1 / (1 + np.exp(np.stack([-difference, difference], -1)))
        mean = np.tensordot(weights, probs, 1)
        divergence = np.sum(probs * np.log(probs / mean), -1)
        exact = weights @ divergence
        spread = np.sqrt(weights @ (divergence - exact) ** 2)
        got = acquisition.bald_gaussian(jax.random.key(0), self.logits[:, :2], self.variance, num_samples=20_000)
        assert (np.abs(got - exact) < 5 * spread / np.sqrt(20_000)).all()
        assert exact.min() > 0.01

    def test_matches_draws_of_the_weights(self):
        rng = np.random.default_rng(5)
        root, mean, phi = rng.normal(size=(4, 4)), rng.normal(size=(3, 4)), rng.normal(size=(6, 4))
        cov = 0.1 * root @ root.T + 0.1 * np.eye(4)
        naive, error = oracles.bald_from_weights(rng, mean, cov, phi, 20_000)
        logits, variance = oracles.predict(mean, cov, phi)
        got = acquisition.bald_gaussian(jax.random.key(1), jnp.asarray(logits), jnp.asarray(variance), 20_000)
        assert (np.abs(got - naive) < 5 * np.sqrt(2) * error).all()
        assert (naive > 20 * error).all()

    def test_no_variance_no_information(self):
        score = acquisition.bald_gaussian(jax.random.key(0), self.logits, jnp.zeros(9))
        # two sums of 100 equal terms, each addition rounded once
        np.testing.assert_allclose(score, 0.0, atol=100 * np.finfo(np.float32).eps)

    def test_draws_are_shared_by_the_rows(self):
        order = np.random.default_rng(6).permutation(9)
        key = jax.random.key(2)
        score = acquisition.bald_gaussian(key, self.logits, self.variance, 10)
        permuted = acquisition.bald_gaussian(key, self.logits[order], self.variance[order], 10)
        alone = acquisition.bald_gaussian(key, self.logits[3:4], self.variance[3:4], 10)
        np.testing.assert_allclose(permuted, score[order], atol=1e-6)
        np.testing.assert_allclose(alone, score[3:4], atol=1e-6)

    def test_depends_on_the_key_and_not_on_a_hidden_state(self):
        score = [acquisition.bald_gaussian(jax.random.key(k), self.logits, self.variance, 5) for k in (0, 1, 0)]
        np.testing.assert_array_equal(score[0], score[2])
        assert np.abs(score[0] - score[1]).max() > 1e-3

    def test_jit_equals_eager(self):
        eager = acquisition.bald_gaussian(jax.random.key(3), self.logits, self.variance, 20)
        jitted = jax.jit(acquisition.bald_gaussian, static_argnums=3)(jax.random.key(3), self.logits, self.variance, 20)
        np.testing.assert_allclose(jitted, eager, atol=1e-6)
