"""The scan behind every greedy selector: pick the best row, update, pick again; plain or lazy."""

from collections.abc import Callable
from typing import Any, TypeVar

import chex
import jax
import jax.numpy as jnp

from alfamous_jax.core import collectives

Carry = TypeVar("Carry")
Data = TypeVar("Data")
# carry, rows left, picks, how many, whether the last pass gave any
Outer = tuple[Any, jax.Array, jax.Array, jax.Array | int, jax.Array | bool]
# carry, rows left of the block, picks, how many, whether none was made since the pass, whether the last try gave one
Inner = tuple[Any, jax.Array, jax.Array, jax.Array | int, jax.Array, jax.Array]


def best(score: jax.Array, available: jax.Array, axis_name: str | None = None) -> jax.Array:
    """Index of the best available row, -1 if there is none; ties go to the lowest index.

    Args:
      score: [N], higher first; finite wherever `available`.
      available: [N].
      axis_name: inside `shard_map`, the mesh axis that the rows are split over; the index is that of the whole pool.

    Returns:
      index [], int32.
    """
    score = jnp.where(available, score, -jnp.inf)
    # A maximum and a minimum are vector reductions on every backend; argmax is a scalar loop on a CPU.
    rows = jnp.arange(score.shape[0], dtype=jnp.int32)
    if axis_name is not None:
        highest = jax.lax.pmax(jnp.max(score), axis_name)
        rows += collectives.first_row(len(score), axis_name)
        beyond = collectives.num_rows(len(score), axis_name)
        index = jax.lax.pmin(jnp.min(jnp.where(available & (score == highest), rows, beyond)), axis_name)
        return jnp.where(index < beyond, index, -1)
    highest = jnp.max(score)
    index = jnp.min(jnp.where(score == highest, rows, score.shape[0]))
    return jnp.where(highest > -jnp.inf, index, -1)


def top(scores: jax.Array, count: int) -> tuple[jax.Array, jax.Array]:
    """The `count` largest scores [N], falling, and their indices; ties in the order of the indices."""
    values, indices = jax.lax.top_k(scores, count)
    # Without the barriers XLA on a CPU turns a top-k whose results are sliced into a full sort.
    return jax.lax.optimization_barrier(values), jax.lax.optimization_barrier(indices)


def greedy(
    carry: Carry,
    score: Callable[[Carry], jax.Array],
    update: Callable[[Carry, jax.Array], Carry],
    available: jax.Array,
    budget: int,
    axis_name: str | None = None,
) -> tuple[Carry, jax.Array]:
    """Picks `budget` rows one at a time.

    Args:
      carry: what the score depends on, any pytree.
      score: carry -> scores [N], higher first; a row scored NaN or infinite is passed over.
      update: (carry, index) -> carry after that pick.
      available: which rows may be picked [N].
      budget: b, static.
      axis_name: inside `shard_map`, the mesh axis that the rows are split over. Scores are then those of the rows
        here, indices those of the whole pool: an update takes its row with `collectives.take`.

    Returns:
      the last carry and the picks [b], int32, in the order picked, -1 once no row is left.
    """
    chex.assert_rank(available, 1)

    def pick(state: tuple[Carry, jax.Array], _: None) -> tuple[tuple[Carry, jax.Array], jax.Array]:
        carry, available = state
        scores = score(carry)
        index = best(scores, available & jnp.isfinite(scores), axis_name)
        moved = update(carry, jnp.maximum(index, 0))
        carry = jax.tree.map(lambda new, old: jnp.where(index >= 0, new, old), moved, carry)
        place = collectives.places(index, available.size, axis_name)
        return (carry, available.at[place].set(False, mode="drop")), index

    (carry, _), indices = jax.lax.scan(pick, (carry, available), length=budget)
    return carry, indices


