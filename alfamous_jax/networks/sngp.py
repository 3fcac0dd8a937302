"""SNGP: a distance-preserving backbone, random Fourier features and a linear head (Liu et al., 2020)."""

from typing import Any, NamedTuple

import flax.linen as nn
import jax

from alfamous_jax.networks import random_features


class Outputs(NamedTuple):
    """What one forward pass gives."""

    logits: jax.Array  # [N, K], at the mean weights
    phi: jax.Array  # [N, D], what the last layer sees
    features: jax.Array  # [N, H], what the backbone gives
    stages: tuple[jax.Array, ...]  # features after every stage of the backbone


class SNGP(nn.Module):
    """A backbone (x, train, mask) -> (features, stages) under a Gaussian-process last layer.

    Collections: `params` is trained, `random_features` never changes, what else the backbone keeps
    (`spectral`, `batch_stats`) moves in training calls. The head has no bias; its transposed kernel is the posterior
    mean of `laplace.fit`.
    """

    backbone: nn.Module
    num_classes: int
    num_features: int = 1024
    kernel_scale: float = 1.0

    @nn.compact
    def __call__(self, x: jax.Array, train: bool = False, mask: jax.Array | None = None) -> Outputs:
        """Inputs [N, ...] -> Outputs; in training, rows that are False in mask [N] leave batch statistics alone."""
        h, stages = self.backbone(x, train, mask)
        draws = self.variable(
            "random_features",
            "draws",
            lambda: random_features.init(self.make_rng("params"), h.shape[-1], self.num_features),
        )
        phi = random_features.apply(draws.value, h, self.kernel_scale)
        head = nn.Dense(self.num_classes, use_bias=False, kernel_init=nn.initializers.xavier_normal(), name="head")
        return Outputs(head(phi), phi, h, stages)


def head_mean(variables: dict[str, Any]) -> jax.Array:
    """The trained last-layer weights as a posterior mean [K, D].

    Args:
      variables: what `SNGP.init` or `train.fit` gave.

    Returns:
      mean [K, D].
    """
    kernel: jax.Array = variables["params"]["head"]["kernel"]
    return kernel.T
