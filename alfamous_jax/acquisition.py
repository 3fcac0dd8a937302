"""Utilities: how informative a row is; every one of them is higher for the row to label first.

Axis letters: N pool rows, K classes, S posterior samples. Logarithms are natural and 0 log 0 = 0.
"""

import chex
import jax
import jax.numpy as jnp
from jax.scipy.special import entr

from alfamous_jax import _bald, laplace
from alfamous_jax.core import convert


def least_confidence(probs: jax.Array) -> jax.Array:
    """One minus the probability of the predicted class: the "US" of AL-FaMoUS.

    Args:
      probs: class probabilities [..., K].

    Returns:
      utility [...] in [0, 1 - 1/K].

    Examples:
      >>> from alfamous_jax import acquisition
      >>> acquisition.least_confidence(jnp.array([[0.5, 0.25, 0.25], [1.0, 0.0, 0.0]])).tolist()
      [0.5, 0.0]
    """
    return 1.0 - jnp.max(probs, axis=-1)


def margin(probs: jax.Array) -> jax.Array:
    """Minus the gap between the two most probable classes (minority-class AL, Eq. 1, negated).

    Args:
      probs: class probabilities [..., K].

    Returns:
      utility [...] in [-1, 0]; with one class alone the gap is that to 0.

    Examples:
      >>> from alfamous_jax import acquisition
      >>> acquisition.margin(jnp.array([[0.5, 0.25, 0.25], [1.0, 0.0, 0.0]])).tolist()
      [-0.25, -1.0]
    """
    if probs.shape[-1] == 1:
        return -probs[..., 0]
    # Two maxima are vector reductions; a top-k of every row takes 25 times as long on a CPU.
    first = jnp.max(probs, axis=-1, keepdims=True)
    second = jnp.max(jnp.where(probs < first, probs, -jnp.inf), axis=-1)
    tied = jnp.sum(probs == first, axis=-1) > 1
    return jnp.where(tied, first[..., 0], second) - first[..., 0]


def entropy(probs: jax.Array) -> jax.Array:
    """Shannon entropy of the predicted distribution, in nats.

    Args:
      probs: class probabilities [..., K].

    Returns:
      utility [...] in [0, log K].

    Examples:
      >>> from alfamous_jax import acquisition
      >>> [round(x, 3) for x in acquisition.entropy(jnp.array([[0.5, 0.5], [1.0, 0.0]])).tolist()]  # log 2 and 0
      [0.693, 0.0]
    """
    # An impossible class has no share in the gradient either: that of p log p is infinite at 0.
    return jnp.sum(entr(jnp.where(probs == 0, 1.0, probs)), axis=-1)


def jensen_shannon(probs: jax.Array, axis: int) -> jax.Array:
    """Generalised Jensen-Shannon divergence H(mean p) - mean H(p) of the distributions along `axis`.

    Args:
      probs: distributions over the last axis [..., K].
      axis: the axis that enumerates the distributions.

    Returns:
      divergence in nats, `probs` without `axis` and without the last axis.

    Examples:
      >>> from alfamous_jax import acquisition
      >>> round(acquisition.jensen_shannon(jnp.array([[1.0, 0.0], [0.0, 1.0]]), axis=0).item(), 3)  # log 2
      0.693
    """
    return entropy(jnp.mean(probs, axis=axis, keepdims=True)).squeeze(axis) - jnp.mean(entropy(probs), axis=axis)


def bald(prob_samples: jax.Array) -> jax.Array:
    """Mutual information between a row's label and the weights, from posterior samples.

    Args:
      prob_samples: class probabilities under S samples of the weights [S, N, K].

    Returns:
      utility [N] in nats; zero where the samples agree.

    Examples:
      >>> from alfamous_jax import acquisition
      >>> samples = jnp.array([[[0.5, 0.5], [1.0, 0.0]], [[0.5, 0.5], [0.0, 1.0]]])  # [S, N, K]
      >>> [round(x, 3) for x in acquisition.bald(samples).tolist()]  # agreed; each sure of another class
      [0.0, 0.693]
    """
    chex.assert_rank(prob_samples, 3)
    return jensen_shannon(prob_samples, axis=0)


