"""Laplace approximation of a linear last layer: one Gaussian over the weights, one covariance for all classes.

Ridge convention, used everywhere: the prior precision is `ridge * I`, the covariance is the inverse of
the whole precision, and the variance of a logit is phi' cov phi with no further factor. (SNGP codes
multiply that variance by the ridge once more; with their default ridge of 1 the two agree.)
"""

from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp
import numpy as np

from alfamous_jax.core import collectives, convert
from alfamous_jax.core.numerics import HIGHEST, dot

MEAN_FIELD_FACTOR = jnp.pi / 8
LARGEST_MISS = 0.1  # of precision times covariance from the identity, in what it makes of a vector
ROWS = 1024  # of a pool in bfloat16 that are in float32 at a time


class Posterior(NamedTuple):
    """Gaussian over the last layer; the classes are independent and share the covariance."""

    mean: jax.Array  # [K, D]
    cov: jax.Array  # [D, D]


def curvature(logits: jax.Array) -> jax.Array:
    """p_max (1 - p_max), the weight of one row in the shared precision.

    It is the largest diagonal entry of the softmax Hessian diag(p) - pp', not a bound on its norm.

    Args:
      logits: [..., K].

    Returns:
      weight [...] in [0, 1/4].

    Examples:
      >>> from alfamous_jax import laplace
      >>> laplace.curvature(jnp.array([[0.0, 0.0], [0.0, 50.0]])).tolist()
      [0.25, 0.0]
    """
    p_max = jnp.max(jax.nn.softmax(logits), axis=-1)
    return p_max * (1.0 - p_max)


@convert.door
def fit(
    mean: jax.Array, phi: jax.Array, mask: jax.Array, ridge: jax.Array | float = 1.0, axis_name: str | None = None
) -> Posterior:
    """The exact posterior covariance in one pass over the labelled rows (AL-FaMoUS Eq. 6).

    precision = ridge I + sum_i m_i w_i phi_i phi_i', w_i the curvature at the given mean.

    Args:
      mean: trained last-layer weights [K, D], such as those of `map_head.fit`. Before the first label they are the mean
        of the prior, 0 or a head that is known: the posterior is then the prior.
      phi: features of the labelled rows, padded [L, D].
      mask: m, which rows of `phi` count [L]; or how much, numbers of at least 0.
      ridge: prior precision, > 0; inside a trace another one gives a covariance of NaN. So does one for which float32
        has no inverse, as it may not where the ridge is below 1e-6 of the largest eigenvalue of the precision;
        `rounding.recompute` has the variances then.
      axis_name: inside `shard_map`, the mesh axis that the labelled rows are split over. The precisions of the
        devices are added up, D^2 numbers, in an order that may change the last digits.

    Returns:
      the posterior, on every device. No labels enter: the mean is taken as it was trained.

    Raises:
      ValueError: outside a trace, a ridge that is not above 0 or too small for the dtype.

    Examples:
      >>> from alfamous_jax import laplace
      >>> posterior = laplace.fit(jnp.zeros((2, 3)), jnp.eye(3), jnp.array([True, True, False]))
      >>> [round(x, 4) for x in jnp.diagonal(posterior.cov).tolist()]  # 1 / (1 + 1/4) where a row counts
      [0.8, 0.8, 1.0]
    """
    mean, scaled, prior = _weighed(mean, phi, mask, ridge)
    eye = jnp.eye(scaled.shape[1], dtype=scaled.dtype)
    precision = prior * eye + collectives.psum(jnp.dot(scaled.T, scaled, precision=HIGHEST), axis_name)
    factor = jax.scipy.linalg.cho_factor(precision, lower=True)
    cov = jax.scipy.linalg.cho_solve(factor, eye).T  # as LAPACK leaves it, by columns; it is symmetric
    # A factorisation may also end with numbers that are no inverse; any vector but a few shows it.
    probe = jnp.cos(jnp.arange(len(cov), dtype=cov.dtype))
    missed = jnp.max(jnp.abs(dot(precision, dot(cov, probe)) - probe), initial=0.0)
    cov = jnp.where(missed < LARGEST_MISS, cov, jnp.nan)
    if not isinstance(cov, jax.core.Tracer) and jnp.all(jnp.isfinite(precision)) and not jnp.all(jnp.isfinite(cov)):
        least = 1e-6 * np.linalg.norm(np.asarray(precision, float), 2)
        raise ValueError(f"ridge must be at least about {least:.2g} for these features in {cov.dtype}, got {ridge}")
    return Posterior(mean, cov)


