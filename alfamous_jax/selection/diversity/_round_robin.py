"""Turns between groups of rows, such as the classes a source model takes them for (Aggarwal et al., WACV 2020)."""

from functools import partial

import chex
import jax
import jax.numpy as jnp

from alfamous_jax.core import contract, convert
from alfamous_jax.core.contract import Selection


@convert.door
@partial(jax.jit, static_argnames="budget")
def diversify(utility: jax.Array, groups: jax.Array, available: jax.Array, *, budget: int) -> Selection:
    """Round robin over groups: the best row of each in the first round, the next best in the second, and so on.

    Minimises nothing. Algorithm 1 of imbalanced single-stage AL (WACV 2020), whose groups are the most probable classes
    of a source model; its passes over a ranking are two stable sorts.

    Args:
      utility: [N], higher first, ties to the lowest index.
      groups: of each row [N], integers.
      available: [N]; rows whose utility is a NaN or an infinity are passed over as well.
      budget: b, static; where it exceeds the available rows, the rest of the batch is -1.

    Returns:
      the selection in the order picked; its objective NaN, its bound -inf.

    Raises:
      ValueError: budget below 1.

    Examples:
      >>> from alfamous_jax import diversity
      >>> utility, groups = jnp.array([0.9, 0.8, 0.7, 0.1]), jnp.array([0, 0, 0, 1])
      >>> diversity.diversify(utility, groups, jnp.ones(4, bool), budget=3).indices.tolist()
      [0, 3, 1]
    """
    chex.assert_equal_shape([utility, groups, available])
    contract.check_budget(budget)
    contract.check_pool(available.shape[0])
    usable = available & jnp.isfinite(utility)
    ranking = jnp.argsort(jnp.where(usable, -utility, jnp.inf), stable=True)
    ranked = groups[ranking]
    by_group = jnp.argsort(ranked, stable=True)
    sorted_groups = ranked[by_group]
    place = jnp.arange(len(groups)) - jnp.searchsorted(sorted_groups, sorted_groups)
    rounds = jnp.zeros_like(place).at[by_group].set(place)
    order = ranking[jnp.argsort(jnp.where(usable[ranking], rounds, len(groups)), stable=True)]
    order = jnp.where(jnp.arange(len(groups)) < jnp.sum(usable), order, -1)[:budget].astype(jnp.int32)
    indices = jnp.pad(order, (0, budget - len(order)), constant_values=-1)
    return contract.without_objective(indices, jnp.sum(available & ~usable), utility.dtype)
