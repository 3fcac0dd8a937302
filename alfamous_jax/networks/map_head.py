"""The last layer, fitted exactly: penalised multinomial logistic regression on given features, by Newton's method.

One strictly convex problem, so that the minimiser does not depend on where a fit starts, on a learning rate or on the
order of the rows. Its ridge is the prior precision of `laplace.fit`: mean and covariance belong to one posterior.
"""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np

from alfamous_jax.core import convert
from alfamous_jax.core.compiling import quick_jit
from alfamous_jax.core.numerics import dot
from alfamous_jax.networks._newton import Basis, Problem, State, at, minimise, problem_of, unmoved

__all__ = ["Basis", "HeadInfo", "basis", "fit", "fit_in"]


class HeadInfo(NamedTuple):
    """How the fit ended."""

    objective: jax.Array  # []
    gradient: jax.Array  # [], norm of the gradient over that at the prior's mean
    gap: jax.Array  # [], no weights have an objective below objective - gap
    num_steps: jax.Array  # [], of Newton's method
    converged: jax.Array  # [], whether gap is at most tolerance * objective


def fit(
    features: jax.Array,
    labels: jax.Array,
    mask: jax.Array,
    num_classes: int,
    ridge: jax.Array | float = 1.0,
    *,
    prior_mean: jax.Array | None = None,
    intercept: bool = False,
    max_steps: int = 50,
    tolerance: float = 1e-5,
) -> tuple[jax.Array, HeadInfo]:
    """The weights that minimise sum_i m_i -log softmax(W phi_i)[y_i] + ridge / 2 |W - W_0|^2, with a certificate.

    The mode of the posterior whose covariance `laplace.fit` approximates with the same ridge. The gap follows from
    strong convexity: f(W) - min f <= |grad f(W)|^2 / (2 ridge).

    Args:
      features: labelled rows in a padded buffer [M, D].
      labels: [M], in 0..K-1.
      mask: m, which rows of the buffer count [M]; or how much, numbers of at least 0: a row of 2 is there twice.
      num_classes: K, static.
      ridge: prior precision [], > 0. scikit-learn's C is 1 / ridge.
      prior_mean: W_0, the mean of the prior [K, D], such as a zero-shot head; 0 if not given. Without labels it is the
        answer; a class without labels stays near it.
      intercept: a bias that is not penalised, static. A class without labels is then never predicted, as its best bias
        is minus infinity; without an intercept it keeps a probability.
      max_steps: of Newton's method, static.
      tolerance: where to stop, the gap over the objective.

    Raises:
      ValueError: a prior_mean of another shape; outside of a trace, a ridge that is not above 0, or a row that counts
        less than nothing.

    Returns:
      mean [K, D], or [K, D + 1] with the biases last; and how the fit ended. `converged` is False where float32 or
      `max_steps` ended it: such a fit should not be used unseen. Rows of norm about 1 converge for any ridge from 1e-3
      on. With an intercept, its share of the gap is an estimate.

    Examples:
      >>> from alfamous_jax.networks import map_head
      >>> rows, labels = jnp.array([[1.0], [-1.0], [9.0]]), jnp.array([0, 1, 0])
      >>> mean, info = map_head.fit(rows, labels, jnp.array([True, True, False]), 2, 1.0)
      >>> mean.round(3).tolist(), bool(info.converged)
      ([[0.521], [-0.521]], True)
    """
    chex.assert_rank([features, labels, mask], [2, 1, 1])
    chex.assert_equal_shape_prefix([features, labels, mask], 1)
    if prior_mean is not None and jnp.shape(prior_mean) != (num_classes, features.shape[1]):
        got = list(jnp.shape(prior_mean))
        raise ValueError(f"prior_mean must be of shape [{num_classes}, {features.shape[1]}], got {got}")
    if not isinstance(ridge, jax.core.Tracer) and not ridge > 0:
        raise ValueError(f"ridge must be above 0, got {ridge}")
    if not isinstance(mask, jax.core.Tracer) and mask.dtype != bool and not (counts := np.asarray(mask) >= 0).all():
        raise ValueError(f"mask must be at least 0, got {mask[np.argmin(counts)]} at {np.argmin(counts)}")
    fitted: tuple[jax.Array, HeadInfo] = _fit(
        features, labels, mask, num_classes, ridge, prior_mean, intercept, max_steps, tolerance
    )
    return fitted


