"""Newton's method for penalised multinomial logistic regression: conjugate gradients and a backtracking line search."""

from typing import NamedTuple

import jax
import jax.numpy as jnp

from alfamous_jax.core.numerics import HIGHEST, dot

NEVER = -1e9  # the intercept of a class without labels; finite, so that logits are
CG_STEPS = 100  # of one Newton step
HALVINGS = 30  # of one line search


class Basis(NamedTuple):
    """Features in the coordinates of their own principal directions: an exact rotation, so that no row is changed."""

    rows: jax.Array  # [M, R], R = min(M, D); rows out of the mask are 0
    directions: jax.Array  # [D, R], orthonormal columns
    power: jax.Array  # [R], sum of squares of each column of `rows`, each square times what its row counts
    inner: jax.Array  # [M, M], products of the rows


class Problem(NamedTuple):
    """What stays the same in all steps of a fit."""

    rows: jax.Array  # [M, R], with a last 1 where there is an intercept
    targets: jax.Array  # [M, K], 0 out of the mask
    mask: jax.Array  # [M], what each row counts
    penalty: jax.Array  # [R], the ridge, 0 for an intercept
    power: jax.Array  # [R]
    offset: jax.Array  # [K], NEVER for a class that is left out
    prior: jax.Array | None = None  # [K, R], the weights that the penalty draws to; None is 0


class State(NamedTuple):
    """The weights, and what Newton's method knows there."""

    weights: jax.Array  # [K, R]
    objective: jax.Array
    gradient: jax.Array  # [K, R]
    gap: jax.Array
    number: jax.Array
    stuck: jax.Array  # whether the last step found nothing lower


def problem_of(
    base: Basis,
    labels: jax.Array,
    mask: jax.Array,
    ridge: jax.Array | float,
    num_classes: int,
    intercept: bool,
    prior: jax.Array | None = None,
) -> Problem:
    """The problem of some labelled rows; an intercept is one more coordinate that is not penalised."""
    rows, power = jnp.where(mask[:, None] != 0, base.rows, 0.0), base.power
    dtype = rows.dtype
    mask = mask.astype(dtype)
    targets = jax.nn.one_hot(labels, num_classes, dtype=dtype) * mask[:, None]
    penalty = jnp.full(rows.shape[1], ridge, dtype)
    offset = jnp.zeros(num_classes, dtype)
    if intercept:
        rows = jnp.concatenate([rows, (mask[:, None] != 0).astype(dtype)], axis=1)
        power = jnp.append(power, jnp.sum(mask))
        penalty = jnp.append(penalty, 0.0)
        offset = jnp.where(jnp.sum(targets, axis=0) > 0, 0.0, NEVER).astype(dtype)
        prior = None if prior is None else jnp.pad(prior, ((0, 0), (0, 1)))
    return Problem(rows, targets, mask, penalty, power, offset, prior)


def unmoved(problem: Problem) -> jax.Array:
    """The prior's weights [K, R]: 0 that is no single number spread, of which jaxlib 0.10.2 makes garbage."""
    if problem.prior is not None:
        return problem.prior
    return jnp.zeros((len(problem.offset), 1), problem.rows.dtype) + 0.0 * problem.rows[0]  # see docs/upstream


def _from_prior(problem: Problem, weights: jax.Array) -> jax.Array:
    """What the penalty squares [K, R]."""
    return weights if problem.prior is None else weights - problem.prior


