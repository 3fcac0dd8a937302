"""A linear classifier over a backbone or over given features, such as the embeddings of a pretrained network."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from alfamous_jax.networks.layers import Dropout
from alfamous_jax.networks.sngp import Outputs

NEVER = -1e9  # the bias of a class that is never predicted; finite, so that logits are


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


def with_prior_threshold(variables: dict[str, Any], counts: jax.Array) -> dict[str, Any]:
    """A linear head whose probabilities are divided by the class priors of its labels (Buda et al., 2018).

    Args:
      variables: of a `Linear`.
      counts: labels of each class [K].

    Returns:
      variables with log(n_k / n) taken off the biases; a class without labels is never predicted. The softmax is that
      of `imbalance.prior_threshold`.
    """
    kernel = variables["params"]["head"]["kernel"]
    prior = jnp.log(jnp.maximum(counts, 1) / jnp.maximum(jnp.sum(counts), 1)).astype(kernel.dtype)
    bias = jnp.where(counts > 0, kernel[-1] - prior, NEVER)
    return with_head(variables, kernel.at[-1].set(bias))


def with_head(variables: dict[str, Any], kernel: jax.Array) -> dict[str, Any]:
    """Variables of a `Linear` with another kernel [H + 1, K], the biases its last row."""
    head = {**variables["params"]["head"], "kernel": kernel}
    return {**variables, "params": {**variables["params"], "head": head}}
