"""Batches that cover a feature space: k-center, its class-balanced form, and BADGE.

Each is a triple on `_greedy.greedy` whose carry is every row's distance to the nearest centre. A pick costs one
pass over the features and holds a few numbers for each row: no distance matrix, no gradient embedding.

With an `axis_name` they run inside `shard_map`, the rows split over that mesh axis; demand, lam and key are the same on
every device. Row numbers are those of the whole pool; a pick sends one row of the features and of the probabilities.
Sums over the rows are added up in another order: where rows are equally far but for rounding, picks may differ.
"""

from functools import partial
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from alfamous_jax.core import collectives, contract
from alfamous_jax.core.contract import Selection
from alfamous_jax.core.numerics import HIGHEST
from alfamous_jax.selection import _greedy, balance

BLOCK = 128  # labelled rows that the pool is compared with at a time


def k_center(
    features: jax.Array, labelled: jax.Array, available: jax.Array, budget: int, axis_name: str | None = None
) -> Selection:
    """Repeats: the available row that is farthest from every labelled or chosen row (greedy Core-set).

    Args:
      features: [N, H], such as the penultimate layer.
      labelled: the centres to start from [N]. With none, the first pick is the row farthest from the mean, and the
        mean itself is no centre.
      available: [N]; rows with a NaN or an infinity are passed over as well.
      budget: b, static; where it exceeds the available rows, the rest of the batch is -1.
      axis_name: static; see above.

    Returns:
      the selection in the order picked, ties to the lowest index. Its objective is the covering radius: how far the
      available row that is farthest from a centre is. Greedy is within a factor of two of the smallest radius
      (Gonzalez, 1985), so the bound is half of it. In float32 distances below 1e-3 of those to the mean are noise.

    Raises:
      ValueError: budget below 1.
    """
    zeros = jnp.zeros((features.shape[0], 1), features.dtype)
    demand = jnp.zeros(1, features.dtype)
    selection = k_center_balanced(features, labelled, available, zeros, demand, 0.0, budget, axis_name)
    return selection._replace(bound=0.5 * selection.objective)


@partial(jax.jit, static_argnames=("budget", "axis_name"))
def k_center_balanced(
    features: jax.Array,
    labelled: jax.Array,
    available: jax.Array,
    probs: jax.Array,
    demand: jax.Array,
    lam: jax.Array,
    budget: int,
    axis_name: str | None = None,
) -> Selection:
    """KCenterGreedy-CB (CBAL Algorithm 2): argmin of -d_n + lam ||demand - sum of chosen p - p_n||_1, row by row.

    d_n is the distance to the nearest labelled or chosen row. The algorithm as printed has the demand of the wrong
    step in its fifth line; here every pick sees those before it.

    Args:
      features, labelled, available, budget, axis_name: see `k_center`.
      probs: class probabilities [N, K], non-negative.
      demand: [K], of `balance.class_demand`.
      lam: [], in units of the features for each row short. The authors divide the norm by K.

    Returns:
      the selection; its objective is the covering radius, its bound 0.

    Raises:
      ValueError: budget below 1.
    """
    chex.assert_rank(features, 2)
    chex.assert_equal_shape([labelled, available])
    contract.check_shapes(features[:, 0], probs, demand, available, budget)
    space = space_of(features, axis_name)
    valid = available & jnp.isfinite(space.squares) & jnp.all(jnp.isfinite(probs) & (probs >= 0), axis=-1)

    def score(carry):
        nearest, residual = carry
        distance = jnp.sqrt(jnp.where(jnp.isinf(nearest), space.squares, nearest))
        return balance.marginal(distance, probs, residual, lam)

    def update(carry, index):
        nearest, residual = carry
        row, covered = collectives.take((features, probs), index, axis_name)
        squares = _zero_at(index, squares_to(space, row[None])[:, 0], axis_name)
        return jnp.minimum(nearest, squares), residual - covered

    start = squares_to_labelled(space, labelled & jnp.isfinite(space.squares), axis_name=axis_name), demand
    (nearest, _), indices = _greedy.greedy(start, score, update, valid, budget, axis_name)
    picked = jnp.zeros_like(valid).at[collectives.places(indices, valid.size, axis_name)].set(True, mode="drop")
    farthest = collectives.pmax(jnp.max(jnp.where(valid & ~picked, nearest, 0.0), initial=0.0), axis_name)
    radius = jnp.sqrt(farthest)
    num_invalid = collectives.psum(jnp.sum(available & ~valid), axis_name)
    return Selection(indices, jnp.sum(indices >= 0), num_invalid, radius, jnp.zeros_like(radius))


