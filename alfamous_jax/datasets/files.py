"""Reading a data set from an `.npz` file and refusing what is wrong with it.

A file holds `x_train, y_train, x_test, y_test`, or `x, y` whose last rows are then the test set, and
optionally `classes`, the names of the labels 0, 1, 2, ...
"""

import os
import pathlib
import zipfile
from importlib import resources
from typing import NamedTuple

import numpy as np

PACKAGED = ("letter",)
DATA_DIR = "ALFAMOUS_DATA_DIR"


class Dataset(NamedTuple):
    """Arrays as they stand in the file; nothing is scaled or shuffled."""

    x_train: np.ndarray  # [rows, ...]
    y_train: np.ndarray  # [rows], int32
    x_test: np.ndarray
    y_test: np.ndarray
    num_classes: int


def load(name: str, num_classes: int, test_rows: int = 0, data_dir: str | None = None) -> Dataset:
    """Reads a data set: packaged, from the data directory, or from a path.

    Args:
      name: "letter", the stem of an `.npz` file in the data directory, or a path ending in `.npz`.
      num_classes: K; never inferred from the labels, as a class may have none.
      test_rows: for files with `x, y`: how many of the last rows are the test set.
      data_dir: the data directory, `$ALFAMOUS_DATA_DIR` if not given.

    Returns:
      the data set.

    Raises:
      FileNotFoundError: no such file; says what to put where.
      ValueError: the file is damaged, or its arrays have the wrong shape, a NaN or an infinity, or a
        label outside 0..K-1.
    """
    path = _find(name, data_dir)
    arrays = _read(path)
    if {"x_train", "y_train", "x_test", "y_test"} <= arrays.keys():
        parts = [arrays[part] for part in ("x_train", "y_train", "x_test", "y_test")]
    elif {"x", "y"} <= arrays.keys():
        x, y = arrays["x"], arrays["y"]
        if not 0 < test_rows < len(x):
            raise ValueError(
                f"{path}: test_rows must be between 1 and {len(x) - 1} for a file with x, y, got {test_rows}"
            )
        parts = [x[:-test_rows], y[:-test_rows], x[-test_rows:], y[-test_rows:]]
    else:
        raise ValueError(f"{path}: needs arrays x, y or x_train, y_train, x_test, y_test, has {', '.join(arrays)}")
    for split, x, y in (("train", *parts[:2]), ("test", *parts[2:])):
        _check(f"{path} ({split})", x, y, num_classes)
    if parts[0].shape[1:] != parts[2].shape[1:]:
        raise ValueError(f"{path}: train rows have shape {parts[0].shape[1:]}, test rows {parts[2].shape[1:]}")
    parts[1], parts[3] = parts[1].astype(np.int32), parts[3].astype(np.int32)
    return Dataset(*parts, num_classes)


def _find(name, data_dir):
    if name in PACKAGED:
        return resources.files(__package__) / f"{name}.npz"
    if name.endswith(".npz"):
        path = pathlib.Path(name)
        if not path.is_file():
            raise FileNotFoundError(f"dataset: no file {path}")
        return path
    folder = data_dir or os.environ.get(DATA_DIR)
    if not folder:
        raise FileNotFoundError(
            f"dataset: {name!r} is not packaged (there is {', '.join(PACKAGED)}); "
            f"set {DATA_DIR} to a folder that holds {name}.npz, or give the path of an .npz file"
        )
    path = pathlib.Path(folder) / f"{name}.npz"
    if not path.is_file():
        raise FileNotFoundError(f"dataset: {name!r} is not packaged and there is no file {path}")
    return path


def _read(path):
    try:
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            return {key: archive[key] for key in archive.files}
    except (OSError, ValueError, EOFError, KeyError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path}: not a readable .npz file of plain arrays ({error})") from error


def _check(where, x, y, num_classes):
    if x.ndim < 2 or y.ndim != 1 or len(x) != len(y):
        raise ValueError(f"{where}: wanted x [rows, ...] and y [rows], got x {x.shape} and y {y.shape}")
    if not len(x):
        raise ValueError(f"{where}: has no rows")
    if not (np.issubdtype(x.dtype, np.number) or x.dtype == bool):
        raise ValueError(f"{where}: x must be numeric, got {x.dtype}")
    if not np.issubdtype(y.dtype, np.integer):
        raise ValueError(f"{where}: y must be integers, got {y.dtype}")
    if np.issubdtype(x.dtype, np.inexact) and not np.isfinite(x).all():
        bad = np.argwhere(~np.isfinite(x))
        raise ValueError(f"{where}: x has {len(bad)} NaN or infinite values, the first at {tuple(bad[0].tolist())}")
    outside = np.flatnonzero((y < 0) | (y >= num_classes))
    if outside.size:
        row = outside[0]
        raise ValueError(f"{where}: labels must lie in 0..{num_classes - 1}, y[{row}] is {y[row]}")
