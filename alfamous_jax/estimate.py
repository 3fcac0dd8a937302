"""How good a classifier is on a whole pool, from few rows drawn on purpose: draws with known probabilities, and LURE.

Rows that the classifier is unsure about tell most about its mistakes, but their plain mean is biased. Farquhar et al.
(2021) and Kossen et al. (2021) weigh each draw by its probability; here the loss is whether a row is of class j and
taken for k, which makes an unbiased confusion matrix.
"""

from functools import partial
from typing import NamedTuple

import chex
import jax
import jax.numpy as jnp

from alfamous_jax.core import contract, convert

Z = 1.959964  # of a normal, both sides of 95 %


class Interval(NamedTuple):
    """An estimate with an interval of about 95 %; NaN where nothing can be said."""

    value: jax.Array  # [] or [K]
    low: jax.Array
    high: jax.Array


class Estimate(NamedTuple):
    """What the draws say about the pool that they came from."""

    confusion: jax.Array  # [K, K], share of the rows that are of class j and taken for k; unbiased
    accuracy: Interval
    recall: Interval  # [K]
    macro_f1: Interval


@convert.door
@partial(jax.jit, static_argnames="num")
def draw(
    key: jax.Array, score: jax.Array, available: jax.Array, *, num: int, floor: jax.Array | float = 0.2
) -> tuple[jax.Array, jax.Array]:
    """Rows drawn one after the other without replacement, in proportion to a score, and with what probability each.

    Args:
      key: consumed.
      score: [N], at least 0, such as 1 - the largest probability of a row.
      available: rows not drawn yet [N]; one whose score is not finite is drawn as if it were 0.
      num: how many rows, static.
      floor: what every row has beside its score, in mean scores of the available rows; > 0, or some rows are never
        drawn and the estimate is wrong.

    Returns:
      indices [num] in the order drawn, -1 where no row is left, and the log of the probability that each had among the
      rows left before it [num], 0 for padding.

    Examples:
      >>> from alfamous_jax import estimate
      >>> rows, log_prob = estimate.draw(jax.random.key(0), jnp.ones(4), jnp.ones(4, bool), num=4)
      >>> sorted(rows.tolist()), jnp.exp(log_prob).round(2).tolist()
      ([0, 1, 2, 3], [0.25, 0.33, 0.5, 1.0])
    """
    chex.assert_rank([score, available], 1)
    chex.assert_equal_shape([score, available])
    contract.check_budget(num)
    score = jnp.where(available & jnp.isfinite(score), jnp.maximum(score, 0.0), 0.0)
    mean = jnp.sum(score) / jnp.maximum(jnp.sum(available), 1)
    weight = jnp.where(available, score + jnp.where(mean > 0, floor * mean, 1.0), 0.0)
    keys = jnp.where(available, jnp.log(weight) + jax.random.gumbel(key, weight.shape, weight.dtype), -jnp.inf)
    best, indices = jax.lax.top_k(keys, min(num, len(score)))
    drawn = jnp.isfinite(best)
    own = jnp.where(drawn, weight[indices], 0.0)
    rest = jnp.sum(weight.at[indices].set(0.0))
    left = rest + jnp.cumsum(own[::-1])[::-1]  # summed from the end, so that nothing cancels
    log_prob = jnp.where(drawn, jnp.log(own) - jnp.log(left), 0.0)
    short = max(num - len(score), 0)
    indices = jnp.pad(jnp.where(drawn, indices, -1), (0, short), constant_values=-1)
    return indices, jnp.pad(log_prob, (0, short))


@convert.door
def lure(log_prob: jax.Array, num_rows: jax.Array | int, count: jax.Array | int | None = None) -> jax.Array:
    """The weights of the draws: v_m = 1 + (N - M) / (N - m) (1 / ((N - m + 1) q_m) - 1), Farquhar et al. (2021), Eq. 9.

    Args:
      log_prob: log q of the M draws, in their order [M].
      num_rows: N, rows that there were to draw from [].
      count: how many of the M are draws, the others behind them being padding []; None is all.

    Returns:
      weights [M], 0 for padding; the sum of weights * loss over the number of draws is an unbiased mean loss over the N
      rows. All 1 if the draws were uniform, or if every row was drawn.

    Raises:
      ValueError: outside a trace, more draws than rows.

    Examples:
      >>> from alfamous_jax import estimate
      >>> estimate.lure(jnp.log(jnp.array([0.5, 0.5])), 4).round(2).tolist()
      [0.67, 0.67]
    """
    chex.assert_rank(log_prob, 1)
    num = log_prob.shape[0] if count is None else count
    if not isinstance(num, jax.core.Tracer) and not isinstance(num_rows, jax.core.Tracer) and num > num_rows:
        raise ValueError(f"num_rows must be at least the {num} draws, got {num_rows}")
    place = jnp.arange(1, log_prob.shape[0] + 1)
    share = (num_rows - num) / jnp.maximum(num_rows - place, 1)
    weight = 1.0 + share * (jnp.exp(-log_prob) / jnp.maximum(num_rows - place + 1, 1) - 1.0)
    return jnp.where(place <= num, weight, 0.0)


