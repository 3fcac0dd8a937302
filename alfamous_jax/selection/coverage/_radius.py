"""Within which distance a row is covered: by the labels there are, or by clusters that must not mix."""

from functools import partial

import jax
import jax.numpy as jnp

from alfamous_jax.core import collectives, convert
from alfamous_jax.selection import _sphere

SAME = 1e-2  # squared distance of rows of length 1 up to which they count as one for `least_distance`
SMALLEST = 1e-3  # of the radii: rows that are equal but for rounding must cover each other
SHORTER = 1.0 - 1e-5  # than the distance to the next cluster, as distances are rounded: a ball ends before that row
WIDEST = 2.0  # rows of length 1 are no farther apart


@convert.door
@partial(jax.jit, static_argnames="axis_name")
def least_distance(features: jax.Array, labelled: jax.Array, axis_name: str | None = None) -> jax.Array:
    """The least distance of two labelled rows of length 1, the radius of UHerding; those nearer than .1 count as one.

    Args:
      features: [N, H].
      labelled: [N].
      axis_name: inside `shard_map`, the mesh axis that the rows are split over, static; all labelled rows are sent.

    Returns:
      distance []; 1 where no two labelled rows differ, which is the radius of MaxHerding.

    Examples:
      >>> from alfamous_jax import coverage
      >>> features = jnp.array([[1.0, 0.0], [2.0, 0.0], [0.6, 0.8], [0.0, 1.0]])
      >>> round(coverage.least_distance(features, jnp.array([True, True, False, True])).item(), 3)  # 1st to 4th row
      1.414
    """
    finite = jnp.all(jnp.isfinite(features), axis=1)
    rows, known = _sphere.unit(jnp.where(finite[:, None], features, 0.0)), labelled & finite

    def look(least: jax.Array, places: jax.Array, usable: jax.Array) -> jax.Array:
        squares = _sphere.squares(rows, collectives.take(rows, places, axis_name))
        apart = (squares > SAME) & known[:, None] & usable
        return jnp.minimum(least, jnp.min(jnp.where(apart, squares, jnp.inf)))

    least = _sphere.in_blocks(known, look, jnp.full((), jnp.inf, rows.dtype), axis_name)
    least = -collectives.pmax(-least, axis_name)
    return jnp.where(jnp.isfinite(least), jnp.sqrt(least), 1.0)


@convert.door
@jax.jit
def pure_radius(
    features: jax.Array, clusters: jax.Array, counted: jax.Array, purity: jax.Array | float = 0.95
) -> jax.Array:
    """The largest radius at which that share of the balls hold rows of one cluster alone, the radius of ProbCover.

    Yehuda et al. (NeurIPS 2022) search for it. A ball is pure up to the nearest row of another cluster, so
    that it is a quantile of these distances: found in one pass of all rows over all, a block at a time.

    Args:
      features: [N, H]; only their directions count.
      clusters: of each row [N], such as `clusters.k_means` with as many clusters as there are classes.
      counted: rows that are there [N]; those with a NaN or an infinity are not.
      purity: share of the balls that must be pure [].

    Returns:
      radius [], at least .001; 2, which covers everything, where no two clusters have rows.

    Examples:
      >>> from alfamous_jax import coverage
      >>> features = jnp.array([[1.0, 0.0], [0.8, 0.6], [0.0, 1.0], [-0.6, 0.8]])
      >>> round(coverage.pure_radius(features, jnp.array([0, 0, 1, 1]), jnp.ones(4, bool)).item(), 3)  # 2nd to 3rd row
      0.894
    """
    finite = counted & jnp.all(jnp.isfinite(features), axis=1)
    rows = _sphere.unit(jnp.where(finite[:, None], features, 0.0))

    def look(nearest: jax.Array, places: jax.Array, usable: jax.Array) -> jax.Array:
        squares = _sphere.squares(rows, rows[places])
        other = usable & (clusters[:, None] != clusters[places])
        return jnp.minimum(nearest, jnp.min(jnp.where(other, squares, jnp.inf), axis=1))

    nearest = _sphere.in_blocks(finite, look, jnp.full(len(rows), jnp.inf, rows.dtype))
    impure = jnp.floor((1.0 - purity) * jnp.sum(finite) + 1e-4).astype(jnp.int32)
    square = jnp.sort(jnp.where(finite, nearest, jnp.inf))[jnp.minimum(impure, len(rows) - 1)]
    return jnp.clip(SHORTER * jnp.sqrt(square), SMALLEST, WIDEST)
