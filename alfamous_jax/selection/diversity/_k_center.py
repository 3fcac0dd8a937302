"""K-center and its class-balanced form: each pick is the row farthest from every centre so far.

A triple on `_greedy.greedy` whose carry is every row's distance to the nearest centre. A pick costs one pass over the
features and holds a few numbers for each row: no distance matrix.

With an `axis_name` they run inside `shard_map`, the rows split over that mesh axis; demand and lam are the same on
every device. Row numbers are those of the whole pool; a pick sends one row of the features and of the probabilities.
Sums over the rows are added up in another order: where rows are equally far but for rounding, picks may differ.
"""

from functools import partial

import chex
import jax
import jax.numpy as jnp

from alfamous_jax.core import collectives, contract, convert
from alfamous_jax.core.contract import Selection
from alfamous_jax.selection import _greedy, _space, balance

Carry = tuple[jax.Array, jax.Array]  # squared distance to the nearest centre [N], demand not covered yet [K]


@convert.door
def k_center(
    features: jax.Array,
    labelled: jax.Array,
    available: jax.Array,
    *,
    budget: int,
    axis_name: str | None = None,
) -> Selection:
    """Repeats: the available row that is farthest from every labelled or chosen row (greedy Core-set).

    Minimises the covering radius: how far the available row that is farthest from every centre is from the nearest.

    Args:
      features: [N, H], such as the penultimate layer.
      labelled: the centres to start from [N]. With none, the first pick is the row farthest from the mean of the
        available rows, and the mean itself is no centre.
      available: [N]; rows with a NaN or an infinity are passed over as well.
      budget: b, static; where it exceeds the available rows, the rest of the batch is -1.
      axis_name: static; see above.

    Returns:
      the selection in the order picked, ties to the lowest index. Greedy is within a factor of two of the smallest
      radius (Gonzalez, 1985): the picks and the row left are b + 1 points, so no b centres have a radius below half
      the least distance that keeps these apart. That is the bound, by differences of float32 less their rounding;
      rows that repeat give 0. The picks go by a faster product: distances below 1e-3 of those to the mean are noise
      to it, and a row may then be further than the one that the objective is about.

    Raises:
      ValueError: budget below 1.

    Examples:
      >>> from alfamous_jax import diversity
      >>> features, labelled = jnp.array([[0.0], [1.0], [2.0], [9.0]]), jnp.array([True, False, False, False])
      >>> batch = diversity.k_center(features, labelled, ~labelled, budget=2)
      >>> batch.indices.tolist(), batch.objective.item()  # row 1 is left, at a distance of 1
      ([3, 2], 1.0)
    """
    selection: Selection = _k_center(features, labelled, available, budget, axis_name)
    return selection


@partial(jax.jit, static_argnames=("budget", "axis_name"))
def _k_center(
    features: jax.Array, labelled: jax.Array, available: jax.Array, budget: int, axis_name: str | None
) -> Selection:
    features = convert.as_float(features)
    zeros = jnp.zeros((features.shape[0], 1), features.dtype)
    selection, known, last = _cover(
        zeros, jnp.zeros(1, features.dtype), 0.0, features, labelled, available, budget, axis_name
    )
    # The picks and the row that is left: no b centres are nearer to all of these than half of what keeps them apart.
    squares, rounding = _space.apart(features, jnp.append(selection.indices, last), known, axis_name)
    radius = jnp.where(last >= 0, jnp.sqrt(squares[-1]), 0.0)
    bound = jnp.where(last >= 0, 0.5 * jnp.sqrt(jnp.min(squares)) * (1 - rounding), 0.0)
    return selection._replace(objective=radius, bound=bound)