@convert.door
@partial(jax.jit, static_argnames="num_classes")
def evaluate(
    labels: jax.Array,
    predictions: jax.Array,
    log_prob: jax.Array,
    num_rows: jax.Array | int,
    num_classes: int,
    count: jax.Array | int | None = None,
) -> Estimate:
    """Confusion matrix, accuracy, recall by class and macro F1 of a classifier on the rows that the draws came from.

    The matrix is unbiased; the others are ratios of its entries, hence consistent, with intervals by the delta method
    (shares: Wilson's interval at the effective number of draws).

    Args:
      labels: of the draws in their order [M]; one outside 0..K-1 says that the row has none and belongs to no class.
      predictions: classes [M].
      log_prob: of `draw` [M].
      num_rows: N, rows that there were to draw from [].
      num_classes: K, static.
      count: how many of the M are draws, the others being padding []; None is all.

    Returns:
      the estimate. It holds for a classifier that has not learnt from these rows: one that has looks better than it is,
      and no weight mends that. A class of which no row was drawn has a recall of NaN and counts as F1 of 0 only if it
      was predicted. Below some 10 draws of a class its interval is a rough guide.

    Examples:
      >>> from alfamous_jax import estimate
      >>> q = jnp.log(jnp.array([1 / 4, 1 / 3, 1 / 2, 1.0]))  # all of 4 rows, uniformly
      >>> found = estimate.evaluate(jnp.array([0, 0, 1, 1]), jnp.array([0, 1, 1, 1]), q, 4, 2)
      >>> found.accuracy.value.item(), found.recall.value.tolist(), found.confusion.tolist()
      (0.75, [0.5, 1.0], [[0.25, 0.25], [0.0, 0.5]])
    """
    chex.assert_rank([labels, predictions, log_prob], 1)
    chex.assert_equal_shape([labels, predictions, log_prob])
    labels, predictions = convert.as_labels(labels), convert.as_labels(predictions, "predictions")
    num = log_prob.shape[0] if count is None else count
    weight = lure(log_prob, num_rows, num)
    known = (labels >= 0) & (labels < num_classes)
    true = jax.nn.one_hot(labels, num_classes)
    taken = jax.nn.one_hot(predictions, num_classes) * known[:, None]
    confusion = jnp.einsum("m,mj,mk->jk", weight, true, taken) / num
    left = (num_rows - num) / jnp.maximum(num_rows - 1, 1)  # of the variance, as draws are not put back
    hit = jnp.sum(true * taken, axis=1)
    accuracy = _share(weight[:, None], hit[:, None], known[:, None].astype(weight.dtype), left)
    recall = _share(weight[:, None], true * taken, true, left)
    return Estimate(confusion, Interval(*(x[0] for x in accuracy)), recall, _macro_f1(weight, true, taken, left))


def _share(weight: jax.Array, part: jax.Array, whole: jax.Array, left: jax.Array) -> Interval:
    """sum(weight * part) / sum(weight * whole) of 0-1 variables [M, n], with Wilson's interval."""
    total = jnp.sum(weight * whole, axis=0)
    value = jnp.where(total > 0, jnp.sum(weight * part, axis=0) / jnp.where(total > 0, total, 1.0), jnp.nan)
    inside = jnp.clip(value, 0.0, 1.0)
    squares = jnp.sum((weight * (part - value * whole)) ** 2, axis=0) * left
    variance = squares / jnp.where(total > 0, total, 1.0) ** 2
    kish = total**2 / (jnp.sum((weight * whole) ** 2, axis=0) * jnp.maximum(left, 1e-12))
    size = jnp.where(variance > 0, inside * (1 - inside) / jnp.where(variance > 0, variance, 1.0), kish)
    size = jnp.where((inside <= 0) | (inside >= 1), kish, size)
    centre = (inside + Z**2 / (2 * size)) / (1 + Z**2 / size)
    half = Z / (1 + Z**2 / size) * jnp.sqrt(inside * (1 - inside) / size + Z**2 / (4 * size**2))
    return Interval(value, jnp.maximum(centre - half, 0.0), jnp.minimum(centre + half, 1.0))


def _macro_f1(weight: jax.Array, true: jax.Array, taken: jax.Array, left: jax.Array) -> Interval:
    """Mean F1 of the classes that occur or are predicted, with a normal interval of its linearisation."""
    both, either = weight @ (true * taken), weight @ (true + taken)
    there = either > 0
    f1 = jnp.where(there, 2 * both / jnp.where(there, either, 1.0), 0.0)
    num = jnp.sum(there)
    value = jnp.where(num > 0, jnp.sum(f1) / jnp.maximum(num, 1), jnp.nan)
    slope = (2 * true * taken - f1 * (true + taken)) / jnp.where(there, either, jnp.inf)
    influence = weight * jnp.sum(slope, axis=1) / jnp.maximum(num, 1)
    half = Z * jnp.sqrt(jnp.sum(influence**2) * left)
    return Interval(value, jnp.maximum(value - half, 0.0), jnp.minimum(value + half, 1.0))
