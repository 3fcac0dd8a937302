"""Gauss-Newton rank-one update of the last layer for one more label (AL-FaMoUS Eq. 7).

A label moves everything by multiples of one column, `cov phi`: the mean by an outer product, the
covariance by a rank-one term, and every pool logit and variance by the inner products of the pool
with that column. The mean step uses the curvature at the old mean, the covariance the one at the new
mean, as the authors of the fast Bayesian update do.

Where the variance of a row is far above 1, as under a small ridge, that step can go too far: a row that the model is
sure of has next to no curvature, and a label that contradicts it moves its logits by nearly the whole variance. The
implicit update goes to the most probable mean under prior and label instead; for small variances the two are one.
"""

from functools import partial
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from alfamous_jax.core import convert
from alfamous_jax.core.numerics import HIGHEST
from alfamous_jax.laplace import Posterior, curvature, pool_dot

MOST_STEPS, NUM_LENGTHS = 60, 24  # of an implicit update; it takes some five


class Gain(NamedTuple):
    """What one label changes: mean += step column', cov -= shrink column column'."""

    column: jax.Array  # [D], cov phi before the update
    step: jax.Array  # [K]
    shrink: jax.Array  # []


def gain(
    mean: jax.Array,
    column: jax.Array,
    phi: jax.Array,
    label: jax.Array,
    *,
    step_size: float = 1.0,
    repeats: int = 1,
    implicit: bool = False,
) -> Gain:
    """The change that a label asks for, from the mean and the column cov phi alone.

    Args:
      mean: last-layer mean [K, D].
      column: cov phi [D].
      phi: features of the labelled row [D]; a row of zeros gains nothing.
      label: its class [], an integer.
      step_size: factor on the mean step (1 in the papers).
      repeats: Gauss-Newton steps on the same label (1 in the papers); static.
      implicit: whether the mean goes to the mode of prior times label, solved to rounding in O(K) a step, in the place
        of Eq. 7's one step (the implicit update of Kulis and Bartlett, 2010); static.

    Returns:
      the gain. An implicit step is found in a loop, which reverse-mode differentiation does not go through.

    Raises:
      ValueError: implicit with a step size or repeats, which it does not have.

    Examples:
      >>> from alfamous_jax import updates
      >>> change = updates.gain(jnp.zeros((2, 3)), jnp.array([0.8, 0.0, 0.0]), jnp.array([1.0, 0.0, 0.0]), jnp.array(0))
      >>> [round(x, 4) for x in change.step.tolist()]  # up for the class of the label, down for the other
      [0.4167, -0.4167]
    """
    chex.assert_rank([mean, column, phi, label], [2, 1, 1, 0])
    spread = jnp.dot(phi, column, precision=HIGHEST)
    logits = jnp.dot(mean, phi, precision=HIGHEST)
    target = jax.nn.one_hot(convert.as_labels(label, "label"), mean.shape[0], dtype=mean.dtype)
    if implicit and (step_size, repeats) != (1.0, 1):
        raise ValueError(f"implicit has no step_size and no repeats, got {step_size} and {repeats}")
    step, precision = jnp.zeros_like(logits), jnp.zeros_like(spread)
    if implicit:
        step = _to_mode(logits, spread, target)
        precision = curvature(logits + spread * step)
    for _ in range(0 if implicit else repeats):
        residual = target - jax.nn.softmax(logits)
        move = step_size * residual / (1.0 + (precision + curvature(logits)) * spread)
        logits += spread * move
        step += move
        precision += curvature(logits)
    return Gain(column, step, precision / (1.0 + precision * spread))


