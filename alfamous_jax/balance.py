"""Class-balanced selection: informative rows of the classes that are short.

The programme of CBAL (Eq. 8) and AL-FaMoUS (Eq. 3), to be minimised over batches z of b rows:

    f(z) = -u'z + lam || demand - P'z ||_1

Here are its objective, the exact single pick and the greedy batch.
"""

from functools import partial
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from alfamous_jax import sequential


class Selection(NamedTuple):
    """A batch and what is known of it."""

    indices: jax.Array  # [b], in the order picked, -1 where no row was left
    objective: jax.Array  # [], f at the batch
    bound: jax.Array  # [], no batch has a lower f; -inf where the method certifies nothing
    num_selected: jax.Array  # []
    num_invalid: jax.Array  # [], available rows passed over for a NaN or an infinity


def class_demand(counts: jax.Array, total: jax.Array) -> jax.Array:
    """How many labels each class is short of an equal share: max(total / K - counts, 0).

    With total = sum(counts) it is AL-FaMoUS Eq. 2, with total = sum(counts) + b CBAL Eq. 4.

    Args:
      counts: labels known of each class [K], those of the running cycle included.
      total: how many labels the shares divide up [].

    Returns:
      demand [K], not rounded.
    """
    return jnp.maximum(total / counts.shape[-1] - counts, 0.0)


def objective(indices: jax.Array, utility: jax.Array, probs: jax.Array, demand: jax.Array, lam: jax.Array) -> jax.Array:
    """f of a batch: -sum u + lam ||demand - sum p||_1, to be minimised (AL-FaMoUS Eq. 3).

    Args:
      indices: the batch [b]; -1 is padding and counts nothing.
      utility: [N].
      probs: class probabilities [N, K].
      demand: [K].
      lam: weight of the balance [], >= 0.

    Returns:
      f [].
    """
    picked = indices >= 0
    gained = jnp.sum(jnp.where(picked, utility[indices], 0.0))
    covered = jnp.sum(jnp.where(picked[:, None], probs[indices], 0.0), axis=0)
    return -gained + lam * jnp.sum(jnp.abs(demand - covered))


def marginal(utility: jax.Array, probs: jax.Array, residual: jax.Array, lam: jax.Array) -> jax.Array:
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
    """
    short = jnp.maximum(residual, 0.0)
    return utility - lam * jnp.sum(jnp.where(probs > short, probs - 2.0 * short, -probs), axis=-1)


def select_one(
    utility: jax.Array, probs: jax.Array, demand: jax.Array, lam: jax.Array, available: jax.Array
) -> jax.Array:
    """The exact single pick of AL-FaMoUS Eq. 3 with ||z||_1 = 1, by enumeration in O(N K).

    Args:
      utility: [N].
      probs: class probabilities [N, K].
      demand: [K].
      lam: [].
      available: [N]; rows with a NaN or an infinity are passed over as well.

    Returns:
      index [], int32; -1 if there is no row to pick. Ties go to the lowest index.
    """
    scores = marginal(utility, probs, demand, lam)
    return sequential.best(scores, available & jnp.isfinite(scores))


@partial(jax.jit, static_argnames="budget")
def select_greedy(
    utility: jax.Array, probs: jax.Array, demand: jax.Array, lam: jax.Array, available: jax.Array, budget: int
) -> Selection:
    """A batch by the best marginal gain, one row at a time; top-b by utility when lam is 0.

    Args:
      utility: [N].
      probs: class probabilities [N, K].
      demand: [K].
      lam: [].
      available: [N].
      budget: b, static; where it exceeds the available rows, the rest of the batch is -1.

    Returns:
      the selection, its bound -inf. Greedy ignores a class's demand until less than one row of it is
      left, so at large lam it can be several percent off the optimum.
    """
    chex.assert_rank([utility, probs, demand, available], [1, 2, 1, 1])
    chex.assert_equal_shape_prefix([utility, probs, available], 1)
    if budget < 1:
        raise ValueError(f"budget must be at least 1, got {budget}")
    valid = jnp.isfinite(marginal(utility, probs, demand, lam))
    if budget == 1:
        indices = select_one(utility, probs, demand, lam, available)[None]
    else:
        _, indices = sequential.greedy(
            demand,
            score=lambda residual: marginal(utility, probs, residual, lam),
            update=lambda residual, index: residual - probs[index],
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
