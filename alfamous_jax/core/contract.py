"""The one answer of every batch selector, and the checks of what selectors are given.

The arguments of a selector stand in one order: (key,) what ranks the rows, features, labels, labelled, available, then
by name budget, settings and axis_name.
"""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np


class Selection(NamedTuple):
    """A batch and what is known of it."""

    indices: jax.Array  # [b], int32, in the order picked, -1 where no row was left
    num_selected: jax.Array  # []
    num_invalid: jax.Array  # [], available rows passed over for a NaN, an infinity or a negative probability
    objective: jax.Array  # [], what the selector minimises, at the batch; NaN where it minimises nothing
    bound: jax.Array  # [], no batch has a lower objective; -inf where the method certifies nothing


def without_objective(indices: jax.Array, num_invalid: jax.Array, dtype: jnp.dtype) -> Selection:
    """The answer of a selector that minimises nothing: objective NaN, bound -inf, both of `dtype`."""
    nothing = jnp.full((), jnp.nan, dtype)
    return Selection(indices, jnp.sum(indices >= 0), num_invalid, nothing, jnp.full((), -jnp.inf, dtype))


def check_shapes(utility: jax.Array, probs: jax.Array, demand: jax.Array, available: jax.Array, budget: int) -> None:
    """Refuses arrays that do not fit together and an impossible budget, at trace time."""
    chex.assert_rank([utility, probs, demand, available], [1, 2, 1, 1])
    chex.assert_equal_shape_prefix([utility, probs, available], 1)
    chex.assert_shape(demand, (probs.shape[1],))
    check_budget(budget)
    check_pool(utility.shape[0])


def refuse_negative(selection: Selection, probs: jax.Array, lam: jax.Array | float, available: jax.Array) -> None:
    """Raises a ValueError for a negative lam or probability where the numbers are known, outside a trace."""
    refuse_negative_lam(lam)
    if isinstance(selection.num_invalid, jax.core.Tracer) or not selection.num_invalid:
        return
    lowest = jnp.min(jnp.where(available[:, None] & jnp.isfinite(probs), probs, 0.0), axis=1)
    if jnp.any(lowest < 0):
        row = int(jnp.argmax(lowest < 0))
        raise ValueError(f"probs must not be negative, row {row} has {lowest[row]}")


def refuse_negative_lam(lam: jax.Array | float) -> None:
    """Raises a ValueError for a negative lam that is known, outside a trace."""
    if not isinstance(lam, jax.core.Tracer) and np.any(np.asarray(lam) < 0):
        raise ValueError(f"lam must be at least 0, got {lam}")


def can_weigh(lam: jax.Array | float, demand: jax.Array) -> jax.Array:
    """Whether rows can be weighed at all []: a lam of at least 0, and it and the demand finite."""
    return (jnp.asarray(lam) >= 0) & jnp.isfinite(lam + jnp.sum(demand))


def check_pool(num_rows: int) -> None:
    """Refuses a pool that never had a row; one whose rows are all taken is fine."""
    if isinstance(num_rows, int) and num_rows == 0:
        raise ValueError("the pool has no rows, N = 0")


def check_budget(budget: int) -> None:
    """Refuses a batch of no rows."""
    if budget < 1:
        raise ValueError(f"budget must be at least 1, got {budget}")
