"""Making a data set imbalanced: how many rows each class keeps, and which."""

import chex
import jax
import jax.numpy as jnp
import numpy as np

from alfamous_jax.core import convert, exact

SLIP = 1e-6  # what a product may lack of a whole number and still reach it, as .1 is no number of float32


def step_profile(counts: jax.Array, minority: jax.Array, ratio: float) -> jax.Array:
    """Minority classes keep a fraction of their rows, the others all (AL-FaMoUS section 4.1.1).

    Args:
      counts: rows of each class [K], integers below 2**24.
      minority: which classes shrink [K].
      ratio: the fraction kept, in [0, 1], static; .1 in AL-FaMoUS.

    Returns:
      target counts [K], rounded down; what lacks less than a millionth of a whole number is one.
    """
    counts = jnp.asarray(counts)
    chex.assert_equal_shape([counts, minority])
    return jnp.where(minority, _whole_part(np.asarray(ratio, np.float64), counts), counts)


def exp_profile(counts: jax.Array, ratio: float) -> jax.Array:
    """Class sizes that fall exponentially from the first class to the last, which keeps a fraction (CBAL).

    Args:
      counts: rows of each class [K], integers below 2**24.
      ratio: the last class over the first, in (0, 1], static.

    Returns:
      target counts [K], max(counts) ratio^(k / (K - 1)) rounded down, and no more than a class has. A single class
      keeps all.
    """
    counts = jnp.asarray(counts)
    chex.assert_rank(counts, 1)
    steps = np.arange(counts.shape[0]) / max(counts.shape[0] - 1, 1)
    return jnp.minimum(_whole_part(np.float64(ratio) ** steps, jnp.max(counts)), counts)


def _whole_part(factors: np.ndarray, counts: jax.Array) -> jax.Array:
    """The product of each factor and count, rounded down; with twice the digits of float32."""
    high = np.float32(factors)
    whole: jax.Array = _floor_of_product(high, np.float32(factors - high), counts)
    return whole


@jax.jit
def _floor_of_product(high: jax.Array, low: jax.Array, counts: jax.Array) -> jax.Array:
    """Of factors in two parts and counts."""
    known = jnp.broadcast_to(counts.astype(jnp.float32), jnp.broadcast_shapes(high.shape, counts.shape))
    terms = exact.products(jnp.broadcast_to(high, known.shape), known)
    product = exact.total(jnp.concatenate([terms, (low * known)[None]]))
    whole = jnp.floor(product.high)
    rest = jnp.floor((product.high - whole) + product.low + SLIP)
    return (whole + rest).astype(counts.dtype)


def transfer_profile(source_counts: jax.Array, counts: jax.Array, mean: float) -> jax.Array:
    """Class sizes with the imbalance of another data set (imbalanced single-stage AL, section 3.1).

    The source's sizes, sorted, are cut into as many bins of equally many classes as there are target classes; a target
    class gets its bin's mean over the mean of all bins, times the mean wanted. Bins of equal width would lose the
    imbalance ratio.

    Args:
      source_counts: rows of each class of the source [K'], K' >= K.
      counts: rows that each class has [K], the most it can get.
      mean: rows a class wanted on average, before the cut at what there is.

    Returns:
      target counts [K], rising with the class, rounded.
    """
    source_counts, counts = jnp.asarray(source_counts), jnp.asarray(counts)
    chex.assert_rank([source_counts, counts], 1)
    if len(source_counts) < len(counts):
        raise ValueError(f"source_counts: {len(source_counts)} classes cannot be cut into {len(counts)} bins")
    bins = jnp.array_split(jnp.sort(source_counts), len(counts))
    means = jnp.stack([jnp.mean(part) for part in bins])
    return jnp.minimum(jnp.round(means / jnp.mean(means) * mean).astype(counts.dtype), counts)


def lognormal_counts(ratio: float, num: int) -> jax.Array:
    """Class sizes of a data set of which only the imbalance ratio is known: quantiles of a log-normal.

    Args:
      ratio: deviation over mean of the sizes; .813 is the ImageNet of imbalanced single-stage AL.
      num: of classes.

    Returns:
      sizes [num], rising, of median 1. Their own ratio stays a little below `ratio`, as the tail ends at a quantile.
    """
    if ratio < 0 or num < 1:
        raise ValueError(f"ratio must be at least 0 and num at least 1, got {ratio} and {num}")
    deviation = jnp.sqrt(jnp.log1p(ratio**2))
    return jnp.exp(deviation * jax.scipy.special.ndtri((jnp.arange(num) + 0.5) / num))


def class_weights(counts: jax.Array, beta: float | None = None) -> jax.Array:
    """Weights of a loss by class, higher for the rarer ones.

    Args:
      counts: labels of each class [K].
      beta: None is n / (K n_k), inverse to the frequency; a number in [0, 1) is inverse to the effective number of rows
        (1 - beta^n_k) / (1 - beta) (Cui et al., 2019), scaled to a sum of K.

    Returns:
      weights [K], 0 for a class without labels.
    """
    counts = jnp.asarray(counts, jnp.result_type(float))
    known = counts > 0
    if beta is None:
        return jnp.where(known, jnp.sum(counts) / (counts.shape[0] * jnp.where(known, counts, 1.0)), 0.0)
    weights = jnp.where(known, (1.0 - beta) / jnp.where(known, 1.0 - beta**counts, 1.0), 0.0)
    return weights * counts.shape[0] / jnp.where(jnp.any(known), jnp.sum(weights), 1.0)


def prior_threshold(probs: jax.Array, counts: jax.Array) -> jax.Array:
    """Class probabilities divided by the priors of the labels they were learned from (Buda et al., 2018).

    Args:
      probs: [..., K].
      counts: labels of each class [K].

    Returns:
      probabilities [..., K], which sum to one; 0 for a class without labels. Where none has any, `probs`.
    """
    weights = jnp.where(counts > 0, jnp.sum(counts) / jnp.maximum(counts, 1), 0.0)
    scaled = probs * weights
    total = jnp.sum(scaled, axis=-1, keepdims=True)
    return jnp.where(total > 0, scaled / jnp.where(total > 0, total, 1.0), probs)


def subsample(key: jax.Array, labels: jax.Array, target_counts: jax.Array) -> jax.Array:
    """Keeps a random target_k rows of each class k.

    Args:
      key: consumed.
      labels: [N], in 0..K-1.
      target_counts: [K]; a class with fewer rows keeps all it has.

    Returns:
      mask of the rows kept [N].
    """
    chex.assert_rank([labels, target_counts], 1)
    kept: jax.Array = _subsample(key, convert.as_labels(labels), target_counts)
    return kept


@jax.jit
def _subsample(key: jax.Array, labels: jax.Array, target_counts: jax.Array) -> jax.Array:
    num_rows = labels.shape[0]
    order = jax.random.permutation(key, num_rows)
    shuffled = labels[order]
    by_class = jnp.argsort(shuffled, stable=True)
    starts = jnp.searchsorted(shuffled[by_class], jnp.arange(target_counts.shape[0]))
    rank = jnp.arange(num_rows) - starts[shuffled[by_class]]
    kept = rank < target_counts[shuffled[by_class]]
    return jnp.zeros(num_rows, bool).at[order[by_class]].set(kept)
