"""k-means on the directions of the rows, with a number of clusters that may be traced."""

from functools import partial
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from alfamous_jax.core import contract, convert
from alfamous_jax.selection import _sphere

STEPS = 30  # of Lloyd's algorithm, at most
State = tuple[jax.Array, jax.Array, jax.Array, jax.Array]  # labels, centres, number of moves, whether the last did any


class Clusters(NamedTuple):
    """Which rows are together."""

    labels: jax.Array  # [N], int32, the cluster of each row, -1 of rows that do not count
    centres: jax.Array  # [most, H], the means of rows of length 1; 0 past the number of clusters


@convert.door
def k_means(
    key: jax.Array,
    features: jax.Array,
    counted: jax.Array,
    num_clusters: jax.Array | int,
    *,
    most: int,
    steps: int = STEPS,
) -> Clusters:
    """k-means: seeds by k-means++ (Arthur and Vassilvitskii, 2007), then Lloyd's algorithm on rows of length 1.

    One compilation serves all numbers of clusters up to `most`, and what is computed grows with the number. Rows are
    compared with 32 centres at a time.

    Args:
      key: consumed.
      features: [N, H]; only their directions count.
      counted: rows to be clustered [N]; those with a NaN or an infinity are not.
      num_clusters: C [], at most `most`; more than there are rows are as many as the rows.
      most: static.
      steps: after how many moves of the centres to stop, if rows still change their cluster; static.

    Returns:
      the clusters. A row is in the cluster of the nearest centre, ties to the lowest; where rows coincide, some
      clusters have none.

    Raises:
      ValueError: most below 1, or num_clusters, where it is known, below 1 or above `most`.

    Examples:
      >>> from alfamous_jax import clusters
      >>> features = jnp.array([[1.0, 0.0], [2.0, 0.1], [0.0, 1.0]])
      >>> found = clusters.k_means(jax.random.key(0), features, jnp.ones(3, bool), 2, most=2)
      >>> bool(found.labels[0] == found.labels[1]), bool(found.labels[0] == found.labels[2])
      (True, False)
    """
    chex.assert_rank([features, counted], [2, 1])
    chex.assert_equal_shape_prefix([features, counted], 1)
    contract.check_pool(len(features))
    known = not isinstance(num_clusters, jax.core.Tracer)
    if most < 1 or (known and not 1 <= num_clusters <= most):
        raise ValueError(f"num_clusters must be from 1 to most, got {num_clusters} and {most}")
    found: Clusters = _k_means(key, features, counted, num_clusters, most, steps)
    return found


@partial(jax.jit, static_argnames=("most", "steps"))
def _k_means(
    key: jax.Array, features: jax.Array, counted: jax.Array, num_clusters: jax.Array | int, most: int, steps: int
) -> Clusters:
    usable = counted & jnp.all(jnp.isfinite(features), axis=1)
    rows = _sphere.unit(jnp.where(usable[:, None], features, 0.0))
    number = jnp.minimum(num_clusters, jnp.sum(usable))
    real = jnp.arange(most) < number
    centres = jnp.where(real[:, None], rows[_sphere.spread(key, rows, usable, number, most)], 0.0)

    def assign(centres: jax.Array) -> jax.Array:
        def look(best: tuple[jax.Array, jax.Array], places: jax.Array, some: jax.Array) -> tuple[jax.Array, jax.Array]:
            squares = jnp.where(some, _sphere.squares(rows, centres[places]), jnp.inf)
            nearer = jnp.min(squares, axis=1) < best[0]
            label = places[jnp.argmin(squares, axis=1)].astype(jnp.int32)
            return jnp.minimum(best[0], jnp.min(squares, axis=1)), jnp.where(nearer, label, best[1])

        begin = jnp.full(len(rows), jnp.inf, rows.dtype), jnp.full(len(rows), -1, jnp.int32)
        return jnp.where(usable, _sphere.in_blocks(real, look, begin)[1], -1)

    def move(state: State) -> State:
        labels, centres, step, _ = state
        where = jnp.where(usable, labels, most)
        sums = jnp.zeros_like(centres).at[where].add(rows, mode="drop")
        sizes = jnp.zeros(most, rows.dtype).at[where].add(1.0, mode="drop")
        centres = jnp.where(sizes[:, None] > 0, sums / jnp.maximum(sizes, 1.0)[:, None], centres)
        new = assign(centres)
        return new, centres, step + 1, jnp.any(new != labels)

    start = assign(centres), centres, jnp.int32(0), jnp.bool(True)
    labels, centres, _, _ = jax.lax.while_loop(lambda state: state[3] & (state[2] < steps), move, start)
    return Clusters(labels, centres)
