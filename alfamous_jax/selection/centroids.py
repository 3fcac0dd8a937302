"""Centroid balancing: rows near the centroid of a class with few labels and far from those with many (WACV 2020)."""

from functools import partial

import chex
import jax
import jax.numpy as jnp

from alfamous_jax.core.numerics import HIGHEST
from alfamous_jax.selection import _greedy, diversity

ORDERS = ("centroid", "core", "ranked")


@partial(jax.jit, static_argnames=("num_classes", "budget", "order"))
def select(
    features: jax.Array,
    labels: jax.Array,
    labelled: jax.Array,
    available: jax.Array,
    utility: jax.Array | None = None,
    *,
    num_classes: int,
    budget: int,
    order: str = "centroid",
) -> tuple[jax.Array, jax.Array]:
    """The balancing step of imbalanced single-stage AL, row by row; every label moves its class's centroid.

    The paper's text describes it and its authors' later code fixes it: a class is in the majority with at least as
    many labels as the mean over the classes found, rounded down, and else in the minority.

    Args:
      features: [N, H].
      labels: the oracle's answers [N], revealed as rows are picked.
      labelled, available: [N].
      utility: [N], higher first, for "ranked"; rows with a NaN or an infinity in it are passed over.
      num_classes: K, static.
      budget: b, static.
      order: "centroid" is the row nearest to the centroid of the class with the fewest labels, less the distance to the
        nearest majority centroid (cds-bal); the others look at the rows that are no farther from a minority centroid
        than from a majority one, at all rows if there are none, and take the one farthest from every labelled or
        chosen row ("core") or the one of highest utility ("ranked"); static.

    Returns:
      indices [b], in the order picked, ties to the lowest, -1 once no row is left; how many available rows were passed
      over for a NaN or an infinity []. ValueError for another order, or "ranked" without a utility. With nothing
      labelled the first pick is the row farthest from the mean.
    """
    if order not in ORDERS or (order == "ranked") != (utility is not None):
        raise ValueError(f"order must be one of {', '.join(ORDERS)}, with a utility for 'ranked' alone, got {order!r}")
    chex.assert_rank([features, labels, labelled, available], [2, 1, 1, 1])
    chex.assert_equal_shape_prefix([features, labels, labelled, available], 1)
    space = diversity.space_of(features)
    finite = jnp.isfinite(space.squares)
    valid = available & finite & (True if utility is None else jnp.isfinite(utility))
    known = labelled & finite
    members = jax.nn.one_hot(labels, num_classes, dtype=features.dtype) * known[:, None]
    sums = jnp.dot(members.T, jnp.where(finite[:, None], features, 0.0), precision=HIGHEST)
    counts = jnp.sum(members, axis=0)
    to_centroids = diversity.squares_to(space, sums / jnp.maximum(counts, 1.0)[:, None])
    nearest = diversity.squares_to_labelled(space, known)

    def score(carry):
        left, _, counts, to_centroids, nearest = carry
        found = counts > 0
        mean = jnp.floor(jnp.sum(counts) / jnp.maximum(jnp.sum(found), 1) + 1e-4)
        majority, minority = found & (counts >= mean), found & (counts < mean)
        distances = jnp.sqrt(to_centroids)
        to_majority = jnp.min(jnp.where(majority, distances, jnp.inf), axis=1)
        if order == "centroid":
            rarest = jnp.argmin(jnp.where(found, counts, jnp.inf))
            return jnp.where(jnp.any(found), to_majority - distances[:, rarest], space.squares)
        candidates = left & (jnp.min(jnp.where(minority, distances, jnp.inf), axis=1) <= to_majority)
        inside = jnp.where(jnp.isinf(nearest), space.squares, nearest) if order == "core" else utility
        return jnp.where(candidates | ~jnp.any(candidates), inside, -jnp.inf)

    def update(carry, index):
        left, sums, counts, to_centroids, nearest = carry
        label, row = labels[index], features[index]
        sums, counts = sums.at[label].add(row), counts.at[label].add(1.0)
        moved = diversity.squares_to(space, jnp.stack([sums[label] / counts[label], row]))
        to_centroids = to_centroids.at[:, label].set(moved[:, 0])
        return left.at[index].set(False), sums, counts, to_centroids, jnp.minimum(nearest, moved[:, 1])

    start = valid, sums, counts, to_centroids, nearest
    _, indices = _greedy.greedy(start, score, update, valid, budget)
    return indices, jnp.sum(available & ~valid)
