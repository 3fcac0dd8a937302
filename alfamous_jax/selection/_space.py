"""Distances between the rows of a feature space, without a matrix of them: what k-center and its relatives stand on.

With an `axis_name` they run inside `shard_map`, the rows split over that mesh axis.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from alfamous_jax.core import collectives
from alfamous_jax.core.numerics import dot

BLOCK = 128  # labelled rows that the pool is compared with at a time


class Space(NamedTuple):
    """Features and what squared distances between them need; taken about the mean, so that little cancels."""

    features: jax.Array  # [N, H]
    mean: jax.Array  # [H], 0 where a row spoils it
    squares: jax.Array  # [N], squared distance to the mean, not finite where the row is not


def space_of(features: jax.Array, axis_name: str | None = None) -> Space:
    """What distances between rows of `features` [N, H] need."""
    mean = jnp.mean(features, axis=0) if axis_name is None else jax.lax.pmean(jnp.mean(features, axis=0), axis_name)
    mean = jnp.where(jnp.isfinite(mean), mean, 0.0)  # masking rows instead would copy the features on a CPU
    return Space(features, mean, jnp.sum((features - mean) ** 2, axis=-1))


def squares_to(space: Space, points: jax.Array) -> jax.Array:
    """Squared distances [N, n] of all rows to points [n, H]; a product is several times faster than differences."""
    centred = points - space.mean
    products = dot(space.features, centred.T) - dot(centred, space.mean)
    return jnp.maximum(space.squares[:, None] + jnp.sum(centred**2, axis=-1) - 2 * products, 0.0)


def squares_to_labelled(
    space: Space,
    labelled: jax.Array,
    alike: tuple[jax.Array, jax.Array] | None = None,
    axis_name: str | None = None,
) -> jax.Array:
    """Squared distance to the nearest labelled row [N], infinite if there is none; no work for other rows.

    Args:
      space: of the features.
      labelled: [N].
      alike: two classes of each row [N], as one who looks and as one who is labelled; only rows whose class is the
        looking row's are then near.
      axis_name: see above. Every labelled row is sent once, in blocks from all devices.

    Returns:
      squares [N].
    """
    size = labelled.size
    block = min(BLOCK, size)
    count = jnp.sum(labelled)
    order = jnp.argsort(~labelled, stable=True)

    def compare(i: jax.Array, nearest: jax.Array) -> jax.Array:
        slots = i * block + jnp.arange(block)
        rows = order[jnp.minimum(slots, size - 1)]
        counted, points = collectives.gather((slots < count, space.features[rows]), axis_name)
        if alike is not None:
            counted = counted & (alike[0][:, None] == collectives.gather(alike[1][rows], axis_name))
        return jnp.minimum(nearest, jnp.min(jnp.where(counted, squares_to(space, points), jnp.inf), axis=1))

    num_blocks = collectives.pmax(-(-count // block), axis_name)
    start = jnp.full_like(space.squares, jnp.inf)
    squares: jax.Array = jax.lax.fori_loop(0, num_blocks, compare, start)
    return squares


def zero_at(index: jax.Array, squares: jax.Array, axis_name: str | None) -> jax.Array:
    """The squares [N] with a 0 for one row of the pool, if it is here."""
    place = index if axis_name is None else collectives.places(index, len(squares), axis_name)
    return squares.at[place].set(0.0)
