"""The pool of a simulated run: a training set made imbalanced by a key, padded to one size for all keys."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from alfamous_jax import imbalance
from alfamous_jax.datasets import profiles
from alfamous_jax.datasets.files import Dataset

PROFILES = ("step", "exponential", "transfer")


class Imbalance(NamedTuple):
    """How a training set is made imbalanced."""

    profile: str = "step"  # a share of the classes is cut; "exponential": class sizes fall from the first to the last;
    # "transfer": they have the imbalance of another data set
    share: float = 0.5  # of the classes that a step cuts, rounded down to whole classes
    ratio: float = 0.1  # what a cut class keeps; the last class over the first
    minority: str | tuple[int, ...] = "drawn"  # the classes that a step cuts: drawn by the key, the "last", or these
    initial_per_class: int = 0  # rows of each class that are set aside before the cut, to be labelled first
    source_ratio: float = 0.813  # deviation over mean of the class sizes by "transfer"; .813 is that of ImageNet
    mean: float = 0.0  # rows a class gets on average by "transfer"; see `profiles.transferred`


class Pool(NamedTuple):
    """Rows of the training set; padding repeats row 0 and is not available."""

    rows: np.ndarray  # [N], rows of the training set
    available: np.ndarray  # [N]
    reserved: np.ndarray  # [N], those set aside as the initial labels


def pool_size(dataset: Dataset, how: Imbalance) -> int:
    """The most rows that any draw of the minority classes can leave, so that all seeds share a shape.

    Args:
      dataset: the data set.
      how: what is cut.

    Returns:
      N.
    """
    rest = _class_counts(dataset) - how.initial_per_class
    if how.profile == "transfer":
        whole = min(round(how.mean * len(rest)), int(rest.sum()))
        return whole + how.initial_per_class * dataset.num_classes
    if how.profile != "step" or how.minority != "drawn":
        kept = _targets(rest, how)
        return int(kept.sum()) + how.initial_per_class * dataset.num_classes
    kept = np.asarray(imbalance.step_profile(jnp.asarray(rest), jnp.ones(len(rest), bool), how.ratio))
    num_majority = len(rest) - _num_cut(how, dataset.num_classes)
    uncut = np.sort(rest - kept)[::-1][:num_majority].sum()
    return int(kept.sum() + uncut) + how.initial_per_class * dataset.num_classes


def imbalanced_pool(key: jax.Array, dataset: Dataset, how: Imbalance) -> Pool:
    """Cuts classes of a training set (AL-FaMoUS section 4.1.1, CBAL section 5).

    Args:
      key: consumed; draws the rows kept, those set aside and, where asked, the classes cut.
      dataset: the data set.
      how: what is cut; with classes of its own, the dominant and the rare splits of VaB-AL (section 4.1) as well.

    Returns:
      the pool, in the order of the training set.

    Raises:
      ValueError: a class with fewer rows than are to be set aside.
    """
    class_key, row_key = jax.random.split(key)
    counts = _class_counts(dataset)
    if counts.min() < how.initial_per_class:
        rarest = int(counts.argmin())
        raise ValueError(
            f"class {rarest} has {counts[rarest]} rows, {how.initial_per_class} of each are labelled first"
        )
    size, labels = pool_size(dataset, how), jnp.asarray(dataset.y_train)
    order = None
    if how.minority == "drawn":
        order = np.asarray(jax.random.permutation(class_key, dataset.num_classes))
        how = how._replace(minority=tuple(order[: _num_cut(how, dataset.num_classes)].tolist()))
    reserved = np.zeros(len(dataset.y_train), bool)
    if how.initial_per_class:
        row_key, reserve_key = jax.random.split(row_key)
        per_class = np.full(dataset.num_classes, how.initial_per_class)
        reserved = np.asarray(imbalance.subsample(reserve_key, labels, jnp.asarray(per_class)))
    rest = np.flatnonzero(~reserved)
    targets = _targets(counts - how.initial_per_class, how, order)
    kept = rest[np.asarray(imbalance.subsample(row_key, labels[rest], jnp.asarray(targets)))]
    rows = np.sort(np.concatenate([kept, np.flatnonzero(reserved)])).astype(np.int32)
    padding = (0, size - rows.size)
    return Pool(np.pad(rows, padding), np.pad(np.ones(rows.size, bool), padding), np.pad(reserved[rows], padding))


def initial_rows(key: jax.Array, pool: Pool, num: int) -> np.ndarray:
    """Rows labelled before the first cycle: those set aside, else uniform over the pool and so as imbalanced as it is.

    Args:
      key: consumed.
      pool: the pool.
      num: b0; where rows were set aside, their number.

    Returns:
      positions in the pool [num].
    """
    if pool.reserved.any():
        return np.flatnonzero(pool.reserved).astype(np.int32)
    return np.asarray(jax.random.choice(key, np.flatnonzero(pool.available), (num,), replace=False), np.int32)


def _class_counts(dataset: Dataset) -> np.ndarray:
    return np.bincount(dataset.y_train, minlength=dataset.num_classes)


def _num_cut(how: Imbalance, num_classes: int) -> int:
    return int(how.share * num_classes)


def _targets(counts: np.ndarray, how: Imbalance, order: np.ndarray | None = None) -> np.ndarray:
    """Rows that each class keeps, once it is known which are cut; by "transfer" they rise along `order`."""
    if how.profile == "transfer":
        order = np.arange(len(counts))[::-1] if order is None else order
        targets = np.empty_like(counts)
        targets[order] = profiles.transferred(counts[order], how.mean, how.source_ratio)
        return targets
    if how.profile == "exponential":
        return np.asarray(imbalance.exp_profile(jnp.asarray(counts), how.ratio))
    minority = np.zeros(len(counts), bool)
    if how.minority == "last":
        minority[len(counts) - _num_cut(how, len(counts)) :] = True
    else:
        minority[np.array(how.minority, int)] = True
    return np.asarray(imbalance.step_profile(jnp.asarray(counts), jnp.asarray(minority), how.ratio))