def lazy_greedy(
    carry: Carry,
    score: Callable[[Carry, Data], jax.Array],
    update: Callable[[Carry, Data], Carry],
    data: Data,
    available: jax.Array,
    budget: int,
    block: int = 512,
) -> tuple[Carry, jax.Array]:
    """The picks of `greedy` for scores that never rise as picks accumulate, without scoring every row each time.

    A score that was taken before the last pick is then an upper bound. One pass over all rows keeps the
    `block` best, and picks are made among these while the best of them is ahead of every score left outside.

    Args:
      carry: what the score depends on, any pytree.
      score: (carry, rows of `data`) -> their scores, higher first; a row scored NaN or infinite is passed over.
      update: (carry, one row of `data`) -> carry after that pick.
      data: a pytree of arrays [N, ...].
      available: which rows may be picked [N].
      budget: b, static.
      block: rows kept after a pass, static.

    Returns:
      the last carry and the picks [b], int32, in the order picked, -1 once no row is left. Ties go to the
      lowest index, as in `greedy`.
    """
    chex.assert_rank(available, 1)
    size = available.shape[0]
    block = min(block, size)

    def refresh(state: Outer) -> Outer:
        carry, available, picks, count, _ = state
        scores = score(carry, data)
        scores = jnp.where(available & jnp.isfinite(scores), scores, -jnp.inf)
        ahead, rows = top(scores, min(block + 1, size))
        outside = (ahead[block], rows[block]) if block < size else (jnp.full_like(ahead[0], -jnp.inf), size)
        rows, usable = rows[:block], ahead[:block] > -jnp.inf
        kept = jax.tree.map(lambda x: x[rows], data)

        def pick(inner: Inner) -> Inner:
            carry, usable, picks, count, fresh, _ = inner
            scores = score(carry, kept)
            highest, row, place = _leader(jnp.where(usable, scores, -jnp.inf), rows)
            leads = (highest > outside[0]) | ((highest == outside[0]) & (row < outside[1]))
            found = (highest > -jnp.inf) & (fresh | leads)
            moved = update(carry, jax.tree.map(lambda x: x[place], kept))
            carry = jax.lax.cond(found, lambda: moved, lambda: carry)
            usable = usable & ~(found & (jnp.arange(block) == place))
            picks = picks.at[jnp.where(found, count, budget)].set(row, mode="drop")
            return carry, usable, picks, count + found, jnp.array(False), found

        def leading(inner: Inner) -> jax.Array:
            return inner[-1] & (inner[3] < budget)

        start = (carry, usable, picks, count, jnp.array(True), jnp.array(True))
        carry, left, picks, reached, _, _ = jax.lax.while_loop(leading, pick, start)
        available = available.at[jnp.where(usable & ~left, rows, size)].set(False, mode="drop")
        return carry, available, picks, reached, reached > count

    def going(state: Outer) -> jax.Array | bool:
        return state[-1] & (state[3] < budget)

    picks = jnp.full(budget, -1, jnp.int32)
    first: Outer = (carry, available, picks, 0, jnp.array(True))
    carry, _, picks, _, _ = jax.lax.while_loop(going, refresh, first)
    return carry, picks


def _leader(scores: jax.Array, rows: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """The highest score [n], its row and its place, in one loop; of equal ones that of the lowest row."""

    def ahead(a: tuple[jax.Array, ...], b: tuple[jax.Array, ...]) -> tuple[jax.Array, ...]:
        first = (a[0] > b[0]) | ((a[0] == b[0]) & (a[1] < b[1]))
        return tuple(jnp.where(first, x, y) for x, y in zip(a, b, strict=True))

    last = jnp.asarray(jnp.iinfo(rows.dtype).max, rows.dtype)
    start = jnp.full((), -jnp.inf, scores.dtype), last, jnp.zeros((), rows.dtype)
    score, row, place = jax.lax.reduce((scores, rows, jnp.arange(len(rows), dtype=rows.dtype)), start, ahead, (0,))
    return score, row, place
