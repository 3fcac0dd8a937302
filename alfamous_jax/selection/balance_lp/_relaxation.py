"""The relaxed programme over a whole pool (CBAL Eq. 8 without z binary): its dual, solved window by window.

`_dual` solves it on the rows round the threshold; one pass over P after each solve says what the multipliers are
worth on the whole pool and where the window goes next.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from alfamous_jax.core import collectives, contract, convert
from alfamous_jax.core.compiling import quick_jit
from alfamous_jax.core.numerics import dot, sums
from alfamous_jax.selection.balance_lp import _certificate, _dual, _pool
from alfamous_jax.selection.balance_lp._dual import Window
from alfamous_jax.selection.balance_lp._pool import Pool


class Dual(NamedTuple):
    """Where the dual of the relaxation was left."""

    multipliers: jax.Array  # nu [K], the bonus of each class
    bound: jax.Array  # [], no batch of b rows has a lower objective
    num_iterations: jax.Array  # [], windows solved, each with one pass over P


class Look(NamedTuple):
    """What one pass over P shows under some multipliers."""

    nu: jax.Array  # [K]
    value: jax.Array  # D(nu)
    scores: jax.Array  # [k], the largest, falling
    rows: jax.Array  # [k], theirs


# best look, least value of the relaxation, trust radius, smoothing, settled, windows solved
State = tuple[Look, jax.Array, jax.Array, jax.Array, jax.Array, jax.Array | int]


@convert.door
def solve_dual(
    utility: jax.Array,
    probs: jax.Array,
    demand: jax.Array,
    lam: jax.Array | float,
    available: jax.Array,
    *,
    budget: int,
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

    Examples:
      >>> from alfamous_jax import balance_lp
      >>> utility, probs, demand = jnp.array([0.9, 0.8, 0.1]), jnp.eye(2)[jnp.array([0, 0, 1])], jnp.ones(2)
      >>> dual = balance_lp.solve_dual(utility, probs, demand, 1.0, jnp.ones(3, bool), budget=2)
      >>> round(dual.bound.item(), 3)  # the best batch has -.9 - .1
      -1.0
    """
    contract.check_shapes(utility, probs, demand, available, budget)
    contract.refuse_negative_lam(lam)
    settings = budget, tolerance, max_iterations, axis_name
    dual: Dual = _solve_dual(*convert.in_common(utility, probs, demand, lam), available, *settings)
    return dual


@quick_jit(static_argnames=("budget", "axis_name"))
def _solve_dual(
    utility: jax.Array,
    probs: jax.Array,
    demand: jax.Array,
    lam: jax.Array,
    available: jax.Array,
    budget: int,
    tolerance: jax.Array | float,
    max_iterations: jax.Array | int,
    axis_name: str | None,
) -> Dual:
    pool = _pool.prepare(utility, probs, demand, lam, available, axis_name)
    look, _, count = solve(pool, budget, tolerance, max_iterations, axis_name)
    nu, bound = _certificate.below(pool, look.nu, look.scores, look.rows, budget, axis_name)
    return Dual(nu, jnp.where(pool.num_valid <= budget, -jnp.inf, bound), count)


