"""What a cycle knows of its pool, and how it begins."""

from typing import NamedTuple

import chex
import jax

from alfamous_jax import laplace
from alfamous_jax.core import convert
from alfamous_jax.laplace import Posterior


class PoolState(NamedTuple):
    """What the next query depends on."""

    posterior: Posterior
    logits: jax.Array  # [N, K]
    variance: jax.Array  # [N]
    available: jax.Array  # [N]
    counts: jax.Array  # [K], every label known


@convert.door
@jax.jit
def init(posterior: Posterior, phi: jax.Array, available: jax.Array, counts: jax.Array) -> PoolState:
    """Scores the whole pool once, in O(N D^2); every label after that costs O(N D). Row by row: it takes no axis name.

    Args:
      posterior: mean [K, D], covariance [D, D].
      phi: pool features [N, D], float32 or bfloat16, which halves what a label reads; all else stays float32, and
        posterior and pool are those of the features as rounded.
      available: rows that may be queried [N].
      counts: labels known of each class [K].

    Returns:
      the state before the first query.

    Examples:
      >>> from alfamous_jax import cycle, laplace
      >>> posterior = laplace.fit(jnp.zeros((2, 3)), jnp.eye(3), jnp.array([True, False, False]))
      >>> state = cycle.init(posterior, jnp.eye(3), jnp.array([False, True, True]), jnp.array([1, 0]))
      >>> [round(x, 4) for x in state.variance.tolist()]
      [0.8, 1.0, 1.0]
    """
    chex.assert_equal_shape_prefix([phi, available], 1)
    chex.assert_shape(counts, (posterior.mean.shape[0],))
    counts = convert.as_counts(counts)
    logits, variance = laplace.predict(posterior, phi)
    return PoolState(posterior, logits, variance, available, counts)
