"""Rows that stand for the pool: greedy weighted coverage under a kernel, with a certificate.

MaxHerding (Bae et al., ECCV 2024) covers all rows alike, UHerding (Bae et al., ICLR 2025) those that the classifier is
unsure of, ProbCover (Yehuda et al., NeurIPS 2022) counts rows within a ball. They are weights and kernels of one
function. No N x N matrix is held: a look at 32 candidates is a product of the features with 32 rows, and a candidate is
looked at again only while what it gained before could still win.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from alfamous_jax.core import contract, convert
from alfamous_jax.core.contract import Selection
from alfamous_jax.core.numerics import HIGHEST, dot

KERNELS = ("gauss", "ball")
BLOCK = 32  # candidates of a look
OWN = 1e-3  # how much more a candidate counts itself: two rows that are near to each other alone gain exactly alike
SAME = 1e-2  # squared distance of rows of length 1 up to which they count as one for `least_distance`
Look = Callable[[jax.Array, jax.Array, jax.Array], jax.Array]  # (carry, places [B], which of them count [B]) -> carry


class Pool(NamedTuple):
    """What stays the same in all picks."""

    rows: jax.Array  # [N, H], of length 1
    weights: jax.Array  # [N]
    radius: jax.Array | float


@convert.door
def select(
    weights: jax.Array,
    features: jax.Array,
    labelled: jax.Array,
    available: jax.Array,
    *,
    budget: int,
    kernel: str = "gauss",
    radius: jax.Array | float = 1.0,
) -> Selection:
    """Maximises sum_i w_i max_{a labelled or picked} k(x_i, x_a), row by row.

    Minimises minus that sum, the coverage, at rows of length 1. Each pick gains the most, to a thousandth of its own
    weight, by which ties are broken. Gains never rise as picks are made, so that a greedy batch has at least 1 - 1/e of
    the coverage that a batch can add (Nemhauser et al., 1978).

    Args:
      weights: how much it matters that a row is covered [N], not negative.
      features: [N, H]; only their directions count.
      labelled: rows that cover from the start [N].
      available: [N]; rows with a NaN or an infinity in features or weights are passed over as well.
      budget: b, static.
      kernel: "gauss" is exp(-(d / radius)^2), "ball" is 1 within radius and 0 beyond; static.
      radius: [], above 0. Rows of length 1 are at most 2 apart.

    Returns:
      the selection in the order picked, ties to the lowest index; -1 where the pool ran out. No batch has an objective
      below the bound, which is the objective less the b largest gains that may be left and what float32 may have
      rounded in the sums.

    Raises:
      ValueError: another kernel, a negative weight or a radius not above 0 where they are known, budget below 1, or a
        pool without rows.

    Examples:
      >>> from alfamous_jax import coverage
      >>> features = jnp.array([[1.0, 0.0], [0.9, 0.1], [0.0, 1.0], [-1.0, 0.0]])
      >>> batch = coverage.select(jnp.ones(4), features, jnp.zeros(4, bool), jnp.ones(4, bool), budget=2)
      >>> batch.indices.tolist(), round(-batch.objective.item(), 3)
      ([1, 3], 3.157)
    """
    chex.assert_rank([weights, features, labelled, available], [1, 2, 1, 1])
    chex.assert_equal_shape_prefix([weights, features, labelled, available], 1)
    contract.check_budget(budget)
    contract.check_pool(len(features))
    if kernel not in KERNELS:
        raise ValueError(f"kernel must be one of {', '.join(KERNELS)}, got {kernel!r}")
    if not isinstance(radius, jax.core.Tracer) and not radius > 0:
        raise ValueError(f"radius must be above 0, got {radius}")
    if not isinstance(weights, jax.core.Tracer) and jnp.any(weights < 0):
        row = int(jnp.argmax(weights < 0))
        raise ValueError(f"weights must not be negative, row {row} has {weights[row]}")
    selection: Selection = _select(weights, features, labelled, available, budget, kernel, radius)
    return selection


@partial(jax.jit, static_argnames=("budget", "kernel"))
def _select(
    weights: jax.Array,
    features: jax.Array,
    labelled: jax.Array,
    available: jax.Array,
    budget: int,
    kernel: str,
    radius: jax.Array | float,
) -> Selection:
    finite = jnp.isfinite(weights) & jnp.all(jnp.isfinite(features), axis=1)
    pool = Pool(_unit(jnp.where(finite[:, None], features, 0.0)), jnp.where(finite, weights, 0.0), radius)
    covered = _covered(pool, labelled & finite, kernel)
    left = available & finite
    covered, gains, left, indices = _greedy(pool, covered, left, budget, kernel)

    coverage = jnp.dot(pool.weights, covered, precision=HIGHEST)
    more = jnp.sum(jax.lax.top_k(jnp.where(left, gains, 0.0), min(budget, len(gains)))[0])
    rounded = len(gains) * jnp.finfo(gains.dtype).eps * (coverage + more)
    bound = jnp.where(jnp.any(left), -(coverage + more + rounded), -coverage)
    num_invalid = jnp.sum(available & ~finite)
    return Selection(indices, jnp.sum(indices >= 0), num_invalid, -coverage, bound)


@convert.door
@jax.jit
def least_distance(features: jax.Array, labelled: jax.Array) -> jax.Array:
    """The least distance of two labelled rows of length 1, the radius of UHerding; those nearer than .1 count as one.

    Args:
      features: [N, H].
      labelled: [N].

    Returns:
      distance []; 1 where no two labelled rows differ, which is the radius of MaxHerding.
    """
    finite = jnp.all(jnp.isfinite(features), axis=1)
    rows, known = _unit(jnp.where(finite[:, None], features, 0.0)), labelled & finite

    def look(least: jax.Array, places: jax.Array, usable: jax.Array) -> jax.Array:
        squares = _squares(rows, rows[places])
        apart = (squares > SAME) & known[:, None] & usable
        return jnp.minimum(least, jnp.min(jnp.where(apart, squares, jnp.inf)))

    least = _in_blocks(known, look, jnp.full((), jnp.inf, rows.dtype))
    return jnp.where(jnp.isfinite(least), jnp.sqrt(least), 1.0)


@convert.door
@jax.jit
def doubt(probs: jax.Array, labelled: jax.Array) -> jax.Array:
    """The weights of UHerding: 1 less the lead of the best class over the second, 0 for rows that have a label.

    Args:
      probs: class probabilities [N, K].
      labelled: [N].

    Returns:
      weights [N]; 1 for all rows as long as none has a label.
    """
    chex.assert_rank([probs, labelled], [2, 1])
    first, second = jax.lax.top_k(jnp.pad(probs, ((0, 0), (0, probs.shape[1] < 2))), 2)[0].T
    return jnp.where(jnp.any(labelled), jnp.where(labelled, 0.0, 1.0 - (first - second)), 1.0)


@convert.door
@jax.jit
def class_weights(probs: jax.Array, demand: jax.Array, lam: jax.Array | float, pool: jax.Array) -> jax.Array:
    """Weights that count every class for what it lacks, however few rows are predicted to be of it.

    (1 - lam) + lam N sum_k q_k p_ik / sum_m p_mk, where q is the demand over its sum: at lam 1 the rows of a class
    weigh q_k together.

    Args:
      probs: class probabilities [N, K].
      demand: what each class lacks [K], not negative; alike for all where nothing is lacking.
      lam: 0 for weights of 1, up to 1 [].
      pool: the rows that are to be covered [N].

    Returns:
      weights [N], of mean 1 over the pool, 0 outside it; NaN for a row whose probabilities are.
    """
    total = jnp.sum(demand)
    wanted = jnp.where(total > 0, demand, 1.0) / jnp.where(total > 0, total, len(demand))
    counted = pool & jnp.all(jnp.isfinite(probs), axis=1)
    mass = jnp.sum(jnp.where(counted[:, None], probs, 0.0), axis=0)
    share, number = jnp.minimum(jnp.asarray(lam), 1.0), jnp.sum(counted)
    by_class = jnp.dot(probs, wanted / jnp.where(mass > 0, mass, 1.0), precision=HIGHEST)
    return jnp.where(pool, (1 - share) + share * number * by_class, 0.0)


def _greedy(
    pool: Pool, covered: jax.Array, left: jax.Array, budget: int, kernel: str
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """The picks [b], with the coverage of each row, upper bounds of the gains, and the rows left after them."""
    size = min(BLOCK, len(left))

    def first(gains: jax.Array, places: jax.Array, usable: jax.Array) -> jax.Array:
        return gains.at[jnp.where(usable, places, len(gains))].set(_gains(pool, covered, places, kernel), mode="drop")

    gains = _in_blocks(left, first, jnp.zeros(len(left), pool.rows.dtype))

    def pick(
        carry: tuple[jax.Array, jax.Array, jax.Array], _: None
    ) -> tuple[tuple[jax.Array, jax.Array, jax.Array], jax.Array]:
        covered, gains, left = carry

        def stale(state: tuple[jax.Array, jax.Array]) -> jax.Array:
            gains, waiting = state
            return waiting[jnp.argmax(jnp.where(left, gains, -jnp.inf))]

        def look(state: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
            gains, waiting = state
            worth, places = jax.lax.top_k(jnp.where(waiting, gains, -jnp.inf), size)
            where = jnp.where(worth > -jnp.inf, places, len(gains))
            fresh = jnp.minimum(_gains(pool, covered, places, kernel), worth)
            return gains.at[where].set(fresh, mode="drop"), waiting.at[where].set(False, mode="drop")

        gains = jax.lax.while_loop(stale, look, (gains, left))[0]
        best = jnp.argmax(jnp.where(left, gains, -jnp.inf))
        index = jnp.where(jnp.any(left), best, -1).astype(jnp.int32)
        new = jnp.maximum(covered, _kernel(pool, pool.rows[best][None], kernel)[:, 0])
        covered = jnp.where(index >= 0, new, covered)
        return (covered, gains, left.at[best].set(False)), index

    (covered, gains, left), indices = jax.lax.scan(pick, (covered, gains, left), length=budget)
    return covered, gains, left, indices


def _gains(pool: Pool, covered: jax.Array, places: jax.Array, kernel: str) -> jax.Array:
    """What each of some rows would add [B], itself a little more than others."""
    more = jnp.maximum(_kernel(pool, pool.rows[places], kernel) - covered[:, None], 0.0)
    own = pool.weights[places] * (1.0 - covered[places])
    return jnp.dot(pool.weights, more, precision=HIGHEST) + OWN * own


def _covered(pool: Pool, labelled: jax.Array, kernel: str) -> jax.Array:
    """How well the labelled rows cover each row [N]."""

    def look(covered: jax.Array, places: jax.Array, usable: jax.Array) -> jax.Array:
        near = jnp.where(usable, _kernel(pool, pool.rows[places], kernel), 0.0)
        return jnp.maximum(covered, jnp.max(near, axis=1))

    return _in_blocks(labelled, look, jnp.zeros(len(labelled), pool.rows.dtype))


def _in_blocks(chosen: jax.Array, look: Look, begin: jax.Array) -> jax.Array:
    """Folds over the chosen rows, a block at a time."""
    size = min(BLOCK, len(chosen))
    order, number = jnp.argsort(~chosen, stable=True), jnp.sum(chosen)
    order = jnp.pad(order, (0, -len(order) % size))

    def step(carry: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        folded, start = carry
        places = jax.lax.dynamic_slice_in_dim(order, start, size)
        return look(folded, places, start + jnp.arange(size) < number), start + size

    end: jax.Array = jax.lax.while_loop(lambda carry: carry[1] < number, step, (begin, jnp.zeros_like(number)))[0]
    return end


def _kernel(pool: Pool, others: jax.Array, kernel: str) -> jax.Array:
    """k of all rows and some [N, B]."""
    squares = _squares(pool.rows, others)
    near = squares < pool.radius**2 if kernel == "ball" else jnp.exp(-squares / pool.radius**2)
    return jnp.asarray(near, squares.dtype)


def _squares(rows: jax.Array, others: jax.Array) -> jax.Array:
    """Squared distances [N, B]."""
    lengths = jnp.sum(rows**2, axis=1)[:, None] + jnp.sum(others**2, axis=1)
    return jnp.maximum(lengths - 2.0 * dot(rows, others.T), 0.0)


def _unit(features: jax.Array) -> jax.Array:
    """Rows of length 1, but for those of length 0."""
    features = convert.as_float(features)
    length = jnp.linalg.norm(features, axis=1, keepdims=True)
    return features / jnp.where(length > 0, length, 1.0)