@convert.door
@partial(jax.jit, static_argnames=("budget", "axis_name"))
def k_center_balanced(
    probs: jax.Array,
    demand: jax.Array,
    lam: jax.Array | float,
    features: jax.Array,
    labelled: jax.Array,
    available: jax.Array,
    *,
    budget: int,
    axis_name: str | None = None,
) -> Selection:
    """KCenterGreedy-CB (CBAL Algorithm 2): argmin of -d_n + lam ||demand - sum of chosen p - p_n||_1, row by row.

    d_n is the distance to the nearest labelled or chosen row. The algorithm as printed has the demand of the wrong
    step in its fifth line; here every pick sees those before it. What the batch as a whole minimises, as far as lam
    lets it, is the covering radius of `k_center`.

    Args:
      probs: class probabilities [N, K], non-negative.
      demand: [K], of `balance.class_demand`.
      lam: [], >= 0, in units of the features for each row short; all rows count as invalid where it is negative, or
        it or the demand not finite. The authors divide the norm by K.
      features, labelled, available, budget, axis_name: see `k_center`.

    Returns:
      the selection; its objective is the covering radius, its bound 0.

    Raises:
      ValueError: budget below 1.

    Examples:
      >>> from alfamous_jax import diversity
      >>> features, labelled = jnp.array([[0.0], [1.0], [2.0], [9.0]]), jnp.array([True, False, False, False])
      >>> probs, demand = jnp.eye(2)[jnp.array([0, 1, 0, 0])], jnp.array([0.0, 1.0])
      >>> diversity.k_center_balanced(probs, demand, 0.0, features, labelled, ~labelled, budget=1).indices.tolist()
      [3]
      >>> diversity.k_center_balanced(probs, demand, 10.0, features, labelled, ~labelled, budget=1).indices.tolist()
      [1]
    """
    return _cover(probs, demand, lam, features, labelled, available, budget, axis_name)[0]


def _cover(
    probs: jax.Array,
    demand: jax.Array,
    lam: jax.Array | float,
    features: jax.Array,
    labelled: jax.Array,
    available: jax.Array,
    budget: int,
    axis_name: str | None,
) -> tuple[Selection, jax.Array, jax.Array]:
    """The selection, which labelled rows are centres, and the row left that is farthest from all, -1 if none is."""
    chex.assert_rank(features, 2)
    chex.assert_equal_shape([labelled, available])
    contract.check_shapes(features[:, 0], probs, demand, available, budget)
    space = _space.space_of(features, available | labelled, axis_name)
    features = space.features
    probs, demand, lam = convert.in_common(probs, demand, lam)
    valid = available & jnp.isfinite(space.squares) & jnp.all(jnp.isfinite(probs) & (probs >= 0), axis=-1)
    valid &= contract.can_weigh(lam, demand)

    def score(carry: Carry) -> jax.Array:
        nearest, residual = carry
        distance = jnp.sqrt(jnp.where(jnp.isinf(nearest), space.squares, nearest))
        return balance.marginal(distance, probs, residual, lam)

    def update(carry: Carry, index: jax.Array) -> Carry:
        nearest, residual = carry
        row, covered = collectives.take((features, probs), index, axis_name)
        squares = _space.zero_at(index, _space.squares_to(space, row[None])[:, 0], axis_name)
        return jnp.minimum(nearest, squares), residual - covered

    known = labelled & jnp.isfinite(space.squares)
    start = _space.squares_to_labelled(space, known, axis_name=axis_name), demand
    (nearest, _), indices = _greedy.greedy(start, score, update, valid, budget, axis_name)
    picked = jnp.zeros_like(valid).at[collectives.places(indices, valid.size, axis_name)].set(True, mode="drop")
    left = valid & ~picked
    radius = jnp.sqrt(collectives.pmax(jnp.max(jnp.where(left, nearest, 0.0), initial=0.0), axis_name))
    num_invalid = collectives.psum(jnp.sum(available & ~valid), axis_name)
    selection = Selection(indices, jnp.sum(indices >= 0), num_invalid, radius, jnp.zeros_like(radius))
    return selection, known, _greedy.best(nearest, left, axis_name)
