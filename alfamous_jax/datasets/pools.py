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
    """Inputs with zero mean and unit deviation, both measured on the training rows.

    Args:
      dataset: with `scaling` "feature" each feature has its own mean and deviation; with "channel" all places
        of a series or an image share them, and the last axis of [rows, height, width, channels] has its own.

    Returns:
      x_train, x_test in float32. What never varies becomes 0.
    """
    exact = np.float64 if dataset.scaling == "feature" else np.float32  # images would take gigabytes in float64
    mean, deviation = (moment.astype(exact) for moment in moments(dataset))
    parts = dataset.x_train, dataset.x_test
    return tuple(((x - mean) / np.where(deviation > 0, deviation, exact(1))).astype(np.float32) for x in parts)


def moments(dataset: Dataset) -> tuple[np.ndarray, np.ndarray]:
    """Mean and deviation that `standardize` takes off and divides by.

    Args:
      dataset: see `standardize`.

    Returns:
      two float64 arrays of the shape of a row, of its channels, or of no axes.
    """
    x = dataset.x_train
    if dataset.scaling == "feature":
        return x.mean(axis=0, dtype=np.float64), x.std(axis=0, dtype=np.float64)
    axes = tuple(range(x.ndim - (x.ndim == 4)))
    mean = x.mean(axis=axes, dtype=np.float64)
    square = sum(np.square(part - mean).sum(axis=axes) for part in np.array_split(x, -(-len(x) // 1024)))
    return mean, np.sqrt(square * mean.size / x.size)


def _class_counts(dataset):
    return np.bincount(dataset.y_train, minlength=dataset.num_classes)


def _num_minority(dataset, minority_share):
    return int(minority_share * dataset.num_classes)
