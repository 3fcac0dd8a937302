"""The class-balanced batch by linear programming, with a certificate (CBAL Eq. 8, AL-FaMoUS Eq. 3 with b > 1).

The dual of the relaxation (`lp_dual`) is solved on a window of rows round the threshold, and one pass over
P after each solve says what the multipliers are worth on the whole pool and where the window goes next. The
last window's top b is improved by swaps (`local_search`). The dual value bounds every batch from below, so
the caller sees what the batch can be short of the optimum: objective - bound.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp

from alfamous_jax import balance, local_search, lp_dual, lp_pool
from alfamous_jax.balance import Selection
from alfamous_jax.lp_dual import Window, dot

SEARCH_ROWS = 512  # rows nearest the threshold, open to swaps
ANNEALED_ROWS = 64  # those of them that are annealed first
CROWDED = 0.05  # labels a class that a batch may be off before greedy is tried as well


class Dual(NamedTuple):
    """Where the dual of the relaxation was left."""

    multipliers: jax.Array  # nu [K], the bonus of each class
    bound: jax.Array  # [], no batch of b rows has a lower objective
    num_iterations: jax.Array  # [], windows solved, each with one pass over P


class Curve(NamedTuple):
    """The best batch at each weight of the balance."""

    lam: jax.Array  # [G + 1], rising from 0
    l1: jax.Array  # [G + 1], ||demand - P'z||_1
    utility: jax.Array  # [G + 1], u'z
    objective: jax.Array  # [G + 1]
    bound: jax.Array  # [G + 1]


class _Look(NamedTuple):
    """What one pass over P shows under some multipliers."""

    nu: jax.Array  # [K]
    value: jax.Array  # D(nu)
    scores: jax.Array  # [k], the largest, falling
    rows: jax.Array  # [k], theirs
    window: Window
    fixed: jax.Array  # [], utility of the rows above the window


def select_batch(
    utility: jax.Array,
    probs: jax.Array,
    demand: jax.Array,
    lam: jax.Array | float,
    available: jax.Array,
    budget: int,
    *,
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
      The bound allows for its own rounding: one unit in the last place of sum |nu demand| and of b scores.

    Raises:
      ValueError: budget below 1; outside a trace also a negative lam or probability. Inside one, rows with
        a negative probability only count as invalid.
    """
    balance.check_shapes(utility, probs, demand, available, budget)
    selection = _select_batch(
        utility, probs, demand, lam, available, budget, tolerance, max_iterations, num_swaps, axis_name
    )
    balance.refuse_negative(selection, probs, lam, available)
    return selection


def solve_dual(
    utility: jax.Array,
    probs: jax.Array,
    demand: jax.Array,
    lam: jax.Array | float,
    available: jax.Array,
    budget: int,
    *,
    tolerance: float = 1e-6,
    max_iterations: int = 20,
    axis_name: str | None = None,
) -> Dual:
    """The dual of the relaxation alone: what every class is worth, and the bound.

    The top `budget` rows of utility + probs @ multipliers are the batch before any swap. A row whose score
    lies further from the threshold than objective - bound is in every better batch, or in none.

    Args:
      utility, probs, demand, lam, available, budget, tolerance, max_iterations, axis_name: see `select_batch`.

    Returns:
      the dual, its bound -inf where no more rows are available than the budget. Rows with a NaN, an infinity
      or a negative probability are passed over.

    Raises:
      ValueError: budget below 1; outside a trace also a negative lam.
    """
    balance.check_shapes(utility, probs, demand, available, budget)
    balance.refuse_negative_lam(lam)
    return _solve_dual(utility, probs, demand, lam, available, budget, tolerance, max_iterations, axis_name)


