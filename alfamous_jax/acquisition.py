"""Utilities: how informative a row is; every one of them is higher for the row to label first.

Axis letters: N pool rows, K classes, S posterior samples. Logarithms are natural and 0 log 0 = 0.
"""

import chex
import jax
import jax.numpy as jnp
from jax.scipy.special import entr


def least_confidence(probs: jax.Array) -> jax.Array:
    """One minus the probability of the predicted class: the "US" of AL-FaMoUS.

    Args:
      probs: class probabilities [..., K].

    Returns:
      utility [...] in [0, 1 - 1/K].
    """
    return 1.0 - jnp.max(probs, axis=-1)


def margin(probs: jax.Array) -> jax.Array:
    """Minus the gap between the two most probable classes (minority-class AL, Eq. 1, negated).

    Args:
      probs: class probabilities [..., K], K >= 2.

    Returns:
      utility [...] in [-1, 0].
    """
    top2, _ = jax.lax.top_k(probs, 2)
    return top2[..., 1] - top2[..., 0]


def entropy(probs: jax.Array) -> jax.Array:
    """Shannon entropy of the predicted distribution, in nats.

    Args:
      probs: class probabilities [..., K].

    Returns:
      utility [...] in [0, log K].
    """
    return jnp.sum(entr(probs), axis=-1)


def jensen_shannon(probs: jax.Array, axis: int) -> jax.Array:
    """Generalised Jensen-Shannon divergence H(mean p) - mean H(p) of the distributions along `axis`.

    Args:
      probs: distributions over the last axis [..., K].
      axis: the axis that enumerates the distributions.

    Returns:
      divergence in nats, `probs` without `axis` and without the last axis.
    """
    return entropy(jnp.mean(probs, axis=axis, keepdims=True)).squeeze(axis) - jnp.mean(entropy(probs), axis=axis)


def bald(prob_samples: jax.Array) -> jax.Array:
    """Mutual information between a row's label and the weights, from posterior samples.

    Args:
      prob_samples: class probabilities under S samples of the weights [S, N, K].

    Returns:
      utility [N] in nats; zero where the samples agree.
    """
    chex.assert_rank(prob_samples, 3)
    return jensen_shannon(prob_samples, axis=0)


def bald_gaussian(key: jax.Array, logits: jax.Array, variance: jax.Array, num_samples: int = 100) -> jax.Array:
    """BALD of a Gaussian last layer, drawn in logit space without holding S x N x K numbers.

    With one covariance shared by all classes the logits of a row are N(logits_n, variance_n I), so
    `logits + sqrt(variance) z` has the law that sampled weights would give. One block z [S, K]
    serves every row: rows are compared under common random numbers.

    Args:
      key: consumed.
      logits: mean logits [N, K].
      variance: logit variances [N].
      num_samples: S, the number of draws.

    Returns:
      utility [N] in nats. Its Monte Carlo error falls as 1 / sqrt(S).
    """
    chex.assert_equal_shape_prefix([logits, variance], 1)
    deviation = jnp.sqrt(jnp.maximum(variance, 0.0))[:, None]

    def add_draw(sums, z):
        scores = logits + deviation * z
        scores -= jnp.max(scores, axis=-1, keepdims=True)
        weights = jnp.exp(scores)
        scale = 1.0 / jnp.sum(weights, axis=-1, keepdims=True)
        draw_entropy = -jnp.log(scale[:, 0]) - jnp.sum(weights * scores, axis=-1) * scale[:, 0]
        return (sums[0] + weights * scale, sums[1] + draw_entropy), None

    draws = jax.random.normal(key, (num_samples, logits.shape[-1]), logits.dtype)
    zeros = (jnp.zeros_like(logits), jnp.zeros_like(variance))
    (probs_sum, entropy_sum), _ = jax.lax.scan(add_draw, zeros, draws)
    return entropy(probs_sum / num_samples) - entropy_sum / num_samples