@partial(jax.jit, static_argnames=("budget", "axis_name"))
def badge(
    key: jax.Array,
    probs: jax.Array,
    features: jax.Array,
    available: jax.Array,
    budget: int,
    axis_name: str | None = None,
) -> Selection:
    """BADGE (Ash et al., 2020): k-means++ seeding over gradient embeddings (onehot(prediction) - p) outer h.

    The first pick is the longest embedding; each further one is drawn in proportion to the squared distance to the
    nearest pick. Distances come from the two factors, so that the N x K x H embedding never exists.

    Args:
      key: consumed.
      probs: class probabilities [N, K].
      features: inputs of the last layer [N, H].
      available: [N]; rows with a NaN or an infinity are passed over as well.
      budget: b, static; where it exceeds the available rows, the rest of the batch is -1.
      axis_name: static; see above. Every device draws the noise of the whole pool.

    Returns:
      the selection in the order picked; its objective is the sum of the squared distances to the nearest pick, its
      bound 0. Rows that coincide with a pick come last, in random order.

    Raises:
      ValueError: budget below 1.
    """
    chex.assert_rank([probs, features], 2)
    contract.check_shapes(features[:, 0], probs, probs[0], available, budget)
    errors = jax.nn.one_hot(jnp.argmax(probs, axis=-1), probs.shape[1], dtype=probs.dtype) - probs
    lengths = jnp.sum(errors**2, axis=-1) * jnp.sum(features**2, axis=-1)
    valid = available & jnp.isfinite(lengths)
    smallest = jnp.finfo(lengths.dtype).tiny

    def score(carry):
        nearest, number = carry
        sample = partial(jax.random.gumbel, jax.random.fold_in(key, number), dtype=nearest.dtype)
        noise = collectives.draw(lambda size: sample((size,)), len(nearest), axis_name)
        return jnp.where(number == 0, lengths, jnp.log(jnp.maximum(nearest, smallest)) + noise)

    def update(carry, index):
        nearest, number = carry
        error, row, length = collectives.take((errors, features, lengths), index, axis_name)
        products = jnp.dot(errors, error, precision=HIGHEST)
        products *= jnp.dot(features, row, precision=HIGHEST)
        distances = jnp.maximum(lengths + length - 2 * products, 0.0)
        return jnp.minimum(nearest, _zero_at(index, distances, axis_name)), number + 1

    start = jnp.full_like(lengths, jnp.inf), jnp.int32(0)
    (nearest, _), indices = _greedy.greedy(start, score, update, valid, budget, axis_name)
    potential = collectives.psum(jnp.sum(jnp.where(valid, nearest, 0.0)), axis_name)
    num_invalid = collectives.psum(jnp.sum(available & ~valid), axis_name)
    return Selection(indices, jnp.sum(indices >= 0), num_invalid, potential, jnp.zeros_like(potential))


