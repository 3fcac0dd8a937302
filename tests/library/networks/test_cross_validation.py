"""Stratified folds and held-out accuracy, against scikit-learn and by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import NearestCentroid

from alfamous_jax.networks import cross_validation

pytestmark = pytest.mark.slow

KEY = jax.random.key(0)


def labels(num=43, size=60, seed=0):
    """A padded buffer with a class of one row."""
    y = np.random.default_rng(seed).choice(4, size, p=[0.5, 0.3, 0.15, 0.05])
    y[:num][y[:num] == 3] = 2
    y[7] = 3
    return y, num


@pytest.mark.parametrize("num_folds", [2, 5])
def test_folds_are_even_in_all_and_in_every_class(num_folds):
    y, num = labels()
    for seed in range(3):
        folds = np.asarray(cross_validation.stratified_folds(jax.random.key(seed), y, num, num_folds))
        assert (folds[num:] == -1).all() and (folds[:num] >= 0).all()
        for rows in (folds[:num], *(folds[:num][y[:num] == k] for k in range(4))):
            sizes = np.bincount(rows, minlength=num_folds)
            assert sizes.max() - sizes.min() <= 1
    other = cross_validation.stratified_folds(jax.random.key(9), y, num, num_folds)
    assert (np.asarray(other) != folds).any()


def test_accuracy_is_that_of_scikit_learn_on_the_same_folds():
    """Nearest centroids, which train in one line."""
    y, num = labels()
    x = np.random.default_rng(1).normal(size=(len(y), 3)).astype(np.float32)
    x[:, 0] += y
    points = jnp.asarray(x)

    def fit(key, order, number):
        weight = jax.nn.one_hot(jnp.asarray(y)[order], 4) * (jnp.arange(len(y)) < number)[:, None]
        counts = jnp.sum(weight, axis=0)
        return jnp.where(counts[:, None] > 0, weight.T @ points[order] / jnp.maximum(counts, 1)[:, None], jnp.inf)

    def predict(centroids):
        return jnp.argmin(jnp.sum((points[:, None] - centroids) ** 2, axis=-1), axis=1)

    validate = jax.jit(
        lambda key, count: cross_validation.cross_validate(
            key, jnp.asarray(y), count, num_folds=5, fit=fit, predict=predict
        )
    )
    for count in (num, 23):
        folds = np.asarray(cross_validation.stratified_folds(jax.random.split(KEY)[0], y, count, 5))[:count]
        splits = [(np.flatnonzero(folds != f), np.flatnonzero(folds == f)) for f in range(5)]
        expected = cross_val_score(NearestCentroid(), x[:count], y[:count], cv=splits).mean()
        np.testing.assert_allclose(validate(KEY, count), expected, atol=1e-6)
    assert validate._cache_size() == 1


def test_fewer_rows_than_folds():
    """Three rows: three folds hold one row each, and two of the three predictions are right."""
    accuracy = cross_validation.cross_validate(
        KEY,
        jnp.array([1, 1, 0, 0]),
        jnp.int32(3),
        num_folds=5,
        fit=lambda key, order, number: number,
        predict=lambda number: jnp.full(4, number - 1),
    )
    np.testing.assert_allclose(accuracy, 2 / 3, rtol=1e-6)
    with pytest.raises(ValueError, match="num_folds must be at least 2"):
        cross_validation.stratified_folds(KEY, jnp.zeros(4, int), jnp.int32(4), 1)
