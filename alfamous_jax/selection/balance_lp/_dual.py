"""The dual of the relaxed balance programme on a window of rows, by smoothed Newton steps.

For rows with utility u and probabilities P, b of them to choose, the relaxation of
-u'z + lam ||demand - P'z||_1 has the dual

    D(nu) = nu'demand - (sum of the b largest of u + P nu),    -lam <= nu_k <= lam

concave and piecewise linear in one multiplier per class: the best batch is the top b of the utility plus a
bonus per class. Here it is smoothed by an entropy of weight mu, which turns the top b into sigmoids of
(score - threshold) / mu, and mu falls to 0 by steps. Every product is in full float32 (`core.numerics.dot`) but the
Hessian, which only shapes the step.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import jax.scipy.linalg
import jax.scipy.special

from alfamous_jax.core.numerics import dot, extremes, sums

HESSIAN_ROWS = 1024  # of largest weight, for the Hessian of many classes
TRUST = 30.0  # first trust radius at a smoothing, in units of it


class Window(NamedTuple):
    """Rows to choose from and what is left to choose."""

    utility: jax.Array  # [W]
    probs: jax.Array  # [W, K]
    usable: jax.Array  # [W]
    demand: jax.Array  # [K], less what rows outside the window cover
    budget: jax.Array  # [], rows to choose here


class Point(NamedTuple):
    """The smoothed dual at some multipliers."""

    nu: jax.Array  # [K]
    threshold: jax.Array  # []
    z: jax.Array  # [W], each row's share of the batch
    gradient: jax.Array  # [K], demand - P'z


Count = jax.Array | int
Bracket = tuple[jax.Array, jax.Array, jax.Array, jax.Array, Count]  # threshold, its bracket [2], z, excess, steps
Guess = tuple[jax.Array, jax.Array, jax.Array | bool, Count]  # step, side of the box [K], changed, guesses
# point, mu, trust radius, what mu adds, whether the point has still to be taken to mu, steps
Climb = tuple[Point, jax.Array, jax.Array, jax.Array, jax.Array, Count]


def soften(window: Window, nu: jax.Array, mu: jax.Array, threshold: jax.Array) -> Point:
    """z = sigmoid((score - threshold) / mu) with sum z = budget, by a safeguarded Newton iteration.

    Args:
      window: W rows.
      nu: multipliers [K].
      mu: smoothing [].
      threshold: first guess [].

    Returns:
      the point; sum z is within 1e-3 of the budget.
    """
    scores = window.utility + dot(window.probs, nu)
    ends = jnp.stack(extremes(scores, window.usable))
    ends = jnp.where(jnp.isfinite(ends), ends, 0.0) + jnp.asarray([-40.0, 40.0], mu.dtype) * mu

    def off(state: Bracket) -> jax.Array:
        return (state[-1] < 50) & (jnp.abs(state[-2]) > 1e-3)

    def step(state: Bracket) -> Bracket:
        threshold, ends, _, _, count = state
        z = jnp.where(window.usable, jax.nn.sigmoid((scores - threshold) / mu), 0.0)
        total, slope = sums(z, z * (1 - z))
        excess = total - window.budget
        ends = jnp.where(jnp.array([True, False]) == (excess > 0), threshold, ends)
        moved = threshold + mu * excess / jnp.maximum(slope, 1e-12)
        moved = jnp.where((moved > ends[0]) & (moved < ends[1]), moved, (ends[0] + ends[1]) / 2)
        return jnp.where(jnp.abs(excess) > 1e-3, moved, threshold), ends, z, excess, count + 1

    start: Bracket = (
        jnp.clip(threshold, ends[0], ends[1]),
        ends,
        jnp.zeros_like(scores),
        jnp.full_like(mu, jnp.inf),
        0,
    )
    threshold, _, z, _, _ = jax.lax.while_loop(off, step, start)
    return Point(nu, threshold, z, window.demand - dot(z, window.probs))


def entropy(z: jax.Array, mu: jax.Array) -> jax.Array:
    """What the smoothing adds to the dual; once Newton has converged, a bound on what D(nu) is short of the LP."""
    terms = jax.scipy.special.entr(z) + jax.scipy.special.entr(1 - z)
    return mu * sums(jax.lax.optimization_barrier(terms))[0]  # a logarithm inside the loop of a sum is slow


def hessian(window: Window, z: jax.Array, mu: jax.Array) -> jax.Array:
    """Minus the second derivative of the smoothed dual [K, K], the threshold eliminated, and a small ridge."""
    probs, weight = window.probs, z * (1 - z)
    if probs.shape[1] > 32 and len(weight) > HESSIAN_ROWS:
        everything = sums(weight)[0]
        weight, rows = jax.lax.top_k(weight, HESSIAN_ROWS)
        probs, weight = probs[rows], weight * everything / (sums(weight)[0] + 1e-30)
    total = sums(weight)[0] + 1e-30
    # Centred and in one factor, so that it stays positive where a device multiplies with few bits.
    factor = jnp.sqrt(weight)[:, None] * (probs - dot(weight, probs) / total)
    matrix = jnp.dot(factor.T, factor) / mu
    return matrix + (1e-5 * jnp.max(jnp.diagonal(matrix)) + 1e-6) * jnp.eye(matrix.shape[0], dtype=matrix.dtype)


def box_step(matrix: jax.Array, gradient: jax.Array, low: jax.Array, high: jax.Array) -> jax.Array:
    """argmax of gradient'd - d' matrix d / 2 over low <= d <= high, by a primal-dual active set [K]."""
    scale, identity = jnp.diagonal(matrix), jnp.eye(len(low), dtype=matrix.dtype)

    def side_of(wanted: jax.Array) -> jax.Array:
        return jnp.where(wanted < low, -1, jnp.where(wanted > high, 1, 0))

    def unsettled(state: Guess) -> jax.Array | bool:
        return state[-2] & (state[-1] < 10)

    def guess(state: Guess) -> Guess:
        _, side, _, count = state
        free = side == 0
        held = jnp.where(free, 0.0, jnp.where(side < 0, low, high))
        factor = jax.scipy.linalg.cho_factor(jnp.where(free[:, None] & free, matrix, identity))
        step = jax.scipy.linalg.cho_solve(factor, jnp.where(free, gradient - dot(matrix, held), held))
        now = side_of(step + (gradient - dot(matrix, step)) / scale)
        return step, now, jnp.any(now != side), count + 1

    free = gradient / scale
    start: Guess = (free, side_of(free), True, 0)
    step, *_ = jax.lax.while_loop(unsettled, guess, start)
    return jnp.clip(jnp.nan_to_num(step), low, high)


def maximize(
    window: Window,
    nu: jax.Array,
    low: jax.Array,
    high: jax.Array,
    mu: jax.Array,
    mu_end: jax.Array,
    target: jax.Array,
    max_steps: int = 40,
) -> tuple[Point, jax.Array]:
    """Newton steps in a trust box on the smoothed dual, the smoothing cut by 5 whenever they have converged.

    Steps are judged by the slope where they end: values of D differ by less than float32 resolves.

    Args:
      window: W rows.
      nu: where to start [K].
      low, high: box of the multipliers [K].
      mu: first smoothing [].
      mu_end: no smoothing below this [].
      target: stop once the smoothing adds no more than this [].
      max_steps: at most.

    Returns:
      the last point and what the last smoothing that converged adds, infinity if none has.
    """

    def going(state: Climb) -> jax.Array:
        _, mu, _, error, fresh, count = state
        return fresh | (mu >= mu_end) & (error > target) & (count < max_steps)

    def newton(point: Point, mu: jax.Array, radius: jax.Array) -> jax.Array:
        box = jnp.maximum(low - point.nu, -radius), jnp.minimum(high - point.nu, radius)
        return box_step(hessian(window, point.z, mu), point.gradient, *box)

    def step(state: Climb) -> Climb:
        point, mu, radius, _, fresh, count = state
        # A smoothing begins with a step of length 0, so that `soften` is compiled once.
        moved = jax.lax.cond(fresh, lambda *_: jnp.zeros_like(nu), newton, point, mu, radius)
        there = soften(window, jnp.clip(point.nu + moved, low, high), mu, point.threshold)
        gain, slope = dot(point.gradient, moved), dot(there.gradient, moved)
        length = jnp.max(jnp.abs(moved))
        kept, reach = slope >= -0.5 * gain, radius
        grown = jnp.where(slope >= -0.25 * gain, jnp.maximum(radius, 2 * length), radius)
        radius = jnp.where(kept, grown, length * jnp.clip(gain / jnp.where(kept, 1.0, gain - slope), 0.1, 0.7))
        point = jax.lax.cond(kept, lambda: there, lambda: point)
        added = entropy(point.z, mu)
        small = (gain <= added) & (jnp.abs(slope) <= 0.1 * added) & ((length < 0.99 * reach) | (gain <= target))
        converged = (small | (length <= 1e-7 * mu)) & ~fresh
        lower = jnp.where(converged, mu / 5, mu)
        return (
            point,
            lower,
            jnp.where(converged, TRUST * lower, radius),
            jnp.where(converged, added, jnp.inf),
            converged & (lower >= mu_end) & (added > target),
            count + ~fresh,
        )

    start = Point(nu, jnp.zeros_like(mu), jnp.zeros_like(window.utility), jnp.zeros_like(nu))
    state: Climb = (start, mu, TRUST * mu, jnp.full_like(mu, jnp.inf), jnp.array(True), 0)
    point, _, _, error, _, _ = jax.lax.while_loop(going, step, state)
    return point, error
