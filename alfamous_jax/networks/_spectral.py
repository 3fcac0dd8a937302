"""Bounded spectral normalisation by power iteration (Miyato et al., 2018, with the bound of SNGP).

Kernels are stored as flax stores them, [inputs, outputs], so that W = kernel.T maps inputs to outputs.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

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
    return shrink(kernel, v @ kernel @ u, bound)


def shrink(kernel: jax.Array, sigma: jax.Array, bound: float) -> jax.Array:
    """The kernel times min(1, bound / sigma).

    Args:
      kernel: of any shape.
      sigma: norm of the operator that the kernel stands for [].
      bound: the largest norm allowed.
    """
    return kernel * jnp.minimum(1.0, bound / jnp.maximum(sigma, EPSILON))


def convolve(
    x: jax.Array,
    kernel: jax.Array,
    strides: Sequence[int],
    padding: Sequence[tuple[int, int]],
    dilation: Sequence[int],
) -> jax.Array:
    """Convolution over the axes between the first and the last, channels last.

    Args:
      x: inputs [N, ..., in].
      kernel: [..., in, out].
      strides, padding, dilation: one entry for each axis between.

    Returns:
      outputs [N, ..., out].
    """
    settings: dict[str, Any] = {"strides": strides, "padding": padding, "dilation": dilation}
    # XLA has fast convolutions for a CPU, but not for their gradients; matrix products are fast both ways.
    outputs: jax.Array = jax.lax.platform_dependent(
        x, kernel, cpu=partial(_convolve_by_product, **settings), default=partial(_convolve, **settings)
    )
    return outputs


def _convolve(
    x: jax.Array,
    kernel: jax.Array,
    strides: Sequence[int],
    padding: Sequence[tuple[int, int]],
    dilation: Sequence[int],
) -> jax.Array:
    axes = "DHW"[-len(strides) :]
    names = (f"N{axes}C", f"{axes}IO", f"N{axes}C")
    return jax.lax.conv_general_dilated(x, kernel, strides, padding, rhs_dilation=dilation, dimension_numbers=names)


def _convolve_by_product(
    x: jax.Array,
    kernel: jax.Array,
    strides: Sequence[int],
    padding: Sequence[tuple[int, int]],
    dilation: Sequence[int],
) -> jax.Array:
    """Shifted copies of the inputs side by side, one axis after the other, times the kernel as a matrix."""
    x = jnp.pad(x, [(0, 0), *padding, (0, 0)])
    for axis in reversed(range(len(strides))):
        size, step = kernel.shape[axis], dilation[axis]
        reach = x.shape[1 + axis] - (size - 1) * step
        shifts = [jax.lax.slice_in_dim(x, i * step, i * step + reach, strides[axis], 1 + axis) for i in range(size)]
        x = jnp.concatenate(shifts, axis=-1)
    return x @ kernel.reshape(-1, kernel.shape[-1])


def operator_iteration(
    operator: Callable[[jax.Array], jax.Array], u: jax.Array, v: jax.Array
) -> tuple[jax.Array, jax.Array]:
    """`power_iteration` for a linear map given as a function, such as a convolution with its padding.

    Args:
      operator: linear, inputs of the shape of v -> outputs of the shape of u.
      u: left vector, any shape.
      v: right vector, any shape; only its shape is used.

    Returns:
      u, v of unit norm.
    """
    (v,) = jax.linear_transpose(operator, v)(u)
    v = _unit(v)
    return _unit(operator(v)), v


def operator_norm(operator: Callable[[jax.Array], jax.Array], u: jax.Array, v: jax.Array) -> jax.Array:
    """sigma = <u, operator(v)> with u and v as constants []; at most the true norm, and equal once they converged."""
    u, v = jax.lax.stop_gradient((u, v))
    return jnp.vdot(u, operator(v))


def _unit(x: jax.Array) -> jax.Array:
    return x / jnp.maximum(jnp.linalg.norm(x), EPSILON)
