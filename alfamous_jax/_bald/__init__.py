"""BALD of rows with normal logits: in closed form where variances are small, by an integral where they are large."""

import jax
import jax.numpy as jnp

from alfamous_jax._bald._ceiling import ceiling
from alfamous_jax._bald._closed_form import closed_form
from alfamous_jax._bald._winner import by_winner
from alfamous_jax.core.numerics import marked

__all__ = ["ceiling", "closed_form", "gaussian"]

MIXED = 1.1, 1.5  # variance: up to the first, above which few rows of length 1 are, the closed form alone
WIDE_ROWS = 512  # at a time


@jax.custom_jvp
def gaussian(logits: jax.Array, variance: jax.Array) -> jax.Array:
    """What `acquisition.bald_gaussian` says it is, for K of at least 2."""
    closed = closed_form(logits, variance)
    size = variance.shape[0]
    order, count = marked(variance > MIXED[0])
    num_rows = min(WIDE_ROWS, size) if isinstance(size, int) else WIDE_ROWS  # no int: exported

    def mix(block: jax.Array, information: jax.Array) -> jax.Array:
        slots = block * num_rows + jnp.arange(num_rows)
        rows = order[jnp.minimum(slots, size - 1)]
        exact = by_winner(logits[rows], variance[rows])
        share = jnp.clip((variance[rows] - MIXED[0]) / (MIXED[1] - MIXED[0]), 0.0, 1.0)
        mixed = information[rows] + share * (exact - information[rows])
        return information.at[jnp.where(slots < count, rows, size)].set(mixed, mode="drop")

    information: jax.Array = jax.lax.fori_loop(0, -(-count // num_rows), mix, closed)
    return information


@gaussian.defjvp
def _(primals: tuple[jax.Array, jax.Array], tangents: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
    return gaussian(*primals), jax.jvp(closed_form, primals, tangents)[1]
