"""Reading a data set and refusing what is wrong with it.

A name of the registry is looked for in this order: packaged; an `.npz` file in the data directory; the text
files of the UCR archive there; tensorflow-datasets, if it is installed. An `.npz` file of your own is named by
its path, or by its stem if it lies in the data directory. It holds `x_train, y_train, x_test, y_test`, or `x, y`
whose last rows are then the test set. Labels are 0, 1, 2, ...; `classes` may name them. `source_probs_train` (or
`source_probs`, a row for each of x) may hold a pretrained network's probabilities of its own classes.

A pool that is larger than memory is a folder, named by its path with a `/` at the end, of x_train.npy, y_train.npy,
x_test.npy and y_test.npy. The rows of x_train stay in their file and are read where they are used; they are neither
searched for NaN nor scaled unless asked for, as both would read all of them.
"""

import importlib.util
import os
import pathlib
import zipfile
from importlib import resources
from typing import NamedTuple

import numpy as np

from alfamous_jax.datasets.registry import SOURCES, Source

PACKAGED = ("letter",)
DATA_DIR = "ALFAMOUS_DATA_DIR"
PARTS = ("x_train", "y_train", "x_test", "y_test")


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
    if source:
        if num_classes != source.num_classes:
            raise ValueError(f"num_classes: {name} has {source.num_classes} classes, got {num_classes}")
        where, arrays = _find(name, source, folder)
        split, test_rows = source.split, test_rows or source.test_rows
    elif name.endswith("/"):
        where, arrays, split = name, _map_folder(pathlib.Path(name)), "source"
    else:
        path = _own_file(name, folder)
        where, arrays, split = str(path), _read(path), "source"
    parts = _split(where, arrays, split, test_rows)
    if source:
        parts = [x.reshape(len(x), *source.shape) if x.shape[1:] == (*source.shape, 1) else x for x in parts]
    for kind, x, y in (("train", *parts[:2]), ("test", *parts[2:])):
        _check(f"{where} ({kind})", x, y, num_classes)
        if source and x.shape[1:] != source.shape:
            raise ValueError(f"{where} ({kind}): rows of {name} have shape {source.shape}, got {x.shape[1:]}")
    if parts[0].shape[1:] != parts[2].shape[1:]:
        raise ValueError(f"{where}: train rows have shape {parts[0].shape[1:]}, test rows {parts[2].shape[1:]}")
    parts[1], parts[3] = parts[1].astype(np.int32), parts[3].astype(np.int32)
    if source:
        num_missing = source.num_rows - len(parts[1]) - len(parts[3])
        return Dataset(*parts, num_classes, source.scaling, num_missing, _names(arrays, num_classes))
    return Dataset(
        *parts,
        num_classes,
        "none" if name.endswith("/") else "feature" if parts[0].ndim == 2 else "channel",
        class_names=_names(arrays, num_classes),
        source_probs=_source_probs(where, arrays, len(parts[1])),
    )


def _names(arrays, num_classes):
    names = arrays.get("classes", np.empty(0))
    return tuple(map(str, names)) if names.shape == (num_classes,) else ()


def _source_probs(where, arrays, num_train):
    """Probabilities of the training rows, if the file has any."""
    probs = arrays.get("source_probs_train", arrays.get("source_probs", np.empty(0))[:num_train])
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


def _find(name: str, source: Source, folder: pathlib.Path | None):
    """Where a registered data set was found, and its arrays."""
    if name in PACKAGED:
        path = resources.files(__package__) / f"{name}.npz"
        return str(path), _read(path)
    files = " or ".join(f"{stem}.npz" for stem in source.files)
    tried = [f"{files} in the folder {DATA_DIR} names ({folder or 'not set'})"]
    if folder:
        for path in (folder / f"{stem}.npz" for stem in source.files):
            if path.is_file():
                return str(path), _read(path)
    if source.ucr:
        tried.append(f"{source.ucr}/{source.ucr}_TRAIN.tsv and _TEST.tsv of the UCR archive there")
        if folder and (folder / source.ucr).is_dir():
            return str(folder / source.ucr), _read_ucr(folder / source.ucr, source.ucr)
    if source.tfds:
        tried.append("tensorflow-datasets (pip install 'alfamous-jax[data]'), which downloads it")
        if importlib.util.find_spec("tensorflow_datasets"):
            return f"tensorflow-datasets {source.tfds}", _read_tfds(source.tfds)
    raise FileNotFoundError(f"dataset: {name!r} was not found; looked for {'; '.join(tried)}")


