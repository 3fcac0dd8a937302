"""Bounded spectral normalisation against the singular value decomposition."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.signal

from alfamous_jax.networks import _spectral

pytestmark = pytest.mark.slow


def random_layer(seed, shape=(6, 4)):
    """A kernel [in, out] with u [out] and v [in] of unit length."""
    rng = np.random.default_rng(seed)
    u, v = rng.normal(size=shape[1]), rng.normal(size=shape[0])
    return rng.normal(size=shape), u / np.linalg.norm(u), v / np.linalg.norm(v)


def top_singular(kernel):
    u, sigma, vt = np.linalg.svd(kernel.T)
    return u[:, 0], sigma[0], vt[0]


def test_one_iteration_updates_v_first():
    kernel, u, v = random_layer(0)
    new_u, new_v = _spectral.power_iteration(*map(jnp.asarray, (kernel, u, v)))
    weight = kernel.T
    expected_v = weight.T @ u / np.linalg.norm(weight.T @ u)
    expected_u = weight @ expected_v / np.linalg.norm(weight @ expected_v)
    np.testing.assert_allclose(new_v, expected_v, atol=1e-6)
    np.testing.assert_allclose(new_u, expected_u, atol=1e-6)


def test_iterations_compose():
    kernel, u, v = map(jnp.asarray, random_layer(1))
    once = _spectral.power_iteration(kernel, *_spectral.power_iteration(kernel, u, v))
    twice = _spectral.power_iteration(kernel, u, v, num_iterations=2)
    for a, b in zip(once, twice, strict=True):
        np.testing.assert_allclose(a, b, atol=1e-6)


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (5, 5), (3, 1)], ids=str)
def test_converges_to_the_largest_singular_vectors(shape):
    kernel, u, v = random_layer(2, shape)
    new_u, new_v = _spectral.power_iteration(*map(jnp.asarray, (kernel, u, v)), num_iterations=300)
    true_u, sigma, true_v = top_singular(kernel)
    np.testing.assert_allclose(abs(new_u @ true_u), 1.0, atol=1e-5)
    np.testing.assert_allclose(abs(new_v @ true_v), 1.0, atol=1e-5)
    np.testing.assert_allclose(new_u @ kernel.T @ new_v, sigma, rtol=1e-5)


@pytest.mark.parametrize("bound", [0.5, 1.0, 6.0, 100.0])
def test_largest_singular_value_is_at_most_the_bound(bound):
    kernel, _, _ = random_layer(3, (12, 8))
    u, sigma, v = top_singular(kernel)
    normalized = np.asarray(_spectral.normalize(*map(jnp.asarray, (kernel, u, v)), bound))
    np.testing.assert_allclose(top_singular(normalized)[1], min(bound, sigma), rtol=1e-5)
    np.testing.assert_allclose(normalized, kernel * min(1, bound / sigma), rtol=1e-5, atol=1e-6)


def test_a_kernel_within_the_bound_is_left_as_it_is():
    kernel, u, v = map(jnp.asarray, random_layer(4))
    np.testing.assert_array_equal(_spectral.normalize(kernel, u, v, 100.0), kernel)


def test_sigma_is_the_estimate_of_the_vectors_that_were_passed():
    kernel, u, v = random_layer(5)
    sign = np.sign(u @ kernel.T @ v)
    sigma = sign * u @ kernel.T @ v
    normalized = _spectral.normalize(*map(jnp.asarray, (kernel, sign * u, v)), sigma / 2)
    np.testing.assert_allclose(normalized, kernel / 2, rtol=1e-5)


class TestGradient:
    """The gradient runs through the kernel inside sigma, and not into u and v."""

    kernel, _, _ = random_layer(6)
    u, sigma, v = top_singular(kernel)
    weights = np.random.default_rng(7).normal(size=kernel.shape)

    def loss(self, kernel, u, v, bound):
        return jnp.sum(self.weights * _spectral.normalize(kernel, u, v, bound))

    def test_through_sigma(self):
        bound = 0.5 * self.sigma
        got = jax.grad(self.loss)(*map(jnp.asarray, (self.kernel, self.u, self.v)), bound)
        # d(bound W / sigma) with d sigma = u' dW v
        through_sigma = -bound / self.sigma**2 * np.sum(self.weights * self.kernel) * np.outer(self.v, self.u)
        np.testing.assert_allclose(got, bound / self.sigma * self.weights + through_sigma, atol=1e-5)
        assert np.abs(through_sigma).max() > 0.1

    def test_identity_within_the_bound(self):
        got = jax.grad(self.loss)(*map(jnp.asarray, (self.kernel, self.u, self.v)), 2 * self.sigma)
        np.testing.assert_allclose(got, self.weights, atol=1e-6)

    def test_scaling_the_kernel_changes_nothing_when_the_bound_binds(self):
        """Euler: the normalised kernel is homogeneous of degree 0, so its gradient is orthogonal to the kernel."""
        got = jax.grad(self.loss)(*map(jnp.asarray, (self.kernel, self.u, self.v)), 0.5 * self.sigma)
        np.testing.assert_allclose(np.sum(np.asarray(got) * self.kernel), 0.0, atol=1e-4)

    def test_none_into_u_and_v(self):
        arguments = (*map(jnp.asarray, (self.kernel, self.u, self.v)), 0.5 * self.sigma)
        for gradient in jax.grad(self.loss, argnums=(1, 2))(*arguments):
            np.testing.assert_array_equal(gradient, np.zeros_like(gradient))

    def test_none_through_the_power_iteration(self):
        _, u, v = random_layer(8)

        def loss(kernel):
            new_u, new_v = _spectral.power_iteration(kernel, jnp.asarray(u), jnp.asarray(v))
            return jnp.sum(new_u) + jnp.sum(new_v)

        np.testing.assert_array_equal(jax.grad(loss)(jnp.asarray(self.kernel)), np.zeros_like(self.kernel))


CONVOLUTIONS = {  # inputs, kernel, strides, padding, dilation
    "image": ((6, 5, 2), (3, 3, 2, 3), (1, 1), ((1, 1), (1, 1)), (1, 1)),
    "image, stride 2": ((7, 6, 2), (3, 3, 2, 3), (2, 2), ((1, 1), (1, 1)), (1, 1)),
    "shortcut": ((6, 6, 3), (1, 1, 3, 2), (2, 2), ((0, 0), (0, 0)), (1, 1)),
    "causal series": ((12, 3), (3, 3, 4), (1,), ((4, 0),), (2,)),
}


def convolution(shape, kernel, strides, padding, dilation):
    """A random kernel, and its operator as a matrix made column by column by scipy."""
    rng = np.random.default_rng(9)
    weights = rng.normal(size=kernel)

    def oracle(x):
        x = np.pad(x, [*padding, (0, 0)])
        spread = np.zeros([(size - 1) * step + 1 for size, step in zip(kernel[:-2], dilation, strict=True)])
        out = []
        for j in range(kernel[-1]):
            total = 0.0
            for i in range(kernel[-2]):
                spread[tuple(slice(None, None, step) for step in dilation)] = weights[..., i, j]
                total = total + scipy.signal.correlate(x[..., i], spread, mode="valid")
            out.append(total[tuple(slice(None, None, step) for step in strides)])
        return np.stack(out, axis=-1)

    columns = [oracle(one.reshape(shape)).ravel() for one in np.eye(np.prod(shape))]
    return weights, np.stack(columns, axis=1), oracle


@pytest.mark.parametrize("case", CONVOLUTIONS.values(), ids=CONVOLUTIONS)
class TestConvolution:
    """The operator's norm is that of the unrolled matrix, strides, padding and dilation included."""

    def test_value_and_gradient_on_every_platform(self, case):
        weights, _, oracle = convolution(*case)
        x = np.random.default_rng(10).normal(size=(2, *case[0]))
        settings = dict(zip(("strides", "padding", "dilation"), case[2:], strict=True))
        expected = np.stack([oracle(row) for row in x])
        ways = (_spectral.convolve, _spectral._convolve, _spectral._convolve_by_product)
        arguments = jnp.asarray(x, jnp.float32), jnp.asarray(weights, jnp.float32)

        def loss(x, kernel, way):
            return jnp.sum(jnp.sin(way(x, kernel, **settings)))

        reference = jax.grad(loss, (0, 1))(*arguments, _spectral._convolve)
        for way in ways:
            np.testing.assert_allclose(way(*arguments, **settings), expected, atol=1e-4)
            for got, wanted in zip(jax.grad(loss, (0, 1))(*arguments, way), reference, strict=True):
                np.testing.assert_allclose(got, wanted, atol=1e-4)

    def test_norm_is_that_of_the_unrolled_operator(self, case):
        weights, matrix, _ = convolution(*case)
        settings = dict(zip(("strides", "padding", "dilation"), case[2:], strict=True))
        kernel = jnp.asarray(weights, jnp.float32)

        def operator(x, kernel=kernel):
            return _spectral.convolve(x, kernel, **settings)

        rng = np.random.default_rng(11)
        v = jnp.asarray(rng.normal(size=(1, *case[0])), jnp.float32)
        u = jnp.asarray(rng.normal(size=operator(v).shape), jnp.float32)
        move = jax.jit(lambda vectors: _spectral.operator_iteration(operator, *vectors))
        u, v = move((u, v))
        low = _spectral.operator_norm(operator, u, v)
        for _ in range(500):
            u, v = move((u, v))
        sigma = _spectral.operator_norm(operator, u, v)
        true = np.linalg.svd(matrix, compute_uv=False)[0]
        np.testing.assert_allclose(sigma, true, rtol=1e-4)
        assert low <= sigma * (1 + 1e-6)
        shrunk = _spectral.shrink(kernel, sigma, 0.5)
        np.testing.assert_allclose(shrunk, weights * 0.5 / true, rtol=1e-3, atol=1e-6)
