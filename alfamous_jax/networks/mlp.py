"""Residual multilayer perceptron with bounded spectral norms, the backbone for tables."""

import flax.linen as nn
import jax

from alfamous_jax.networks.layers import Dropout, SpectralDense, uniform_fan_in


class ResidualMLP(nn.Module):
    """h0 = relu(A x + a), then h <- relu(SN(B) drop(h) + b) + h, `depth` times; A is not normalised."""

    width: int = 128
    depth: int = 2
    bound: float | None = 1.0
    dropout: float = 0.0

    @nn.compact
    def __call__(
        self, x: jax.Array, train: bool, mask: jax.Array | None = None
    ) -> tuple[jax.Array, tuple[jax.Array, ...]]:
        """Inputs [N, ...], flattened -> features [N, width] and the features after every stage."""
        x = x.reshape(x.shape[0], -1)
        init = uniform_fan_in(x.shape[-1] ** -0.5)
        h = nn.relu(nn.Dense(self.width, kernel_init=init, bias_init=init)(x))
        stages = [h]
        for _ in range(self.depth):
            h = nn.relu(SpectralDense(self.width, self.bound)(Dropout(self.dropout)(h, train), train)) + h
            stages.append(h)
        return h, tuple(stages)