def _own_file(name, folder):
    if name.endswith(".npz"):
        path = pathlib.Path(name)
        if not path.is_file():
            raise FileNotFoundError(f"dataset: no file {path}")
        return path
    if not folder:
        raise FileNotFoundError(
            f"dataset: {name!r} is not known (there is {', '.join(SOURCES)}); "
            f"set {DATA_DIR} to a folder that holds {name}.npz, or give the path of an .npz file"
        )
    path = folder / f"{name}.npz"
    if not path.is_file():
        raise FileNotFoundError(f"dataset: {name!r} is not known (there is {', '.join(SOURCES)}), nor a file {path}")
    return path


def _split(where, arrays, split, test_rows):
    """[x_train, y_train, x_test, y_test]."""
    has_parts = arrays.keys() >= set(PARTS)
    if not has_parts and not arrays.keys() >= {"x", "y"}:
        raise ValueError(f"{where}: needs arrays x, y or x_train, y_train, x_test, y_test, has {', '.join(arrays)}")
    if has_parts and split == "source":
        return [arrays[part] for part in PARTS]
    x, y = (
        np.concatenate([arrays[f"{axis}_train"], arrays[f"{axis}_test"]]) if has_parts else arrays[axis]
        for axis in "xy"
    )
    if split == "halves":
        return [x[::2], y[::2], x[1::2], y[1::2]]
    if split == "spread" and 0 < test_rows < len(x):
        tested = np.zeros(len(x), bool)
        tested[(2 * np.arange(test_rows) + 1) * len(x) // (2 * test_rows)] = True
        return [x[~tested], y[~tested], x[tested], y[tested]]
    if not 0 < test_rows < len(x):
        raise ValueError(f"{where}: test_rows must be between 1 and {len(x) - 1} for a file with x, y, got {test_rows}")
    return [x[:-test_rows], y[:-test_rows], x[-test_rows:], y[-test_rows:]]


def _read_ucr(folder, name):
    """A label and a series in each line, separated by tabs or blanks; labels are numbered in rising order."""
    parts = {}
    for kind in ("train", "test"):
        path = next((p for p in folder.glob(f"{name}_{kind.upper()}.*") if p.suffix in (".tsv", ".txt")), None)
        if path is None:
            raise FileNotFoundError(f"dataset: no file {folder / name}_{kind.upper()}.tsv")
        try:
            table = np.loadtxt(path, dtype=np.float32, ndmin=2)
        except ValueError as error:
            raise ValueError(f"{path}: not a table of numbers ({error})") from error
        parts[f"x_{kind}"], parts[f"y_{kind}"] = table[:, 1:], table[:, 0]
    labels = np.unique(np.concatenate([parts["y_train"], parts["y_test"]]))
    return parts | {key: np.searchsorted(labels, parts[key]) for key in ("y_train", "y_test")}


def _read_tfds(name):
    import tensorflow_datasets

    parts = {}
    for kind in ("train", "test"):
        rows = list(tensorflow_datasets.data_source(name, split=kind))
        parts[f"x_{kind}"] = np.stack([row["image"] for row in rows])
        parts[f"y_{kind}"] = np.array([row["label"] for row in rows])
    return parts


def _map_folder(folder):
    if not folder.is_dir():
        raise FileNotFoundError(f"dataset: no folder {folder}")
    arrays = {}
    for part in PARTS:
        path = folder / f"{part}.npy"
        if not path.is_file():
            raise FileNotFoundError(f"dataset: no file {path}")
        try:
            arrays[part] = np.load(path, mmap_mode="r" if part == "x_train" else None, allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise ValueError(f"{path}: not a readable .npy file of a plain array ({error})") from error
    return arrays


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
    if np.issubdtype(x.dtype, np.inexact) and not isinstance(x, np.memmap) and not np.isfinite(x).all():
        bad = np.argwhere(~np.isfinite(x))
        raise ValueError(f"{where}: x has {len(bad)} NaN or infinite values, the first at {tuple(bad[0].tolist())}")
    outside = np.flatnonzero((y < 0) | (y >= num_classes))
    if outside.size:
        row = outside[0]
        raise ValueError(f"{where}: labels must lie in 0..{num_classes - 1}, y[{row}] is {y[row]}")