def choose_lambda(
    utility: jax.Array,
    probs: jax.Array,
    demand: jax.Array,
    available: jax.Array,
    budget: int,
    grid: jax.Array,
) -> tuple[jax.Array, Curve]:
    """The smallest lam past which the L1 term stops falling (AL-FaMoUS Section 4.2, CBAL Fig. 4).

    The L1 term counts as converged once it is within 5 % of the way from its value at lam = 0 down to its lowest.

    Args:
      utility, probs, demand, available, budget: see `select_batch`.
      grid: the lam to choose from [G]; all are solved in one vmapped program.

    Returns:
      lam [], one of the grid, and the curve over 0 and the sorted grid.
    """
    balance.refuse_negative_lam(grid)
    lams = jnp.concatenate([jnp.zeros(1), jnp.sort(jnp.asarray(grid, jnp.float32))]).astype(utility.dtype)
    select = partial(select_batch, utility, probs, demand, available=available, budget=budget)
    batches = jax.vmap(lambda lam: select(lam))(lams)
    picked = batches.indices >= 0
    covered = jnp.sum(jnp.where(picked[..., None], probs[batches.indices], 0.0), axis=1)
    l1 = jnp.sum(jnp.abs(demand - covered), axis=-1)
    gained = jnp.sum(jnp.where(picked, utility[batches.indices], 0.0), axis=-1)
    lowest = jnp.min(l1)
    converged = l1 <= lowest + 0.05 * (l1[0] - lowest)
    return lams[1 + jnp.argmax(converged[1:])], Curve(lams, l1, gained, batches.objective, batches.bound)


@partial(jax.jit, static_argnames=("budget", "axis_name"))
def _solve_dual(utility, probs, demand, lam, available, budget, tolerance, max_iterations, axis_name):
    pool = lp_pool.prepare(utility, probs, demand, lam, available, axis_name)
    look, bound, count = _solve(pool, budget, tolerance, max_iterations, axis_name)
    return Dual(look.nu, bound, count)


@partial(jax.jit, static_argnames=("budget", "axis_name"))
def _select_batch(utility, probs, demand, lam, available, budget, tolerance, max_iterations, num_swaps, axis_name):
    pool = lp_pool.prepare(utility, probs, demand, lam, available, axis_name)
    look, bound, _ = _solve(pool, budget, tolerance, max_iterations, axis_name)
    rows, inside = _search(pool, look, bound, budget, tolerance, num_swaps, axis_name)
    chosen = jnp.nonzero(inside & (look.scores[: len(rows)] > -jnp.inf), size=budget, fill_value=-1)[0]
    ours = jnp.where(chosen >= 0, rows[chosen], -1).astype(jnp.int32)

    # The top of the utility is taken where it is as good: it is what lam = 0, or a demand of 0, asks for.
    scores, rows = lp_pool.top(jnp.where(pool.valid, pool.utility, -jnp.inf), budget, axis_name)
    plain = jnp.pad(jnp.where(scores > -jnp.inf, rows, -1), (0, budget - len(rows)), constant_values=-1)
    batches = [ours, plain]
    if axis_name is None:
        # Where a crowd of equal scores straddles the threshold, the rows nearest it may lack what is short.
        crowded = _objective(pool, ours, axis_name) - bound > CROWDED * pool.lam * probs.shape[1]
        batches.append(jax.lax.cond(crowded, lambda: _from_greedy(pool, look, budget), lambda: plain))
    batches = jnp.stack(batches)
    values = jnp.stack([_objective(pool, batch, axis_name) for batch in batches])
    rounding = _slack(pool, pool.lam, min(budget, len(look.rows)))
    best = jnp.where(values[1] <= jnp.min(values) + rounding, 1, jnp.argmin(values))
    few = lp_pool.psum(jnp.sum(pool.valid), axis_name) <= budget
    return Selection(
        indices=batches[best],
        objective=values[best],
        bound=jnp.where(few, values[best] - rounding, bound),
        num_selected=jnp.sum(batches[best] >= 0),
        num_invalid=lp_pool.psum(jnp.sum(available & ~pool.valid), axis_name),
    )


