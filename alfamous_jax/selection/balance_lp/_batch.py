"""The class-balanced batch by linear programming, with a certificate (CBAL Eq. 8, AL-FaMoUS Eq. 3 with b > 1).

The dual of the relaxation (`_relaxation`) gives scores whose top b is the batch but for rounding, which swaps
improve (`_local_search`). The dual value bounds every batch from below, so the caller sees what the batch can be short
of the optimum: objective - bound.
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from alfamous_jax.core import collectives, contract, convert
from alfamous_jax.core.compiling import quick_jit
from alfamous_jax.core.contract import Selection
from alfamous_jax.core.numerics import dot
from alfamous_jax.selection import _greedy, balance
from alfamous_jax.selection.balance_lp import _certificate, _local_search, _pool
from alfamous_jax.selection.balance_lp._pool import Pool
from alfamous_jax.selection.balance_lp._relaxation import Look, slack, solve

SEARCH_ROWS = 512  # rows nearest the threshold, open to swaps
ANNEALED_ROWS = 64  # those of them that are annealed first
CROWDED = 0.05  # labels a class that a batch may be off before greedy is tried as well


Start = tuple[jax.Array, jax.Array]  # batch [b] in falling score, rows that may enter it
Found = tuple[jax.Array, jax.Array]  # batch [b], its objective


class Curve(NamedTuple):
    """The best batch at each weight of the balance."""

    lam: jax.Array  # [G + 1], rising from 0
    l1: jax.Array  # [G + 1], ||demand - P'z||_1
    utility: jax.Array  # [G + 1], u'z
    objective: jax.Array  # [G + 1]
    bound: jax.Array  # [G + 1]


@convert.door
def select_batch(
    utility: jax.Array,
    probs: jax.Array,
    demand: jax.Array,
    lam: jax.Array | float,
    available: jax.Array,
    *,
    budget: int,
    tolerance: float = 1e-6,
    max_iterations: int = 20,
    num_swaps: int = 6000,
    axis_name: str | None = None,
) -> Selection:
    """The batch that minimises -u'z + lam ||demand - P'z||_1 (CBAL Eq. 8), with a lower bound over all batches.

    Args:
      utility: [N], higher first.
      probs: class probabilities [N, K], non-negative; rows need not sum to one.
      demand: [K].
      lam: weight of the balance [], >= 0, in units of utility a misplaced row.
      available: [N]; rows with a NaN, an infinity or a negative probability are passed over as well.
      budget: b, static; where it is not below the number of available rows, all of these are selected.
      tolerance: the dual and the search stop at a certified gap of this share of the bound.
      max_iterations: windows the dual may solve, each followed by one pass over P.
      num_swaps: random swaps that each chain of the annealing tries before the last descent.
      axis_name: inside `shard_map`, the mesh axis that the rows are split over; indices are global.

    Returns:
      the selection, best score first; ties go to the lowest index. `objective - bound` is the certified gap.
      The bound holds in exact arithmetic for the numbers given, its own rounding included, and is never above the
      objective returned, which is rounded as any sum in its dtype.

    Raises:
      ValueError: budget below 1; outside a trace also a negative lam or probability. Inside one, rows with
        a negative probability only count as invalid.

    Examples:
      >>> from alfamous_jax import balance_lp
      >>> utility, probs, demand = jnp.array([0.9, 0.8, 0.1]), jnp.eye(2)[jnp.array([0, 0, 1])], jnp.ones(2)
      >>> batch = balance_lp.select_batch(utility, probs, demand, 1.0, jnp.ones(3, bool), budget=2)
      >>> sorted(batch.indices.tolist()), round(batch.objective.item(), 3)
      ([0, 2], -1.0)
      >>> (batch.objective - batch.bound).item() < 1e-4  # no batch is better by more than this
      True
    """
    contract.check_shapes(utility, probs, demand, available, budget)
    # Before the program, so that a demand in whole numbers or another kind of lam compiles nothing anew.
    arrays = convert.in_common(utility, probs, demand, lam)
    selection: Selection = _select_batch(*arrays, available, budget, tolerance, max_iterations, num_swaps, axis_name)
    contract.refuse_negative(selection, probs, lam, available)
    return selection


@convert.door
def choose_lambda(
    utility: jax.Array,
    probs: jax.Array,
    demand: jax.Array,
    available: jax.Array,
    *,
    budget: int,
    grid: jax.Array,
    select: Callable[[jax.Array], Selection] | None = None,
) -> tuple[jax.Array, Curve]:
    """The smallest lam past which the L1 term stops falling (AL-FaMoUS Section 4.2, CBAL Fig. 4).

    The L1 term counts as converged once it is within 5 % of the way from its value at lam = 0 down to its lowest.

    Args:
      utility, probs, demand, available, budget: see `select_batch`.
      grid: the lam to choose from [G]; all are solved in one vmapped program.
      select: lam -> the batch at it, of a method with a solver of its own; `select_batch` if not given.

    Returns:
      lam [], one of the grid, and the curve over 0 and the sorted grid.

    Examples:
      >>> from alfamous_jax import balance_lp
      >>> utility, probs, demand = jnp.array([0.9, 0.8, 0.1]), jnp.eye(2)[jnp.array([0, 0, 1])], jnp.ones(2)
      >>> grid = jnp.array([0.125, 1.0, 4.0])
      >>> lam, curve = balance_lp.choose_lambda(utility, probs, demand, jnp.ones(3, bool), budget=2, grid=grid)
      >>> lam.item(), curve.l1.tolist()
      (1.0, [2.0, 2.0, 0.0, 0.0])
    """
    contract.refuse_negative_lam(grid)
    utility, probs, demand = convert.in_common(utility, probs, demand)
    lams = jnp.concatenate([jnp.zeros(1), jnp.sort(jnp.asarray(grid, jnp.float32))]).astype(utility.dtype)
    own = select or partial(select_batch, utility, probs, demand, available=available, budget=budget)
    batches = jax.vmap(lambda lam: own(lam))(lams)
    picked = batches.indices >= 0
    covered = jnp.sum(jnp.where(picked[..., None], probs[batches.indices], 0.0), axis=1)
    l1 = jnp.sum(jnp.abs(demand - covered), axis=-1)
    gained = jnp.sum(jnp.where(picked, utility[batches.indices], 0.0), axis=-1)
    lowest = jnp.min(l1)
    converged = l1 <= lowest + 0.05 * (l1[0] - lowest)
    return lams[1 + jnp.argmax(converged[1:])], Curve(lams, l1, gained, batches.objective, batches.bound)


@quick_jit(static_argnames=("budget", "axis_name"))
def _select_batch(
    utility: jax.Array,
    probs: jax.Array,
    demand: jax.Array,
    lam: jax.Array,
    available: jax.Array,
    budget: int,
    tolerance: jax.Array | float,
    max_iterations: jax.Array | int,
    num_swaps: jax.Array | int,
    axis_name: str | None,
) -> Selection:
    pool = _pool.prepare(utility, probs, demand, lam, available, axis_name)
    look, bound, _ = solve(pool, budget, tolerance, max_iterations, axis_name)
    ours = _search(pool, look, bound, budget, tolerance, num_swaps, axis_name)
    # The top of the utility is taken where it is as good: it is what lam = 0, or a demand of 0, asks for.
    scores, rows = _pool.top(jnp.where(pool.valid, pool.utility, -jnp.inf), budget, axis_name)
    batches = jnp.concatenate([ours, _padded(rows, scores, budget)[None]])
    values = jax.vmap(partial(_objective, pool, axis_name=axis_name))(batches)
    rounding = slack(pool, pool.lam, min(budget, len(look.rows)))
    best = jnp.where(values[-1] <= jnp.min(values) + rounding, len(values) - 1, jnp.argmin(values))
    _, below = _certificate.below(pool, look.nu, look.scores, look.rows, budget, axis_name)
    return Selection(
        indices=batches[best],
        objective=values[best],
        bound=jnp.fmin(below, values[best]),
        num_selected=jnp.sum(batches[best] >= 0),
        num_invalid=collectives.psum(jnp.sum(available & ~pool.valid), axis_name),
    )


def _search(
    pool: Pool,
    look: Look,
    bound: jax.Array,
    budget: int,
    tolerance: jax.Array | float,
    num_swaps: jax.Array | int,
    axis_name: str | None,
) -> jax.Array:
    """Batches [1 or 2, b] improved by swaps: the top of the scores, and where that is not good, the greedy one.

    The rows of a batch with the lowest scores may leave, those outside with the highest may enter.
    """
    count = len(look.rows)
    num_out = min(budget, SEARCH_ROWS // 2)
    num_in = max(min(count - budget, SEARCH_ROWS // 2), 0)
    enough = bound + tolerance * jnp.abs(bound) + slack(pool, look.nu, budget)
    near = slice(max(num_out - ANNEALED_ROWS // 2, 0), num_out + ANNEALED_ROWS // 2)

    def improve(start: Start, num_steps: jax.Array) -> Found:
        rows, others = start
        window = jnp.concatenate([rows[budget - num_out :], others])
        utility, probs, usable = _pool.take(pool, window, axis_name)
        inside = (jnp.arange(len(window)) < num_out) & usable
        gained, covered = _pool.totals(pool, rows, axis_name)
        residual = pool.demand - covered
        batch = _local_search.Batch(inside[near], residual, pool.lam * jnp.sum(jnp.abs(residual)) - gained)
        batch = _local_search.anneal(batch, utility[near], probs[near], usable[near], pool.lam, enough, num_steps)
        batch = batch._replace(inside=inside.at[near].set(batch.inside))
        batch = _local_search.descend(batch, utility, probs, usable, pool.lam)
        places = _greedy.top(jnp.where(batch.inside, len(window) - jnp.arange(len(window)), 0), num_out)
        return rows.at[budget - num_out :].set(jnp.where(places[0] > 0, window[places[1]], -1)), batch.objective

    first = _padded(look.rows, look.scores, budget), look.rows[budget : budget + num_in]
    if axis_name is not None:
        return improve(first, jnp.asarray(num_swaps))[0][None]

    def attempt(state: Found, is_first: jax.Array) -> tuple[Found, jax.Array]:
        # Where a crowd of equal scores straddles the threshold, the rows nearest it may lack what is short.
        crowded = state[1] - bound > CROWDED * pool.lam * pool.probs.shape[1]

        def take(_: Found) -> Found:
            start = jax.lax.cond(is_first, lambda: first, lambda: _from_greedy(pool, look, budget, num_in))
            return improve(start, jnp.where(is_first, num_swaps, 0))

        state = jax.lax.cond(is_first | crowded, take, lambda state: state, state)
        return state, state[0]

    nothing = jnp.full(budget, -1, jnp.int32), jnp.zeros_like(bound)
    batches: jax.Array = jax.lax.scan(attempt, nothing, jnp.array([True, False]))[1]
    return batches


def _from_greedy(pool: Pool, look: Look, budget: int, num_in: int) -> Start:
    """The greedy batch in falling score, and the best rows outside it."""
    indices = balance.select_greedy(pool.utility, pool.probs, pool.demand, pool.lam, pool.valid, budget=budget).indices
    utility, probs, usable = _pool.take(pool, indices, None)
    rows = indices[_greedy.top(jnp.where(usable, utility + dot(probs, look.nu), -jnp.inf), budget)[1]]
    taken = jnp.zeros(len(pool.utility), bool).at[jnp.where(rows >= 0, rows, len(pool.utility))].set(True, mode="drop")
    scores, places = _greedy.top(jnp.where(taken[look.rows], -jnp.inf, look.scores), num_in)
    return rows, jnp.where(scores > -jnp.inf, look.rows[places], -1)


def _padded(rows: jax.Array, scores: jax.Array, budget: int) -> jax.Array:
    """The first rows of a list [b], -1 where a row may not be chosen or there is none."""
    rows = jnp.where(scores > -jnp.inf, rows, -1)[:budget].astype(jnp.int32)
    return jnp.pad(rows, (0, budget - len(rows)), constant_values=-1)


def _objective(pool: Pool, indices: jax.Array, axis_name: str | None) -> jax.Array:
    utility, covered = _pool.totals(pool, indices, axis_name)
    return -utility + pool.lam * jnp.sum(jnp.abs(pool.demand - covered))
