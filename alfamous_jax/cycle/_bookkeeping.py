"""Answers to a query taken down: which of them are labels, and what they change of a pool's masks and counts.

An answer below 0 or above K - 1 says that the row was skipped: it leaves the pool and changes nothing else.
"""

import jax
import jax.numpy as jnp

from alfamous_jax.core import collectives


def usable(indices: jax.Array, answers: jax.Array, num_classes: int) -> jax.Array:
    """Which answers are labels.

    Args:
      indices: rows asked for [n]; -1 is padding.
      answers: their classes [n].
      num_classes: K.

    Returns:
      mask [n].
    """
    return (indices >= 0) & (answers >= 0) & (answers < num_classes)


def known(available: jax.Array, indices: jax.Array, rows: jax.Array, axis_name: str | None) -> jax.Array:
    """Which of the rows named can have been asked for: there, available, finite, and not named before.

    Args:
      available: rows that may be queried [N].
      indices: rows named [n]; -1 is padding, and no row.
      rows: their features [n, D].
      axis_name: inside `shard_map`, the mesh axis that the rows of the pool are split over.

    Returns:
      mask [n].
    """
    there = (indices >= 0) & (indices < collectives.num_rows(available.shape[0], axis_name))
    order = jnp.argsort(indices, stable=True)
    first = jnp.zeros_like(there).at[order].set(jnp.diff(indices[order], prepend=-2) != 0)
    open_to = collectives.take(available.astype(jnp.int32), indices, axis_name) > 0
    return there & first & open_to & jnp.all(jnp.isfinite(rows), axis=-1)


def take_down(
    available: jax.Array,
    counts: jax.Array,
    indices: jax.Array,
    answers: jax.Array,
    axis_name: str | None,
) -> tuple[jax.Array, jax.Array]:
    """Availability and counts once the answers are known; padding is sent out of range and dropped.

    Args:
      available: rows that may be queried [N], before.
      counts: labels known of each class [K], before.
      indices: rows asked for [n]; -1 is padding.
      answers: their classes [n].
      axis_name: inside `shard_map`, the mesh axis that the rows of the pool are split over.

    Returns:
      available [N], without the rows asked for, and counts [K], with their labels.
    """
    num_classes = counts.shape[0]
    gone = collectives.places(indices, available.shape[0], axis_name)
    counted = jnp.where(usable(indices, answers, num_classes), answers, num_classes)
    return available.at[gone].set(False, mode="drop"), counts.at[counted].add(1, mode="drop")
