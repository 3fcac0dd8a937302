"""Reading a data set and refusing what is wrong with it.

A data set is `x_train, y_train, x_test, y_test`, or `x, y` whose last rows are then the test set. Labels are 0, 1,
2, ...; `classes` may name them. `source_probs_train` (or `source_probs`, a row for each of x) may hold a pretrained
network's probabilities of its own classes. Where it may lie is said in `places`.
"""

import os
import pathlib
from typing import NamedTuple

import numpy as np

from alfamous_jax.datasets import places
from alfamous_jax.datasets.places import DATA_DIR, PARTS, Arrays
from alfamous_jax.datasets.registry import SOURCES

Parts = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]  # x_train, y_train, x_test, y_test


class Dataset(NamedTuple):
    """Arrays as they stand in the file; nothing is scaled or shuffled."""

    x_train: np.ndarray  # [rows, ...]
    y_train: np.ndarray  # [rows], int32
    x_test: np.ndarray
    y_test: np.ndarray
    num_classes: int
    scaling: str = "feature"  # what `pools.standardize` does unless told otherwise
    num_missing: int = 0  # published rows that this copy lacks
    class_names: tuple[str, ...] = ()  # those in `classes`, if the file has one for each class
    source_probs: np.ndarray | None = None  # [rows, K'], what a source network takes the training rows for


def load(name: str, num_classes: int, test_rows: int = 0, data_dir: str | None = None) -> Dataset:
    """Reads a data set by the name that the registry knows, or from an `.npz` file.

    Args:
      name: a key of `registry.SOURCES`, the stem of an `.npz` file in the data directory, a path ending in `.npz`, or
        a folder of `.npy` files ending in `/`.
      num_classes: K; never inferred from the labels, as a class may have none.
      test_rows: for files with `x, y`: how many of the last rows are the test set.
      data_dir: the data directory, `$ALFAMOUS_DATA_DIR` if not given.

    Returns:
      the data set.

    Raises:
      FileNotFoundError: it is nowhere; says what to put where.
      ValueError: the file is damaged, or its arrays have the wrong shape, a NaN or an infinity, or a
        label outside 0..K-1.
    """
    folder = pathlib.Path(folder) if (folder := data_dir or os.environ.get(DATA_DIR)) else None
    source = SOURCES.get(name)
    if not source:
        where, arrays = places.own(name, folder)
        data = from_arrays(arrays, num_classes, test_rows, where)
        return data._replace(scaling="none") if name.endswith("/") else data
    if num_classes != source.num_classes:
        raise ValueError(f"num_classes: {name} has {source.num_classes} classes, got {num_classes}")
    where, arrays = places.registered(name, source, folder)
    x_train, y_train, x_test, y_test = _split(where, arrays, source.split, test_rows or source.test_rows)
    x_train, x_test = (
        x.reshape(len(x), *source.shape) if x.shape[1:] == (*source.shape, 1) else x for x in (x_train, x_test)
    )
    data = _checked(where, (x_train, y_train, x_test, y_test), num_classes)
    if x_train.shape[1:] != source.shape:
        raise ValueError(f"{where}: rows of {name} have shape {source.shape}, got {x_train.shape[1:]}")
    num_missing = source.num_rows - len(y_train) - len(y_test)
    return data._replace(scaling=source.scaling, num_missing=num_missing, class_names=_names(arrays, num_classes))


def from_arrays(arrays: Arrays, num_classes: int, test_rows: int = 0, where: str = "arrays") -> Dataset:
    """A data set of your own from arrays in memory, checked as those of an `.npz` file are.

    Args:
      arrays: `x_train, y_train, x_test, y_test`, or `x, y`; `classes` and `source_probs_train` if there are any.
      num_classes: K.
      test_rows: for `x, y`: how many of the last rows are the test set.
      where: where they come from, for messages.

    Returns:
      the data set; tables are to be scaled feature by feature, images and series by channel.

    Raises:
      ValueError: an array is missing, has the wrong shape, a NaN or an infinity, or a label outside 0..K-1.
    """
    parts = _split(where, arrays, "source", test_rows)
    data = _checked(where, parts, num_classes)
    return data._replace(
        scaling="feature" if data.x_train.ndim == 2 else "channel",
        class_names=_names(arrays, num_classes),
        source_probs=_source_probs(where, arrays, len(data.y_train)),
    )


