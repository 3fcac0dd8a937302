"""BASE: the rows nearest to the border of every class, as many for each (Emam et al., 2021)."""

from functools import partial

import chex
import jax
import jax.numpy as jnp

from alfamous_jax.core import collectives, contract, convert
from alfamous_jax.core.contract import Selection
from alfamous_jax.selection import _greedy


@convert.door
@partial(jax.jit, static_argnames=("budget", "axis_name"))
def base(
    logits: jax.Array,
    weights: jax.Array,
    counts: jax.Array,
    available: jax.Array,
    *,
    budget: int,
    axis_name: str | None = None,
) -> Selection:
    """BASE (Emam et al., 2021): the classes in turn, each asks for the row nearest to its border.

    The border of two classes are the features at which their logits are equal, at a distance of the logits' difference
    over |w_a - w_b|. A row is as far from a class as its features have to move to be taken for it, a row of the class
    as far as to the nearest other one. Probabilities are not looked at, so that a badly scaled head does no harm.
    Minimises nothing.

    Args:
      logits: phi W' of the rows [N, K]; a bias may be in them.
      weights: W, of the last layer [K, D].
      counts: labels of each class [K]. The class with the fewest begins, of equals the lowest, so that what b / K
        leaves over goes to the rarest; the paper does not say to whom.
      available: [N]; rows with a NaN or an infinity are passed over as well.
      budget: b, static.
      axis_name: inside `shard_map`, the mesh axis that the rows are split over, static.

    Returns:
      the selection in the order picked, ties to the lowest index, -1 where the pool ran out; its objective NaN, its
      bound -inf. Two classes of the same weights have no border: both may lack labels.

    Raises:
      ValueError: budget below 1, or a pool without rows.

    Examples:
      >>> from alfamous_jax import boundary
      >>> weights = jnp.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0]])
      >>> rows = jnp.array([[2.0, 0.4], [1.0, 0.7], [0.1, 2.0], [-3.0, 0.0]])
      >>> boundary.base(rows @ weights.T, weights, jnp.array([5, 4, 0]), jnp.ones(4, bool), budget=3).indices.tolist()
      [1, 0, 2]
    """
    chex.assert_rank([logits, weights, counts, available], [2, 2, 1, 1])
    contract.check_shapes(logits[:, 0], logits, counts, available, budget)
    chex.assert_equal_shape_prefix([weights, counts], 1)
    logits, weights = convert.in_common(logits, weights)
    usable = available & jnp.all(jnp.isfinite(logits), axis=1)
    far = _distances(jnp.where(usable[:, None], logits, 0.0), weights)
    order = jnp.argsort(convert.as_counts(counts), stable=True)

    def score(turn: jax.Array) -> jax.Array:
        return -far[order[turn % len(order)]]

    _, indices = _greedy.greedy(jnp.int32(0), score, lambda turn, index: turn + 1, usable, budget, axis_name)
    num_invalid = collectives.psum(jnp.sum(available & ~usable), axis_name)
    return contract.without_objective(indices, num_invalid, logits.dtype)


def _distances(logits: jax.Array, weights: jax.Array) -> jax.Array:
    """How far each row is from each class [K, N]; the largest number where there is no border."""
    between = jax.lax.map(lambda row: jnp.sqrt(jnp.sum((weights - row) ** 2, axis=1)), weights)
    predicted = jnp.argmax(logits, axis=1)
    ahead, apart = jnp.max(logits, axis=1, keepdims=True) - logits, between[predicted]
    moved = jnp.where(apart > 0, ahead / jnp.where(apart > 0, apart, 1.0), jnp.finfo(logits.dtype).max)
    own = jnp.arange(logits.shape[1]) == predicted[:, None]  # a class is 0 apart from itself
    return jnp.where(own, jnp.min(moved, axis=1, keepdims=True), moved).T
