"""Distances between the rows of a feature space, without a matrix of them: what k-center and its relatives stand on.

With an `axis_name` they run inside `shard_map`, the rows split over that mesh axis.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from alfamous_jax.core import collectives, convert
from alfamous_jax.core.numerics import dot

BLOCK = 128  # labelled rows that the pool is compared with at a time


class Space(NamedTuple):
    """Features and what squared distances between them need; taken about the mean, so that little cancels."""

    features: jax.Array  # [N, H]
    mean: jax.Array  # [H]
    squares: jax.Array  # [N], squared distance to the mean, not finite where the row is not


def space_of(features: jax.Array, counted: jax.Array, axis_name: str | None = None) -> Space:
    """What distances between rows need.

    Args:
      features: [N, H]; what is no float, or of half precision, is taken in float32.
      counted: rows whose mean to take [N]; those whose squares are not finite never count.
      axis_name: see above.

    Returns:
      the space.
    """
    features = convert.as_float(features)
    counted = counted & jnp.isfinite(jnp.sum(features**2, axis=-1))
    total = dot(counted.astype(features.dtype), features)
    # Zero times NaN is NaN; masking all rows at once would copy the features on a CPU.
    total = jax.lax.cond(jnp.all(jnp.isfinite(total)), lambda: total, lambda: _sum_of(features, counted))
    total, count = collectives.psum((total, jnp.sum(counted)), axis_name)
    plain = jnp.mean(features, axis=0)
    plain = plain if axis_name is None else jax.lax.pmean(plain, axis_name)
    mean = jnp.where(count == collectives.num_rows(len(counted), axis_name), plain, total / jnp.maximum(count, 1))
    return Space(features, mean, jnp.sum((features - mean) ** 2, axis=-1))


def _sum_of(features: jax.Array, counted: jax.Array) -> jax.Array:
    size, block = len(counted), min(8192, len(counted))

    def add(i: jax.Array, total: jax.Array) -> jax.Array:
        first = jnp.minimum(i * block, size - block)
        rows = jax.lax.dynamic_slice_in_dim(features, first, block)
        new = jax.lax.dynamic_slice_in_dim(counted, first, block) & (first + jnp.arange(block) >= i * block)
        return total + jnp.sum(jnp.where(new[:, None], rows, 0.0), axis=0)

    total: jax.Array = jax.lax.fori_loop(0, -(-size // block), add, jnp.zeros_like(features[0]))
    return total


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


def apart(
    features: jax.Array, rows: jax.Array, labelled: jax.Array, axis_name: str | None = None
) -> tuple[jax.Array, jax.Array]:
    """How far rows are from those before them and from the labelled ones, by differences: nothing cancels.

    Args:
      features: [N, H].
      rows: of the pool [n], -1 for none.
      labelled: [N].
      axis_name: see above; as in `squares_to_labelled` labelled rows are sent in blocks.

    Returns:
      squared distances [n], infinite where there is nothing to be apart from, and more than a distance can be off, as a
      share of it.
    """
    given = collectives.take(features, jnp.maximum(rows, 0), axis_name)

    def squares(points: jax.Array) -> jax.Array:
        return jnp.sum((given[:, None] - points) ** 2, axis=-1)

    size, block = labelled.size, min(BLOCK, labelled.size)
    count = jnp.sum(labelled)
    order = jnp.argsort(~labelled, stable=True)

    def compare(i: jax.Array, nearest: jax.Array) -> jax.Array:
        slots = i * block + jnp.arange(block)
        counted, points = collectives.gather((slots < count, features[order[jnp.minimum(slots, size - 1)]]), axis_name)
        return jnp.minimum(nearest, jnp.min(jnp.where(counted, squares(points), jnp.inf), axis=1))

    def compare_before(i: jax.Array, nearest: jax.Array) -> jax.Array:
        later = (jnp.arange(len(rows)) > i) & (rows[i] >= 0)
        return jnp.minimum(nearest, jnp.where(later, squares(given[i][None])[:, 0], jnp.inf))

    num_blocks = collectives.pmax(-(-count // block), axis_name)
    nearest = jnp.full(len(rows), jnp.inf, features.dtype)
    nearest = jax.lax.fori_loop(0, num_blocks, compare, nearest)
    nearest = jax.lax.fori_loop(0, len(rows), compare_before, nearest)
    return jnp.where(rows >= 0, nearest, jnp.inf), jnp.asarray(
        (features.shape[1] + 4) * 0.5 * jnp.finfo(nearest.dtype).eps
    )


def zero_at(index: jax.Array, squares: jax.Array, axis_name: str | None) -> jax.Array:
    """The squares [N] with a 0 for one row of the pool, if it is here."""
    place = index if axis_name is None else collectives.places(index, len(squares), axis_name)
    return squares.at[place].set(0.0)
