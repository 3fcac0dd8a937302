"""FALCUN: rows that the classifier is unsure of, each in another way, drawn by chance."""

from functools import partial

import chex
import jax
import jax.numpy as jnp

from alfamous_jax import acquisition
from alfamous_jax.core import collectives, contract, convert
from alfamous_jax.core.contract import Selection
from alfamous_jax.selection import _greedy

Carry = tuple[jax.Array, jax.Array, jax.Array]  # distance to the nearest pick [N], rows left [N], number of picks []
GAMMA = 10.0


@convert.door
@partial(jax.jit, static_argnames=("budget", "axis_name"))
def select(
    key: jax.Array,
    probs: jax.Array,
    available: jax.Array,
    *,
    budget: int,
    gamma: jax.Array | float = GAMMA,
    axis_name: str | None = None,
) -> Selection:
    """FALCUN (Gilhuber et al., ECML PKDD 2024): draws rows by (doubt + distance in probability space)^gamma.

    The doubt is 1 less the lead of the best class over the second. The distance of a row is the least L1 distance of
    its probabilities to those of the picks, and at most its doubt, with which it begins; for the sum it is scaled
    to [0, 1] over the rows that are left, as in the authors' code. No features are looked at. Minimises nothing.

    Args:
      key: consumed.
      probs: class probabilities [N, K].
      available: [N]; rows with a NaN or an infinity are passed over as well.
      budget: b, static; where it exceeds the available rows, the rest of the batch is -1.
      gamma: [], 0 draws all rows alike, a large one takes the best.
      axis_name: inside `shard_map`, the mesh axis that the rows are split over, static; the key is the same on every
        device, which draws the noise of the whole pool.

    Returns:
      the selection in the order picked; its objective NaN, its bound -inf.

    Raises:
      ValueError: budget below 1, or a pool without rows.

    Examples:
      >>> from alfamous_jax import falcun
      >>> probs = jnp.array([[0.98, 0.01, 0.01], [0.5, 0.5, 0.0], [0.5, 0.5, 0.0], [0.0, 0.5, 0.5]])
      >>> batch = falcun.select(jax.random.key(0), probs, jnp.ones(4, bool), budget=2, gamma=100.0)
      >>> 3 in batch.indices.tolist()  # and one of the two that are alike
      True
    """
    chex.assert_rank([probs, available], [2, 1])
    chex.assert_equal_shape_prefix([probs, available], 1)
    contract.check_budget(budget)
    contract.check_pool(len(probs))
    probs = convert.as_float(probs)
    valid = available & jnp.all(jnp.isfinite(probs), axis=1)
    probs = jnp.where(valid[:, None], probs, 0.0)
    doubt, tiny = 1.0 + acquisition.margin(probs), jnp.finfo(probs.dtype).tiny

    def score(carry: Carry) -> jax.Array:
        far, left, number = carry
        lowest = -collectives.pmax(jnp.max(jnp.where(left, -far, -jnp.inf)), axis_name)
        span = collectives.pmax(jnp.max(jnp.where(left, far, -jnp.inf)), axis_name) - lowest
        relevance = doubt + jnp.where(span > 0, (far - lowest) / jnp.where(span > 0, span, 1.0), 0.0)
        sample = partial(jax.random.gumbel, jax.random.fold_in(key, number), dtype=far.dtype)
        noise = collectives.draw(lambda size: sample((size,)), len(far), axis_name)
        return gamma * jnp.log(jnp.maximum(relevance, tiny)) + noise

    def update(carry: Carry, index: jax.Array) -> Carry:
        far, left, number = carry
        distances = jnp.sum(jnp.abs(probs - collectives.take(probs, index, axis_name)), axis=1)
        left = left.at[collectives.places(index, len(left), axis_name)].set(False, mode="drop")
        return jnp.minimum(far, distances), left, number + 1

    _, indices = _greedy.greedy((doubt, valid, jnp.int32(0)), score, update, valid, budget, axis_name)
    num_invalid = collectives.psum(jnp.sum(available & ~valid), axis_name)
    return contract.without_objective(indices, num_invalid, probs.dtype)