def root(
    mean: jax.Array, phi: jax.Array, mask: jax.Array, ridge: jax.Array | float = 1.0, axis_name: str | None = None
) -> jax.Array:
    """The precision that `fit` inverts as a triangle R with R'R = precision, which is never formed: by QR of its rows.

    Its condition is the root of the precision's, so that float32 holds it up to about 1e12 where `fit` ends at 1e7.

    Args:
      mean, phi, mask, ridge, axis_name: see `fit`. Every device then sends D^2 numbers to all others.

    Returns:
      upper triangle [D, D] with a positive diagonal. The variance of a row is |R^-T phi|^2.

    Raises:
      ValueError: outside a trace, a ridge that is not above 0.

    Examples:
      >>> from alfamous_jax import laplace
      >>> upper = laplace.root(jnp.zeros((2, 3)), 4 * jnp.eye(3), jnp.array([True, True, False]))
      >>> [round(x, 4) for x in jnp.diagonal(upper.T @ upper).tolist()]  # 1 + 16/4 where a row counts
      [5.0, 5.0, 1.0]
    """
    _, scaled, prior = _weighed(mean, phi, mask, ridge)
    eye = jnp.eye(scaled.shape[1], dtype=scaled.dtype)
    if axis_name is not None:
        scaled = collectives.gather(jnp.linalg.qr(scaled, mode="r"), axis_name)
    upper: jax.Array = jnp.linalg.qr(jnp.concatenate([jnp.sqrt(prior) * eye, scaled]), mode="r")
    return upper * jnp.sign(jnp.diagonal(upper))[:, None]


