"""BADGE (Ash et al., 2020): rows whose gradients are long and unlike each other.

A triple on `_greedy.greedy` whose carry is every row's distance to the nearest pick. With an `axis_name` it runs inside
`shard_map`, the rows split over that mesh axis, and the key the same on every device; a pick sends one row of the
features and of the probabilities, and where rows are equally far but for rounding, picks may differ from one device's.
"""

from functools import partial

import chex
import jax
import jax.numpy as jnp

from alfamous_jax.core import collectives, contract, convert
from alfamous_jax.core.contract import Selection
from alfamous_jax.core.numerics import dot
from alfamous_jax.selection import _greedy, _space

Carry = tuple[jax.Array, jax.Array]  # squared distance to the nearest pick [N], number of picks []


@convert.door
@partial(jax.jit, static_argnames=("budget", "axis_name"))
def badge(
    key: jax.Array,
    probs: jax.Array,
    features: jax.Array,
    available: jax.Array,
    *,
    budget: int,
    axis_name: str | None = None,
) -> Selection:
    """BADGE (Ash et al., 2020): k-means++ seeding over gradient embeddings (onehot(prediction) - p) outer h.

    Minimises the sum of the rows' squared distances to the nearest pick. The first pick is the longest embedding; each
    further one is drawn in proportion to that distance. Distances come from the two factors, so that the N x K x H
    embedding never exists.

    Args:
      key: consumed.
      probs: class probabilities [N, K].
      features: inputs of the last layer [N, H].
      available: [N]; rows with a NaN or an infinity are passed over as well.
      budget: b, static; where it exceeds the available rows, the rest of the batch is -1.
      axis_name: static; see above. Every device draws the noise of the whole pool.

    Returns:
      the selection in the order picked; its bound is 0. Rows that coincide with a pick come last, in random order.

    Raises:
      ValueError: budget below 1.

    Examples:
      >>> from alfamous_jax import diversity
      >>> probs, features = jnp.full((4, 2), 0.5), jnp.array([[0.0], [0.0], [0.0], [1.0]])
      >>> batch = diversity.badge(jax.random.key(0), probs, features, jnp.ones(4, bool), budget=1)
      >>> batch.indices.tolist()  # the first pick has the longest gradient
      [3]
    """
    chex.assert_rank([probs, features], 2)
    contract.check_shapes(features[:, 0], probs, jnp.zeros(probs.shape[1]), available, budget)
    probs, features = convert.in_common(probs, features)
    errors = jax.nn.one_hot(jnp.argmax(probs, axis=-1), probs.shape[1], dtype=probs.dtype) - probs
    lengths = jnp.sum(errors**2, axis=-1) * jnp.sum(features**2, axis=-1)
    valid = available & jnp.isfinite(lengths)
    smallest = jnp.finfo(lengths.dtype).tiny

    def score(carry: Carry) -> jax.Array:
        nearest, number = carry
        sample = partial(jax.random.gumbel, jax.random.fold_in(key, number), dtype=nearest.dtype)
        noise = collectives.draw(lambda size: sample((size,)), len(nearest), axis_name)
        return jnp.where(number == 0, lengths, jnp.log(jnp.maximum(nearest, smallest)) + noise)

    def update(carry: Carry, index: jax.Array) -> Carry:
        nearest, number = carry
        error, row, length = collectives.take((errors, features, lengths), index, axis_name)
        products = dot(errors, error)
        products *= dot(features, row)
        distances = jnp.maximum(lengths + length - 2 * products, 0.0)
        return jnp.minimum(nearest, _space.zero_at(index, distances, axis_name)), number + 1

    start = jnp.full_like(lengths, jnp.inf), jnp.int32(0)
    (nearest, _), indices = _greedy.greedy(start, score, update, valid, budget, axis_name)
    potential = collectives.psum(jnp.sum(jnp.where(valid, nearest, 0.0)), axis_name)
    num_invalid = collectives.psum(jnp.sum(available & ~valid), axis_name)
    return Selection(indices, jnp.sum(indices >= 0), num_invalid, potential, jnp.zeros_like(potential))
