"""Rows of length 1: distances a block at a time, without an N x N matrix, and rows that are spread out."""

from collections.abc import Callable
from typing import TypeVar

import jax
import jax.numpy as jnp

from alfamous_jax.core import collectives, convert
from alfamous_jax.core.numerics import dot

BLOCK = 32  # rows that all are compared with at a time
Carry = TypeVar("Carry")
Look = Callable[[Carry, jax.Array, jax.Array], Carry]  # (carry, places [B], which of them count [B]) -> carry


def unit(features: jax.Array) -> jax.Array:
    """Rows of length 1, but for those of length 0."""
    features = convert.as_float(features)
    length = jnp.linalg.norm(features, axis=1, keepdims=True)
    return features / jnp.where(length > 0, length, 1.0)


def squares(rows: jax.Array, others: jax.Array) -> jax.Array:
    """Squared distances [N, B]."""
    lengths = jnp.sum(rows**2, axis=1)[:, None] + jnp.sum(others**2, axis=1)
    return jnp.maximum(lengths - 2.0 * dot(rows, others.T), 0.0)


def in_blocks(chosen: jax.Array, look: Look[Carry], begin: Carry, axis_name: str | None = None) -> Carry:
    """Folds over the chosen rows, a block at a time; of rows that are split, a block of every device at once.

    Places are then those of the whole pool, which `collectives.take` has the rows of.
    """
    size = min(BLOCK, len(chosen))
    order, number = jnp.argsort(~chosen, stable=True), jnp.sum(chosen)
    order = jnp.pad(order, (0, -len(order) % size))
    most = collectives.pmax(number, axis_name)

    def step(carry: tuple[Carry, jax.Array]) -> tuple[Carry, jax.Array]:
        folded, start = carry
        places = collectives.first_row(len(chosen), axis_name) + jax.lax.dynamic_slice_in_dim(order, start, size)
        block = collectives.gather((places, start + jnp.arange(size) < number), axis_name)
        return look(folded, *block), start + size

    end: Carry = jax.lax.while_loop(lambda carry: carry[1] < most, step, (begin, jnp.zeros_like(number)))[0]
    return end


def spread(key: jax.Array, rows: jax.Array, members: jax.Array, number: jax.Array, most: int) -> jax.Array:
    """Places [most] of `number` members by k-means++: drawn by the squared distance to those before, 0 past them."""
    tiny = jnp.finfo(rows.dtype).tiny

    def draw(i: jax.Array, state: tuple[jax.Array, jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array, jax.Array]:
        nearest, left, places = state
        noise = jax.random.gumbel(jax.random.fold_in(key, i), nearest.shape, nearest.dtype)
        chosen = jnp.argmax(jnp.where(left, jnp.log(jnp.maximum(nearest, tiny)) + noise, -jnp.inf)).astype(jnp.int32)
        nearest = jnp.minimum(nearest, squares(rows, rows[chosen][None])[:, 0])
        return nearest, left.at[chosen].set(False), places.at[i].set(chosen)

    start = jnp.full(len(rows), 4.0, rows.dtype), members, jnp.zeros(most, jnp.int32)
    places: jax.Array = jax.lax.fori_loop(0, number, draw, start)[2]
    return places