def solve(
    pool: Pool, budget: int, tolerance: jax.Array | float, max_iterations: jax.Array | int, axis_name: str | None
) -> tuple[Look, jax.Array, jax.Array]:
    """Solves a window, looks at the pool, moves the window, until the bound is tight.

    The first window is an evenly spaced sample of the pool, coarsely solved, which costs no pass over P. It goes
    through the same loop, as what stands in it is most of what has to be compiled.

    Args:
      pool: from `_pool.prepare`.
      budget, tolerance, max_iterations, axis_name: see `solve_dual`.

    Returns:
      the best look, about the bound [] (`_certificate` says what holds to the last digit), the number of windows [].
    """
    lam, eps, dtype = pool.lam, jnp.finfo(pool.utility.dtype).eps, pool.utility.dtype
    spread = pool.spread + 0.1 * lam * pool.row_scale + 1e-6
    infinite = jnp.full((), jnp.inf, dtype)
    few = pool.num_valid <= budget
    rows, num_fixed = _sample(pool, budget, axis_name)

    def going(state: State) -> jax.Array:
        _, _, _, _, settled, count = state
        return (count < 0) | ~settled & (count < max_iterations)

    def iterate(state: State) -> State:
        best, upper, radius, mu, _, count = state
        sampled = count < 0
        fixed, covered = jnp.zeros((), dtype), jnp.zeros_like(pool.demand)
        if num_fixed:
            fixed, covered = _pool.totals(pool, best.rows[:num_fixed], axis_name)
        utility, probs, usable = _pool.take(pool, best.rows[num_fixed:], axis_name)
        # Of the labels wanted, a sample is asked for its share.
        share = jnp.where(sampled, jnp.sum(usable) / jnp.maximum(pool.num_valid, 1), 1.0).astype(dtype)
        left = share * (budget - jnp.where(sampled, 0, num_fixed))
        window = Window(utility, probs, usable, share * (pool.demand - covered), left)

        finest = 8 * eps * (pool.utility_scale + jnp.max(jnp.abs(best.nu)) * pool.row_scale)
        mu = jnp.maximum(mu, finest)
        low, high = jnp.maximum(-lam, best.nu - radius), jnp.minimum(lam, best.nu + radius)
        wanted = jnp.where(sampled, 0.0, tolerance * jnp.abs(best.value))
        finish = mu / jnp.where(sampled, 20, 30)
        point, error = _dual.maximize(window, best.nu, low, high, mu, finish, wanted / 4)
        chosen = fixed + dot(utility, point.z)
        relaxed = lam * jnp.sum(jnp.abs(point.gradient)) - chosen
        # z may miss the budget by a little; a row more or less is worth no more than the largest score.
        largest = pool.utility_scale + jnp.max(jnp.abs(point.nu)) * pool.row_scale
        missed = jnp.abs(sums(point.z)[0] - left) * largest
        upper = jnp.where(sampled, upper, jnp.minimum(upper, relaxed + missed))
        there = _look(pool, jnp.nan_to_num(point.nu), budget, axis_name)
        gain = there.value - best.value
        better = gain > 0
        # A window that foretold the gain to a step that its box cut short may be left further behind.
        foretold = dot(point.nu, point.gradient) - chosen - best.value
        cut_short = jnp.max(jnp.abs(point.nu - best.nu)) > 0.99 * radius
        wider = jnp.where(cut_short & (gain > 0.75 * foretold), 2 * radius, radius)
        radius = jnp.where(sampled, 0.3 * lam, jnp.where(better, wider, 0.3 * radius))
        best = jax.lax.cond(better | sampled, lambda: there, lambda: best)
        close = (jnp.abs(gain) <= wanted) & (error <= 10 * wanted) | (upper - best.value <= wanted)
        return best, upper, radius, mu / 5, few | (lam <= 0) | close & ~sampled, count + 1

    start = Look(jnp.zeros_like(pool.demand), -infinite, jnp.zeros(rows.shape, dtype), rows)
    state: State = (start, infinite, lam, 0.1 * spread, jnp.array(False), -1)
    best, _, _, _, _, count = jax.lax.while_loop(going, iterate, state)
    return best, jnp.where(few, -infinite, best.value - slack(pool, best.nu, budget)), jnp.asarray(count)


def _sample(pool: Pool, budget: int, axis_name: str | None) -> tuple[jax.Array, int]:
    """As many rows as a look lists, evenly spaced, with -1 for those above its window; and how many these are."""
    num_rows, size = collectives.num_rows(len(pool.utility), axis_name), _window_rows(pool.probs.shape[1])
    count = min(num_rows, budget + size // 2)
    num_fixed = max(count - size, 0)
    rows = np.full(count, -1, np.int32)
    rows[num_fixed:] = np.arange(count - num_fixed) * num_rows // (count - num_fixed)
    return jnp.asarray(rows), num_fixed


def _look(pool: Pool, nu: jax.Array, budget: int, axis_name: str | None) -> Look:
    count = min(collectives.num_rows(len(pool.utility), axis_name), budget + _window_rows(len(nu)) // 2)
    scores = jnp.where(pool.valid, pool.utility + dot(pool.probs, nu), -jnp.inf)
    scores, rows = _pool.top(scores, count, axis_name)
    threshold = scores[min(budget, count) - 1]
    value = dot(nu, pool.demand) - budget * threshold - sums(scores[:budget] - threshold)[0]
    return Look(nu, value, scores, rows)


def slack(pool: Pool, nu: jax.Array, budget: int) -> jax.Array:
    """How far off D(nu) may be for the search to call it reached: a unit in the last place of all its terms."""
    demand = jnp.sum(jnp.abs(nu * pool.demand))
    scores = pool.utility_scale + jnp.max(jnp.abs(nu)) * pool.row_scale
    return jnp.finfo(pool.utility.dtype).eps * (demand + budget * scores)


def _window_rows(num_classes: int) -> int:
    """A power of two of at least 40 rows a class: with fewer, more windows are needed than they save."""
    return max(2048, 1 << (40 * num_classes - 1).bit_length())
