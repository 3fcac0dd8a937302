"""Products at full precision, whatever the device would round its inputs to, and several reductions in one loop."""

import jax
import jax.numpy as jnp

HIGHEST = jax.lax.Precision.HIGHEST
SUMMED = 32  # numbers that a sum adds up in its second stage


def dot(a: jax.Array, b: jax.Array) -> jax.Array:
    """`jnp.dot` at full precision: a GPU would round float32 inputs to TF32, a TPU to bfloat16."""
    return jnp.dot(a, b, precision=HIGHEST)


def sums(*vectors: jax.Array) -> tuple[jax.Array, ...]:
    """Sums of vectors of one length, in one loop: XLA compiles every reduction for itself, and each costs as much.

    In two stages, so that rounding grows with the root of the length.
    """
    zeros = tuple(jnp.zeros((), x.dtype) for x in vectors)
    length = len(vectors[0])
    rows = [jnp.pad(x, (0, -length % SUMMED)).reshape(SUMMED, -1) for x in vectors]
    total: tuple[jax.Array, ...] = jax.lax.reduce(jax.lax.reduce(tuple(rows), zeros, _add, (1,)), zeros, _add, (0,))
    return total


def extremes(x: jax.Array, where: jax.Array | bool = True) -> tuple[jax.Array, jax.Array]:
    """The smallest and the largest entry of a vector, of those marked; inf and -inf if there is none."""
    infinite = jnp.full((), jnp.inf, x.dtype)
    both = jnp.where(where, x, infinite), jnp.where(where, x, -infinite)
    lowest, highest = jax.lax.reduce(both, (infinite, -infinite), _widen, (0,))
    return lowest, highest


def marked(mask: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The rows that a mask [N] marks, in order, then N for the rest [N], and how many they are []; N of any kind."""
    size, upto = mask.shape[0], jnp.cumsum(mask)
    rows = jnp.full(size, size).at[jnp.where(mask, upto - 1, size)].set(jnp.arange(size), mode="drop")
    return rows, upto[-1]


def _add(a: tuple[jax.Array, ...], b: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
    return tuple(x + y for x, y in zip(a, b, strict=True))


def _widen(a: tuple[jax.Array, ...], b: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
    return jnp.minimum(a[0], b[0]), jnp.maximum(a[1], b[1])