@quick_jit(static_argnames=("num_classes", "intercept", "max_steps"))
def _fit(
    features: jax.Array,
    labels: jax.Array,
    mask: jax.Array,
    num_classes: int,
    ridge: jax.Array | float,
    prior_mean: jax.Array | None,
    intercept: bool,
    max_steps: int,
    tolerance: float,
) -> tuple[jax.Array, HeadInfo]:
    base = basis(features, mask)
    inside = None if prior_mean is None else dot(prior_mean.astype(base.rows.dtype), base.directions)
    problem = problem_of(base, labels, mask, ridge, num_classes, intercept, inside)
    state = minimise(problem, unmoved(problem), ridge, max_steps, tolerance)
    mean = state.weights[:, : base.rows.shape[1]]
    if prior_mean is None or inside is None:
        mean = dot(mean, base.directions.T)
    else:  # outside the span of the rows the prior stays
        mean = prior_mean + dot(mean - inside, base.directions.T)
    if intercept:
        mean = jnp.concatenate([mean, (state.weights[:, -1] + problem.offset)[:, None]], axis=1)
    return mean, _info(problem, state, ridge, tolerance)


def basis(features: jax.Array, mask: jax.Array) -> Basis:
    """Rotates features so that the columns of the labelled rows are orthogonal, which Newton's method likes.

    Args:
      features: [M, D].
      mask: which rows count [M], or how much.

    Returns:
      the rows in min(M, D) coordinates. Weights in them have the norm and the logits of weights in the span of the
      rows, where every minimiser lies, or how it differs from a prior's mean.
    """
    features = convert.as_float(features)
    num_rows, width = features.shape
    rows = jnp.where(mask[:, None] != 0, features, 0.0)
    if num_rows < width:
        directions = jnp.linalg.qr(rows.T)[0]
        rows = dot(rows, directions)
    else:
        directions = jnp.eye(width, dtype=features.dtype)
    counts = mask[:, None].astype(rows.dtype)
    _, turn = jnp.linalg.eigh(dot(rows.T, rows * counts))
    turned = dot(rows, turn)
    return Basis(turned, dot(directions, turn), jnp.sum(turned**2 * counts, axis=0), dot(turned, turned.T))


def fit_in(
    base: Basis,
    labels: jax.Array,
    mask: jax.Array,
    num_classes: int,
    ridge: jax.Array | float,
    start: jax.Array | None = None,
    *,
    prior_mean: jax.Array | None = None,
    tolerance: float = 1e-5,
    max_steps: int = 50,
) -> tuple[jax.Array, HeadInfo]:
    """`fit` in the coordinates of a basis, from given weights: near the minimum, a step or two are enough.

    Args:
      base: of `basis`.
      labels: [M].
      mask: [M], as in `fit`; may leave out rows of the basis.
      num_classes: K, static.
      ridge: [].
      start: [K, R], such as the weights at another ridge; the prior's mean if not given.
      prior_mean: in the coordinates of the basis [K, R], W_0 @ base.directions; 0 if not given. The weights are then
        W_0 + (weights - prior_mean) @ base.directions.T.
      tolerance: as in `fit`.
      max_steps: static.

    Returns:
      weights [K, R] in the coordinates of the basis, and how the fit ended.
    """
    problem = problem_of(base, labels, mask, ridge, num_classes, False, prior_mean)
    first = unmoved(problem) if start is None else start
    state = minimise(problem, first, ridge, max_steps, tolerance)
    return state.weights, _info(problem, state, ridge, tolerance)


def _info(problem: Problem, state: State, ridge: jax.Array | float, tolerance: float) -> HeadInfo:
    first = at(problem, unmoved(problem), ridge, state.number)
    norm = jnp.linalg.norm(first.gradient)
    left = jnp.linalg.norm(state.gradient) / jnp.where(norm > 0, norm, 1.0)
    reached = state.gap <= tolerance * state.objective
    return HeadInfo(state.objective, left, state.gap, state.number, reached)
