"""Bounded spectral normalisation by power iteration (Miyato et al., 2018, with the bound of SNGP).

Kernels are stored as flax stores them, [inputs, outputs], so that W = kernel.T maps inputs to outputs.
"""

import chex
import jax
import jax.numpy as jnp

EPSILON = 1e-12


def power_iteration(
    kernel: jax.Array, u: jax.Array, v: jax.Array, num_iterations: int = 1
) -> tuple[jax.Array, jax.Array]:
    """Moves u, v towards the leading singular vectors of W: v <- W'u / |W'u|, then u <- W v / |W v|.

    Args:
      kernel: dense kernel [in, out].
      u: left vector [out].
      v: right vector [in]; overwritten by the first iteration.
      num_iterations: how many; SNGP runs one per training step.

    Returns:
      u [out], v [in], of unit norm; no gradient flows through them.
    """
    chex.assert_shape(kernel, (v.shape[0], u.shape[0]))
    kernel = jax.lax.stop_gradient(kernel)
    for _ in range(num_iterations):
        v = _unit(kernel @ u)
        u = _unit(v @ kernel)
    return u, v


def normalize(kernel: jax.Array, u: jax.Array, v: jax.Array, bound: float) -> jax.Array:
    """W * min(1, bound / sigma) with sigma = u'W v: the spectral norm is capped, never raised.

    Args:
      kernel: dense kernel [in, out].
      u, v: singular vectors of `power_iteration`, treated as constants; the gradient flows through
        W in sigma.
      bound: the largest spectral norm allowed.

    Returns:
      kernel [in, out]. Its norm exceeds `bound` by as much as sigma falls short of the true norm.
    """
    u, v = jax.lax.stop_gradient((u, v))
    sigma = v @ kernel @ u
    return kernel * jnp.minimum(1.0, bound / jnp.maximum(sigma, EPSILON))


def _unit(x: jax.Array) -> jax.Array:
    return x / jnp.maximum(jnp.linalg.norm(x), EPSILON)