def _checked(where: str, parts: Parts, num_classes: int) -> Dataset:
    x_train, y_train, x_test, y_test = parts
    for kind, x, y in (("train", x_train, y_train), ("test", x_test, y_test)):
        _check(f"{where} ({kind})", x, y, num_classes)
    if x_train.shape[1:] != x_test.shape[1:]:
        raise ValueError(f"{where}: train rows have shape {x_train.shape[1:]}, test rows {x_test.shape[1:]}")
    return Dataset(x_train, y_train.astype(np.int32), x_test, y_test.astype(np.int32), num_classes)


def _names(arrays: Arrays, num_classes: int) -> tuple[str, ...]:
    names = arrays.get("classes", np.empty(0))
    return tuple(map(str, names)) if names.shape == (num_classes,) else ()


def _source_probs(where: str, arrays: Arrays, num_train: int) -> np.ndarray | None:
    """Probabilities of the training rows, if the file has any."""
    whole = arrays.get("source_probs", np.empty(0))
    probs = arrays.get("source_probs_train", whole[:num_train] if whole.ndim else whole)
    if not probs.size:
        return None
    if probs.ndim != 2 or len(probs) != num_train or not np.issubdtype(probs.dtype, np.floating):
        raise ValueError(
            f"{where}: source_probs_train must be numbers [{num_train}, classes of the source], "
            f"got {probs.dtype} {probs.shape}"
        )
    if not ((probs >= 0).all() and np.allclose(probs.sum(axis=1), 1.0, atol=1e-2)):
        raise ValueError(f"{where}: source_probs_train must be probabilities, rows of at least 0 that sum to 1")
    return probs.astype(np.float32)


def _split(where: str, arrays: Arrays, split: str, test_rows: int) -> Parts:
    """The arrays in training and test rows, as `registry.Source.split` says."""
    has_parts = arrays.keys() >= set(PARTS)
    if not has_parts and not arrays.keys() >= {"x", "y"}:
        raise ValueError(f"{where}: needs arrays x, y or x_train, y_train, x_test, y_test, has {', '.join(arrays)}")
    for name in PARTS if has_parts else ("x", "y"):
        if not arrays[name].ndim:
            raise ValueError(f"{where}: {name} must have rows, got a single {arrays[name].dtype}")
    if has_parts and split == "source":
        return arrays["x_train"], arrays["y_train"], arrays["x_test"], arrays["y_test"]
    x, y = (
        np.concatenate([arrays[f"{axis}_train"], arrays[f"{axis}_test"]]) if has_parts else arrays[axis]
        for axis in "xy"
    )
    if split == "halves":
        return x[::2], y[::2], x[1::2], y[1::2]
    if split == "spread" and 0 < test_rows < len(x):
        tested = np.zeros(len(x), bool)
        tested[(2 * np.arange(test_rows) + 1) * len(x) // (2 * test_rows)] = True
        return x[~tested], y[~tested], x[tested], y[tested]
    if not 0 < test_rows < len(x):
        raise ValueError(f"{where}: test_rows must be between 1 and {len(x) - 1} for a file with x, y, got {test_rows}")
    return x[:-test_rows], y[:-test_rows], x[-test_rows:], y[-test_rows:]


def _check(where: str, x: np.ndarray, y: np.ndarray, num_classes: int) -> None:
    if x.ndim < 2 or y.ndim != 1 or len(x) != len(y):
        raise ValueError(f"{where}: wanted x [rows, ...] and y [rows], got x {x.shape} and y {y.shape}")
    if not len(x):
        raise ValueError(f"{where}: has no rows")
    if not (np.issubdtype(x.dtype, np.number) or x.dtype == bool):
        raise ValueError(f"{where}: x must be numeric, got {x.dtype}")
    if not np.issubdtype(y.dtype, np.integer):
        raise ValueError(f"{where}: y must be integers, got {y.dtype}")
    if np.issubdtype(x.dtype, np.inexact) and not isinstance(x, np.memmap) and not np.isfinite(x).all():
        bad = np.argwhere(~np.isfinite(x))
        raise ValueError(f"{where}: x has {len(bad)} NaN or infinite values, the first at {tuple(bad[0].tolist())}")
    outside = np.flatnonzero((y < 0) | (y >= num_classes))
    if outside.size:
        row = outside[0]
        raise ValueError(f"{where}: labels must lie in 0..{num_classes - 1}, y[{row}] is {y[row]}")
