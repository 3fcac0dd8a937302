"""The exact class-balanced batch where every row is taken to be of one class: a sort and a top-b."""

from functools import partial

import chex
import jax
import jax.numpy as jnp

from alfamous_jax.core import convert
from alfamous_jax.core.contract import Selection, can_weigh, check_budget, check_pool, refuse_negative_lam


@convert.door
def select_pseudo_label(
    utility: jax.Array,
    predicted: jax.Array,
    demand: jax.Array,
    lam: jax.Array | float,
    available: jax.Array,
    *,
    budget: int,
) -> Selection:
    """The exact batch when P is one-hot (Entropy-L1-pseudo-label of CBAL), in closed form.

    Minimises f (`objective`) with one-hot rows for P. A class gives its rows in the order of their utility, and the
    gain of each further row never rises, so the b largest gains over all classes are the optimum.

    Args:
      utility: [N].
      predicted: the class that each row is taken to be, argmax of its probabilities [N].
      demand: [K].
      lam: [], >= 0.
      available: [N]; rows with a utility that is not finite or a class outside 0..K-1 are passed over as well.
      budget: b, static; where it exceeds the available rows, the rest of the batch is -1.

    Returns:
      the selection, largest gain first; ties go to the lowest index. Its bound is its objective less rounding.

    Raises:
      ValueError: budget below 1; outside a trace also a negative lam.

    Examples:
      >>> from alfamous_jax import balance
      >>> utility, predicted, demand = jnp.array([0.9, 0.8, 0.1]), jnp.array([0, 0, 1]), jnp.ones(2)
      >>> balance.select_pseudo_label(utility, predicted, demand, 1.0, jnp.ones(3, bool), budget=2).indices.tolist()
      [0, 2]
    """
    chex.assert_rank([utility, predicted, demand, available], 1)
    chex.assert_equal_shape([utility, predicted, available])
    check_budget(budget)
    check_pool(utility.shape[0])
    refuse_negative_lam(lam)
    num_classes, predicted = demand.shape[0], convert.as_labels(predicted, "predicted")
    utility, demand, lam = convert.in_common(utility, demand, lam)
    selection: Selection = _select_pseudo_label(utility, predicted, demand, lam, available, budget, num_classes)
    return selection


@partial(jax.jit, static_argnames=("budget", "num_classes"))
def _select_pseudo_label(
    utility: jax.Array,
    predicted: jax.Array,
    demand: jax.Array,
    lam: jax.Array,
    available: jax.Array,
    budget: int,
    num_classes: int,
) -> Selection:
    size = utility.shape[0]
    usable = jnp.isfinite(utility) & can_weigh(lam, demand)
    valid = available & usable & (predicted >= 0) & (predicted < num_classes)
    key = jnp.where(valid, predicted, num_classes)
    key, _, rows = jax.lax.sort((key, -utility, jnp.arange(size)), num_keys=2, is_stable=True)
    place = jnp.arange(size) - jnp.searchsorted(key, key)  # how many of its class come before a row
    left = jnp.append(demand, 0.0)[key] - place
    # |left| - |left - 1|: one row of a class that is short by `left` takes that much off the L1 term.
    gains = jnp.where(key < num_classes, utility[rows] + lam * jnp.clip(2 * left - 1, -1, 1), -jnp.inf)
    gains, indices = jax.lax.top_k(jnp.zeros_like(utility).at[rows].set(gains), min(budget, size))
    indices = jnp.pad(jnp.where(gains > -jnp.inf, indices, -1), (0, max(budget - size, 0)), constant_values=-1)
    picked = indices >= 0
    given = jnp.where(picked, predicted[indices], num_classes)
    counts = jnp.zeros(num_classes + 1, utility.dtype).at[given].add(1)[:num_classes]
    gained = jnp.sum(jnp.where(picked, utility[indices], 0.0))
    value = -gained + lam * jnp.sum(jnp.abs(demand - counts))
    size_of_terms = jnp.sum(jnp.where(picked, jnp.abs(utility[indices]), 0.0)) + lam * jnp.sum(demand + counts)
    return Selection(
        indices=indices.astype(jnp.int32),
        objective=value,
        bound=value - 2 * jnp.finfo(utility.dtype).eps * size_of_terms,
        num_selected=jnp.sum(picked),
        num_invalid=jnp.sum(available & ~valid),
    )