def _solve(pool, budget, tolerance, max_iterations, axis_name):
    """The dual over the whole pool: solve a window, look at the pool, move the window."""
    lam, eps, dtype = pool.lam, jnp.finfo(pool.utility.dtype).eps, pool.utility.dtype
    spread = pool.spread + 0.1 * lam * pool.row_scale + 1e-6
    look = partial(_look, pool, budget=budget, axis_name=axis_name)
    first = look(_sampled_start(pool, budget, spread, axis_name))
    infinite = jnp.full((), jnp.inf, dtype)

    def going(state):
        best, upper, _, _, settled, count = state
        return ~settled & (count < max_iterations)

    def iterate(state):
        best, upper, radius, mu, _, count = state
        finest = 8 * eps * (pool.utility_scale + jnp.max(jnp.abs(best.nu)) * pool.row_scale)
        mu = jnp.maximum(mu, finest)
        low, high = jnp.maximum(-lam, best.nu - radius), jnp.minimum(lam, best.nu + radius)
        wanted = tolerance * jnp.abs(best.value)
        point, error = lp_dual.maximize(best.window, best.nu, low, high, mu, mu / 30, wanted / 4)
        relaxed = -best.fixed - dot(best.window.utility, point.z) + lam * jnp.sum(jnp.abs(point.gradient))
        # z may miss the budget by a little; a row more or less is worth no more than the largest score.
        largest = pool.utility_scale + jnp.max(jnp.abs(point.nu)) * pool.row_scale
        missed = jnp.abs(jnp.sum(point.z) - best.window.budget) * largest
        upper = jnp.minimum(upper, relaxed + missed)
        there = look(point.nu)
        gain = there.value - best.value
        better = gain > 0
        # A window that foretold the gain to a step that its box cut short may be left further behind.
        foretold = -best.fixed - dot(best.window.utility, point.z) + dot(point.nu, point.gradient) - best.value
        cut_short = jnp.max(jnp.abs(point.nu - best.nu)) > 0.99 * radius
        wider = jnp.where(cut_short & (gain > 0.75 * foretold), 2 * radius, radius)
        radius = jnp.where(better, wider, 0.3 * radius)
        best = jax.tree.map(lambda new, old: jnp.where(better, new, old), there, best)
        settled = (jnp.abs(gain) <= wanted) & (error <= 10 * wanted) | (upper - best.value <= wanted)
        return best, upper, radius, mu / 5, settled, count + 1

    few = lp_pool.psum(jnp.sum(pool.valid), axis_name) <= budget
    state = (first, infinite, 0.3 * lam, 0.02 * spread, few | (lam <= 0), 0)
    best, _, _, _, _, count = jax.lax.while_loop(going, iterate, state)
    return best, jnp.where(few, -jnp.inf, best.value - _slack(pool, best.nu, budget)), count