def _to_mode(logits: jax.Array, spread: jax.Array, target: jax.Array) -> jax.Array:
    """The step [K] with step = target - softmax(logits + spread step), by Newton with the best of some step lengths."""
    lengths = 0.5 ** jnp.arange(NUM_LENGTHS, dtype=logits.dtype)
    enough = 4.0 * jnp.finfo(logits.dtype).eps

    def missing(step: jax.Array) -> jax.Array:
        return step - target + jax.nn.softmax(logits + spread * step)

    def improve(state: tuple[jax.Array, jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array, jax.Array]:
        step, size, count = state
        probs = jax.nn.softmax(logits + spread * step)
        # The inverse of I + spread (diag p - p p') by Sherman and Morrison.
        scale = 1.0 / (1.0 + spread * probs)
        ahead = scale * (step - target + probs)
        move = ahead + spread * scale * probs * jnp.sum(probs * ahead) / jnp.sum(probs * scale)
        tried = step - lengths[:, None] * move
        sizes = jnp.max(jnp.abs(jax.vmap(missing)(tried)), axis=1)
        best = jnp.argmin(sizes)
        return tried[best], sizes[best], jnp.where(sizes[best] < size, count + 1, MOST_STEPS)

    start = jnp.zeros_like(logits)
    first = start, jnp.max(jnp.abs(missing(start))), jnp.zeros((), jnp.int32)
    step, _, _ = jax.lax.while_loop(lambda state: (state[1] > enough) & (state[2] < MOST_STEPS), improve, first)
    return step


def apply(posterior: Posterior, change: Gain) -> Posterior:
    """Adds a gain to a posterior.

    Args:
      posterior: mean [K, D], covariance [D, D].
      change: one gain.

    Returns:
      the posterior after the label.

    Examples:
      >>> from alfamous_jax import laplace, updates
      >>> posterior = laplace.Posterior(jnp.zeros((2, 3)), jnp.eye(3))
      >>> change = updates.gain(posterior.mean, posterior.cov[0], jnp.eye(3)[0], jnp.array(0))
      >>> [round(x, 4) for x in updates.apply(posterior, change).cov[0].tolist()]
      [0.8238, 0.0, 0.0]
    """
    return Posterior(
        mean=posterior.mean + jnp.outer(change.step, change.column),
        cov=posterior.cov - change.shrink * jnp.outer(change.column, change.column),
    )


def rank_one(
    posterior: Posterior,
    phi: jax.Array,
    label: jax.Array,
    *,
    step_size: float = 1.0,
    repeats: int = 1,
    implicit: bool = False,
) -> tuple[Posterior, Gain]:
    """The posterior after one more label, in O(D^2), without refitting (AL-FaMoUS Eq. 7).

    Args:
      posterior: mean [K, D], covariance [D, D].
      phi: features of the row [D].
      label: its class [], an integer.
      step_size, repeats, implicit: see `gain`.

    Returns:
      the new posterior and the gain, which `refresh` carries over to a pool.

    Examples:
      >>> from alfamous_jax import laplace, updates
      >>> posterior = laplace.Posterior(jnp.zeros((2, 3)), jnp.eye(3))
      >>> posterior, change = updates.rank_one(posterior, jnp.array([1.0, 0.0, 0.0]), jnp.array(0))
      >>> [round(x, 4) for x in jnp.diagonal(posterior.cov).tolist()]
      [0.8238, 1.0, 1.0]
    """
    column = jnp.dot(posterior.cov, phi, precision=HIGHEST)
    change = gain(posterior.mean, column, phi, label, step_size=step_size, repeats=repeats, implicit=implicit)
    return apply(posterior, change), change


def refresh(logits: jax.Array, variance: jax.Array, pool_phi: jax.Array, change: Gain) -> tuple[jax.Array, jax.Array]:
    """Logits and variances of a pool after a label, in one pass over its features; exact.

    Args:
      logits: pool logits before [N, K].
      variance: pool variances before [N].
      pool_phi: pool features [N, D], see `laplace.pool_dot` for their dtype.
      change: the gain of one label, or a stack of n gains from `update_many`, absorbed in one pass.

    Returns:
      logits [N, K] and variance [N], what `laplace.predict` would give at the new posterior.

    Examples:
      >>> from alfamous_jax import laplace, updates
      >>> posterior, phi = laplace.Posterior(jnp.zeros((2, 3)), jnp.eye(3)), jnp.eye(3)
      >>> logits, variance = laplace.predict(posterior, phi)
      >>> posterior, change = updates.rank_one(posterior, phi[0], jnp.array(0))
      >>> logits, variance = updates.refresh(logits, variance, phi, change)
      >>> [round(x, 4) for x in variance.tolist()]  # what `laplace.predict` says anew
      [0.8238, 1.0, 1.0]
    """
    chex.assert_rank([logits, variance, pool_phi], [2, 1, 2])
    columns = jnp.reshape(change.column, (-1, change.column.shape[-1]))
    return refresh_along(logits, variance, pool_dot(pool_phi, columns.T), change)


def refresh_along(
    logits: jax.Array, variance: jax.Array, overlap: jax.Array, change: Gain
) -> tuple[jax.Array, jax.Array]:
    """`refresh` where its pass over the features is taken already: the columns do not depend on the labels.

    Args:
      logits: pool logits before [N, K].
      variance: pool variances before [N].
      overlap: of the pool with the columns of n gains, phi column_i [N, n].
      change: the gains, one or a stack.

    Returns:
      logits [N, K] and variance [N].

    Examples:
      >>> from alfamous_jax import laplace, updates
      >>> posterior, phi = laplace.Posterior(jnp.zeros((2, 3)), jnp.eye(3)), jnp.eye(3)
      >>> logits, variance = laplace.predict(posterior, phi)
      >>> _, change = updates.rank_one(posterior, phi[0], jnp.array(0))
      >>> logits, variance = updates.refresh_along(logits, variance, phi @ posterior.cov @ phi[:1].T, change)
      >>> [round(x, 4) for x in variance.tolist()]
      [0.8238, 1.0, 1.0]
    """
    steps, shrinks = jnp.reshape(change.step, (-1, logits.shape[1])), jnp.reshape(change.shrink, -1)
    logits = logits + jnp.dot(overlap, steps, precision=HIGHEST)
    variance = variance - jnp.dot(overlap**2, shrinks, precision=HIGHEST)
    return logits, jnp.maximum(variance, 0.0)


def drift(posterior: Posterior, phi: jax.Array, variance: jax.Array) -> jax.Array:
    """How far variances that `refresh` carried along and those of the posterior disagree: two roundings of the same.

    It grows with the condition of the covariance and with the labels taken in, and is about the relative error of the
    worst variance. Rows that were labelled show it first, as their variances are the smallest.

    Args:
      posterior: mean [K, D], covariance [D, D], after the updates.
      phi: features of some rows [n, D].
      variance: of these rows, carried along [n].

    Returns:
      largest relative difference []. 1 or more says that the covariance has lost its positive definiteness to rounding:
      it gives some row a negative variance, or the row was carried to 0.

    Examples:
      >>> from alfamous_jax import laplace, updates
      >>> posterior = laplace.Posterior(jnp.zeros((2, 2)), jnp.diag(jnp.array([1.0, -0.5])))
      >>> updates.drift(posterior, jnp.eye(2), jnp.array([1.0, 0.0])).item()
      1.0
    """
    chex.assert_equal_shape_prefix([phi, variance], 1)
    phi = jnp.asarray(phi, posterior.cov.dtype)
    exact = jnp.sum(jnp.dot(phi, posterior.cov, precision=HIGHEST) * phi, axis=-1)
    size = jnp.maximum(jnp.abs(exact), variance)
    apart = jnp.where(size == 0, 0.0, jnp.abs(exact - variance) / jnp.where(size == 0, 1.0, size))
    return jnp.max(apart, initial=0.0)


@partial(jax.jit, static_argnames="implicit")
def update_many(
    posterior: Posterior, phi: jax.Array, labels: jax.Array, implicit: bool = False
) -> tuple[Posterior, Gain]:
    """Absorbs n labels one after the other, in the order given.

    Args:
      posterior: mean [K, D], covariance [D, D].
      phi: features of the rows [n, D].
      labels: their classes [n].
      implicit: see `gain`.

    Returns:
      the posterior after the last label and the n gains, stacked. The order matters slightly, as each
      step linearises at the mean it finds.

    Examples:
      >>> from alfamous_jax import laplace, updates
      >>> posterior = laplace.Posterior(jnp.zeros((2, 3)), jnp.eye(3))
      >>> posterior, changes = updates.update_many(posterior, jnp.eye(3)[:2], jnp.array([0, 1]))
      >>> [round(x, 4) for x in jnp.diagonal(posterior.cov).tolist()]
      [0.8238, 0.8238, 1.0]
    """
    chex.assert_equal_shape_prefix([phi, labels], 1)
    mean, cov, phi = convert.in_common(*posterior, phi)
    return jax.lax.scan(
        lambda state, row: rank_one(state, *row, implicit=implicit), Posterior(mean, cov), (phi, labels)
    )
