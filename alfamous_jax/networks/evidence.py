"""How well a feature map and a ridge suit the labels, without a test set: Laplace evidence and leave-one-out loss.

Both take the curvature of the loss class by class, p_k (1 - p_k) for class k. The shared weight p_max (1 - p_max) of
`laplace.fit` in its place would count every row for every class and prefer a ridge that is far too large.
"""

import chex
import jax
import jax.numpy as jnp

from alfamous_jax.core.numerics import dot
from alfamous_jax.networks.map_head import Basis

EXACT = 128  # rows or coordinates up to which the curvature of a class is exact
LARGEST = 0.999  # of a leverage, so that a row is never divided by 0


def log_evidence(
    base: Basis,
    labels: jax.Array,
    mask: jax.Array,
    weights: jax.Array,
    ridge: jax.Array | float,
    prior_mean: jax.Array | float = 0.0,
) -> jax.Array:
    """Laplace's approximation of log p(labels | map, ridge) (MacKay, 1992).

    sum_i m_i log p_i[y_i] - ridge / 2 |W - W_0|^2 - 1/2 sum_k log det(I + Z' diag(m p_k (1 - p_k)) Z / ridge), at the
    mode W.

    Args:
      base: of `map_head.basis`, rows Z [M, R].
      labels: [M].
      mask: m, which rows count [M], or how much.
      weights: the mode in the coordinates of the basis [K, R], as of `map_head.fit_in`. At any other weights the number
        means nothing.
      ridge: [].
      prior_mean: W_0, as of `map_head.fit_in`.

    Returns:
      log evidence []. Where M and R are above 128, the 128 rows that matter most to a class are taken exactly and the
      others by Fischer's bound on the determinant, so that the evidence is a lower bound.
    """
    rows, logits = _at(base, labels, mask, weights)
    log_probs = jnp.take_along_axis(jax.nn.log_softmax(logits), labels[:, None], axis=1)[:, 0]
    volumes = jax.lax.map(lambda weight: _log_det(rows, base.inner, weight, ridge), _spread(logits, mask))
    return jnp.sum(log_probs * mask) - 0.5 * ridge * jnp.sum((weights - prior_mean) ** 2) - 0.5 * jnp.sum(volumes)


def leave_one_out_loss(
    base: Basis, labels: jax.Array, mask: jax.Array, weights: jax.Array, ridge: jax.Array | float
) -> jax.Array:
    """Mean cross-entropy of each row under a fit without it, by one Newton step from the fit with it.

    The approximate leave-one-out of Rad and Maleki (2020), the Hessian taken class by class: the logit of row i and
    class k moves by m h (p_ik - y_ik) / (1 - m p_ik (1 - p_ik) h), with h = z_i' H_k^-1 z_i and m what the row counts.

    Args:
      base: of `map_head.basis`, rows Z [M, R].
      labels: [M].
      mask: m, which rows count [M], or how much.
      weights: the mode in the coordinates of the basis [K, R], as of `map_head.fit_in`; a prior's mean is in it.
      ridge: [].

    Returns:
      loss []. Where M and R are above 128, H_k holds the 128 rows that matter most to a class, so that h is a little
      too large; the products of all rows, M x M numbers, are then held.
    """
    rows, logits = _at(base, labels, mask, weights)
    probs, spread = jax.nn.softmax(logits), _spread(logits, mask)
    leverage = jax.lax.map(lambda weight: _leverage(rows, base.inner, weight, ridge), spread)
    targets = jax.nn.one_hot(labels, logits.shape[1], dtype=logits.dtype)
    pulled = (probs - targets) * mask[:, None]
    moved = logits + pulled * (leverage / (1.0 - jnp.minimum(spread * leverage, LARGEST))).T
    losses = -jnp.take_along_axis(jax.nn.log_softmax(moved), labels[:, None], axis=1)[:, 0]
    return jnp.sum(losses * mask) / jnp.where(jnp.any(mask != 0), jnp.sum(mask), 1)


def _at(base: Basis, labels: jax.Array, mask: jax.Array, weights: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Rows out of the mask as 0, and all logits."""
    chex.assert_rank([base.rows, labels, mask, weights], [2, 1, 1, 2])
    rows = jnp.where(mask[:, None] != 0, base.rows, 0.0)
    return rows, dot(rows, weights.T)


def _spread(logits: jax.Array, mask: jax.Array) -> jax.Array:
    """p_k (1 - p_k) [K, M], 0 out of the mask."""
    probs = jax.nn.softmax(logits)
    return (probs * (1.0 - probs) * mask[:, None]).T


def _log_det(rows: jax.Array, inner: jax.Array, weight: jax.Array, ridge: jax.Array | float) -> jax.Array:
    """log det(I + Z' diag(weight) Z / ridge), in whichever of its two forms is the smaller."""
    if rows.shape[1] <= min(len(rows), EXACT):
        scaled = rows * jnp.sqrt(weight / ridge)[:, None]
        return _volume(_factor(dot(scaled.T, scaled)))
    factor, known, first = _longest(inner, weight / ridge)
    left = weight / ridge * (jnp.diagonal(inner) - jnp.sum(known**2, axis=0))
    return _volume(factor) + jnp.sum(jnp.log1p(jnp.maximum(left.at[first].set(0.0), 0.0)))


def _leverage(rows: jax.Array, inner: jax.Array, weight: jax.Array, ridge: jax.Array | float) -> jax.Array:
    """z' (ridge I + Z' diag(weight) Z)^-1 z of every row [M]."""
    if rows.shape[1] <= min(len(rows), EXACT):
        scaled = rows * jnp.sqrt(weight / ridge)[:, None]
        solved = jax.scipy.linalg.solve_triangular(_factor(dot(scaled.T, scaled)), rows.T, lower=True)
        return jnp.sum(solved**2, axis=0) / ridge
    _, known, _ = _longest(inner, weight / ridge)
    return jnp.maximum(jnp.diagonal(inner) - jnp.sum(known**2, axis=0), 0.0) / ridge


def _longest(inner: jax.Array, scale: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Of the rows B that are longest once scaled: the factor L of I + BB', L^-1 BZ' [B, M], and which rows they are."""
    _, first = jax.lax.top_k(scale * jnp.diagonal(inner), min(EXACT, len(scale)))
    root = jnp.sqrt(scale[first])[:, None]
    products = root * inner[first]
    factor = _factor(root.T * products[:, first])
    # On a CPU a product with the small inverse is faster than to solve for all rows.
    inverse = jax.scipy.linalg.solve_triangular(factor, jnp.eye(len(factor), dtype=factor.dtype), lower=True)
    return factor, dot(inverse, products), first


def _factor(inner: jax.Array) -> jax.Array:
    factor: jax.Array = jnp.linalg.cholesky(jnp.eye(len(inner), dtype=inner.dtype) + inner)
    return factor


def _volume(factor: jax.Array) -> jax.Array:
    volume: jax.Array = 2.0 * jnp.sum(jnp.log(jnp.diagonal(factor)))
    return volume
