"""Scores of a classifier on imbalanced classes, and of what was labelled.

The functions take plain arrays and give scalars; counts are labels per class [K].
"""

import chex
import jax
import jax.numpy as jnp
from jax.scipy.special import rel_entr

from alfamous_jax import laplace
from alfamous_jax.core import convert


def accuracy(labels: jax.Array, predictions: jax.Array) -> jax.Array:
    """Share of rows predicted right.

    Args:
      labels: [N].
      predictions: [N].

    Returns:
      accuracy [].

    Examples:
      >>> from alfamous_jax import metrics
      >>> metrics.accuracy(jnp.array([0, 0, 1, 2]), jnp.array([0, 1, 1, 2])).item()
      0.75
    """
    labels, predictions = _classes(labels, predictions)
    return jnp.mean(labels == predictions)


def recall(labels: jax.Array, predictions: jax.Array, num_classes: int) -> jax.Array:
    """Share of each class's rows predicted right: the accuracy of a class.

    Args:
      labels: [N], in 0..K-1.
      predictions: [N].
      num_classes: K, static.

    Returns:
      recall [K]. NaN for a class without labels.

    Examples:
      >>> from alfamous_jax import metrics
      >>> metrics.recall(jnp.array([0, 0, 1, 2]), jnp.array([0, 1, 1, 2]), 3).tolist()
      [0.5, 1.0, 1.0]
    """
    labels, predictions = _classes(labels, predictions)
    truth = jax.nn.one_hot(labels, num_classes)
    return jnp.sum(truth * (labels == predictions)[:, None], axis=0) / jnp.sum(truth, axis=0)


def macro_f1(labels: jax.Array, predictions: jax.Array, num_classes: int) -> jax.Array:
    """Mean over all classes of 2 TP / (2 TP + FP + FN).

    Args:
      labels: [N], in 0..K-1.
      predictions: [N], in 0..K-1.
      num_classes: K, static.

    Returns:
      macro F1 []. A class with neither labels nor predictions counts 0.

    Examples:
      >>> from alfamous_jax import metrics
      >>> round(metrics.macro_f1(jnp.array([0, 0, 1, 2]), jnp.array([0, 1, 1, 2]), 3).item(), 3)  # (2/3 + 2/3 + 1) / 3
      0.778
    """
    labels, predictions = _classes(labels, predictions)
    truth = jax.nn.one_hot(labels, num_classes)
    predicted = jax.nn.one_hot(predictions, num_classes)
    hits = jnp.sum(truth * predicted, axis=0)
    seen = jnp.sum(truth + predicted, axis=0)
    return jnp.mean(2 * hits / jnp.maximum(seen, 1))


def log_loss(labels: jax.Array, probs: jax.Array) -> jax.Array:
    """Mean of -log p_y, the negative log-likelihood of the labels, in nats.

    Args:
      labels: [N], in 0..K-1.
      probs: class probabilities [N, K].

    Returns:
      loss []. A label that was given a probability of 0 counts as one of the smallest float.

    Examples:
      >>> from alfamous_jax import metrics
      >>> round(metrics.log_loss(jnp.array([0, 1]), jnp.array([[0.5, 0.5], [0.0, 1.0]])).item(), 3)  # log(2) / 2
      0.347
    """
    chex.assert_rank([labels, probs], [1, 2])
    own = jnp.take_along_axis(probs, convert.as_labels(labels)[:, None], axis=1)[:, 0]
    return -jnp.mean(jnp.log(jnp.maximum(own, jnp.finfo(probs.dtype).tiny)))


