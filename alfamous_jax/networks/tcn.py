"""Temporal convolutional network for series, with bounded spectral norms (after Bai et al., 2018)."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from alfamous_jax.networks.layers import Dropout, SpectralConv


class TCN(nn.Module):
    """Residual blocks of two causal convolutions, their dilation doubling from block to block; mean over time.

    Spectral normalisation stands where the original has weight normalisation. The papers do not give their
    layout; with 3 blocks and kernels of 3 an output sees 29 steps back. Dropout stands before every block.
    """

    width: int = 64
    depth: int = 3
    kernel_size: int = 3
    bound: float | None = 6.0
    dropout: float = 0.0

    @nn.compact
    def __call__(
        self, x: jax.Array, train: bool, mask: jax.Array | None = None
    ) -> tuple[jax.Array, tuple[jax.Array, ...]]:
        """Series [N, time] or [N, time, channels] -> features [N, width], stages [N, width]."""
        h = x[..., None] if x.ndim == 2 else x

        def convolve(x: jax.Array, size: int, dilation: int) -> jax.Array:
            pad = (((size - 1) * dilation, 0),)
            return SpectralConv(self.width, (size,), self.bound, padding=pad, dilation=(dilation,))(x, train)

        stages = []
        for block in range(self.depth):
            h = Dropout(self.dropout)(h, train)
            moved = convolve(nn.relu(convolve(h, self.kernel_size, 2**block)), self.kernel_size, 2**block)
            h = nn.relu(moved + (h if h.shape[-1] == self.width else convolve(h, 1, 1)))
            stages.append(jnp.mean(h, axis=1))
        return stages[-1], tuple(stages)
