"""Residual multilayer perceptron with bounded spectral norms, the backbone for tables."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from alfamous_jax import spectral


def uniform_fan_in(scale: float) -> nn.initializers.Initializer:
    """Uniform in +-scale, whatever the shape; with scale = 1/sqrt(inputs) for kernels and biases alike."""
    return lambda key, shape, dtype=jnp.float32: jax.random.uniform(key, shape, dtype, -scale, scale)


class SpectralDense(nn.Module):
    """Dense layer whose kernel is scaled to a spectral norm of at most `bound`.

    The singular vectors live in the collection `spectral` and take one power iteration for each
    training call; evaluation uses them as training left them.
    """

    features: int
    bound: float

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> jax.Array:
        """Inputs [N, inputs] -> outputs [N, features]."""
        in_dim = x.shape[-1]
        init = uniform_fan_in(in_dim**-0.5)
        kernel = self.param("kernel", init, (in_dim, self.features))
        bias = self.param("bias", init, (self.features,))
        u = self.variable("spectral", "u", lambda: self._direction(self.features))
        v = self.variable("spectral", "v", lambda: self._direction(in_dim))
        if train and not self.is_initializing():
            u.value, v.value = spectral.power_iteration(kernel, u.value, v.value)
        return x @ spectral.normalize(kernel, u.value, v.value, self.bound) + bias

    def _direction(self, dim):
        direction = jax.random.normal(self.make_rng("params"), (dim,))
        return direction / jnp.linalg.norm(direction)


class ResidualMLP(nn.Module):
    """h0 = relu(A x + a), then h <- relu(SN(B) h + b) + h, `depth` times; A is not normalised."""

    width: int = 128
    depth: int = 2
    bound: float = 1.0

    @nn.compact
    def __call__(self, x: jax.Array, train: bool) -> tuple[jax.Array, tuple[jax.Array, ...]]:
        """Inputs [N, ...], flattened -> features [N, width] and the features after every stage."""
        x = x.reshape(x.shape[0], -1)
        init = uniform_fan_in(x.shape[-1] ** -0.5)
        h = nn.relu(nn.Dense(self.width, kernel_init=init, bias_init=init)(x))
        stages = [h]
        for _ in range(self.depth):
            h = nn.relu(SpectralDense(self.width, self.bound)(h, train)) + h
            stages.append(h)
        return h, tuple(stages)