@partial(jax.jit, static_argnames="budget")
def diversify(utility: jax.Array, groups: jax.Array, available: jax.Array, budget: int) -> jax.Array:
    """Round robin over groups: the best row of each in the first round, the next best in the second, and so on.

    Algorithm 1 of imbalanced single-stage AL (WACV 2020), whose groups are the most probable classes of a source
    model; its passes over a ranking are two stable sorts.

    Args:
      utility: [N], higher first, ties to the lowest index; rows with a NaN or an infinity are passed over.
      groups: of each row [N], integers.
      available: [N].
      budget: b, static.

    Returns:
      indices [b], in the order picked, -1 once no row is left.
    """
    chex.assert_equal_shape([utility, groups, available])
    usable = available & jnp.isfinite(utility)
    ranking = jnp.argsort(jnp.where(usable, -utility, jnp.inf), stable=True)
    ranked = groups[ranking]
    by_group = jnp.argsort(ranked, stable=True)
    sorted_groups = ranked[by_group]
    place = jnp.arange(len(groups)) - jnp.searchsorted(sorted_groups, sorted_groups)
    rounds = jnp.zeros_like(place).at[by_group].set(place)
    order = ranking[jnp.argsort(jnp.where(usable[ranking], rounds, len(groups)), stable=True)]
    order = jnp.where(jnp.arange(len(groups)) < jnp.sum(usable), order, -1)[:budget].astype(jnp.int32)
    return jnp.pad(order, (0, budget - len(order)), constant_values=-1)


class Space(NamedTuple):
    """Features and what squared distances between them need; taken about the mean, so that little cancels."""

    features: jax.Array  # [N, H]
    mean: jax.Array  # [H], 0 where a row spoils it
    squares: jax.Array  # [N], squared distance to the mean, not finite where the row is not


def space_of(features: jax.Array, axis_name: str | None = None) -> Space:
    """What distances between rows of `features` [N, H] need."""
    mean = jnp.mean(features, axis=0) if axis_name is None else jax.lax.pmean(jnp.mean(features, axis=0), axis_name)
    mean = jnp.where(jnp.isfinite(mean), mean, 0.0)  # masking rows instead would copy the features on a CPU
    return Space(features, mean, jnp.sum((features - mean) ** 2, axis=-1))


def squares_to(space: Space, points: jax.Array) -> jax.Array:
    """Squared distances [N, n] of all rows to points [n, H]; a product is several times faster than differences."""
    centred = points - space.mean
    products = jnp.dot(space.features, centred.T, precision=HIGHEST) - jnp.dot(centred, space.mean, precision=HIGHEST)
    return jnp.maximum(space.squares[:, None] + jnp.sum(centred**2, axis=-1) - 2 * products, 0.0)


def squares_to_labelled(
    space: Space,
    labelled: jax.Array,
    alike: tuple[jax.Array, jax.Array] | None = None,
    axis_name: str | None = None,
) -> jax.Array:
    """Squared distance to the nearest labelled row [N], infinite if there is none; no work for other rows.

    Args:
      space: of the features.
      labelled: [N].
      alike: two classes of each row [N], as one who looks and as one who is labelled; only rows whose class is the
        looking row's are then near.
      axis_name: see above. Every labelled row is sent once, in blocks from all devices.

    Returns:
      squares [N].
    """
    size = labelled.size
    block = min(BLOCK, size)
    count = jnp.sum(labelled)
    order = jnp.argsort(~labelled, stable=True)

    def compare(i, nearest):
        slots = i * block + jnp.arange(block)
        rows = order[jnp.minimum(slots, size - 1)]
        counted, points = collectives.gather((slots < count, space.features[rows]), axis_name)
        if alike is not None:
            counted = counted & (alike[0][:, None] == collectives.gather(alike[1][rows], axis_name))
        return jnp.minimum(nearest, jnp.min(jnp.where(counted, squares_to(space, points), jnp.inf), axis=1))

    num_blocks = collectives.pmax(-(-count // block), axis_name)
    return jax.lax.fori_loop(0, num_blocks, compare, jnp.full_like(space.squares, jnp.inf))


def _zero_at(index, squares, axis_name):
    """The squares with a 0 for one row of the pool, if it is here."""
    place = index if axis_name is None else collectives.places(index, len(squares), axis_name)
    return squares.at[place].set(0.0)
