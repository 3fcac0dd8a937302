"""What it matters that a row is covered: by the doubt about it, and by what its classes lack."""

from functools import partial

import chex
import jax
import jax.numpy as jnp

from alfamous_jax.core import collectives, convert
from alfamous_jax.core.numerics import HIGHEST


@convert.door
@partial(jax.jit, static_argnames="axis_name")
def doubt(probs: jax.Array, labelled: jax.Array, axis_name: str | None = None) -> jax.Array:
    """The weights of UHerding: 1 less the lead of the best class over the second, 0 for rows that have a label.

    Args:
      probs: class probabilities [N, K].
      labelled: [N].
      axis_name: inside `shard_map`, the mesh axis that the rows are split over, static.

    Returns:
      weights [N]; 1 for all rows as long as none has a label.

    Examples:
      >>> from alfamous_jax import coverage
      >>> coverage.doubt(jnp.array([[0.75, 0.25], [0.5, 0.5], [1.0, 0.0]]), jnp.array([False, False, True])).tolist()
      [0.5, 1.0, 0.0]
    """
    chex.assert_rank([probs, labelled], [2, 1])
    first, second = jax.lax.top_k(jnp.pad(probs, ((0, 0), (0, probs.shape[1] < 2))), 2)[0].T
    known = collectives.pmax(jnp.any(labelled), axis_name)
    return jnp.where(known, jnp.where(labelled, 0.0, 1.0 - (first - second)), 1.0)


@convert.door
@partial(jax.jit, static_argnames="axis_name")
def class_weights(
    probs: jax.Array, demand: jax.Array, lam: jax.Array | float, pool: jax.Array, axis_name: str | None = None
) -> jax.Array:
    """Weights that count every class for what it lacks, however few rows are predicted to be of it.

    (1 - lam) + lam N sum_k q_k p_ik / sum_m p_mk, where q is the demand over its sum: at lam 1 the rows of a class
    weigh q_k together.

    Args:
      probs: class probabilities [N, K].
      demand: what each class lacks [K], not negative; alike for all where nothing is lacking.
      lam: 0 for weights of 1, up to 1 [].
      pool: the rows that are to be covered [N].
      axis_name: see `doubt`.

    Returns:
      weights [N], of mean 1 over the pool, 0 outside it; NaN for a row whose probabilities are.

    Examples:
      >>> from alfamous_jax import coverage
      >>> probs = jnp.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
      >>> coverage.class_weights(probs, jnp.ones(2), 1.0, jnp.ones(3, bool)).tolist()  # both classes lack as much
      [0.75, 0.75, 1.5]
    """
    total = jnp.sum(demand)
    wanted = jnp.where(total > 0, demand, 1.0) / jnp.where(total > 0, total, len(demand))
    counted = pool & jnp.all(jnp.isfinite(probs), axis=1)
    mass = collectives.psum(jnp.sum(jnp.where(counted[:, None], probs, 0.0), axis=0), axis_name)
    share, number = jnp.minimum(jnp.asarray(lam), 1.0), collectives.psum(jnp.sum(counted), axis_name)
    by_class = jnp.dot(probs, wanted / jnp.where(mass > 0, mass, 1.0), precision=HIGHEST)
    return jnp.where(pool, (1 - share) + share * number * by_class, 0.0)
