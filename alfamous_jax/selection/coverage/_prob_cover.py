"""ProbCover: the ball that covers most rows, its radius by clusters that must not mix."""

import chex
import jax
import jax.numpy as jnp

from alfamous_jax.core import contract, convert
from alfamous_jax.core.contract import Selection
from alfamous_jax.selection import clusters
from alfamous_jax.selection.coverage._radius import pure_radius
from alfamous_jax.selection.coverage._select import select


@convert.door
def prob_cover(
    key: jax.Array,
    weights: jax.Array,
    features: jax.Array,
    labelled: jax.Array,
    available: jax.Array,
    *,
    budget: int,
    num_classes: int,
    purity: jax.Array | float = 0.95,
) -> Selection:
    """`select` with a ball, its radius `pure_radius` of k-means with as many clusters as classes (ProbCover, 2022).

    Minimises minus the weight of the rows that lie in a ball (Yehuda et al., NeurIPS 2022, Algorithm 1). Balls cover
    whole numbers of rows, so that many are equally good; the key decides between them, and picks at random once
    all rows are covered.

    Args:
      key: consumed.
      weights: how much it matters that a row is covered [N], not negative; 1 in the paper.
      features: [N, H]; only their directions count.
      labelled: rows that cover from the start [N].
      available: [N]; rows with a NaN or an infinity in features or weights are passed over as well.
      budget: b, static.
      num_classes: K, static.
      purity: see `pure_radius`. The radius follows the features of the rows there are, anew with each call.

    Returns:
      the selection in the order picked, with the bound of `select`.

    Raises:
      ValueError: budget or num_classes below 1, a pool without rows; a negative weight or a purity outside 0 to 1
        where they are known.

    Examples:
      >>> from alfamous_jax import coverage
      >>> features = jnp.array([[1.0, 0.0], [1.0, 0.1], [1.0, 0.2], [0.0, 1.0]])
      >>> none, every = jnp.zeros(4, bool), jnp.ones(4, bool)
      >>> batch = coverage.prob_cover(jax.random.key(0), jnp.ones(4), features, none, every, budget=2, num_classes=2)
      >>> batch.objective.item(), 3 in batch.indices.tolist()
      (-4.0, True)
    """
    chex.assert_rank([weights, features, labelled, available], [1, 2, 1, 1])
    contract.check_budget(budget)
    contract.check_pool(len(features))
    if num_classes < 1:
        raise ValueError(f"num_classes must be at least 1, got {num_classes}")
    if not isinstance(purity, jax.core.Tracer) and not 0 <= purity <= 1:
        raise ValueError(f"purity must be from 0 to 1, got {purity}")
    means_key, order_key = jax.random.split(key)
    known = available | labelled
    found = clusters.k_means(means_key, features, known, num_classes, most=num_classes)
    radius = pure_radius(features, found.labels, known, purity)
    order = jax.random.permutation(order_key, len(features))  # ties go to the lowest place
    rows = weights[order], features[order], labelled[order], available[order]
    picks: Selection = select(*rows, budget=budget, kernel="ball", radius=radius)
    return picks._replace(indices=jnp.where(picks.indices >= 0, order[picks.indices], -1).astype(jnp.int32))
