"""Sub-pools: the few rows of a large pool that are like the labelled ones, for any strategy to choose from."""

from functools import partial

import chex
import jax
import jax.numpy as jnp

from alfamous_jax.core import contract, convert
from alfamous_jax.core.numerics import dot
from alfamous_jax.selection import _sphere

ANCHORS, ANCHOR_NEIGHBOURS, SEALS_NEIGHBOURS = 10, 50, 100


@convert.door
@partial(jax.jit, static_argnames=("size", "num_classes", "num_anchors", "num_neighbours"))
def anchoral(
    key: jax.Array,
    features: jax.Array,
    labels: jax.Array,
    labelled: jax.Array,
    available: jax.Array,
    *,
    size: int,
    num_classes: int,
    num_anchors: int = ANCHORS,
    num_neighbours: int = ANCHOR_NEIGHBOURS,
) -> jax.Array:
    """AnchorAL (Lesci and Vlachos, NAACL 2024): the rows most like the anchors of every class, however rare it is.

    Each class has as many anchors, spread over its labelled rows by k-means++. An anchor retrieves its nearest
    available rows; a row's score is its mean cosine with the anchors that retrieved it. Any selector is then run on
    `features[rows]` with `available=rows >= 0`, and its picks are places in `rows`.

    Args:
      key: consumed.
      features: [N, H]; only their directions count.
      labels: of the labelled rows [N]; others are not looked at, nor is a label outside 0 to K - 1.
      labelled: [N].
      available: [N]; rows with a NaN or an infinity are passed over as well.
      size: M, static; at most as many as all anchors retrieve are found.
      num_classes: K, static.
      num_anchors: of a class, at most; static.
      num_neighbours: rows that an anchor retrieves; static.

    Returns:
      rows [M], int32, the highest score first, ties to the lowest index; -1 past the last.

    Raises:
      ValueError: a number below 1, labels that are no integers, or a pool without rows.

    Examples:
      >>> from alfamous_jax import subpool
      >>> features = jnp.array([[1.0, 0.0], [0.0, 1.0], [0.9, 0.1], [-1.0, 0.1], [0.0, 2.0]])
      >>> labels, labelled = jnp.array([0, 1, -1, -1, -1]), jnp.arange(5) < 2
      >>> settings = {"size": 3, "num_classes": 2, "num_neighbours": 1}
      >>> subpool.anchoral(jax.random.key(0), features, labels, labelled, ~labelled, **settings).tolist()
      [4, 2, -1]
    """
    chex.assert_rank([features, labels, labelled, available], [2, 1, 1, 1])
    chex.assert_equal_shape_prefix([features, labels, labelled, available], 1)
    _check(len(features), size=size, num_classes=num_classes, num_anchors=num_anchors, num_neighbours=num_neighbours)
    labels, finite = convert.as_labels(labels), jnp.all(jnp.isfinite(features), axis=1)
    rows, left = _sphere.unit(jnp.where(finite[:, None], features, 0.0)), available & finite
    known = labelled & finite

    def of_class(total: tuple[jax.Array, jax.Array], label: jax.Array) -> tuple[tuple[jax.Array, jax.Array], None]:
        members = known & (labels == label)
        number = jnp.minimum(jnp.sum(members), num_anchors)
        places = _sphere.spread(jax.random.fold_in(key, label), rows, members, number, num_anchors)
        cosines = dot(rows[places], rows.T)  # [A, N]
        hit = _nearest(cosines, jnp.arange(num_anchors) < number, left, num_neighbours)
        return (total[0] + jnp.sum(jnp.where(hit, cosines, 0.0), axis=0), total[1] + jnp.sum(hit, axis=0)), None

    begin = jnp.zeros(len(rows), rows.dtype), jnp.zeros(len(rows), jnp.int32)
    (sums, number), _ = jax.lax.scan(of_class, begin, jnp.arange(num_classes))
    return _best(jnp.where(number > 0, sums / jnp.maximum(number, 1), -jnp.inf), size)


@convert.door
@partial(jax.jit, static_argnames=("size", "num_neighbours"))
def seals(
    features: jax.Array,
    labelled: jax.Array,
    available: jax.Array,
    *,
    size: int,
    num_neighbours: int = SEALS_NEIGHBOURS,
) -> jax.Array:
    """SEALS (Coleman et al., AAAI 2022): the rows that are among the nearest available ones of a labelled row.

    The paper keeps all of them. Where there are more than `size`, here those with the highest cosine stay.

    Args:
      features: [N, H]; only their directions count.
      labelled: [N].
      available: [N]; rows with a NaN or an infinity are passed over as well.
      size: M, static; at most `num_neighbours` for each labelled row are found.
      num_neighbours: rows that a labelled row brings in; static.

    Returns:
      rows [M], int32, the nearest first, ties to the lowest index; -1 past the last.

    Raises:
      ValueError: a number below 1, or a pool without rows.

    Examples:
      >>> from alfamous_jax import subpool
      >>> features = jnp.array([[1.0, 0.0], [0.0, 1.0], [0.9, 0.1], [-1.0, 0.1], [0.0, 2.0]])
      >>> labelled = jnp.arange(5) < 2
      >>> subpool.seals(features, labelled, ~labelled, size=3, num_neighbours=1).tolist()
      [4, 2, -1]
    """
    chex.assert_rank([features, labelled, available], [2, 1, 1])
    chex.assert_equal_shape_prefix([features, labelled, available], 1)
    _check(len(features), size=size, num_neighbours=num_neighbours)
    finite = jnp.all(jnp.isfinite(features), axis=1)
    rows, left = _sphere.unit(jnp.where(finite[:, None], features, 0.0)), available & finite

    def look(nearest: jax.Array, places: jax.Array, real: jax.Array) -> jax.Array:
        cosines = dot(rows[places], rows.T)  # [B, N]
        hit = _nearest(cosines, real, left, num_neighbours)
        return jnp.maximum(nearest, jnp.max(jnp.where(hit, cosines, -jnp.inf), axis=0))

    begin = jnp.full(len(rows), -jnp.inf, rows.dtype)
    return _best(_sphere.in_blocks(labelled & finite, look, begin), size)


def _check(num_rows: int, **numbers: int) -> None:
    contract.check_pool(num_rows)
    for name, number in numbers.items():
        if number < 1:
            raise ValueError(f"{name} must be at least 1, got {number}")


def _nearest(cosines: jax.Array, real: jax.Array, left: jax.Array, number: int) -> jax.Array:
    """Which of the rows left are the nearest of each real row [B, N], as many as asked for."""
    worth, places = jax.lax.top_k(jnp.where(left, cosines, -jnp.inf), min(number, cosines.shape[1]))
    places = jnp.where((worth > -jnp.inf) & real[:, None], places, cosines.shape[1])
    return jnp.zeros(cosines.shape, bool).at[jnp.arange(len(cosines))[:, None], places].set(True, mode="drop")


def _best(score: jax.Array, size: int) -> jax.Array:
    """The places of the highest finite scores [M], -1 past them."""
    worth, places = jax.lax.top_k(jnp.pad(score, (0, max(0, size - len(score))), constant_values=-jnp.inf), size)
    return jnp.where(jnp.isfinite(worth), places, -1).astype(jnp.int32)