def bald_gaussian(logits: jax.Array, variance: jax.Array) -> jax.Array:
    """BALD of a Gaussian last layer without a key: a closed form for small variances, an integral for large ones.

    With one covariance shared by all classes the logits of a row are N(logits_n, variance_n I). Up to variance 1.1 each
    class is held against the log-sum of the others, by quadrature: the mutual information is the sum over classes of
    H(E p_k) - E H(p_k) with H(p) = -p log p, where p_k is the sigmoid of x_k = f_k - log sum_{j != k} exp f_j. Here x_k
    is taken as normal; mean and variance of the log-sum are their expansions to second order in variance_n, continued
    as Pade forms. From variance 1.5 on, an integral over the largest f_k + g_k, g_k Gumbel noise, takes its place:
    a label is the class of the largest, so that its probability is one such integral, and the expected entropy what the
    noise of the largest is above average. In between the two are mixed. Only rows above variance 1.1 are integrated.

    Args:
      logits: mean logits [N, K]; in the closed form one more than 27 below the row's largest counts as 27 below it.
      variance: logit variances [N].

    Returns:
      utility [N] in nats, 0 where the variance is 0. Up to variance 1 it is within .008 of 16,384 quasi-random draws on
      pools of LETTER (32 to 672 labels), MNIST, Fashion-MNIST and CROP (100 to 400), with a Spearman correlation of the
      top tenth above .999, on Fashion-MNIST .997. With one or two classes 0 to 10 ahead of the others it is within
      .022 up to variance 1.5 (K = 2 to 200). From there on it is within .001 for K = 2, .003 up to 10 and .006 up to
      200, whatever the variance. The gradient is that of the closed form, whose variances count as 16 above 16.

    Examples:
      >>> from alfamous_jax import acquisition
      >>> logits, variance = jnp.array([[0.0, 0.0], [0.0, 0.0], [9.0, 0.0]]), jnp.array([0.0, 1.0, 1.0])
      >>> [round(x, 2) for x in acquisition.bald_gaussian(logits, variance).tolist()]
      [0.0, 0.15, 0.0]
    """
    chex.assert_equal_shape_prefix([logits, variance], 1)
    logits, variance = convert.in_common(logits, variance)
    if logits.shape[-1] == 1 or 0 in variance.shape[:1]:
        return jnp.zeros_like(variance)
    return _bald.gaussian(logits, variance)


def bald_ceiling(probs: jax.Array, variance: jax.Array) -> jax.Array:
    """A limit that `bald_gaussian` of no row is above, from what a query has at hand: most rows cannot win.

    With S_i = sum p^i it is v (.525 (1 - S_2) - v (.71 (S_2 - S_3) - .745 (S_3 - S_4) - .245 (S_2^2 - S_4))); beyond
    variance 2 the first term alone, which soon is above log K and says nothing. It is a limit by trial, not by proof.

    Args:
      probs: by the mean field [N, K].
      variance: [N].

    Returns:
      limit [N] in nats, above BALD by 7 % of it in the median up to variance 2.

    Examples:
      >>> from alfamous_jax import acquisition
      >>> limit = acquisition.bald_ceiling(jnp.array([[0.5, 0.5], [1.0, 0.0]]), jnp.array([0.1, 0.1]))
      >>> [round(x, 3) for x in limit.tolist()]
      [0.026, 0.0]
    """
    chex.assert_equal_shape_prefix([probs, variance], 1)
    return _bald.ceiling(*convert.in_common(probs, variance))


def bald_sampled(key: jax.Array, logits: jax.Array, variance: jax.Array, num_samples: int = 100) -> jax.Array:
    """BALD of a Gaussian last layer by Monte Carlo in logit space, what `bald_gaussian` approximates.

    `logits + sqrt(variance) z` has the law that sampled weights would give, and S x N x K numbers are never held. One
    block z [S, K] serves every row: rows are compared under common random numbers.

    Args:
      key: consumed.
      logits: mean logits [N, K].
      variance: logit variances [N].
      num_samples: S, the number of draws.

    Returns:
      utility [N] in nats. Its Monte Carlo error falls as 1 / sqrt(S).

    Examples:
      >>> from alfamous_jax import acquisition
      >>> logits, variance = jnp.array([[0.0, 0.0], [0.0, 0.0], [9.0, 0.0]]), jnp.array([0.0, 1.0, 1.0])
      >>> jnp.argmax(acquisition.bald_sampled(jax.random.key(0), logits, variance)).item()
      1
    """
    chex.assert_equal_shape_prefix([logits, variance], 1)
    logits, variance = convert.in_common(logits, variance)
    deviation = laplace.deviation(variance)[:, None]

    def add_draw(sums: tuple[jax.Array, jax.Array], z: jax.Array) -> tuple[tuple[jax.Array, jax.Array], None]:
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
