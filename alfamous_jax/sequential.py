"""The one scan behind every greedy selector: pick the best row, update, pick again."""

from collections.abc import Callable
from typing import TypeVar

import chex
import jax
import jax.numpy as jnp

Carry = TypeVar("Carry")


def best(score: jax.Array, available: jax.Array) -> jax.Array:
    """Index of the best available row, -1 if there is none; ties go to the lowest index.

    Args:
      score: [N], higher first; finite wherever `available`.
      available: [N].

    Returns:
      index [], int32.
    """
    score = jnp.where(available, score, -jnp.inf)
    # A maximum and a minimum are vector reductions on every backend; argmax is a scalar loop on a CPU.
    rows = jnp.arange(score.shape[0], dtype=jnp.int32)
    index = jnp.min(jnp.where(score == jnp.max(score), rows, score.shape[0]))
    return jnp.where(jnp.any(available), index, -1)


def greedy(
    carry: Carry,
    score: Callable[[Carry], jax.Array],
    update: Callable[[Carry, jax.Array], Carry],
    available: jax.Array,
    budget: int,
) -> tuple[Carry, jax.Array]:
    """Picks `budget` rows one at a time.

    Args:
      carry: what the score depends on, any pytree.
      score: carry -> scores [N], higher first; a row scored NaN or infinite is passed over.
      update: (carry, index) -> carry after that pick.
      available: which rows may be picked [N].
      budget: b, static.

    Returns:
      the last carry and the picks [b], int32, in the order picked, -1 once no row is left.
    """
    chex.assert_rank(available, 1)

    def pick(state, _):
        carry, available = state
        scores = score(carry)
        index = best(scores, available & jnp.isfinite(scores))
        moved = update(carry, jnp.maximum(index, 0))
        carry = jax.tree.map(lambda new, old: jnp.where(index >= 0, new, old), moved, carry)
        return (carry, available.at[jnp.where(index >= 0, index, available.size)].set(False, mode="drop")), index

    (carry, _), indices = jax.lax.scan(pick, (carry, available), length=budget)
    return carry, indices