def _weighed(
    mean: jax.Array, phi: jax.Array, mask: jax.Array, ridge: jax.Array | float
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """Mean [K, D], the rows [L, D] whose squares the precision adds up, and the ridge [], NaN if it is not above 0."""
    chex.assert_rank([mean, phi, mask], [2, 2, 1])
    chex.assert_equal_shape_prefix([phi, mask], 1)
    chex.assert_equal_shape_suffix([mean, phi], 1)
    if not isinstance(ridge, jax.core.Tracer) and not np.all(np.asarray(ridge) > 0):
        raise ValueError(f"ridge must be above 0, got {ridge}")
    mean, phi = convert.in_common(mean, phi)
    ridge = jnp.where(jnp.asarray(ridge, phi.dtype) > 0, ridge, jnp.nan).astype(phi.dtype)
    logits = jnp.dot(phi, mean.T, precision=HIGHEST)
    counts = jnp.asarray(mask, phi.dtype)
    weight = jnp.where(counts != 0, curvature(logits), 0.0) * counts
    return mean, jnp.where(counts[:, None] != 0, phi, 0.0) * jnp.sqrt(weight)[:, None], ridge


@convert.door
def predict(posterior: Posterior, phi: jax.Array) -> tuple[jax.Array, jax.Array]:
    """Mean and variance of the logits.

    Args:
      posterior: mean [K, D], covariance [D, D].
      phi: features [N, D], of the posterior's dtype or in bfloat16.

    Returns:
      logits [N, K] and variance [N] in the posterior's dtype, one variance for all classes of a row.

    Raises:
      ValueError: phi is of another dtype.

    Examples:
      >>> from alfamous_jax import laplace
      >>> posterior = laplace.fit(jnp.zeros((2, 3)), jnp.eye(3), jnp.ones(3, bool))
      >>> logits, variance = laplace.predict(posterior, jnp.array([[1.0, 0.0, 0.0], [1.0, 1.0, 0.0]]))
      >>> [round(x, 4) for x in variance.tolist()]
      [0.8, 1.6]
    """
    phi = jnp.asarray(phi)
    chex.assert_rank(phi, 2)
    logits = pool_dot(phi, posterior.mean.T)
    if phi.dtype == posterior.cov.dtype:
        variance = jnp.sum(jnp.dot(phi, posterior.cov, precision=HIGHEST) * phi, axis=-1)
    else:
        variance = jax.lax.map(lambda row: _variance(posterior.cov, row), phi, batch_size=ROWS)
    return logits, jnp.maximum(variance, 0.0)


def pool_dot(phi: jax.Array, columns: jax.Array) -> jax.Array:
    """phi @ columns at full precision; a pool in bfloat16 is read as it is, not from a copy in float32.

    The columns are then taken apart into three of bfloat16, 24 bits together, whose products with such a pool are exact
    in float32. On a CPU, where XLA has few operations in bfloat16, this is slower than a pool in float32.

    Args:
      phi: [N, D], of the columns' dtype or in bfloat16.
      columns: [D, n], float32 if phi is bfloat16.

    Returns:
      [N, n] in the columns' dtype.

    Raises:
      ValueError: phi is of another dtype.

    Examples:
      >>> from alfamous_jax import laplace
      >>> laplace.pool_dot(jnp.ones((2, 3), jnp.bfloat16), jnp.ones((3, 1))).tolist()
      [[3.0], [3.0]]
    """
    phi = jnp.asarray(phi)
    if phi.dtype == columns.dtype:
        return jnp.dot(phi, columns, precision=HIGHEST)
    if (phi.dtype, columns.dtype) != (jnp.bfloat16, jnp.float32):
        raise ValueError(f"phi must be {columns.dtype} or, under a float32 posterior, bfloat16, got {phi.dtype}")
    parts, rest = [], columns
    for _ in range(3):
        parts.append(jax.lax.reduce_precision(rest, exponent_bits=8, mantissa_bits=7))
        rest = rest - parts[-1]
    together = jnp.concatenate(parts, axis=1).astype(jnp.bfloat16)
    products = jnp.dot(phi, together, precision=HIGHEST, preferred_element_type=jnp.float32)
    return jnp.sum(products.reshape(phi.shape[0], 3, columns.shape[1]), axis=1)


def _variance(cov: jax.Array, row: jax.Array) -> jax.Array:
    row = row.astype(cov.dtype)
    return jnp.dot(jnp.dot(row, cov, precision=HIGHEST), row, precision=HIGHEST)


def mean_field(logits: jax.Array, variance: jax.Array) -> jax.Array:
    """Class probabilities under the Gaussian: softmax(logits / sqrt(1 + pi/8 variance)), AL-FaMoUS Eq. 8.

    Args:
      logits: [..., K].
      variance: [...].

    Returns:
      probabilities [..., K]. The predicted class is that of the logits; only the confidence changes.

    Examples:
      >>> from alfamous_jax import laplace
      >>> print(laplace.mean_field(jnp.array([[2.0, 0.0], [2.0, 0.0]]), jnp.array([0.0, 4.0])).round(2))
      [[0.88 0.12]
       [0.78 0.22]]
    """
    return jax.nn.softmax(logits * jax.lax.rsqrt(1.0 + MEAN_FIELD_FACTOR * variance)[..., None])


def sample_logits(key: jax.Array, logits: jax.Array, variance: jax.Array, num_samples: int) -> jax.Array:
    """Draws logits from each row's own Gaussian, with one normal block for all rows.

    Args:
      key: consumed.
      logits: [N, K].
      variance: [N].
      num_samples: S.

    Returns:
      [S, N, K]. Exact for one row at a time; covariances between rows need `sample_weights`.

    Examples:
      >>> from alfamous_jax import laplace
      >>> laplace.sample_logits(jax.random.key(0), jnp.zeros((4, 3)), jnp.ones(4), 10).shape
      (10, 4, 3)
    """
    chex.assert_equal_shape_prefix([logits, variance], 1)
    noise = jax.random.normal(key, (num_samples, 1, logits.shape[-1]), logits.dtype)
    return logits + deviation(variance)[:, None] * noise


def deviation(variance: jax.Array) -> jax.Array:
    """The root of a variance, 0 below 0; its gradient at 0 is 0 where that of the root is infinite.

    Examples:
      >>> from alfamous_jax import laplace
      >>> laplace.deviation(jnp.array([4.0, 0.0, -1.0])).tolist(), jax.grad(laplace.deviation)(0.0).item()
      ([2.0, 0.0, 0.0], 0.0)
    """
    none = variance <= 0
    return jnp.where(none, 0.0, jnp.sqrt(jnp.where(none, 1.0, variance)))


def sample_weights(key: jax.Array, posterior: Posterior, num_samples: int) -> jax.Array:
    """Draws last-layer weights: the rows' logits are then jointly right, at the price of one Cholesky.

    Args:
      key: consumed.
      posterior: mean [K, D], covariance [D, D].
      num_samples: S.

    Returns:
      weights [S, K, D], of NaN where the covariance is not positive definite.

    Examples:
      >>> from alfamous_jax import laplace
      >>> posterior = laplace.fit(jnp.zeros((2, 3)), jnp.eye(3), jnp.ones(3, bool))
      >>> laplace.sample_weights(jax.random.key(0), posterior, 10).shape
      (10, 2, 3)
    """
    mean, cov = convert.in_common(*posterior)
    noise = jax.random.normal(key, (num_samples, *mean.shape), mean.dtype)
    return mean + jnp.dot(noise, jnp.linalg.cholesky(cov).T, precision=HIGHEST)
