"""Selection in a single stage, before any label: a source network alone ranks the rows (Aggarwal et al., WACV 2020)."""

from functools import partial

import chex
import jax
import jax.numpy as jnp

from alfamous_jax import acquisition
from alfamous_jax.core import contract, convert
from alfamous_jax.core.contract import Selection
from alfamous_jax.selection import centroids, diversity

RANKINGS = ("random", "entropy", "largest", "core")
BALANCING = ("candidates", "centroid")


@convert.door
@partial(jax.jit, static_argnames=("num_classes", "budget", "ranking", "diversified", "balance_from", "balancing"))
def select(
    key: jax.Array,
    source_probs: jax.Array,
    features: jax.Array,
    labels: jax.Array,
    available: jax.Array,
    *,
    budget: int,
    num_classes: int,
    ranking: str,
    diversified: bool = False,
    balance_from: float = 1.0,
    balancing: str = "candidates",
) -> Selection:
    """Ranks the rows by how sure a source network is of one of its own classes, and takes the first.

    Minimises nothing.

    Args:
      key: consumed by "random", and by "core" for its first row.
      source_probs: probabilities of the source's classes [N, K'].
      features: of the source network [N, H].
      labels: the oracle's answers [N], revealed as rows are picked; used by the balancing step alone.
      available: [N]; rows with a NaN or an infinity are passed over as well.
      budget: b, static; where it exceeds the available rows, the rest of the batch is -1.
      num_classes: K of the target, static.
      ranking: "entropy" is the lowest entropy first (ent_inv), "largest" the highest probability (ls_inv), "random", or
        "core": the row farthest from all chosen ones, the first at random; static.
      diversified: rounds over the source's classes, in each the best row left that is taken for the class (the
        superscript div); not with "core"; static.
      balance_from: share of the budget after which the balancing step takes over; 1 is never, .4 in the experiments of
        the authors' group, the paper's own is not known; static.
      balancing: "candidates" goes on in the same order among the rows nearer to a minority centroid, "centroid" takes
        the row nearest to that of the rarest class; static.

    Returns:
      the selection in the order picked; its objective NaN, its bound -inf.

    Raises:
      ValueError: a bad setting.
    """
    if ranking not in RANKINGS or balancing not in BALANCING or (diversified and ranking == "core"):
        raise ValueError(
            f"ranking must be one of {', '.join(RANKINGS)}, 'core' without diversified, and balancing one of "
            f"{', '.join(BALANCING)}; got {ranking!r}, {diversified} and {balancing!r}"
        )
    if budget < 1 or not 0 < balance_from <= 1:
        raise ValueError(f"budget must be at least 1, balance_from in (0, 1]; got {budget} and {balance_from}")
    contract.check_pool(available.shape[0])
    chex.assert_rank([features, source_probs, labels, available], [2, 2, 1, 1])
    chex.assert_equal_shape_prefix([features, source_probs, labels, available], 1)
    finite = jnp.all(jnp.isfinite(features), axis=1) & jnp.all(jnp.isfinite(source_probs), axis=1)
    valid = available & finite
    num_ranked = max(1, int(balance_from * budget + 1e-6))
    draws = jax.random.uniform(key, (len(features),))
    utility = {
        "random": lambda: draws,
        "core": lambda: draws,
        "entropy": lambda: -acquisition.entropy(source_probs),
        "largest": lambda: jnp.max(source_probs, axis=1),
    }[ranking]()
    groups = jnp.argmax(source_probs, axis=1) if diversified else jnp.zeros(len(features), jnp.int32)
    order = diversity.diversify(utility, groups, valid, budget=len(features)).indices
    if ranking == "core":
        first = jnp.arange(len(features)) == order[0]
        rest = diversity.k_center(features, first & valid, valid & ~first, budget=max(1, num_ranked - 1)).indices
        ranked = jnp.concatenate([order[:1], rest])[:num_ranked]
    else:
        ranked = jnp.pad(order, (0, max(0, num_ranked - len(order))), constant_values=-1)[:num_ranked]
    num_invalid = jnp.sum(available & ~valid)
    if num_ranked == budget:
        return contract.without_objective(ranked, num_invalid, source_probs.dtype)
    chosen = jnp.zeros_like(available).at[jnp.where(ranked >= 0, ranked, len(features))].set(True, mode="drop")
    place = jnp.zeros(len(features)).at[jnp.where(order >= 0, order, len(features))].set(
        jnp.arange(len(features), dtype=draws.dtype), mode="drop"
    )  # fmt: skip
    how = "centroid" if balancing == "centroid" else "core" if ranking == "core" else "ranked"
    balanced = centroids.select(
        features, labels, chosen, valid & ~chosen,
        budget=budget - num_ranked, num_classes=num_classes, order=how, utility=-place if how == "ranked" else None,
    )  # fmt: skip
    indices = jnp.concatenate([ranked, balanced.indices])
    return contract.without_objective(indices, num_invalid, source_probs.dtype)