def _sampled_start(pool, budget, spread, axis_name):
    """Multipliers of an evenly spaced sample of the pool, which costs no pass over P."""
    num_classes, lam = pool.probs.shape[1], pool.lam
    num_rows = lp_pool.num_rows(pool, axis_name)
    size = _window_rows(num_classes)
    start = jnp.zeros(num_classes, pool.utility.dtype)
    if num_rows <= size:
        return start
    rows = jnp.arange(size) * (num_rows // size)
    utility, probs, usable = lp_pool.take(pool, rows, axis_name)
    share = jnp.sum(usable) / lp_pool.psum(jnp.sum(pool.valid), axis_name)
    window = Window(utility, probs, usable, pool.demand * share, budget * share)
    point, _ = lp_dual.maximize(window, start, start - lam, start + lam, 0.1 * spread, 0.005 * spread, 0.0 * lam)
    return jnp.nan_to_num(point.nu)


def _look(pool, nu, budget, axis_name):
    size = _window_rows(len(nu))
    count = min(lp_pool.num_rows(pool, axis_name), budget + size // 2)
    num_fixed = max(count - size, 0)
    scores = jnp.where(pool.valid, pool.utility + dot(pool.probs, nu), -jnp.inf)
    scores, rows = lp_pool.top(scores, count, axis_name)
    threshold = scores[min(budget, count) - 1]
    value = dot(nu, pool.demand) - budget * threshold - lp_pool.two_stage_sum(scores[:budget] - threshold)
    fixed_utility, covered = lp_pool.totals(pool, rows[:num_fixed], axis_name)
    utility, probs, usable = lp_pool.take(pool, rows[num_fixed:], axis_name)
    left = jnp.asarray(budget - num_fixed, value.dtype)
    window = Window(utility, probs, usable, pool.demand - covered, left)
    return _Look(nu, value, scores, rows, window, fixed_utility)


def _search(pool, look, bound, budget, tolerance, num_swaps, axis_name):
    """Swaps among the rows nearest the threshold. Returns rows in falling score and which of them are chosen."""
    count, budget = len(look.rows), min(budget, len(look.rows))
    start, stop = max(budget - SEARCH_ROWS // 2, 0), min(budget + SEARCH_ROWS // 2, count)
    inside = jnp.arange(count) < budget
    residual = pool.demand - lp_pool.totals(pool, look.rows[:budget], axis_name)[1]
    value = _objective(pool, look.rows[:budget], axis_name)
    utility, probs, usable = lp_pool.take(pool, look.rows[start:stop], axis_name)
    near = slice(max(budget - start - ANNEALED_ROWS // 2, 0), budget - start + ANNEALED_ROWS // 2)
    enough = bound + tolerance * jnp.abs(bound) + _slack(pool, look.nu, budget)
    batch = local_search.Batch(inside[start:stop][near], residual, value)
    batch = local_search.anneal(batch, utility[near], probs[near], usable[near], pool.lam, enough, num_swaps)
    batch = batch._replace(inside=inside[start:stop].at[near].set(batch.inside))
    batch = local_search.descend(batch, utility, probs, usable, pool.lam)
    return look.rows[:stop], inside[:stop].at[start:].set(batch.inside)


def _from_greedy(pool, look, budget):
    """The greedy batch, improved by swaps with the rows nearest the threshold."""
    indices = balance.select_greedy(pool.utility, pool.probs, pool.demand, pool.lam, pool.valid, budget).indices
    near = look.rows[max(budget - SEARCH_ROWS // 2, 0) : budget + SEARCH_ROWS // 2]
    rows = jnp.concatenate([indices, near])
    utility, probs, usable = lp_pool.take(pool, rows, None)
    usable &= (jnp.arange(len(rows)) < budget) | ~jnp.isin(rows, indices)
    inside = (jnp.arange(len(rows)) < budget) & usable
    residual = pool.demand - jnp.sum(jnp.where(inside[:, None], probs, 0.0), axis=0)
    batch = local_search.Batch(inside, residual, jnp.zeros_like(pool.lam))
    batch = local_search.descend(batch, utility, probs, usable, pool.lam)
    chosen = jnp.nonzero(batch.inside, size=budget, fill_value=-1)[0]
    return jnp.where(chosen >= 0, rows[chosen], -1)


def _slack(pool, nu, budget):
    """Rounding in D(nu): one unit in the last place of every product and score in it."""
    demand = jnp.sum(jnp.abs(nu * pool.demand))
    scores = pool.utility_scale + jnp.max(jnp.abs(nu)) * pool.row_scale
    return jnp.finfo(pool.utility.dtype).eps * (demand + budget * scores)


def _objective(pool, indices, axis_name):
    utility, covered = lp_pool.totals(pool, indices, axis_name)
    return -utility + pool.lam * jnp.sum(jnp.abs(pool.demand - covered))


def _window_rows(num_classes):
    """A power of two of at least 40 rows a class: with fewer, more windows are needed than they save."""
    return max(2048, 1 << (40 * num_classes - 1).bit_length())
