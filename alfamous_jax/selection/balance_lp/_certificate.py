"""What D(nu) is at least, in exact arithmetic, by sums of twice the digits over the rows that can matter.

For any multipliers in the box and any threshold t

    D(nu) >= nu'demand - b t - sum over all rows of max(u + P nu - t, 0)

with equality where t is the b-th score. Rows of the pool that are below t by more than their own rounding add nothing,
so only those at the top are looked at again; where a crowd is too close to t, all of them are allowed for.
"""

import jax
import jax.numpy as jnp

from alfamous_jax.core import collectives, exact
from alfamous_jax.selection.balance_lp import _pool
from alfamous_jax.selection.balance_lp._pool import Pool

SPARE_ROWS = 512  # below the threshold, looked at again


def below(
    pool: Pool, nu: jax.Array, scores: jax.Array, rows: jax.Array, budget: int, axis_name: str | None
) -> tuple[jax.Array, jax.Array]:
    """A lower bound on the objective of every batch of b rows, or of all rows where there are no more than b.

    Args:
      pool: from `_pool.prepare`.
      nu: multipliers [K].
      scores: the largest of utility + P nu as rounded [k], falling, k >= min(b, N); -inf where a row is not usable.
      rows: theirs [k].
      budget: b.
      axis_name: see `select_batch`.

    Returns:
      the multipliers [K], inside the box of the float before lam, so that the bound also holds for a lam that was
      rounded up when it came in; and the bound [].
    """
    few = pool.num_valid <= budget
    lam = jnp.maximum(jnp.nextafter(pool.lam, jnp.zeros_like(pool.lam)), 0.0)
    count = min(len(rows), budget + SPARE_ROWS)
    utility, probs, usable = _pool.take(pool, rows[:count], axis_name)
    # A batch of all rows needs no dual: its L1 term is nu'(demand - P'z) at the multipliers of its own signs.
    short = pool.demand - jnp.sum(probs[:budget], axis=0)
    inside = jnp.clip(nu, -lam, lam)
    used = jnp.where(few, jnp.where(short < 0, -lam, lam), inside)

    weighed = exact.products(probs.T, used[:, None]).reshape(-1, count)
    high, low = exact.total(jnp.concatenate([utility[None], weighed]))
    threshold = jnp.where(few, 0.0, high[min(budget, count) - 1])
    high, rest = exact.two_sum(high, -threshold)
    low += rest
    counted = usable & (few | (high + low > 0))
    high, low = (jnp.where(counted, x, 0.0) for x in (high, low))

    at_threshold = exact.products(threshold, jnp.asarray(budget, threshold.dtype))
    terms = jnp.concatenate([exact.products(pool.demand, used).ravel(), -at_threshold, -high])
    value = exact.total(terms, jnp.concatenate([jnp.zeros(len(terms) - count, low.dtype), -low]))

    limits, num_terms = jnp.finfo(nu.dtype), weighed.shape[0] + 1
    largest = pool.utility_scale + jnp.max(jnp.abs(used)) * pool.row_scale
    off = exact.error(2 * len(terms), jnp.sum(jnp.abs(terms))) + exact.error(num_terms, count * largest)
    if count < collectives.num_rows(len(pool.utility), axis_name):
        # Scores of the pool are sums of K + 1 terms in any order, at multipliers an ulp away: half of this at most.
        rounding = (len(nu) + 4) * float(limits.eps) * largest
        off += (1 + 8 * float(limits.eps)) * budget * jnp.maximum(scores[count - 1] - threshold + rounding, 0.0)
    bound = exact.below(value, off)
    return inside, jnp.where(jnp.isfinite(bound), bound, -jnp.inf)
