"""The utility of the rows that can win a single pick, where evaluating it for all rows is what takes the time."""

import jax
import jax.numpy as jnp

from alfamous_jax import laplace, utilities
from alfamous_jax.core import collectives
from alfamous_jax.core.numerics import marked
from alfamous_jax.cycle._state import PoolState
from alfamous_jax.selection import balance

ROWS = 256  # evaluated at a time


def ceilings(state: PoolState, utility: str) -> tuple[jax.Array, jax.Array]:
    """What no row's utility is above [N], and the class probabilities [N, K]; not finite where the variance is not."""
    probs = laplace.mean_field(state.logits, state.variance)
    limit = utilities.CEILINGS[utility](probs, state.variance)
    return jnp.where(jnp.isfinite(state.variance), limit, jnp.nan), probs


def evaluate(
    state: PoolState,
    key: jax.Array,
    utility: str,
    limit: jax.Array,
    probs: jax.Array,
    demand: jax.Array,
    lam: jax.Array | float,
    available: jax.Array,
    axis_name: str | None,
) -> jax.Array:
    """The utility of every row whose ceiling reaches what the row of the highest ceiling has, -inf for the others.

    Args:
      state, key, utility, demand, lam, axis_name: of the query.
      limit, probs: of `ceilings`.
      available: rows with finite numbers that may be picked [N].

    Returns:
      utility [N]. The best of them by `balance.marginal` is the best of all.
    """
    size = limit.shape[0]
    first = balance.select_one(limit, probs, demand, lam, available)
    share = balance.marginal(jnp.zeros_like(limit), probs, demand, lam)  # of the balance, whatever the utility

    def evaluate_those(number: jax.Array, worth: jax.Array) -> jax.Array:
        """First the row of the highest ceiling, then all whose ceiling reaches it; a loop, to be compiled once."""
        reached = collectives.pmax(jnp.max(worth + share, where=worth > -jnp.inf, initial=-jnp.inf), axis_name)
        wanted = jnp.where(number == 0, jnp.arange(size) == first, available & ~(limit + share < reached))
        order, count = marked(wanted)

        def fill(block: jax.Array, worth: jax.Array) -> jax.Array:
            rows = order.at[block * ROWS + jnp.arange(ROWS)].get(mode="fill", fill_value=size)
            known = jnp.minimum(rows, size - 1)
            exact = utilities.evaluate(utility, state.logits[known], state.variance[known], key)
            return worth.at[rows].set(exact, mode="drop")

        filled: jax.Array = jax.lax.fori_loop(0, -(-count // ROWS), fill, worth)
        return filled

    worth: jax.Array = jax.lax.fori_loop(0, 2, evaluate_those, jnp.full_like(limit, -jnp.inf))
    return worth
