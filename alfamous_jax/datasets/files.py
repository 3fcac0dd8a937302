"""Reading a data set and refusing what is wrong with it.

A data set is `x_train, y_train, x_test, y_test`, or `x, y` of which a part is then tested. What labels may be is said
in `labels`; `classes` may name all of them. `source_probs_train` (or `source_probs`, a row for each of x) may hold a
pretrained network's probabilities of its own classes. Where it may lie is said in `places`.
"""

import os
import pathlib
import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from alfamous_jax.datasets import finite, labels, places, split
from alfamous_jax.datasets.places import DATA_DIR, PARTS, Arrays
from alfamous_jax.datasets.registry import SOURCES

Parts = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]  # x_train, y_train, x_test, y_test
MOST_CHANNELS = 12  # of a series that nothing but the shape of its rows tells from an image


class Incomplete(UserWarning):
    """A copy of a data set of the registry has another number of rows than was published."""


class Dataset(NamedTuple):
    """Arrays as they stand in the file, labels as classes; nothing is scaled or shuffled."""

    x_train: np.ndarray  # [rows, ...]
    y_train: np.ndarray  # [rows], int32
    x_test: np.ndarray
    y_test: np.ndarray
    num_classes: int
    scaling: str = "feature"  # what `scaling.standardize` does unless told otherwise
    num_missing: int = 0  # published rows that this copy lacks
    class_names: tuple[str, ...] = ()  # one for each class, if the file or its labels have names
    source_probs: np.ndarray | None = None  # [rows, K'], what a source network takes the training rows for
    notes: tuple[str, ...] = ()  # what was done with the file beyond reading it, a sentence each
    where: str = ""  # the file or folder, or what else the arrays come from


def load(
    name: str,
    num_classes: int,
    test_rows: int = 0,
    data_dir: str | None = None,
    *,
    classes: Sequence[str] = (),
    split_seed: int = 0,
    label_column: str = "",
) -> Dataset:
    """Reads a data set by the name that the registry knows, or from a file.

    Args:
      name: a key of `registry.SOURCES`, or what `places.own` takes: the path of an `.npz`, `.csv`, `.tsv` or `.parquet`
        file, the stem of an `.npz` file in the data directory, or a folder.
      num_classes: K; 0 takes it from the labels of a file of your own, or from the names of its classes.
      test_rows: for files without test rows: how many of the last rows are the test set; 0 draws a fifth of each class.
      data_dir: the data directory, `$ALFAMOUS_DATA_DIR` if not given.
      classes: names of all classes, where some have no row in the file.
      split_seed: of the draw of test rows.
      label_column: of a table; "" is the one called label, y, class or target.

    Returns:
      the data set; of the registry with another number of rows than was published, with a warning `Incomplete`.

    Raises:
      FileNotFoundError: it is nowhere; says what to put where.
      ValueError: the file is damaged, its arrays have the wrong shape, a NaN, an infinity or a value beyond float32, or
        its labels are no classes, or other ones than `num_classes` and `classes` say.
    """
    folder = pathlib.Path(folder) if (folder := data_dir or os.environ.get(DATA_DIR)) else None
    source = SOURCES.get(name)
    if not source:
        found = places.own(name, folder, label_column)
        where, arrays, notes = found
        data = from_arrays(arrays, num_classes, test_rows, where, classes=classes, split_seed=split_seed, notes=notes)
        return data._replace(scaling="none") if isinstance(data.x_train, np.memmap) else data
    if label_column:
        raise ValueError(f"label_column: is for tables, got {label_column!r} for {name!r}")
    if num_classes not in (0, source.num_classes):
        raise ValueError(f"num_classes: {name} has {source.num_classes} classes, got {num_classes}")
    if len(classes) not in (0, source.num_classes):
        raise ValueError(f"classes: {name} has {source.num_classes} classes, got names of {len(classes)}")
    where, arrays, notes = places.registered(name, source, folder)
    x_train, y_train, x_test, y_test = _split(where, arrays, source.split, test_rows or source.test_rows)
    x_train, x_test = (
        x.reshape(len(x), *source.shape) if x.shape[1:] == (*source.shape, 1) else x for x in (x_train, x_test)
    )
    for kind, y in (("train", y_train), ("test", y_test)):
        _check_classes(f"{where} ({kind})", y, source.num_classes)
    data = _checked(where, (x_train, y_train, x_test, y_test), source.num_classes)
    if x_train.shape[1:] != source.shape:
        raise ValueError(f"{where}: rows of {name} have shape {source.shape}, got {x_train.shape[1:]}")
    num_rows = len(y_train) + len(y_test)
    if num_rows != source.num_rows:
        said = (
            f"This copy of {name} has {num_rows:,} rows, not the {source.num_rows:,} that were published: its scores "
        )
        said += "are not to be set beside published ones."
        warnings.warn(f"{where}: {said}", Incomplete, stacklevel=2)
        notes = (*notes, said)
    names = tuple(map(str, classes)) or _names(arrays)
    names = names if len(names) == source.num_classes else ()
    num_missing = source.num_rows - num_rows
    return data._replace(scaling=source.scaling, num_missing=num_missing, class_names=names, notes=notes)


