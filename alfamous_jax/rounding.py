"""What float32 loses over many labels: how far a state has drifted, and the state computed anew.

An update subtracts a multiple of an outer product from the covariance. Each rounds to about 1e-7 of the largest
variance, so that the smallest ones are lost once they are as small: past a condition of about 1e7 the covariance may
have negative variances. `docs/reliability.md` has the curves.
"""

from functools import partial

import jax
import jax.numpy as jnp

from alfamous_jax import laplace, updates
from alfamous_jax.core import collectives, contract, convert
from alfamous_jax.core.numerics import dot
from alfamous_jax.cycle import PoolState
from alfamous_jax.laplace import Posterior


@convert.door
@partial(jax.jit, static_argnames="axis_name")
def drift(state: PoolState, phi: jax.Array, indices: jax.Array, axis_name: str | None = None) -> jax.Array:
    """`updates.drift` of some rows of a pool, after `cycle.update`: the host's cue to `recompute`.

    Args:
      state: of the pool.
      phi: pool features [N, D].
      indices: rows to look at [n], such as those labelled last; -1 is padding, a row that is not finite counts nothing.
      axis_name: inside `shard_map`, the mesh axis that the rows are split over, static.

    Returns:
      about the largest relative error of a variance []; 1 or more where the covariance is not positive definite.

    Examples:
      >>> from alfamous_jax import cycle, laplace, rounding
      >>> phi, posterior = jnp.eye(3), laplace.fit(jnp.zeros((2, 3)), jnp.eye(3), jnp.array([True, False, False]))
      >>> state = cycle.init(posterior, phi, jnp.array([False, True, True]), jnp.array([1, 0]))
      >>> state = cycle.update(state, phi, jnp.array([1]), jnp.array([1]))
      >>> rounding.drift(state, phi, jnp.array([1])).item() < 1e-6
      True
    """
    indices = convert.as_labels(indices, "indices")
    rows, variance = collectives.take((phi, state.variance), indices, axis_name)
    looked = (indices >= 0) & jnp.all(jnp.isfinite(rows), axis=-1)
    return updates.drift(state.posterior, jnp.where(looked[:, None], rows, 0.0), jnp.where(looked, variance, 0.0))


@convert.door
@partial(jax.jit, static_argnames="axis_name")
def recompute(
    state: PoolState,
    phi: jax.Array,
    known: jax.Array,
    mask: jax.Array,
    ridge: jax.Array | float = 1.0,
    axis_name: str | None = None,
) -> PoolState:
    """The state with covariance, logits and variances computed anew, free of what the updates have rounded.

    The covariance is that of `laplace.fit` at the mean as it is now, by way of `laplace.root`; the variances come from
    that root, so that they are right to about 1e-4 up to a condition of 1e10, whatever the covariance itself can hold;
    but for the curvatures of the rows, which enter as float32 has them.
    Updates go by the covariance: where `drift` stays high after this, float32 is not enough, and a larger ridge or
    `JAX_ENABLE_X64=1` is what helps.

    Args:
      state: of the pool.
      phi: pool features [N, D].
      known: features of all labelled rows, padded [L, D].
      mask: which rows of `known` count [L].
      ridge: prior precision, > 0; another one gives NaN.
      axis_name: inside `shard_map`, the mesh axis that the rows of the pool and of `known` are split over, static.

    Returns:
      the state; its mean, masks and counts are those it had. `networks.map_head.fit` gives a new mean.

    Raises:
      ValueError: a pool without rows.

    Examples:
      >>> from alfamous_jax import cycle, laplace, rounding
      >>> phi, posterior = jnp.eye(3), laplace.fit(jnp.zeros((2, 3)), jnp.eye(3), jnp.array([True, False, False]))
      >>> state = cycle.init(posterior, phi, jnp.array([False, True, True]), jnp.array([1, 0]))
      >>> state = rounding.recompute(state, phi, phi, jnp.array([True, True, False]))
      >>> [round(x, 4) for x in state.variance.tolist()]
      [0.8, 0.8, 1.0]
    """
    contract.check_pool(phi.shape[0])
    mean, dtype = state.posterior.mean, state.posterior.cov.dtype
    upper = laplace.root(mean, known, mask, ridge, axis_name).astype(dtype)
    inverse = jax.scipy.linalg.solve_triangular(upper, jnp.eye(len(upper), dtype=dtype))

    def variance(row: jax.Array) -> jax.Array:
        return jnp.sum(jax.scipy.linalg.solve_triangular(upper, row.astype(dtype), trans="T") ** 2)

    return state._replace(
        posterior=Posterior(mean, dot(inverse, inverse.T)),
        logits=laplace.pool_dot(phi, mean.T),
        variance=jax.lax.map(variance, phi, batch_size=laplace.ROWS),
    )
