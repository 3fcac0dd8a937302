"""A pool for the batch selector, on one device or with its rows split over the devices of a mesh (`collectives`)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from alfamous_jax.core import contract
from alfamous_jax.core.collectives import first_row, gather, pmax, psum
from alfamous_jax.core.numerics import dot, extremes, sums
from alfamous_jax.selection import _greedy


class Pool(NamedTuple):
    """The rows, with the unusable ones marked, and the programme over them."""

    utility: jax.Array  # [N], 0 where unusable
    probs: jax.Array  # [N, K], as given
    valid: jax.Array  # [N]
    num_valid: jax.Array  # []
    demand: jax.Array  # [K]
    lam: jax.Array  # []
    utility_scale: jax.Array  # [], largest magnitude
    row_scale: jax.Array  # [], largest row sum of P
    spread: jax.Array  # [], standard deviation of the utility


def prepare(
    utility: jax.Array,
    probs: jax.Array,
    demand: jax.Array,
    lam: jax.Array,
    available: jax.Array,
    axis_name: str | None,
) -> Pool:
    """Marks the rows that can be chosen: available, finite, no negative probability. Two passes over P.

    All numbers come in one dtype. Nothing can be chosen where lam is negative, or it or the demand not finite.
    """
    sums_of_rows = dot(probs, jnp.ones(probs.shape[1], probs.dtype))
    finite = jnp.isfinite(utility + sums_of_rows) & contract.can_weigh(lam, demand)
    valid = available & finite & (jnp.min(probs, axis=1) >= 0)
    utility = jnp.where(valid, utility, 0.0)
    smallest, largest = extremes(utility, valid)
    largest, minus_smallest = pmax((largest, -smallest), axis_name)
    middle = jnp.nan_to_num((largest - minus_smallest) / 2)
    off = jnp.where(valid, utility - middle, 0.0)
    count, total, squares = psum(sums(valid.astype(jnp.int32), off, off**2), axis_name)
    divisor = jnp.maximum(count, 1)
    variance = jnp.maximum(squares / divisor - (total / divisor) ** 2, 0.0)
    widest = pmax(jnp.max(jnp.where(valid, sums_of_rows, 0.0)), axis_name)
    magnitude = jnp.maximum(jnp.maximum(largest, minus_smallest), 0.0)
    return Pool(utility, probs, valid, count, demand, lam, magnitude, widest, jnp.sqrt(variance))


def totals(pool: Pool, rows: jax.Array, axis_name: str | None) -> tuple[jax.Array, jax.Array]:
    """Utility [] and coverage [K] of a list of rows; -1 counts nothing."""
    utility, probs, _ = _local(pool, rows, axis_name)
    return psum((sums(utility)[0], jnp.sum(probs, axis=0)), axis_name)


def take(pool: Pool, rows: jax.Array, axis_name: str | None) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Utility, probabilities and validity of a list of rows, on every device."""
    utility, probs, valid = _local(pool, rows, axis_name)
    utility, probs, count = psum((utility, probs, valid.astype(utility.dtype)), axis_name)
    return utility, probs, count > 0


def _local(pool: Pool, rows: jax.Array, axis_name: str | None) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The part of a list of global rows that is here, zeros for the rest."""
    size = len(pool.utility)
    here = rows - first_row(size, axis_name)
    place = jnp.clip(here, 0, size - 1)
    mine = (here >= 0) & (here < size) & pool.valid[place]
    return jnp.where(mine, pool.utility[place], 0.0), jnp.where(mine[:, None], pool.probs[place], 0.0), mine


def top(scores: jax.Array, count: int, axis_name: str | None) -> tuple[jax.Array, jax.Array]:
    """The largest scores and their global rows; ties in order of the rows."""
    values, rows = _greedy.top(scores, min(count, len(scores)))
    if axis_name is None:
        return values, rows
    rows += first_row(len(scores), axis_name)
    values, rows = gather((values, rows), axis_name)
    values, order = _greedy.top(values, min(count, len(values)))
    return values, rows[order]
