"""A linear classifier over a backbone or over given features, such as the embeddings of a pretrained network."""

import flax.linen as nn
import jax
import jax.numpy as jnp

from alfamous_jax.models.layers import Dropout
from alfamous_jax.models.sngp import Outputs


class Identity(nn.Module):
    """The backbone for rows that are features already: it flattens them, with dropout if asked."""

    dropout: float = 0.0

    @nn.compact
    def __call__(
        self, x: jax.Array, train: bool, mask: jax.Array | None = None
    ) -> tuple[jax.Array, tuple[jax.Array, ...]]:
        """Inputs [N, ...] -> features [N, H] and, as the one stage, the same."""
        h = Dropout(self.dropout)(x.reshape(x.shape[0], -1), train)
        return h, (h,)


class Linear(nn.Module):
    """A backbone (x, train, mask) -> (features, stages) under a linear last layer: logistic regression on `Identity`.

    phi is the features and a last 1, which stands for the bias, so that `sngp.head_mean`, `laplace` and the updates
    take it as they take SNGP. Features should be standardised.
    """

    backbone: nn.Module
    num_classes: int

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False, mask: jax.Array | None = None) -> Outputs:
        """Inputs [N, ...] -> Outputs with phi [N, H + 1]."""
        h, stages = self.backbone(x, train, mask)
        phi = jnp.concatenate([h, jnp.ones_like(h[:, :1])], axis=1)
        head = nn.Dense(self.num_classes, use_bias=False, kernel_init=nn.initializers.zeros, name="head")
        return Outputs(head(phi), phi, h, stages)
