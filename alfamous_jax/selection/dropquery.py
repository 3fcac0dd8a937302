"""DropQuery: rows whose predicted class does not survive a loss of features, one of each cluster."""

from functools import partial

import chex
import jax
import jax.numpy as jnp

from alfamous_jax.core import contract, convert
from alfamous_jax.core.contract import Selection
from alfamous_jax.core.numerics import dot
from alfamous_jax.selection import _sphere, clusters

PASSES, RATE, CANDIDATES = 3, 0.75, 25


@convert.door
@partial(jax.jit, static_argnames="passes")
def disagreement(
    key: jax.Array, weights: jax.Array, phi: jax.Array, *, passes: int = PASSES, rate: jax.Array | float = RATE
) -> jax.Array:
    """The share of the passes in which a row is predicted to be of another class, as some of its features are 0.

    Args:
      key: consumed.
      weights: of the last layer [K, D]; as it has no bias, the scale of what is left of a row does not matter.
      phi: [N, D].
      passes: static.
      rate: share of the features that is lost, anew for each row and pass, 0 to below 1 [].

    Returns:
      share [N]; NaN for rows with a NaN or an infinity.

    Raises:
      ValueError: passes below 1.

    Examples:
      >>> from alfamous_jax import dropquery
      >>> weights, phi = jnp.array([[1.0, -1.0], [-1.0, 1.0]]), jnp.array([[3.0, 0.0], [3.0, 2.0]])
      >>> found = dropquery.disagreement(jax.random.key(0), weights, phi, passes=200)
      >>> [round(x, 1) for x in found.tolist()]  # .75 * .25: of the second row the 3 is lost, not the 2
      [0.0, 0.2]
    """
    chex.assert_rank([weights, phi], 2)
    chex.assert_equal_shape_suffix([weights, phi], 1)
    if passes < 1:
        raise ValueError(f"passes must be at least 1, got {passes}")
    weights, phi = convert.in_common(weights, phi)
    finite = jnp.all(jnp.isfinite(phi), axis=1)
    phi = jnp.where(finite[:, None], phi, 0.0)
    predicted = jnp.argmax(dot(phi, weights.T), axis=1)

    def once(differs: jax.Array, key: jax.Array) -> tuple[jax.Array, None]:
        kept = jnp.where(jax.random.bernoulli(key, 1.0 - rate, phi.shape), phi, 0.0)
        return differs + (jnp.argmax(dot(kept, weights.T), axis=1) != predicted), None

    start = jnp.zeros(len(phi), phi.dtype)
    differs, _ = jax.lax.scan(once, start, jax.random.split(key, passes))
    return jnp.where(finite, differs / passes, jnp.nan)


@convert.door
@partial(jax.jit, static_argnames=("budget", "candidates"))
def select(
    key: jax.Array,
    utility: jax.Array,
    features: jax.Array,
    available: jax.Array,
    *,
    budget: int,
    candidates: int = CANDIDATES,
) -> Selection:
    """DropQuery (Gupte et al., TMLR 2024): of the rows in doubt, the one nearest to each of b centres of k-means.

    In doubt are the rows with a utility above one half, and where these are fewer than 25 b, those with the highest.
    Centres and distances are those of rows of length 1. Minimises nothing.

    Args:
      key: consumed by k-means and by ties.
      utility: `disagreement`, or any other in which one half is much [N].
      features: [N, H]; only their directions count.
      available: [N]; rows with a NaN or an infinity are passed over as well.
      budget: b, static.
      candidates: for each row of the batch, static.

    Returns:
      the selection, the rows nearest to their centres first; where some of the clusters are empty, as rows coincide,
      the rest of the batch are the rows of the highest utility. -1 where the pool ran out. Its objective is NaN, its
      bound -inf.

    Raises:
      ValueError: budget or candidates below 1, or a pool without rows.

    Examples:
      >>> from alfamous_jax import dropquery
      >>> features = jnp.array([[1.0, 0.0], [1.0, 0.1], [1.0, 0.2], [0.0, 1.0], [-1.0, 0.0]])
      >>> utility = jnp.array([1.0, 1.0, 1.0, 0.7, 0.0])
      >>> batch = dropquery.select(jax.random.key(0), utility, features, jnp.ones(5, bool), budget=2, candidates=1)
      >>> sorted(batch.indices.tolist())  # the middle one of three, and the other that is in doubt
      [1, 3]
    """
    chex.assert_rank([utility, features, available], [1, 2, 1])
    chex.assert_equal_shape_prefix([utility, features, available], 1)
    contract.check_budget(budget)
    contract.check_pool(len(features))
    if candidates < 1:
        raise ValueError(f"candidates must be at least 1, got {candidates}")
    means_key, order_key = jax.random.split(key)
    order = jax.random.permutation(order_key, len(features))  # ties go to the lowest place, and pairs always tie
    features, available, utility = features[order], available[order], convert.as_float(utility)[order]
    usable = available & jnp.isfinite(utility) & jnp.all(jnp.isfinite(features), axis=1)
    worth = jnp.where(usable, utility, -jnp.inf)
    enough = jax.lax.top_k(worth, min(candidates * budget, len(worth)))[0][-1]
    doubted = usable & ((worth > 0.5) | (worth >= enough))

    found = clusters.k_means(means_key, features, doubted, budget, most=budget)
    rows = _sphere.unit(jnp.where(doubted[:, None], features, 0.0))
    label = jnp.where(doubted, found.labels, budget)
    square = jnp.sum((rows - found.centres.at[label].get(mode="fill", fill_value=0)) ** 2, axis=1)
    square = jnp.where(doubted, square, jnp.inf)
    least = jnp.full(budget, jnp.inf, square.dtype).at[label].min(square, mode="drop")
    nearest = doubted & (square <= least.at[label].get(mode="fill", fill_value=-1))
    place = jnp.arange(len(rows))
    first = jnp.full(budget, len(rows)).at[jnp.where(nearest, label, budget)].min(place, mode="drop")
    chosen = jnp.zeros(len(rows), bool).at[first].set(True, mode="drop")

    by_worth = jnp.lexsort((place, jnp.where(chosen, square, -worth), ~chosen))
    by_worth = jnp.pad(by_worth, (0, max(0, budget - len(rows))), constant_values=len(rows))[:budget]
    picked = usable.at[by_worth].get(mode="fill", fill_value=False)
    indices = jnp.where(picked, order.at[by_worth].get(mode="clip"), -1).astype(jnp.int32)
    return contract.without_objective(indices, jnp.sum(available & ~usable), rows.dtype)