def calibration_error(labels: jax.Array, probs: jax.Array, num_bins: int = 15) -> jax.Array:
    """Expected calibration error: how far confidence and accuracy lie apart, bin by bin (Guo et al., 2017, Eq. 3).

    Args:
      labels: [N], in 0..K-1.
      probs: class probabilities [N, K]; the largest is a row's confidence.
      num_bins: of equal width over (0, 1], static.

    Returns:
      error [], from 0 to 1. It rises with the number of bins where there are few rows.

    Examples:
      >>> from alfamous_jax import metrics
      >>> probs = jnp.array([[0.9, 0.1], [0.9, 0.1], [0.4, 0.6]])
      >>> round(metrics.calibration_error(jnp.array([0, 1, 1]), probs).item(), 3)  # (2 |.5 - .9| + |1 - .6|) / 3
      0.4
    """
    chex.assert_rank([labels, probs], [1, 2])
    confidence, right = jnp.max(probs, axis=1), jnp.argmax(probs, axis=1) == convert.as_labels(labels)
    bins = jnp.clip(jnp.ceil(confidence * num_bins).astype(jnp.int32) - 1, 0, num_bins - 1)
    apart = jnp.zeros(num_bins, confidence.dtype).at[bins].add(confidence - right)
    return jnp.sum(jnp.abs(apart)) / len(labels)


def class_balance_index(counts: jax.Array, normalize: str = "sum") -> jax.Array:
    """How even the labels are over the classes: 1 / std of the class shares (AL-FaMoUS Eq. 9).

    `sum` is Eq. 9 as printed: shares of the total, population std. The published tables lie below its
    smallest value; they agree with `minmax`: counts scaled to [0, 1], sample std.

    Args:
      counts: [K].
      normalize: "sum" or "minmax", static.

    Returns:
      CBI [], higher is more even, infinite when all counts are equal, as they are before any label.

    Examples:
      >>> from alfamous_jax import metrics
      >>> round(metrics.class_balance_index(jnp.array([30, 10, 20])).item(), 2)
      7.35
    """
    counts = jnp.asarray(counts, jnp.result_type(float))
    even = jnp.max(counts) <= jnp.min(counts)
    if normalize == "sum":
        return jnp.where(even, jnp.inf, jnp.sum(counts) / jnp.where(even, 1.0, laplace.deviation(jnp.var(counts))))
    if normalize == "minmax":
        spread = jnp.max(counts) - jnp.min(counts)
        return jnp.where(even, jnp.inf, spread / jnp.where(even, 1.0, laplace.deviation(jnp.var(counts, ddof=1))))
    raise ValueError(f"normalize must be 'sum' or 'minmax', got {normalize!r}")


def l1_score(counts: jax.Array) -> jax.Array:
    """Distance of the class counts from equal ones, scaled to [0, 1] (CBAL section 5).

    Args:
      counts: [K].

    Returns:
      score []: 0 for equal counts, those of no label or of a single class too; 1 when one class has all.

    Examples:
      >>> from alfamous_jax import metrics
      >>> metrics.l1_score(jnp.array([10, 10, 10])).item(), metrics.l1_score(jnp.array([30, 0, 0])).item()
      (0.0, 1.0)
    """
    counts = jnp.asarray(counts, jnp.result_type(float))
    total, num_classes = jnp.sum(counts), counts.shape[-1]
    if num_classes == 1:
        return jnp.zeros_like(total)
    distance = jnp.sum(jnp.abs(counts - total / num_classes))
    whole = jnp.where(total > 0, 2 * total * (num_classes - 1), 1.0)
    return jnp.clip(distance * num_classes / whole, 0.0, 1.0)


def imbalance_ratio(counts: jax.Array) -> jax.Array:
    """Standard deviation over mean of the class counts (minority-class AL, Table I).

    Args:
      counts: [K], undiscovered classes included as 0.

    Returns:
      ratio [], population std, 0 before any label; K divided by it is `class_balance_index`.

    Examples:
      >>> from alfamous_jax import metrics
      >>> round(metrics.imbalance_ratio(jnp.array([30, 10, 20])).item(), 3)
      0.408
    """
    counts = jnp.asarray(counts, jnp.result_type(float))
    return laplace.deviation(jnp.var(counts)) / jnp.maximum(jnp.mean(counts), jnp.finfo(counts.dtype).tiny)


