"""Tables in files: CSV, Parquet, and what the library `datasets` saves to disk, as arrays.

CSV is read by pandas where it is installed, else by Python's own reader. Parquet takes pandas, polars or pyarrow.
"""

import csv
import importlib.util
import os
import pathlib
import warnings
from collections.abc import Mapping
from typing import Any

import numpy as np

from alfamous_jax.datasets import regular
from alfamous_jax.datasets.columns import Table, table
from alfamous_jax.datasets.labels import short

SUFFIXES = (".csv", ".tsv", ".parquet")
NO_END = "The last line of the file has no end: if the file was cut off, its last cell may lack a part."
SAVED = ("dataset_dict.json", "state.json")  # one of them is in a folder that `datasets` has saved


def read(path: pathlib.Path, label_column: str = "") -> Table:
    """Features and labels of a table.

    Args:
      path: of a `.csv`, `.tsv` or `.parquet` file, its columns named; or of a folder that `is_saved`.
      label_column: see `columns.table`.

    Returns:
      the arrays x and y, or those of both parts, and what was left out.

    Raises:
      ValueError: it cannot be read, needs a library that is not installed, or `columns.table` refuses it.
    """
    if is_saved(path):
        return _saved(path, label_column)
    found = table(str(path), read_columns(path), label_column)
    return found if path.suffix == ".parquet" or _has_end(path) else found._replace(notes=(*found.notes, NO_END))


def read_columns(path: pathlib.Path) -> Mapping[str, np.ndarray]:
    """The columns of a `.csv`, `.tsv` or `.parquet` file as they stand there, by their names.

    Raises:
      ValueError: it cannot be read, or needs a library that is not installed.
    """
    return _parquet(path) if path.suffix == ".parquet" else _separated(path)


def is_saved(path: pathlib.Path) -> bool:
    """Whether a folder was written by `save_to_disk` of the library `datasets`."""
    return any((path / name).is_file() for name in SAVED)


def _has_end(path: pathlib.Path) -> bool:
    """Whether the last line of a file that is not empty is ended as the others are."""
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read() in b"\r\n"


def _separated(path: pathlib.Path) -> Mapping[str, np.ndarray]:
    """The columns of a CSV or TSV file, cells as text unless pandas has made numbers of them."""
    try:
        regular.check(path)
        with path.open(encoding="utf-8-sig", newline="") as file:
            first = file.readline()
            separator = "\t" if path.suffix == ".tsv" else ";" if ";" in first and "," not in first else ","
            file.seek(0)
            header = next(csv.reader(file, delimiter=separator), [])
            if twice := {name for name in header if header.count(name) > 1}:
                raise ValueError(f"two columns are called {short(sorted(twice)[0])!r}")
            if importlib.util.find_spec("pandas"):
                import pandas

                how: Any = {"keep_default_na": False, "na_values": [""], "low_memory": False, "index_col": False}
                with warnings.catch_warnings():  # of cells that are beyond the last column, and would be left out
                    warnings.simplefilter("error", pandas.errors.ParserWarning)
                    frame = pandas.read_csv(path, sep=separator, encoding="utf-8-sig", **how)
                return {str(name): frame[name].to_numpy() for name in frame}
            rows = [row for row in csv.reader(file, delimiter=separator) if row]
    except FileNotFoundError:
        raise FileNotFoundError(f"no file {path}") from None
    except Exception as error:  # Python's reader and that of pandas have a dozen kinds between them
        raise ValueError(f"{path}: not a readable table ({short(' '.join(str(error).split()), 200)})") from error
    for number, row in enumerate(rows):
        if len(row) != len(header):
            raise ValueError(
                f"{path}: not a readable table (row {number} (from 0) has {len(row)} cells, there are {len(header)} "
                "columns)"
            )
    return {name: np.array([row[i] for row in rows], str) for i, name in enumerate(header)}


def _parquet(path: pathlib.Path) -> Mapping[str, np.ndarray]:
    has = {name for name in ("pandas", "polars", "pyarrow", "fastparquet") if importlib.util.find_spec(name)}
    if has <= {"pandas"} or has == {"fastparquet"}:
        raise ValueError(f"{path}: Parquet needs a library that reads it; pip install pyarrow (or polars)")
    try:
        regular.check(path)
        if "pyarrow" in has:
            _check_claims(path)
        if "pandas" in has and has & {"pyarrow", "fastparquet"}:
            import pandas

            frame = pandas.read_parquet(path)
            return {str(name): frame[name].to_numpy() for name in frame}
        if "polars" in has:
            import polars

            return {column.name: column.to_numpy() for column in polars.read_parquet(path)}
        import pyarrow.parquet

        whole = pyarrow.parquet.read_table(path)
        return {name: np.array(whole[name].to_numpy()) for name in whole.column_names}
    except Exception as error:  # each library has kinds of its own
        raise ValueError(f"{path}: not a readable Parquet file ({short(' '.join(str(error).split()), 200)})") from error


def _check_claims(path: pathlib.Path) -> None:
    """Refuses a file that claims to hold more than fits in memory, by its footer alone."""
    import pyarrow.parquet

    footer = pyarrow.parquet.read_metadata(path)
    groups = [footer.row_group(i).total_byte_size for i in range(footer.num_row_groups)]
    regular.check_room(max(sum(groups), 8 * footer.num_rows * footer.num_columns))


def _saved(path: pathlib.Path, label_column: str) -> Table:
    """The parts train and test of a saved data set, or all rows of one that has no parts."""
    if not importlib.util.find_spec("datasets"):
        raise ValueError(f"{path}: was saved by the library datasets, which is not installed; pip install datasets")
    import datasets

    try:
        saved = datasets.load_from_disk(str(path))
    except Exception as error:
        raise ValueError(f"{path}: not a readable data set ({short(' '.join(str(error).split()), 200)})") from error
    parts = dict(saved) if isinstance(saved, datasets.DatasetDict) else {"": saved}
    used = ["train", "test"] if {"train", "test"} <= parts.keys() else ["train"] if "train" in parts else [*parts][:1]
    arrays: dict[str, np.ndarray] = {}
    notes: tuple[str, ...] = ()
    for part in used:
        columns = parts[part].with_format("numpy")[:]
        read_part = table(f"{path} ({part})" if part else str(path), columns, label_column)
        ending = f"_{part}" if len(used) > 1 else ""
        arrays |= {f"{name}{ending}": array for name, array in read_part.arrays.items()}
        notes = notes or read_part.notes
        label = next(name for name in columns if f"column {name!r}" in read_part.notes[0])
        if names := getattr(parts[part].features[label], "names", None):
            arrays["classes"] = np.array(names)
    if unused := [name for name in parts if name not in used]:
        notes += (f"Parts that are not used: {', '.join(unused)}.",)
    return Table(arrays, notes)
