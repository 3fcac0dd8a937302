"""A pool for the batch selector, on one device or with its rows split over the devices of a mesh (`collectives`)."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from alfamous_jax.core import contract, convert
from alfamous_jax.core.collectives import first_row, gather, pmax, psum
from alfamous_jax.core.numerics import dot
from alfamous_jax.selection import _greedy


class Pool(NamedTuple):
    """The rows, with the unusable ones marked, and the programme over them."""

    utility: jax.Array  # [N], 0 where unusable
    probs: jax.Array  # [N, K], as given
    valid: jax.Array  # [N]
    demand: jax.Array  # [K]
    lam: jax.Array  # []
    utility_scale: jax.Array  # [], largest magnitude
    row_scale: jax.Array  # [], largest row sum of P
    spread: jax.Array  # [], standard deviation of the utility


def prepare(
    utility: jax.Array,
    probs: jax.Array,
    demand: jax.Array,
    lam: jax.Array | float,
    available: jax.Array,
    axis_name: str | None,
) -> Pool:
    """Marks the rows that can be chosen: available, finite, no negative probability. Two passes over P.

    Nothing can be chosen where lam is negative, or it or the demand not finite.
    """
    utility, probs, demand, lam = convert.in_common(utility, probs, demand, lam)
    sums = dot(probs, jnp.ones(probs.shape[1], probs.dtype))
    finite = jnp.isfinite(utility + sums) & contract.can_weigh(lam, demand)
    valid = available & finite & (jnp.min(probs, axis=1) >= 0)
    utility = jnp.where(valid, utility, 0.0)
    count = jnp.maximum(psum(jnp.sum(valid), axis_name), 1)
    mean = psum(two_stage_sum(utility), axis_name) / count
    variance = psum(two_stage_sum(jnp.where(valid, (utility - mean) ** 2, 0.0)), axis_name) / count
    largest, widest = pmax((jnp.max(jnp.abs(utility)), jnp.max(jnp.where(valid, sums, 0.0))), axis_name)
    return Pool(utility, probs, valid, demand, lam, largest, widest, jnp.sqrt(variance))


def totals(pool: Pool, rows: jax.Array, axis_name: str | None) -> tuple[jax.Array, jax.Array]:
    """Utility [] and coverage [K] of a list of rows; -1 counts nothing."""
    utility, probs, _ = _local(pool, rows, axis_name)
    return psum((two_stage_sum(utility), jnp.sum(probs, axis=0)), axis_name)


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


def two_stage_sum(x: jax.Array) -> jax.Array:
    """Two-stage sum of a vector: rounding grows with the root of its length."""
    return jnp.sum(jnp.sum(jnp.pad(x, (0, -len(x) % 64)).reshape(-1, 64), axis=0))
