"""Conditions of a pool: wrong answers, rows that stand there several times, which rows are labelled first."""

import jax
import jax.numpy as jnp
import numpy as np

from alfamous_jax.datasets import Dataset, Pool, initial_rows
from alfamous_jax.selection import coverage, diversity, typicality

STARTS = ("random", "kcenter", "maxherding", "typiclust")  # of `config.start`


def with_copies(dataset: Dataset, copies: int) -> Dataset:
    """Every training row as often as told, one whole set of them after the other."""
    if isinstance(dataset.x_train, np.memmap):
        raise ValueError(f"config.copies: rows that stay in their file stand there once, got {copies}")
    probs = dataset.source_probs
    return dataset._replace(
        x_train=np.concatenate([dataset.x_train] * copies),
        y_train=np.tile(dataset.y_train, copies),
        source_probs=None if probs is None else np.concatenate([probs] * copies),
        notes=(*dataset.notes, f"Every training row is in the pool {copies} times (config.copies)."),
    )


def answers(labels: np.ndarray, num_classes: int, noise: float, seed: int) -> np.ndarray:
    """What an annotator says of the rows who errs by chance, and then names any other class alike.

    Args:
      labels: the classes [M].
      num_classes: K.
      noise: how likely an answer is to be wrong.
      seed: of the errors; a smaller noise errs on some of the rows that a larger one errs on.

    Returns:
      answers [M].
    """
    rng = np.random.default_rng(seed)
    wrong = rng.random(len(labels)) < noise
    other = labels + rng.integers(1, max(num_classes, 2), len(labels))
    return np.where(wrong, other % num_classes, labels).astype(labels.dtype)


def without_unseen(pool: Pool, labels: np.ndarray, num_classes: int, unseen: int) -> Pool:
    """The pool of a seed as its first labels are drawn from it: without its rarest classes, of equals the lowest."""
    classes = labels[pool.rows]
    rarest = np.argsort(np.bincount(classes[pool.available], minlength=num_classes), kind="stable")[:unseen]
    return pool._replace(available=pool.available & ~np.isin(classes, rarest))


def first_rows(start: str, key: jax.Array, inputs: np.ndarray, pool: Pool, num: int) -> np.ndarray:
    """Positions in the pool [num] of the first rows.

    Args:
      start: of `STARTS`; all but "random" look at the rows alone.
      key: consumed.
      inputs: the training rows [M, ...]; chance reads none of them.
      pool: with so many rows available.
      num: b0.
    """
    if start == "random":
        return initial_rows(key, pool, num)
    rows = jnp.asarray(inputs[pool.rows], jnp.float32).reshape(len(pool.rows), -1)
    none, available = jnp.zeros(len(rows), bool), jnp.asarray(pool.available)
    if start == "kcenter":
        found = diversity.k_center(rows, none, available, budget=num)
    elif start == "maxherding":
        found = coverage.select(available.astype(jnp.float32), rows, none, available, budget=num)
    else:
        found = typicality.select(key, rows, none, available, budget=num)
    return np.asarray(found.indices, np.int32)
