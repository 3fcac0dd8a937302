"""Cross-validation on a padded buffer of labels, in one compiled program."""

from collections.abc import Callable
from typing import Any

import chex
import jax
import jax.numpy as jnp
import numpy as np

from alfamous_jax.core import convert

Fit = Callable[[jax.Array, jax.Array, jax.Array], Any]
Predict = Callable[[Any], jax.Array]


def stratified_folds(key: jax.Array, labels: jax.Array, count: jax.Array, num_folds: int) -> jax.Array:
    """Deals the rows of each class round the folds in random order.

    Args:
      key: consumed.
      labels: a padded buffer [M].
      count: how many of them are real [].
      num_folds: F, static, at least 2.

    Returns:
      fold of each slot [M], -1 for padding. Folds differ by one row at most, in all and in every class.
    """
    if num_folds < 2:
        raise ValueError(f"num_folds must be at least 2, got {num_folds}")
    chex.assert_rank([labels, count], [1, 0])
    labels, size = convert.as_labels(labels), labels.shape[0]
    real = jnp.arange(size) < count
    shuffled = jnp.argsort(jax.random.uniform(key, (size,)))
    by_class = shuffled[jnp.argsort(jnp.where(real, labels, np.iinfo(np.int32).max)[shuffled], stable=True)]
    folds = jnp.zeros(size, jnp.int32).at[by_class].set(jnp.arange(size, dtype=jnp.int32) % num_folds)
    return jnp.where(real, folds, -1)


def cross_validate(
    key: jax.Array, labels: jax.Array, count: jax.Array, *, num_folds: int, fit: Fit, predict: Predict
) -> jax.Array:
    """Accuracy on held-out folds, as the switch of minority-class sampling needs it (ICPR 2020, section 3.3).

    Args:
      key: consumed; deals the folds and goes on to `fit`.
      labels: a padded buffer [M].
      count: how many of them are real [].
      num_folds: F, static; 5 is the paper's split of 80 to 20.
      fit: (key, order [M], number []) -> model; trains on the slots order[:number] of the buffer. Compiled once.
      predict: model -> class of every slot [M].

    Returns:
      accuracy [], the mean over the folds that hold a row; NaN without rows.
    """
    fold_key, key = jax.random.split(key)
    folds = stratified_folds(fold_key, labels, count, num_folds)

    def hold_out(inputs: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        number, key = inputs
        held, rest = folds == number, (folds >= 0) & (folds != number)
        model = fit(key, jnp.argsort(~rest, stable=True), jnp.sum(rest))
        return jnp.sum(held & (predict(model) == labels)) / jnp.maximum(jnp.sum(held), 1), jnp.any(held)

    accuracy, counted = jax.lax.map(hold_out, (jnp.arange(num_folds), jax.random.split(key, num_folds)))
    return jnp.sum(accuracy * counted) / jnp.sum(counted)
