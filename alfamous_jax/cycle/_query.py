"""Which rows to label next."""

from functools import partial
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from alfamous_jax import laplace, utilities
from alfamous_jax.core import collectives, contract, convert
from alfamous_jax.cycle import _lazy
from alfamous_jax.cycle._state import PoolState
from alfamous_jax.selection import balance, balance_lp
from alfamous_jax.utilities import Utility


class QueryInfo(NamedTuple):
    """What a caller may want to know of a query."""

    utility: jax.Array  # [num], of the picks, -inf for padding
    num_selected: jax.Array  # [], below `num` if the pool ran out
    num_invalid: jax.Array  # [], available rows passed over for a NaN or an infinity


def score(
    state: PoolState, key: jax.Array, utility: str | Utility, axis_name: str | None = None
) -> tuple[jax.Array, jax.Array]:
    """What a `query` with these arguments weighs: the utility of every row [N] and its class probabilities [N, K].

    Examples:
      >>> from alfamous_jax import cycle, laplace
      >>> posterior = laplace.fit(jnp.zeros((2, 3)), jnp.eye(3), jnp.array([True, False, False]))
      >>> state = cycle.init(posterior, jnp.eye(3), jnp.array([False, True, True]), jnp.array([1, 0]))
      >>> utility, probs = cycle.score(state, jax.random.key(0), "least_confidence")
      >>> utility.tolist()
      [0.5, 0.5, 0.5]
    """
    worth = utilities.evaluate(utility, state.logits, state.variance, key, axis_name)
    worth = jnp.where(jnp.isfinite(state.variance), worth, jnp.nan)  # an infinite one has finite probabilities
    return worth, laplace.mean_field(state.logits, state.variance)


@convert.door
@partial(jax.jit, static_argnames=("utility", "num", "axis_name"))
def query(
    state: PoolState,
    key: jax.Array,
    *,
    utility: str | Utility = "least_confidence",
    lam: jax.Array | float = 0.0,
    num: int = 1,
    counted: jax.Array | None = None,
    axis_name: str | None = None,
) -> tuple[jax.Array, QueryInfo]:
    """The next rows to label: argmin of -z'u + lam ||demand - P'z||_1 over `num` rows (Eq. 3).

    Args:
      state: the pool as it is known now.
      key: for `random` and for functions that draw; the same key for all queries of a cycle means the same draws.
      utility: a name in `utilities.UTILITIES` or a function (logits [N, K], variance [N], key) -> [N].
      lam: weight of the class balance; 0 is pure utility. One that is negative or not finite picks nothing, and every
        available row counts as invalid.
      num: how many rows, static. One is exact, more are chosen by `balance_lp.select_batch`.
      counted: labels of each class that the demand takes for known [K], n_k of Eq. 2; all of the state's if not given.
      axis_name: inside `shard_map`, the mesh axis that the rows are split over, static. A function for `utility` sees
        the rows of its device.

    Returns:
      indices [num], -1 where no row is left, and the info.

    Examples:
      >>> from alfamous_jax import cycle, laplace
      >>> phi, head = jnp.eye(3), jnp.array([[9.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
      >>> posterior = laplace.fit(head, phi, jnp.array([True, False, False]))
      >>> state = cycle.init(posterior, phi, jnp.array([False, True, True]), jnp.array([1, 0]))
      >>> indices, info = cycle.query(state, jax.random.key(0), lam=0.5)
      >>> indices.tolist(), info.num_selected.item()  # row 2 is more likely of the class that is short
      ([2], 1)
    """
    contract.check_pool(state.available.shape[0])
    lazily = utility if num == 1 and isinstance(utility, str) and utility in utilities.CEILINGS else None
    worth, probs = _lazy.ceilings(state, lazily) if lazily else score(state, key, utility, axis_name)
    # A single pick aims at equal shares of the labels known (Eq. 2), a batch at those after it (CBAL Eq. 4).
    known = state.counts if counted is None else convert.as_counts(counted)
    chex.assert_equal_shape([known, state.counts])
    demand = balance.class_demand(known, jnp.sum(state.counts) + (num if num > 1 else 0))
    if num == 1:
        valid = jnp.isfinite(balance.marginal(worth, probs, demand, lam)) & contract.can_weigh(lam, demand)
        num_invalid = collectives.psum(jnp.sum(state.available & ~valid), axis_name)
        if lazily:
            worth = _lazy.evaluate(state, key, lazily, worth, probs, demand, lam, state.available & valid, axis_name)
        indices = balance.select_one(worth, probs, demand, lam, state.available, axis_name=axis_name)[None]
    else:
        select = partial(balance_lp.select_batch, budget=num, axis_name=axis_name)
        selection = select(worth, probs, demand, lam, state.available)
        indices, num_invalid = selection.indices, selection.num_invalid
    picked = jnp.where(indices >= 0, collectives.take(worth, indices, axis_name), -jnp.inf)
    return indices, QueryInfo(picked, jnp.sum(indices >= 0), num_invalid)
