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

from alfamous_jax.core import contract, convert
from alfamous_jax.core.contract import Selection
from alfamous_jax.core.numerics import HIGHEST
from alfamous_jax.selection import _sphere

KERNELS = ("gauss", "ball")
OWN = 1e-3  # how much more a candidate counts itself: two rows that are near to each other alone gain exactly alike


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
    pool = Pool(_sphere.unit(jnp.where(finite[:, None], features, 0.0)), jnp.where(finite, weights, 0.0), radius)
    covered = _covered(pool, labelled & finite, kernel)
    left = available & finite
    covered, gains, left, indices = _greedy(pool, covered, left, budget, kernel)

    coverage = jnp.dot(pool.weights, covered, precision=HIGHEST)
    more = jnp.sum(jax.lax.top_k(jnp.where(left, gains, 0.0), min(budget, len(gains)))[0])
    rounded = len(gains) * jnp.finfo(gains.dtype).eps * (coverage + more)
    bound = jnp.where(jnp.any(left), -(coverage + more + rounded), -coverage)
    num_invalid = jnp.sum(available & ~finite)
    return Selection(indices, jnp.sum(indices >= 0), num_invalid, -coverage, bound)


def _greedy(
    pool: Pool, covered: jax.Array, left: jax.Array, budget: int, kernel: str
) -> tuple[jax.Array, jax.Array, jax.Array, jax.Array]:
    """The picks [b], with the coverage of each row, upper bounds of the gains, and the rows left after them."""
    size = min(_sphere.BLOCK, len(left))

    def first(gains: jax.Array, places: jax.Array, usable: jax.Array) -> jax.Array:
        return gains.at[jnp.where(usable, places, len(gains))].set(_gains(pool, covered, places, kernel), mode="drop")

    gains = _sphere.in_blocks(left, first, jnp.zeros(len(left), pool.rows.dtype))

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

    return _sphere.in_blocks(labelled, look, jnp.zeros(len(labelled), pool.rows.dtype))


def _kernel(pool: Pool, others: jax.Array, kernel: str) -> jax.Array:
    """k of all rows and some [N, B]."""
    squares = _sphere.squares(pool.rows, others)
    near = squares < pool.radius**2 if kernel == "ball" else jnp.exp(-squares / pool.radius**2)
    return jnp.asarray(near, squares.dtype)
