"""Random Fourier features: the formula, the kernel they approximate, the law of the draws."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from alfamous_jax.networks import random_features

pytestmark = pytest.mark.slow


def test_formula():
    params = random_features.RandomFeatures(kernel=jnp.array([[1.0, 0.0], [0.0, 2.0]]), bias=jnp.array([0.0, np.pi]))
    phi = random_features.apply(params, jnp.array([[2 * np.pi / 3, 1.0], [0.0, 0.0]]), 4.0)
    # D = 2, so the factor is 1; h / sqrt(4): (pi/3, .5) -> cos(pi/3), cos(1 + pi) = -cos(1)
    np.testing.assert_allclose(phi, [[0.5, -np.cos(1.0)], [1.0, -1.0]], atol=1e-6)


@pytest.mark.parametrize("kernel_scale", [1.0, 2.0, 8.0])
def test_equals_numpy(kernel_scale):
    rng = np.random.default_rng(0)
    kernel, bias, h = rng.normal(size=(32, 5)), rng.uniform(0, 2 * np.pi, 32), rng.normal(size=(7, 5))
    params = random_features.RandomFeatures(jnp.asarray(kernel), jnp.asarray(bias))
    expected = np.sqrt(2 / 32) * np.cos(h @ kernel.T / np.sqrt(kernel_scale) + bias)
    np.testing.assert_allclose(random_features.apply(params, jnp.asarray(h), kernel_scale), expected, atol=2e-6)


@pytest.mark.parametrize("kernel_scale", [1.0, 5.0, 8.0])
def test_inner_products_approximate_the_gaussian_kernel(kernel_scale):
    h = np.random.default_rng(1).normal(size=(20, 16)).astype(np.float32)
    params = random_features.init(jax.random.key(0), 16, 8192)
    phi = random_features.apply(params, h, kernel_scale)
    distance = np.sum((h[:, None] - h[None]) ** 2, -1)
    # one product of two features has variance below 3/2, hence five standard errors over D = 8192 of them
    np.testing.assert_allclose(phi @ phi.T, np.exp(-distance / (2 * kernel_scale)), atol=5 * np.sqrt(1.5 / 8192))


def test_init_draws_standard_normals_and_uniform_phases():
    params = random_features.init(jax.random.key(1), 64, 1024)
    kernel, bias = np.asarray(params.kernel), np.asarray(params.bias)
    assert kernel.shape == (1024, 64) and bias.shape == (1024,)
    assert abs(kernel.mean()) < 5 / np.sqrt(kernel.size)
    assert abs(kernel.var() - 1) < 5 * np.sqrt(2 / kernel.size)
    assert bias.min() >= 0 and bias.max() <= 2 * np.pi
    assert abs(np.exp(1j * bias).mean()) < 5 / np.sqrt(1024)
    assert abs(bias.mean() - np.pi) < 5 * 2 * np.pi / np.sqrt(12 * 1024)


def test_kernel_and_bias_come_from_different_streams():
    params = random_features.init(jax.random.key(2), 1, 2000)
    correlation = np.corrcoef(np.asarray(params.kernel)[:, 0], np.asarray(params.bias))[0, 1]
    assert abs(correlation) < 5 / np.sqrt(2000)


def test_same_key_same_features():
    first, again, other = (random_features.init(jax.random.key(k), 3, 8) for k in (0, 0, 1))
    np.testing.assert_array_equal(first.kernel, again.kernel)
    np.testing.assert_array_equal(first.bias, again.bias)
    assert np.abs(first.kernel - other.kernel).max() > 0.1


def test_vmap_over_seeds_equals_a_loop():
    h = np.random.default_rng(2).normal(size=(4, 3)).astype(np.float32)

    def features(key):
        return random_features.apply(random_features.init(key, 3, 16), h, 2.0)

    keys = jax.random.split(jax.random.key(3), 3)
    np.testing.assert_allclose(jax.vmap(features)(keys), np.stack([features(k) for k in keys]), atol=1e-6)


@pytest.mark.parametrize("reach, tolerance", [(4.0, 2e-7), (1e3, 2e-7), (2e4, 5e-6)])
def test_cosine_and_its_derivative(reach, tolerance):
    rng = np.random.default_rng(3)
    special = np.pi * np.arange(-8, 8.5, 0.5)
    x = np.concatenate([rng.uniform(-reach, reach, 20_000), special]).astype(np.float32)
    exact = x.astype(np.float64)
    for cosine in (random_features.cosine, jax.jit(random_features.cosine)):
        np.testing.assert_allclose(cosine(jnp.asarray(x)), np.cos(exact), atol=tolerance, rtol=0)
    slope = jax.jit(jax.vmap(jax.grad(random_features.cosine)))(jnp.asarray(x))
    np.testing.assert_allclose(slope, -np.sin(exact), atol=1e-6 + tolerance, rtol=0)
    assert np.isnan(random_features.cosine(jnp.array([jnp.nan, jnp.inf]))).all()


@pytest.mark.parametrize("size", [1e5, 1e8, 1e10, 1e20, 3e38])
def test_cosine_of_any_size_stays_between_minus_one_and_one(size):
    x = jnp.asarray(np.random.default_rng(0).uniform(-size, size, 10_000), jnp.float32)
    value, slope = jax.vmap(jax.value_and_grad(random_features.cosine))(x)
    assert (jnp.abs(value) <= 1).all() and jnp.isfinite(slope).all()


def test_a_time_stamp_leaves_features_bounded():
    draws = random_features.init(jax.random.key(0), 2, 64)
    phi = random_features.apply(draws, jnp.array([[1.7e9, 3.0], [1.7e9 + 60, 2.0]]), 1.0)
    assert (jnp.abs(phi) <= (2 / 64) ** 0.5 * (1 + 1e-6)).all()
