"""Dense and convolution layers with bounded spectral norms, the parts of every backbone."""

from collections.abc import Callable, Sequence
from functools import partial
from math import prod

import flax.linen as nn
import jax
import jax.numpy as jnp

from alfamous_jax.networks import _spectral


def uniform_fan_in(scale: float) -> nn.initializers.Initializer:
    """Uniform in +-scale, whatever the shape; with scale = 1/sqrt(inputs) for kernels and biases alike."""
    return lambda key, shape, dtype=jnp.float32: jax.random.uniform(key, shape, dtype, -scale, scale)


class Dropout(nn.Module):
    """Dropout where the stream `dropout` is given, in training or not; without it rows pass as they are.

    A training call drops for each row anew. Any other call drops the same units of every row, so that one key is one
    sample of the weights, whatever the chunk that a row comes in (Gal and Ghahramani, 2016).
    """

    rate: float

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """[N, ...] -> [N, ...]."""
        shared = () if train else (0,)
        kept: jax.Array = nn.Dropout(self.rate, broadcast_dims=shared)(x, deterministic=not self.has_rng("dropout"))
        return kept


class SpectralDense(nn.Module):
    """Dense layer whose kernel is scaled to a spectral norm of at most `bound`, if there is one.

    The singular vectors live in the collection `spectral` and take one power iteration for each
    training call; evaluation uses them as training left them.
    """

    features: int
    bound: float | None

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """Inputs [N, inputs] -> outputs [N, features]."""
        in_dim = x.shape[-1]
        init = uniform_fan_in(in_dim**-0.5)
        kernel = self.param("kernel", init, (in_dim, self.features))
        bias = self.param("bias", init, (self.features,))
        if self.bound is None:
            return x @ kernel + bias
        u = self.variable("spectral", "u", lambda: _direction(self, (self.features,)))
        v = self.variable("spectral", "v", lambda: _direction(self, (in_dim,)))
        if train and not self.is_initializing():
            u.value, v.value = _spectral.power_iteration(kernel, u.value, v.value)
        return x @ _spectral.normalize(kernel, u.value, v.value, self.bound) + bias


class SpectralConv(nn.Module):
    """Convolution whose norm as a linear map between whole inputs and outputs is at most `bound`, if there is one.

    The norm is that of the operator with its strides, padding and dilation, not that of the kernel
    reshaped to a matrix, which can be smaller by a factor of the kernel's width. It holds for the input
    size the layer was initialised with; another size is an error.
    """

    features: int
    kernel_size: Sequence[int]
    bound: float | None
    strides: Sequence[int] | None = None
    padding: Sequence[tuple[int, int]] | None = None  # before and after, for each axis; none if not given
    dilation: Sequence[int] | None = None
    use_bias: bool = True

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """Inputs [N, ..., inputs] -> outputs [N, ..., features]."""
        ones = (1,) * len(self.kernel_size)
        init = uniform_fan_in((prod(self.kernel_size) * x.shape[-1]) ** -0.5)
        kernel = self.param("kernel", init, (*self.kernel_size, x.shape[-1], self.features))

        convolve = partial(
            _spectral.convolve,
            strides=self.strides or ones,
            padding=self.padding or ((0, 0),) * len(ones),
            dilation=self.dilation or ones,
        )
        if self.bound is not None:
            kernel = self._normalize(kernel, self.bound, convolve, x, train)
        x = convolve(x, kernel)
        return x + self.param("bias", init, (self.features,)) if self.use_bias else x

    def _normalize(
        self, kernel: jax.Array, bound: float, convolve: Callable[..., jax.Array], x: jax.Array, train: bool
    ) -> jax.Array:
        one = jax.eval_shape(lambda: jnp.zeros((1, *x.shape[1:]), x.dtype))
        shape = jax.eval_shape(convolve, one, kernel).shape
        u = self.variable("spectral", "u", lambda: _direction(self, shape))
        v = self.variable("spectral", "v", lambda: _direction(self, one.shape))
        if v.value.shape != one.shape:
            raise ValueError(f"initialised with inputs {v.value.shape[1:]}, got {one.shape[1:]}")
        if train and not self.is_initializing():
            fixed = partial(convolve, kernel=jax.lax.stop_gradient(kernel))
            u.value, v.value = _spectral.operator_iteration(fixed, u.value, v.value)
        sigma = _spectral.operator_norm(partial(convolve, kernel=kernel), u.value, v.value)
        return _spectral.shrink(kernel, sigma, bound)


def _direction(module: nn.Module, shape: Sequence[int]) -> jax.Array:
    direction: jax.Array = jax.random.normal(module.make_rng("params"), tuple(shape))
    norm: jax.Array = jnp.linalg.norm(direction)
    return direction / norm
