"""Class-balanced selection: informative rows of the classes that are short.

The programme of CBAL (Eq. 8) and AL-FaMoUS (Eq. 3), to be minimised over batches z of b rows:

    f(z) = -u'z + lam || demand - P'z ||_1

Here are its objective, the exact single pick, the greedy batch and the exact batch for one-hot P; the batch
by linear programming, with a certificate, is in `balance_lp`.
"""

from functools import partial

import jax
import jax.numpy as jnp

from alfamous_jax.core import convert
from alfamous_jax.core.contract import (
    Selection,
    can_weigh,
    check_pool,
    check_shapes,
    refuse_negative,
    refuse_negative_lam,
)
from alfamous_jax.core.numerics import dot
from alfamous_jax.selection import _greedy
from alfamous_jax.selection._demand import class_demand, expand_classes, shrinkage
from alfamous_jax.selection._pseudo_label import select_pseudo_label

__all__ = [
    "class_demand",
    "expand_classes",
    "marginal",
    "objective",
    "select_greedy",
    "select_one",
    "select_pseudo_label",
    "shrinkage",
]


def objective(
    indices: jax.Array, utility: jax.Array, probs: jax.Array, demand: jax.Array, lam: jax.Array | float
) -> jax.Array:
    """f of a batch: -sum u + lam ||demand - sum p||_1, to be minimised (AL-FaMoUS Eq. 3).

    Args:
      indices: the batch [b]; -1 is padding and counts nothing.
      utility: [N].
      probs: class probabilities [N, K].
      demand: [K].
      lam: weight of the balance [], >= 0.

    Returns:
      f [].

    Examples:
      >>> from alfamous_jax import balance
      >>> utility, probs, demand = jnp.array([0.75, 0.5]), jnp.eye(2), jnp.array([0.0, 1.0])
      >>> balance.objective(jnp.array([0]), utility, probs, demand, 1.0).item()
      1.25
      >>> balance.objective(jnp.array([1]), utility, probs, demand, 1.0).item()  # lower: the class that is short
      -0.5
    """
    picked = indices >= 0
    gained = jnp.sum(jnp.where(picked, utility[indices], 0.0))
    covered = jnp.sum(jnp.where(picked[:, None], probs[indices], 0.0), axis=0)
    return -gained + lam * jnp.sum(jnp.abs(demand - covered))


def marginal(utility: jax.Array, probs: jax.Array, residual: jax.Array, lam: jax.Array | float) -> jax.Array:
    """What each row would take off f: u - lam sum_k (2 max(p - max(r, 0), 0) - p).

    It is u - lam (||r - p|| - ||r||) without the difference of two large norms, which in float32 would
    reorder rows once the demand is in the hundreds.

    Args:
      utility: [N].
      probs: non-negative [N, K].
      residual: r [K], demand less what the batch so far covers.
      lam: [].

    Returns:
      gain [N], higher first; not finite where the utility or a probability is not.

    Examples:
      >>> from alfamous_jax import balance
      >>> balance.marginal(jnp.array([0.75, 0.5]), jnp.eye(2), jnp.array([0.0, 1.0]), 1.0).tolist()
      [-0.25, 1.5]
    """
    short = jnp.maximum(residual, 0.0)
    # XLA takes a fused sum over short rows one number at a time on a CPU, a product not. The ones are no single number
    # spread over a vector, of which jaxlib 0.10.2 makes garbage, see docs/upstream.
    ones = 1.0 + 0.0 * short
    return utility - lam * dot(jnp.where(probs > short, probs - 2.0 * short, -probs), ones)


@convert.door
def select_one(
    utility: jax.Array,
    probs: jax.Array,
    demand: jax.Array,
    lam: jax.Array | float,
    available: jax.Array,
    *,
    axis_name: str | None = None,
) -> jax.Array:
    """The exact single pick of AL-FaMoUS Eq. 3 with ||z||_1 = 1, by enumeration in O(N K).

    Args:
      utility: [N].
      probs: class probabilities [N, K].
      demand: [K].
      lam: [], >= 0.
      available: [N]; rows with a NaN or an infinity are passed over as well.
      axis_name: see `_greedy.best`.

    Returns:
      index [], int32; -1 if there is no row to pick, or no weight (`select_greedy`). Ties go to the lowest index.

    Raises:
      ValueError: a pool without rows; outside a trace, a negative lam.

    Examples:
      >>> from alfamous_jax import balance
      >>> utility, probs, demand = jnp.array([0.75, 0.5]), jnp.eye(2), jnp.array([0.0, 1.0])
      >>> balance.select_one(utility, probs, demand, 0.0, jnp.ones(2, bool)).item()
      0
      >>> balance.select_one(utility, probs, demand, 1.0, jnp.ones(2, bool)).item()
      1
    """
    check_pool(utility.shape[0])
    refuse_negative_lam(lam)
    scores = marginal(utility, probs, demand, lam)
    return _greedy.best(scores, available & jnp.isfinite(scores) & can_weigh(lam, demand), axis_name)


@convert.door
def select_greedy(
    utility: jax.Array,
    probs: jax.Array,
    demand: jax.Array,
    lam: jax.Array | float,
    available: jax.Array,
    *,
    budget: int,
) -> Selection:
    """A batch by the best marginal gain, one row at a time; top-b by utility when lam is 0.

    Minimises f (`objective`), without a certificate.
    Gains never rise as picks accumulate, so they are evaluated lazily; the picks are those of evaluating all
    rows every time.

    Args:
      utility: [N].
      probs: class probabilities [N, K], non-negative.
      demand: [K].
      lam: [], >= 0.
      available: [N].
      budget: b, static; where it exceeds the available rows, the rest of the batch is -1.

    Returns:
      the selection, its bound -inf. Greedy ignores a class's demand until less than one row of it is
      left, so at large lam it can be several percent off the optimum.

    Raises:
      ValueError: budget below 1; outside a trace also a negative lam or probability. Inside one, rows with
        a negative probability count as invalid; all rows do where lam is negative, or it or the demand not finite.

    Examples:
      >>> from alfamous_jax import balance
      >>> utility, probs, demand = jnp.array([0.9, 0.8, 0.1]), jnp.eye(2)[jnp.array([0, 0, 1])], jnp.ones(2)
      >>> balance.select_greedy(utility, probs, demand, 1.0, jnp.ones(3, bool), budget=2).indices.tolist()
      [0, 2]
    """
    check_shapes(utility, probs, demand, available, budget)
    arrays = convert.in_common(utility, probs, demand, lam)  # before the program: see `balance_lp.select_batch`
    selection: Selection = _select_greedy(*arrays, available, budget)
    refuse_negative(selection, probs, lam, available)
    return selection


@partial(jax.jit, static_argnames="budget")
def _select_greedy(
    utility: jax.Array,
    probs: jax.Array,
    demand: jax.Array,
    lam: jax.Array,
    available: jax.Array,
    budget: int,
) -> Selection:
    valid = jnp.isfinite(marginal(utility, probs, demand, lam)) & (jnp.min(probs, axis=1) >= 0) & can_weigh(lam, demand)
    _, indices = _greedy.lazy_greedy(
        demand,
        score=lambda residual, rows: marginal(*rows, residual, lam),
        update=lambda residual, row: residual - row[1],
        data=(utility, probs),
        available=available & valid,
        budget=budget,
    )
    return Selection(
        indices=indices,
        objective=objective(indices, utility, probs, demand, lam),
        bound=jnp.full((), -jnp.inf, utility.dtype),
        num_selected=jnp.sum(indices >= 0),
        num_invalid=jnp.sum(available & ~valid),
    )
