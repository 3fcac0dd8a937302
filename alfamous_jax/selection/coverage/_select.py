"""Rows that stand for the pool: greedy weighted coverage under a kernel, with a certificate.

MaxHerding (Bae et al., ECCV 2024) covers all rows alike, UHerding (Bae et al., ICLR 2025) those that the classifier is
unsure of, ProbCover (Yehuda et al., NeurIPS 2022) counts rows within a ball. They are weights and kernels of one
function. No N x N matrix is held: a look at 32 candidates is a product of the features with 32 rows, and a candidate is
looked at again only while what it gained before could still win.
"""

from functools import partial
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from alfamous_jax.core import collectives, contract, convert
from alfamous_jax.core.contract import Selection
from alfamous_jax.core.numerics import HIGHEST
from alfamous_jax.selection import _greedy, _sphere

KERNELS = ("gauss", "ball")
OWN = 1e-3  # how much more a candidate counts itself: two rows that are near to each other alone gain exactly alike


class Pool(NamedTuple):
    """What stays the same in all picks; the last two are static."""

    rows: jax.Array  # [N, H], of length 1
    weights: jax.Array  # [N]
    radius: jax.Array | float
    kernel: str
    axis_name: str | None


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
    axis_name: str | None = None,
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
      axis_name: inside `shard_map`, the mesh axis that the rows are split over, static. Every row that may be picked
        is sent once at the start, and 32 for each look after it.

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
    selection: Selection = _select(weights, features, labelled, available, budget, kernel, radius, axis_name)
    return selection


@partial(jax.jit, static_argnames=("budget", "kernel", "axis_name"))
def _select(
    weights: jax.Array,
    features: jax.Array,
    labelled: jax.Array,
    available: jax.Array,
    budget: int,
    kernel: str,
    radius: jax.Array | float,
    axis_name: str | None,
) -> Selection:
    finite = jnp.isfinite(weights) & jnp.all(jnp.isfinite(features), axis=1)
    rows, weights = _sphere.unit(jnp.where(finite[:, None], features, 0.0)), jnp.where(finite, weights, 0.0)
    pool = Pool(rows, weights, radius, kernel, axis_name)
    covered, gains, left, indices = _pick(pool, _covered(pool, labelled & finite), available & finite, budget)

    coverage = collectives.psum(jnp.dot(pool.weights, covered, precision=HIGHEST), axis_name)
    most = jax.lax.top_k(jnp.where(left, gains, 0.0), min(budget, len(gains)))[0]
    most = collectives.gather(most, axis_name)
    more = jnp.sum(jax.lax.top_k(most, min(budget, len(most)))[0])
    rounded = collectives.num_rows(len(gains), axis_name) * jnp.finfo(gains.dtype).eps * (coverage + more)
    some = collectives.pmax(jnp.any(left), axis_name)
    bound = jnp.where(some, -(coverage + more + rounded), -coverage)
    num_invalid = collectives.psum(jnp.sum(available & ~finite), axis_name)
    return Selection(indices, jnp.sum(indices >= 0), num_invalid, -coverage, bound)


def _pick(
    pool: Pool, covered: jax.Array, left: jax.Array, budget: int
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """The picks [b], with the coverage of each row, upper bounds of the gains, and the rows left after them."""
    size = len(left)

    def first(gains: jax.Array, places: jax.Array, usable: jax.Array) -> jax.Array:
        here = _here(pool, jnp.where(usable, places, -1))
        return gains.at[here].set(_gains(pool, covered, places), mode="drop")

    gains = _sphere.in_blocks(left, first, jnp.zeros(size, pool.rows.dtype), pool.axis_name)

    def pick(
        carry: tuple[jax.Array, jax.Array, jax.Array], _: None
    ) -> tuple[tuple[jax.Array, jax.Array, jax.Array], jax.Array]:
        covered, gains, left = carry

        def stale(state: tuple[jax.Array, jax.Array]) -> jax.Array:
            gains, waiting = state
            best = _greedy.best(gains, left, pool.axis_name)
            return (best >= 0) & (collectives.take(waiting, jnp.maximum(best, 0), pool.axis_name) != 0)

        def look(state: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
            gains, waiting = state
            worth, places = _best_waiting(pool, gains, waiting)
            here = _here(pool, jnp.where(worth > -jnp.inf, places, -1))
            fresh = jnp.minimum(_gains(pool, covered, places), worth)
            return gains.at[here].set(fresh, mode="drop"), waiting.at[here].set(False, mode="drop")

        gains = jax.lax.while_loop(stale, look, (gains, left))[0]
        index = _greedy.best(gains, left, pool.axis_name)
        row = collectives.take(pool.rows, jnp.maximum(index, 0), pool.axis_name)
        covered = jnp.where(index >= 0, jnp.maximum(covered, _kernel(pool, row[None])[:, 0]), covered)
        return (covered, gains, left.at[_here(pool, index)].set(False, mode="drop")), index

    (covered, gains, left), indices = jax.lax.scan(pick, (covered, gains, left), length=budget)
    return covered, gains, left, indices


def _best_waiting(pool: Pool, gains: jax.Array, waiting: jax.Array) -> tuple[jax.Array, jax.Array]:
    """The block of rows of the whole pool that gained most when they were last looked at, -inf past those waiting."""
    worth, places = jax.lax.top_k(jnp.where(waiting, gains, -jnp.inf), min(_sphere.BLOCK, len(gains)))
    if pool.axis_name is not None:
        places += collectives.first_row(len(gains), pool.axis_name)
        worth, places = collectives.gather((worth, places), pool.axis_name)
        worth, order = jax.lax.top_k(worth, min(_sphere.BLOCK, len(worth)))
        places = places[order]
    return worth, places


def _here(pool: Pool, places: jax.Array) -> jax.Array:
    """Where rows of the whole pool stand on this device; past its end if they do not, or are -1."""
    return collectives.places(places, len(pool.rows), pool.axis_name)


def _gains(pool: Pool, covered: jax.Array, places: jax.Array) -> jax.Array:
    """What each of some rows would add [B], itself a little more than others."""
    rows, own = collectives.take((pool.rows, pool.weights * (1.0 - covered)), places, pool.axis_name)
    more = jnp.maximum(_kernel(pool, rows) - covered[:, None], 0.0)
    return collectives.psum(jnp.dot(pool.weights, more, precision=HIGHEST), pool.axis_name) + OWN * own


def _covered(pool: Pool, labelled: jax.Array) -> jax.Array:
    """How well the labelled rows cover each row [N]."""

    def look(covered: jax.Array, places: jax.Array, usable: jax.Array) -> jax.Array:
        near = jnp.where(usable, _kernel(pool, collectives.take(pool.rows, places, pool.axis_name)), 0.0)
        return jnp.maximum(covered, jnp.max(near, axis=1))

    return _sphere.in_blocks(labelled, look, jnp.zeros(len(labelled), pool.rows.dtype), pool.axis_name)


def _kernel(pool: Pool, others: jax.Array) -> jax.Array:
    """k of all rows and some [N, B]."""
    squares = _sphere.squares(pool.rows, others)
    near = squares < pool.radius**2 if pool.kernel == "ball" else jnp.exp(-squares / pool.radius**2)
    return jnp.asarray(near, squares.dtype)
