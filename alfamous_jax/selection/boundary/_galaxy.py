"""GALAXY: bisection between labels of a class and of others, class by class in turn (Zhang et al., ICML 2022)."""

from functools import partial

import chex
import jax
import jax.numpy as jnp

from alfamous_jax.core import collectives, contract, convert
from alfamous_jax.core.contract import Selection
from alfamous_jax.selection.boundary._line import Line, line, usable_rows


@convert.door
@partial(jax.jit, static_argnames=("budget", "axis_name"))
def galaxy(
    key: jax.Array,
    probs: jax.Array,
    labels: jax.Array,
    labelled: jax.Array,
    available: jax.Array,
    *,
    budget: int,
    axis_name: str | None = None,
) -> Selection:
    """Asks, for one class after the other, where in its ranking the class ends (Zhang et al., 2022, Algorithms 1 to 3).

    The rows stand in a line, the surest of the class first. Between a label of the class and one of another lies its
    end: the middle of the shortest such gap is asked for, so that a clean end is found in log2 N labels. Once it is
    found, the rows nearest to it, on both sides. Where the labels show no end yet, a row by chance. Rare classes so get
    as many labels as common ones, and those at their boundary. Minimises nothing.

    Args:
      key: consumed by the rows that are drawn by chance.
      probs: class probabilities [N, K], the same for the whole batch.
      labels: the oracle's answers [N], revealed as rows are picked.
      labelled: [N].
      available: [N]; rows with a NaN or an infinity are passed over as well.
      budget: b, static.
      axis_name: inside `shard_map`, the mesh axis that the rows are split over, static. The probabilities and labels of
        all rows are sent to every device once; features stay where they are.

    Returns:
      the selection in the order picked, -1 where the pool ran out; its objective NaN, its bound -inf. The turn of the
      classes goes on from the number of labels, so that batches of one row are the same, but for chance; between them
      `cycle.update` may move the probabilities.

    Raises:
      ValueError: budget below 1, or a pool without rows.

    Examples:
      >>> from alfamous_jax import boundary
      >>> sure = jnp.linspace(0.9, 0.1, 9)  # of the first of two classes, which ends after the third row
      >>> probs, labels = jnp.stack([sure, 1 - sure], axis=1), jnp.array([0, 0, 0, 1, 1, 1, 1, 1, 1])
      >>> labelled = jnp.array([True, *[False] * 7, True])
      >>> boundary.galaxy(jax.random.key(0), probs, labels, labelled, ~labelled, budget=3).indices.tolist()
      [4, 2, 3]
    """
    chex.assert_rank([probs, labels, labelled, available], [2, 1, 1, 1])
    chex.assert_equal_shape_prefix([probs, labels, labelled, available], 1)
    contract.check_budget(budget)
    contract.check_pool(len(probs))
    probs, labels, labelled, available = collectives.gather((probs, labels, labelled, available), axis_name)
    usable, num_invalid = usable_rows(probs, available)

    def step(labelled: jax.Array, key: jax.Array) -> tuple[jax.Array, jax.Array]:
        row = _query(key, probs, labels, labelled, usable & ~labelled)
        return labelled.at[row].set(True, mode="drop"), row

    _, rows = jax.lax.scan(step, labelled, jax.random.split(key, budget))
    indices = jnp.where(rows < len(probs), rows, -1).astype(jnp.int32)
    return contract.without_objective(indices, num_invalid, probs.dtype)


def _query(key: jax.Array, probs: jax.Array, labels: jax.Array, labelled: jax.Array, usable: jax.Array) -> jax.Array:
    """The next row [], N where none is usable; for the class whose turn it is."""
    turn = jnp.sum(labelled) % probs.shape[1]
    one = line(probs, turn, labels, labelled, usable)
    position = _position(key, one)
    return jnp.where(jnp.any(one.free), one.order[position], len(probs))


def _position(key: jax.Array, one: Line) -> jax.Array:
    """Where in the line to ask."""
    places, far = jnp.arange(len(one.signs)), len(one.signs)
    last = jax.lax.cummax(jnp.where(one.signs != 0, places, -1))
    coming = jax.lax.cummin(jnp.where(one.signs != 0, places, far), reverse=True)
    apart = one.signs[last] * one.signs[coming % far] < 0
    in_gap = one.free & (last >= 0) & (coming < far) & apart
    shortest = jnp.argmin(jnp.where(in_gap, coming - last, far + 1))
    middle = (last[shortest] + coming[shortest]) // 2

    cut = jnp.append(one.signs[:-1] * one.signs[1:] < 0, False)  # between a position and the next
    behind = places - jax.lax.cummax(jnp.where(cut, places, -2 * far))
    before = jax.lax.cummin(jnp.where(cut, places, 3 * far), reverse=True) + 1 - places
    nearest = jnp.argmin(jnp.where(one.free, jnp.minimum(behind, before), 4 * far))

    chance = jax.random.uniform(key, one.free.shape)  # belongs to a row, not to its position
    anywhere = jnp.argmax(jnp.where(one.free, chance[one.order], -1.0))
    return jnp.where(jnp.any(in_gap), middle, jnp.where(jnp.any(cut), nearest, anywhere))
