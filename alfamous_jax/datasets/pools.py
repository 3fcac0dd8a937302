"""The pool of a simulated run: a training set made imbalanced by a key, padded to one size for all keys."""

from typing import NamedTuple

import jax
import numpy as np

from alfamous_jax import imbalance
from alfamous_jax.datasets.files import Dataset


class Pool(NamedTuple):
    """Rows of the training set; padding repeats row 0 and is not available."""

    rows: np.ndarray  # [N], rows of the training set
    available: np.ndarray  # [N]


def pool_size(dataset: Dataset, minority_share: float, minority_ratio: float) -> int:
    """The most rows that any draw of the minority classes can leave, so that all seeds share a shape.

    Args:
      dataset: the data set.
      minority_share: share of the classes that shrink, rounded down to whole classes.
      minority_ratio: fraction of their rows that they keep.

    Returns:
      N.
    """
    counts = _class_counts(dataset)
    kept = np.asarray(imbalance.step_profile(counts, np.ones(len(counts), bool), minority_ratio))
    num_majority = len(counts) - _num_minority(dataset, minority_share)
    return int(kept.sum() + np.sort(counts - kept)[::-1][:num_majority].sum())


def imbalanced_pool(key: jax.Array, dataset: Dataset, minority_share: float, minority_ratio: float) -> Pool:
    """Draws the minority classes and cuts each to a fraction of its rows (AL-FaMoUS section 4.1.1).

    Args:
      key: consumed.
      dataset: the data set.
      minority_share, minority_ratio: see `pool_size`; .5 and .1 in AL-FaMoUS.

    Returns:
      the pool, in the order of the training set.
    """
    class_key, row_key = jax.random.split(key)
    drawn = jax.random.permutation(class_key, dataset.num_classes)[: _num_minority(dataset, minority_share)]
    minority = np.zeros(dataset.num_classes, bool)
    minority[np.asarray(drawn)] = True
    targets = imbalance.step_profile(_class_counts(dataset), minority, minority_ratio)
    rows = np.flatnonzero(imbalance.subsample(row_key, dataset.y_train, targets)).astype(np.int32)
    size = pool_size(dataset, minority_share, minority_ratio)
    return Pool(np.pad(rows, (0, size - rows.size)), np.arange(size) < rows.size)


def initial_rows(key: jax.Array, pool: Pool, num: int) -> np.ndarray:
    """Rows labelled before the first cycle, uniform over the pool and so as imbalanced as it is.

    Args:
      key: consumed.
      pool: the pool.
      num: b0.

    Returns:
      positions in the pool [num].
    """
    return np.asarray(jax.random.choice(key, np.flatnonzero(pool.available), (num,), replace=False), np.int32)


def standardize(dataset: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Inputs with zero mean and unit deviation per feature, both measured on the training rows.

    Args:
      dataset: the data set.

    Returns:
      x_train, x_test in float32. A feature that never varies becomes 0.
    """
    train = dataset.x_train.astype(np.float64)
    mean, deviation = train.mean(axis=0), train.std(axis=0)
    deviation = np.where(deviation > 0, deviation, 1.0)
    return tuple(((x - mean) / deviation).astype(np.float32) for x in (train, dataset.x_test))


def _class_counts(dataset):
    return np.bincount(dataset.y_train, minlength=dataset.num_classes)


def _num_minority(dataset, minority_share):
    return int(minority_share * dataset.num_classes)
