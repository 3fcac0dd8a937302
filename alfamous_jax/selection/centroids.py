"""Centroid balancing: rows near the centroid of a class with few labels and far from those with many (WACV 2020)."""

from functools import partial

import chex
import jax
import jax.numpy as jnp

from alfamous_jax.core import contract, convert
from alfamous_jax.core.contract import Selection
from alfamous_jax.core.numerics import dot
from alfamous_jax.selection import _greedy, _space

# rows left [N], sums [K, H], counts [K], squared distances to the centroids [N, K] and to the nearest labelled row [N]
Carry = tuple[jax.Array, jax.Array, jax.Array, jax.Array, jax.Array]

ORDERS = ("centroid", "core", "ranked")


@convert.door
@partial(jax.jit, static_argnames=("num_classes", "budget", "order"))
def select(
    features: jax.Array,
    labels: jax.Array,
    labelled: jax.Array,
    available: jax.Array,
    *,
    budget: int,
    num_classes: int,
    order: str = "centroid",
    utility: jax.Array | None = None,
) -> Selection:
    """The balancing step of imbalanced single-stage AL, row by row; every label moves its class's centroid.

    The paper's text describes it and its authors' later code fixes it: a class is in the majority with at least as
    many labels as the mean over the classes found, rounded down, and else in the minority. Minimises nothing.

    Args:
      features: [N, H].
      labels: the oracle's answers [N], revealed as rows are picked.
      labelled: [N].
      available: [N]; rows with a NaN or an infinity are passed over as well.
      budget: b, static; where it exceeds the available rows, the rest of the batch is -1.
      num_classes: K, static.
      order: "centroid" is the row nearest to the centroid of the class with the fewest labels, less the distance to the
        nearest majority centroid (cds-bal); the others look at the rows that are no farther from a minority centroid
        than from a majority one, at all rows if there are none, and take the one farthest from every labelled or
        chosen row ("core") or the one of highest utility ("ranked"); static.
      utility: [N], higher first, for "ranked"; rows with a NaN or an infinity in it are passed over.

    Returns:
      the selection in the order picked, ties to the lowest index; its objective NaN, its bound -inf. With nothing
      labelled the first pick is the row farthest from the mean of the
      available rows.

    Raises:
      ValueError: another order, or "ranked" without a utility; budget below 1.
    """
    if order not in ORDERS or (order == "ranked") != (utility is not None):
        raise ValueError(f"order must be one of {', '.join(ORDERS)}, with a utility for 'ranked' alone, got {order!r}")
    contract.check_budget(budget)
    contract.check_pool(available.shape[0])
    chex.assert_rank([features, labels, labelled, available], [2, 1, 1, 1])
    chex.assert_equal_shape_prefix([features, labels, labelled, available], 1)
    labels, space = convert.as_labels(labels), _space.space_of(features, available | labelled)
    features = space.features
    finite = jnp.isfinite(space.squares)
    valid = available & finite & (True if utility is None else jnp.isfinite(utility))
    known = labelled & finite
    members = jax.nn.one_hot(labels, num_classes, dtype=features.dtype) * known[:, None]
    sums = dot(members.T, jnp.where(finite[:, None], features, 0.0))
    counts = jnp.sum(members, axis=0)
    to_centroids = _space.squares_to(space, sums / jnp.maximum(counts, 1.0)[:, None])
    nearest = _space.squares_to_labelled(space, known)

    def score(carry: Carry) -> jax.Array:
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
        inside = jnp.where(jnp.isinf(nearest), space.squares, nearest) if utility is None else utility
        return jnp.where(candidates | ~jnp.any(candidates), inside, -jnp.inf)

    def update(carry: Carry, index: jax.Array) -> Carry:
        left, sums, counts, to_centroids, nearest = carry
        row = features[index]
        answered = (labels[index] >= 0) & (labels[index] < num_classes)
        label = jnp.where(answered, labels[index], 0)  # a row without an answer moves no centroid
        sums = sums.at[label].add(jnp.where(answered, row, 0.0))
        counts = counts.at[label].add(answered.astype(counts.dtype))
        moved = _space.squares_to(space, jnp.stack([sums[label] / jnp.maximum(counts[label], 1.0), row]))
        to_centroids = to_centroids.at[:, label].set(moved[:, 0])
        return left.at[index].set(False), sums, counts, to_centroids, jnp.minimum(nearest, moved[:, 1])

    start = valid, sums, counts, to_centroids, nearest
    _, indices = _greedy.greedy(start, score, update, valid, budget)
    return contract.without_objective(indices, jnp.sum(available & ~valid), features.dtype)