def found_classes(counts: jax.Array) -> jax.Array:
    """How many classes [] have a label, of counts [K].

    Examples:
      >>> from alfamous_jax import metrics
      >>> metrics.found_classes(jnp.array([3, 0, 1])).item()
      2
    """
    return jnp.sum(counts > 0)


def found_accuracy(recall: jax.Array, counts: jax.Array) -> jax.Array:
    """ACC_t of imbalanced single-stage AL: accuracy on a balanced test set with 0 for classes never found.

    Args:
      recall: of each class [K].
      counts: labels of each class [K].

    Returns:
      accuracy []: the mean recall of the classes found, times their share of all classes.

    Examples:
      >>> from alfamous_jax import metrics
      >>> metrics.found_accuracy(jnp.array([0.5, 0.25, 1.0, 1.0]), jnp.array([3, 2, 0, 1])).item()
      0.4375
    """
    return jnp.mean(jnp.where(counts > 0, recall, 0.0))


def euclidean_diversity(features: jax.Array) -> jax.Array:
    """Mean Euclidean distance between the rows of a batch.

    Args:
      features: [b, F].

    Returns:
      distance [], over the b (b - 1) / 2 pairs; NaN for a batch of one row or none, which has no pairs.

    Examples:
      >>> from alfamous_jax import metrics
      >>> metrics.euclidean_diversity(jnp.array([[0.0, 0.0], [3.0, 4.0]])).item()
      5.0
    """
    features = convert.as_float(jnp.asarray(features))
    chex.assert_rank(features, 2)
    differences = features[:, None, :] - features[None, :, :]
    distances = laplace.deviation(jnp.sum(differences**2, axis=-1))
    num = features.shape[0]
    return jnp.sum(distances) / (num * (num - 1))


def kl_diversity(features: jax.Array) -> jax.Array:
    """Mean divergence of the rows, read as distributions, from their average.

    Args:
      features: non-negative [b, F]; each row is divided by its sum, one of zeros is spread evenly. Shift signed
        features by the pool's minimum first.

    Returns:
      mean KL(row || average) [] in nats, 0 to log b; NaN where a feature is negative, as such a row is no distribution,
      and for a batch without rows or columns.

    Examples:
      >>> from alfamous_jax import metrics
      >>> round(metrics.kl_diversity(jnp.array([[1.0, 0.0], [0.0, 5.0]])).item(), 4)  # log 2: nothing in common
      0.6931
    """
    features = convert.as_float(jnp.asarray(features))
    chex.assert_rank(features, 2)
    if 0 in features.shape:
        return jnp.full((), jnp.nan, features.dtype)
    total = jnp.sum(features, axis=-1, keepdims=True)
    shares = jnp.where(total > 0, features / jnp.where(total > 0, total, 1.0), 1.0 / features.shape[1])
    divergence = jnp.mean(jnp.sum(rel_entr(shares, jnp.mean(shares, axis=0)), axis=-1))
    return jnp.where(jnp.min(features) >= 0, divergence, jnp.nan)


def g_al(accuracy: jax.Array, full: jax.Array) -> jax.Array:
    """Mean over configurations of (accuracy - full) / (100 - full) (imbalanced single-stage AL).

    Args:
      accuracy: percent, any shape.
      full: percent reached with every label, same shape.

    Returns:
      the mean []; 0 matches full supervision, below 0 falls short of it.

    Examples:
      >>> from alfamous_jax import metrics
      >>> metrics.g_al(jnp.array([60.0, 70.0]), jnp.array([80.0, 90.0])).item()  # (-20/20 - 20/10) / 2
      -1.5
    """
    return jnp.mean((accuracy - full) / (100.0 - full))


def _classes(labels: jax.Array, predictions: jax.Array) -> tuple[jax.Array, jax.Array]:
    labels, predictions = convert.as_labels(labels), convert.as_labels(predictions, "predictions")
    chex.assert_equal_shape([labels, predictions])
    return labels, predictions
