"""TypiClust: the most typical row of each cluster that has no label yet."""

from functools import partial

import chex
import jax
import jax.numpy as jnp

from alfamous_jax.core import contract, convert
from alfamous_jax.core.contract import Selection
from alfamous_jax.selection import _sphere, clusters

Carry = tuple[jax.Array, jax.Array, jax.Array]  # when each cluster is asked [C], its rows left [C], all rows left [N]
MOST_CLUSTERS = 500
NEIGHBOURS = 20
SMALL = 5  # rows of a cluster that is asked last


@convert.door
@partial(jax.jit, static_argnames=("budget", "most_clusters", "neighbours"))
def select(
    key: jax.Array,
    features: jax.Array,
    labelled: jax.Array,
    available: jax.Array,
    *,
    budget: int,
    most_clusters: int = MOST_CLUSTERS,
    neighbours: int = NEIGHBOURS,
) -> Selection:
    """TypiClust (Hacohen et al., ICML 2022): clusters without labels in turn, the densest row of each.

    k-means finds as many clusters as there are labels and picks together. Clusters take turns: those with the fewest
    labels first, of equals the largest; clusters of 5 rows or less when the others have no row left, as in the
    authors' code. In a cluster the row is picked whose mean distance to its nearest neighbours among the available
    rows of the cluster is least, at rows of length 1; the key decides between equals. Minimises nothing.

    Args:
      key: consumed.
      features: [N, H]; only their directions count.
      labelled: [N].
      available: [N]; rows with a NaN or an infinity are passed over as well.
      budget: b, static; where it exceeds the available rows, the rest of the batch is -1.
      most_clusters: static. With more labels than that, a batch goes round more than once.
      neighbours: how many at most, in small clusters half of the rows; static.

    Returns:
      the selection in the order picked; its objective NaN, its bound -inf.

    Raises:
      ValueError: budget, most_clusters or neighbours below 1, or a pool without rows.

    Examples:
      >>> from alfamous_jax import typicality
      >>> features = jnp.array([[1.0, 0.0], [1.0, 0.1], [1.0, 0.3], [0.0, 1.0], [0.1, 1.0]])
      >>> none, every = jnp.zeros(5, bool), jnp.ones(5, bool)
      >>> batch = typicality.select(jax.random.key(0), features, none, every, budget=2)
      >>> len({row < 3 for row in batch.indices.tolist()})  # a row of each cluster
      2
    """
    chex.assert_rank([features, labelled, available], [2, 1, 1])
    chex.assert_equal_shape_prefix([features, labelled, available], 1)
    contract.check_budget(budget)
    contract.check_pool(len(features))
    if most_clusters < 1 or neighbours < 1:
        raise ValueError(f"most_clusters and neighbours must be at least 1, got {most_clusters} and {neighbours}")
    means_key, order_key = jax.random.split(key)
    order = jax.random.permutation(order_key, len(features))  # ties go to the lowest place, and pairs always tie
    features, labelled, available = features[order], labelled[order], available[order]
    finite = jnp.all(jnp.isfinite(features), axis=1)
    known, left = labelled & finite, available & finite
    rows, most = _sphere.unit(jnp.where(finite[:, None], features, 0.0)), min(most_clusters, len(features))
    number = jnp.clip(jnp.sum(known) + budget, 1, most)
    cluster = clusters.k_means(means_key, features, known | left, number, most=most).labels

    def count(which: jax.Array) -> jax.Array:
        return jnp.zeros(most, jnp.int32).at[jnp.where(which, cluster, most)].add(1, mode="drop")

    sizes = count(known | left)
    small = sizes <= SMALL
    in_turn = jnp.lexsort((-sizes, count(known), small))
    turn = jnp.zeros(most, jnp.int32).at[in_turn].set(jnp.arange(most, dtype=jnp.int32))
    turn += jnp.where(small, most * (budget + 1), 0)

    def pick(carry: Carry, _: None) -> tuple[Carry, jax.Array]:
        turn, number, left = carry
        asked = jnp.argmin(jnp.where(number > 0, turn, jnp.iinfo(jnp.int32).max))
        apart = _mean_distance(rows, left & (cluster == asked), neighbours)
        best = jnp.argmin(apart)
        index = jnp.where(jnp.any(left), best, -1).astype(jnp.int32)
        return (turn.at[asked].add(most), number.at[asked].add(-1), left.at[best].set(False)), index

    _, indices = jax.lax.scan(pick, (turn, count(left), left), length=budget)
    indices = jnp.where(indices >= 0, order[indices], -1).astype(jnp.int32)
    return contract.without_objective(indices, jnp.sum(available & ~finite), rows.dtype)


def _mean_distance(rows: jax.Array, members: jax.Array, neighbours: int) -> jax.Array:
    """Of each member to its nearest other members [N], infinite for the rest."""
    used = jnp.clip(jnp.sum(members) // 2, 1, neighbours)

    def look(means: jax.Array, places: jax.Array, usable: jax.Array) -> jax.Array:
        other = members & (jnp.arange(len(rows)) != places[:, None])
        squares = jnp.where(other, _sphere.squares(rows, rows[places]).T, jnp.inf)
        nearest = jnp.sqrt(-jax.lax.top_k(-squares, min(neighbours, len(rows)))[0])
        counted = (jnp.arange(nearest.shape[1]) < used) & jnp.isfinite(nearest)  # a row alone has no neighbour
        mean = jnp.sum(jnp.where(counted, nearest, 0.0), axis=1) / used
        return means.at[jnp.where(usable, places, len(rows))].set(mean, mode="drop")

    return _sphere.in_blocks(members, look, jnp.full(len(rows), jnp.inf, rows.dtype))