def from_arrays(
    arrays: Arrays,
    num_classes: int,
    test_rows: int = 0,
    where: str = "arrays",
    *,
    classes: Sequence[str] = (),
    split_seed: int = 0,
    notes: Sequence[str] = (),
) -> Dataset:
    """A data set of your own from arrays in memory, checked as those of an `.npz` file are.

    Args:
      arrays: `x_train, y_train, x_test, y_test`, or `x, y`; `classes` (or `class_names`) and `source_probs_train` if
        there are any.
      num_classes: K, or 0 to take it from the labels or the names of the classes.
      test_rows: for `x, y`: how many of the last rows are the test set; 0 draws a fifth of each class.
      where: where they come from, for messages.
      classes: names of all classes, in the place of those in the arrays.
      split_seed: of the draw of test rows.
      notes: what has been done with the arrays already, for `Dataset.notes`.

    Returns:
      the data set; tables are to be scaled feature by feature, images by channel, and what `is_series` takes for series
      as such. Series [rows, time] look like a table: `_replace(scaling="series")` says what they are.

    Raises:
      ValueError: an array is missing, has the wrong shape, a NaN, an infinity or a value beyond float32, or the labels
        are no classes, or other ones than `num_classes` and `classes` say.
    """
    has_parts = _has_parts(where, arrays)
    names = tuple(map(str, classes)) or _names(arrays)
    given = {name: arrays[name] for name in (("y_train", "y_test") if has_parts else ("y",))}
    known = labels.number(where, given, num_classes, names)
    tested: np.ndarray | None = None
    said: tuple[str, ...] = ()
    if has_parts:
        parts = arrays["x_train"], known.parts["y_train"], arrays["x_test"], known.parts["y_test"]
    else:
        x, y = arrays["x"], known.parts["y"]
        _check_rows(where, x, y)
        try:
            tested, said = (
                (split.last(len(y), test_rows), ()) if test_rows else split.stratified(y, split_seed, known.names)
            )
        except ValueError as error:
            raise ValueError(f"{where}: {error}") from None
        parts = x[~tested], y[~tested], x[tested], y[tested]
    data = _checked(where, parts, known.num_classes)
    shape = data.x_train.shape[1:]
    if is_series(shape) and not isinstance(data.x_train, np.memmap):
        said += (
            f"Rows of {shape[0]} x {shape[1]} numbers were taken for series of {shape[1]} channels, each with a mean "
            "and a deviation of its own; images of this shape are told by [rows, height, width, 1].",
        )
    return data._replace(
        scaling="feature" if len(shape) == 1 else "series" if is_series(shape) else "channel",
        class_names=known.names,
        source_probs=_source_probs(where, arrays, len(data.y_train), tested),
        notes=(*notes, *known.notes, *said),
    )


def is_series(row_shape: Sequence[int]) -> bool:
    """Whether rows [time, channels] are taken for series: up to 12 channels, and at least twice as many times."""
    return len(row_shape) == 2 and 1 <= row_shape[1] <= MOST_CHANNELS and row_shape[0] >= 2 * row_shape[1]


