"""The places where a data set may lie, and its arrays as they stand there.

A name of the registry is looked for in this order: packaged; an `.npz` file in the data directory; the text
files of the UCR archive there; tensorflow-datasets, if it is installed. A file of your own is named by its path:
`.npz`, or a table as `tables` reads it. An `.npz` file in the data directory goes by its stem as well.

A pool that is larger than memory is a folder of x_train.npy, y_train.npy, x_test.npy and y_test.npy. The rows of
x_train stay in their file and are read where they are used; they are neither searched for NaN nor scaled unless asked
for, as both would read all of them.
"""

import importlib.util
import pathlib
from typing import NamedTuple

import numpy as np

from alfamous_jax.datasets import from_tfds, npz, tables, ucr
from alfamous_jax.datasets.registry import SOURCES, Source

PACKAGED = ("letter",)
DATA_DIR = "ALFAMOUS_DATA_DIR"
PARTS = ("x_train", "y_train", "x_test", "y_test")
Arrays = dict[str, np.ndarray]
FILES = (".npz", *tables.SUFFIXES)


class Found(NamedTuple):
    """A data set as it lies somewhere."""

    where: str  # for messages
    arrays: Arrays
    notes: tuple[str, ...] = ()  # what was done to make arrays of it


def registered(name: str, source: Source, folder: pathlib.Path | None) -> Found:
    """Where a data set of the registry lies, and its arrays.

    Args:
      name: a key of `registry.SOURCES`.
      source: what stands under it.
      folder: the data directory, if there is one.

    Returns:
      what was found. FileNotFoundError says what to put where.
    """
    if name in PACKAGED:
        path = pathlib.Path(__file__).with_name(f"{name}.npz")
        return Found(str(path), npz.read(path))
    files = " or ".join(f"{stem}.npz" for stem in source.files)
    tried = [f"{files} in the folder {DATA_DIR} names ({folder or 'not set'})"]
    if folder:
        for path in (folder / f"{stem}.npz" for stem in source.files):
            if path.is_file():
                return Found(str(path), npz.read(path))
    if source.ucr:
        tried.append(f"{source.ucr}/{source.ucr}_TRAIN.tsv and _TEST.tsv of the UCR archive there")
        if folder and (folder / source.ucr).is_dir():
            return Found(str(folder / source.ucr), *ucr.read(folder / source.ucr, source.ucr))
    if source.tfds:
        tried.append(f"tensorflow-datasets ({from_tfds.EXTRA}), which downloads it and prepares it by TensorFlow")
        if importlib.util.find_spec("tensorflow_datasets"):
            return Found(f"tensorflow-datasets {source.tfds}", *from_tfds.read(source))
    raise FileNotFoundError(f"dataset: {name!r} was not found; looked for {'; '.join(tried)}")


def own(name: str, folder: pathlib.Path | None, label_column: str = "") -> Found:
    """Where a data set of somebody's own lies, and its arrays.

    Args:
      name: a path ending in `.npz`, `.csv`, `.tsv` or `.parquet`; the path of a folder of `.npy` files, or one as the
        library `datasets` saves it; the stem of an `.npz` file in the data directory.
      folder: the data directory, if there is one.
      label_column: of a table.

    Returns:
      what was found. FileNotFoundError says what to put where.
    """
    path = pathlib.Path(name)
    if name and path.suffix in tables.SUFFIXES:
        if not path.exists():
            raise FileNotFoundError(f"dataset: no file {path}")
        return Found(str(path), *tables.read(path, label_column))
    if name and path.is_dir() and tables.is_saved(path):
        return Found(name, *tables.read(path, label_column))
    if label_column:
        raise ValueError(
            f"label_column: is for tables ({', '.join(tables.SUFFIXES)}), got {label_column!r} for {name!r}"
        )
    in_data = folder is not None and name != "" and not path.is_absolute() and (folder / f"{name}.npz").is_file()
    if name.endswith("/") or (name and path.is_dir() and path.suffix != ".npz" and not in_data):
        return Found(name, _map_folder(path))
    if in_data and path.is_dir():
        raise ValueError(
            f"dataset: {name!r} is a folder here and {folder}/{name}.npz as well; write {name}/ or the path"
        )
    if name.endswith(".npz"):
        if not path.exists():
            raise FileNotFoundError(f"dataset: no file {path}")
        return Found(str(path), npz.read(path))
    known = f"dataset: {name!r} is not known (there is {', '.join(SOURCES)}, and files {', '.join(FILES)})"
    if not name:
        raise FileNotFoundError(f"dataset: no file is named; give the path of yours ({', '.join(FILES)})")
    if not folder:
        raise FileNotFoundError(
            f"{known}; set {DATA_DIR} to a folder that holds {name}.npz, or give the path of an .npz file"
        )
    path = folder / f"{name}.npz"
    if not in_data:
        raise FileNotFoundError(f"{known}, nor a file {path}")
    return Found(str(path), npz.read(path))


def _map_folder(folder: pathlib.Path) -> Arrays:
    if not folder.is_dir():
        raise FileNotFoundError(f"dataset: no folder {folder}")
    try:
        return {part: npz.read_array(folder / f"{part}.npy", mapped=part == "x_train") for part in PARTS}
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"dataset: {error}; a folder holds {', '.join(f'{part}.npy' for part in PARTS)}"
        ) from None
