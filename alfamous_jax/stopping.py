"""When to stop asking: how far a label moves the posterior, and whether predictions still change, class by class.

Agreement over all rows follows the majority and hides that a rare class is still moving; these numbers do not.
"""

from functools import partial

import chex
import jax
import jax.numpy as jnp

from alfamous_jax.core import convert
from alfamous_jax.core.numerics import dot
from alfamous_jax.laplace import Posterior
from alfamous_jax.updates import Gain


def gain_kl(change: Gain, phi: jax.Array) -> tuple[jax.Array, jax.Array]:
    """KL(new || old) and KL(old || new) of the posteriors before and after one label, in O(D + K).

    What error-stability stopping watches (Ishibashi and Hino, 2020), in closed form: with v = phi' cov phi before the
    label and x = shrink v, the first is 1/2 [K (-x - log(1 - x)) + |step|^2 v].

    Args:
      change: of `updates.rank_one`.
      phi: features of the row [D].

    Returns:
      both in nats, [] each. In float32 a KL below 1e-7 K is rounding.

    Examples:
      >>> from alfamous_jax import laplace, stopping, updates
      >>> posterior = laplace.Posterior(jnp.zeros((2, 3)), jnp.eye(3))
      >>> _, change = updates.rank_one(posterior, jnp.eye(3)[0], jnp.array(0))
      >>> [round(x.item(), 3) for x in stopping.gain_kl(change, jnp.eye(3)[0])]
      [0.178, 0.181]
    """
    chex.assert_rank([change.column, change.step, change.shrink, phi], [1, 1, 0, 1])
    num_classes = change.step.shape[0]
    spread = dot(phi, change.column)
    x = change.shrink * spread
    moved = jnp.sum(change.step**2)
    left = 1.0 - x
    to_old = 0.5 * (num_classes * (-x - jnp.log1p(-x)) + moved * spread)
    to_new = 0.5 * (num_classes * (x / left + jnp.log1p(-x)) + moved * (spread + change.shrink * spread**2 / left))
    return to_old, to_new


def posterior_kl(new: Posterior, old: Posterior) -> jax.Array:
    """KL(new || old) of two posteriors with the same features, in O(D^3): after a fit, where `gain_kl` has no gain.

    Args:
      new: mean [K, D], covariance [D, D].
      old: the same shapes.

    Returns:
      nats [].

    Examples:
      >>> from alfamous_jax import laplace, stopping
      >>> old = laplace.Posterior(jnp.zeros((2, 3)), jnp.eye(3))
      >>> stopping.posterior_kl(laplace.Posterior(jnp.ones((2, 3)), jnp.eye(3)), old).item()
      3.0
    """
    chex.assert_equal_shape([new.mean, old.mean])
    chex.assert_equal_shape([new.cov, old.cov])
    num_classes, width = new.mean.shape
    factor = jax.scipy.linalg.cho_factor(old.cov, lower=True)
    ratio = jax.scipy.linalg.cho_solve(factor, new.cov)
    shift = new.mean - old.mean
    sizes = [2.0 * jnp.sum(jnp.log(jnp.diagonal(lower))) for lower in (factor[0], jnp.linalg.cholesky(new.cov))]
    spread = num_classes * (jnp.trace(ratio) - width + sizes[0] - sizes[1])
    return 0.5 * (spread + jnp.sum(shift * jax.scipy.linalg.cho_solve(factor, shift.T).T))


@convert.door
@partial(jax.jit, static_argnames="num_classes")
def agreement(before: jax.Array, after: jax.Array, num_classes: int) -> jax.Array:
    """How far two predictions of the same rows agree about each class: 2 |A and B| / (|A| + |B|).

    A and B are the rows that each takes for the class. Stop where the smallest is near 1, fit after fit.

    Args:
      before: predicted classes [N].
      after: [N].
      num_classes: K, static.

    Returns:
      shares [K], NaN for a class that neither predicts.

    Examples:
      >>> from alfamous_jax import stopping
      >>> stopping.agreement(jnp.array([0, 0, 0, 1]), jnp.array([0, 0, 1, 1]), 3).round(2).tolist()
      [0.8, 0.67, nan]
    """
    chex.assert_equal_shape([before, after])
    before, after = convert.as_labels(before, "before"), convert.as_labels(after, "after")
    count = partial(jnp.bincount, length=num_classes)
    both = count(jnp.where(before == after, before, num_classes))
    return 2.0 * both / (count(before) + count(after))