def _checked(where: str, parts: Parts, num_classes: int) -> Dataset:
    x_train, y_train, x_test, y_test = parts
    for kind, x, y in (("train", x_train, y_train), ("test", x_test, y_test)):
        _check(f"{where} ({kind})", x, y)
    if x_train.shape[1:] != x_test.shape[1:]:
        raise ValueError(f"{where}: train rows have shape {x_train.shape[1:]}, test rows {x_test.shape[1:]}")
    return Dataset(x_train, y_train.astype(np.int32), x_test, y_test.astype(np.int32), num_classes, where=where)


def _names(arrays: Arrays) -> tuple[str, ...]:
    names = arrays.get("classes", arrays.get("class_names", np.empty(0)))
    texts = [x.decode(errors="backslashreplace") if isinstance(x, bytes) else str(x) for x in names.ravel().tolist()]
    return tuple(texts)


def _source_probs(where: str, arrays: Arrays, num_train: int, tested: np.ndarray | None) -> np.ndarray | None:
    """Probabilities of the training rows, if the file has any."""
    probs = arrays.get("source_probs_train", arrays.get("source_probs", np.empty(0)))
    if "source_probs_train" not in arrays and tested is not None and probs.ndim and len(probs) == len(tested):
        probs = probs[~tested]
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


def _has_parts(where: str, arrays: Arrays) -> bool:
    """Whether the test rows are in arrays of their own."""
    has_parts = arrays.keys() >= set(PARTS)
    if not has_parts and not arrays.keys() >= {"x", "y"}:
        raise ValueError(
            f"{where}: needs arrays x, y or x_train, y_train, x_test, y_test, has {labels.listed(list(arrays))}"
        )
    for name in PARTS if has_parts else ("x", "y"):
        if not arrays[name].ndim:
            raise ValueError(f"{where}: {name} must have rows, got a single {arrays[name].dtype}")
    return has_parts


def _split(where: str, arrays: Arrays, how: str, test_rows: int) -> Parts:
    """The arrays in training and test rows, as `registry.Source.split` says."""
    has_parts = _has_parts(where, arrays)
    if has_parts and how == "source":
        return arrays["x_train"], arrays["y_train"], arrays["x_test"], arrays["y_test"]
    for axis in "xy" if has_parts else "":
        train, test = (arrays[f"{axis}_{part}"].shape[1:] for part in ("train", "test"))
        if train != test:
            raise ValueError(f"{where}: {axis}_train has rows of shape {train}, {axis}_test of {test}")
    x, y = (
        np.concatenate([arrays[f"{axis}_train"], arrays[f"{axis}_test"]]) if has_parts else arrays[axis]
        for axis in "xy"
    )
    try:
        tested = split.by_rule(how, len(x), test_rows)
    except ValueError as error:
        raise ValueError(f"{where}: {error}") from None
    return x[~tested], y[~tested], x[tested], y[tested]


def _check_rows(where: str, x: np.ndarray, y: np.ndarray) -> None:
    if x.ndim < 2 or y.ndim != 1 or len(x) != len(y):
        raise ValueError(f"{where}: wanted x [rows, ...] and y [rows], got x {x.shape} and y {y.shape}")
    if not len(x):
        raise ValueError(f"{where}: has no rows")
    if not x.size:
        raise ValueError(f"{where}: x {x.shape} has rows without a number")


def _check(where: str, x: np.ndarray, y: np.ndarray) -> None:
    _check_rows(where, x, y)
    if x.dtype.kind not in "biuf":
        raise ValueError(f"{where}: x must be real numbers, got {x.dtype}")
    if not isinstance(x, np.memmap):  # which would be read from end to end
        finite.check(where, x)


def _check_classes(where: str, y: np.ndarray, num_classes: int) -> None:
    """Labels of a data set that the registry knows are its classes."""
    if y.ndim == 1 and not np.issubdtype(y.dtype, np.integer):
        raise ValueError(f"{where}: y must be integers, got {y.dtype}")
    outside = np.flatnonzero((y < 0) | (y >= num_classes)) if y.ndim == 1 else np.zeros(0, int)
    if outside.size:
        row = outside[0]
        raise ValueError(f"{where}: labels must lie in 0..{num_classes - 1}, y[{row}] is {y[row]}")