def minimise(problem: Problem, start: jax.Array, ridge: jax.Array | float, max_steps: int, tolerance: float) -> State:
    """Newton's method with conjugate gradients and a backtracking line search."""

    def step(state: State) -> State:
        probs, total = _probabilities(problem, state.weights), jnp.sum(problem.mask)
        spread = jnp.sum(probs * (1.0 - probs) * problem.mask[:, None], axis=0) / jnp.where(total > 0, total, 1.0)
        diagonal = problem.penalty + spread[:, None] * problem.power + jnp.finfo(start.dtype).tiny
        direction = _solve(problem, probs, state.gradient, diagonal)
        slope = jnp.vdot(direction, state.gradient, precision=HIGHEST)
        size = _line_search(problem, state, direction, slope)
        moved = at(problem, state.weights - size * direction, ridge, state.number + 1)
        better = (moved.objective < state.objective) | (moved.gap < state.gap)
        stay = state._replace(number=moved.number, stuck=~better)
        kept: State = jax.tree.map(lambda new, old: jnp.where(better, new, old), moved, stay)
        return kept

    def going(state: State) -> jax.Array:
        return (state.number < max_steps) & ~(state.gap <= tolerance * state.objective) & ~state.stuck

    return jax.lax.while_loop(going, step, at(problem, start, ridge, jnp.asarray(0)))


def at(problem: Problem, weights: jax.Array, ridge: jax.Array | float, number: jax.Array) -> State:
    """Objective, gradient and certificate at some weights."""
    probs = _probabilities(problem, weights)
    gradient = problem.penalty * _from_prior(problem, weights) - dot(
        (problem.targets - probs * problem.mask[:, None]).T, problem.rows
    )
    spread = jnp.sum(probs * (1.0 - probs) * problem.mask[:, None], axis=0)
    stiffness = jnp.where(problem.penalty > 0, ridge, jnp.maximum(spread, jnp.finfo(weights.dtype).eps)[:, None])
    gap = jnp.sum(gradient**2 / (2.0 * stiffness))
    return State(weights, _objective(problem, weights), gradient, gap, number, jnp.zeros((), bool))


def _logits(problem: Problem, weights: jax.Array) -> jax.Array:
    return dot(problem.rows, weights.T) + problem.offset


def _probabilities(problem: Problem, weights: jax.Array) -> jax.Array:
    return jax.nn.softmax(_logits(problem, weights))


def _objective(problem: Problem, weights: jax.Array) -> jax.Array:
    losses = -jnp.sum(problem.targets * jax.nn.log_softmax(_logits(problem, weights)), axis=1)
    return jnp.sum(losses) + 0.5 * jnp.sum(problem.penalty * _from_prior(problem, weights) ** 2)


def _solve(problem: Problem, probs: jax.Array, gradient: jax.Array, diagonal: jax.Array) -> jax.Array:
    """An approximate Newton direction, nearer the smaller the gradient is."""

    def hessian(direction: jax.Array) -> jax.Array:
        moved = dot(problem.rows, direction.T)
        mean = jnp.sum(probs * moved, axis=1, keepdims=True)
        weighed = probs * (moved - mean) * problem.mask[:, None]
        return problem.penalty * direction + dot(weighed.T, problem.rows)

    size = jnp.sqrt(jnp.sum(gradient**2 / diagonal))
    aim = jnp.minimum(0.1, jnp.sqrt(size))
    direction: jax.Array = jax.scipy.sparse.linalg.cg(
        hessian, gradient, x0=gradient / diagonal, tol=aim, maxiter=CG_STEPS, M=lambda v: v / diagonal
    )[0]
    return direction


def _line_search(problem: Problem, state: State, direction: jax.Array, slope: jax.Array) -> jax.Array:
    """The first of 1, 1/2, 1/4 ... that lowers the objective by a ten-thousandth of what the slope promises.

    By less than that only as far as it is rounded, so that near the minimum the gradient alone decides.
    """
    rounding = jnp.finfo(direction.dtype).eps * state.objective

    def value(size: jax.Array) -> jax.Array:
        return _objective(problem, state.weights - size * direction)

    def too_far(carry: tuple[jax.Array, jax.Array, jax.Array]) -> jax.Array:
        size, found, number = carry
        return ~(found <= state.objective - 1e-4 * size * slope + rounding) & (number < HALVINGS)

    def halve(carry: tuple[jax.Array, jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array, jax.Array]:
        size = carry[0] / 2
        return size, value(size), carry[2] + 1

    one = jnp.ones((), state.weights.dtype)
    size: jax.Array = jax.lax.while_loop(too_far, halve, (one, value(one), jnp.asarray(0)))[0]
    return size
