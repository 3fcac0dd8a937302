"""Utilities against hand-computed values and float64 references."""

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest

from alfamous_jax import acquisition

pytestmark = pytest.mark.slow

bald_gaussian = jax.jit(acquisition.bald_gaussian)

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
