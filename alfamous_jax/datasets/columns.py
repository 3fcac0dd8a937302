"""Columns of a table made features and labels; what is left out of the features is said."""

import datetime
import decimal
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from alfamous_jax.datasets.labels import listed, short

LABEL_NAMES = ("label", "y", "class", "target")  # of the label column, if none is named
ID_NAMES = ("", "id", "index", "row_id", "unnamed: 0")  # of columns that number the rows
TIMES = (datetime.date, datetime.time, datetime.timedelta, np.datetime64, np.timedelta64)


class Table(NamedTuple):
    """What `files.from_arrays` takes."""

    arrays: dict[str, np.ndarray]  # x [rows, ...], y [rows]
    notes: tuple[str, ...]


def table(where: str, columns: Mapping[str, np.ndarray], label_column: str = "") -> Table:
    """Makes features of the columns of numbers and of vectors, in their order, and labels of one column.

    Args:
      where: the file, for messages.
      columns: name -> cells [rows], or vectors [rows, ...]; text, numbers, or objects of Python.
      label_column: its name; "" for the one that is called label, y, class or target.

    Returns:
      the arrays, and which columns were left out: text, times, and numbers of the rows.

    Raises:
      ValueError: no label column, no feature, or a cell that is no number; names the column and the row.
    """
    label = _label_column(where, columns, label_column)
    features: list[np.ndarray] = []
    left_out: dict[str, list[str]] = {}
    for name, cells in columns.items():
        if name == label:
            continue
        what = f"{where}: column {short(name)!r}"
        values = read_cells(what, np.asarray(cells))
        if reason := _no_feature(what, name, values):
            left_out.setdefault(reason, []).append(repr(name))
            continue
        if values.dtype.kind == "f" and np.isnan(values).any():
            lacking = np.isnan(values.reshape(len(values), -1)).any(axis=1)
            raise ValueError(
                f"{what} has {lacking.sum()} cells without a number, the first in row {lacking.argmax()} (from 0); "
                "fill them, or leave these rows or the column out"
            )
        features.append(values)
    if not features:
        raise ValueError(
            f"{where}: no column of numbers beside the labels, the columns are {_all(columns)}; text and categories "
            "have to be made numbers first, such as embeddings"
        )
    if len(features) > 1 and any(values.ndim > 2 for values in features):
        raise ValueError(f"{where}: images and other columns of numbers cannot be features together; keep one")
    x = features[0] if features[0].ndim > 2 else np.column_stack(features)
    notes = [f"The labels are in column {label!r}."]
    notes += [f"Left out of the features ({why}): {listed(names)}." for why, names in left_out.items()]
    return Table({"x": x, "y": read_cells(f"{where}: column {label!r}", np.asarray(columns[label]))}, tuple(notes))


def read_cells(what: str, cells: np.ndarray) -> np.ndarray:
    """Cells as numbers, vectors, True and False, or else text; times stay as they are.

    Args:
      what: file and column, for messages.
      cells: [rows] or [rows, ...].

    Returns:
      an array of no Python objects. An empty cell is NaN among numbers and "" among text. ValueError for vectors of
      several lengths.
    """
    if cells.dtype.kind == "U":
        return _of_text(what, cells)
    if cells.dtype.kind != "O":
        return cells
    empty = np.array([_is_empty(cell) for cell in cells], bool)
    first: Any = next((cell for cell, lacks in zip(cells, empty, strict=True) if not lacks), None)
    if isinstance(first, TIMES):
        return np.zeros(len(cells), "datetime64[s]")
    if isinstance(first, (bool, int, float, decimal.Decimal, np.number, np.bool_)):
        try:
            filled = [np.nan if lacks else cell for cell, lacks in zip(cells, empty, strict=True)]
            numbers = np.array(filled, None if not empty.any() and isinstance(first, (bool, int)) else np.float64)
            if numbers.dtype.kind != "O":
                return numbers
        except (TypeError, ValueError, OverflowError):
            pass
        first = ""  # as a file of text has them
    if first is None or isinstance(first, (str, bytes)):
        return _of_text(what, np.array(["" if lacks else str(cell) for cell, lacks in zip(cells, empty, strict=True)]))
    return _vectors(
        what, [np.zeros(0) if lacks else np.asarray(cell) for cell, lacks in zip(cells, empty, strict=True)]
    )


def _of_text(what: str, texts: np.ndarray) -> np.ndarray:
    filled = texts[texts != ""]
    if not filled.size:
        return np.full(len(texts), np.nan)
    if len(filled) == len(texts) and set(np.unique(texts)) <= {"True", "False", "true", "false", "TRUE", "FALSE"}:
        return np.array(np.char.lower(texts) == "true")
    if len(filled) == len(texts) and all(text.startswith("[") and text.endswith("]") for text in texts):
        try:
            return _vectors(what, [np.array(text[1:-1].replace(",", " ").split(), np.float64) for text in texts])
        except ValueError:
            return texts
    for kind in (np.int64, np.float64):
        try:
            numbers: np.ndarray = (texts if kind is np.int64 else np.where(texts == "", "nan", texts)).astype(kind)
            return numbers
        except (ValueError, OverflowError):
            continue
    return texts


def _vectors(what: str, rows: list[np.ndarray]) -> np.ndarray:
    for number, row in enumerate(rows):
        if row.shape != rows[0].shape or row.dtype.kind not in "biuf":
            raise ValueError(f"{what}: row {number} (from 0) is {row.dtype} {row.shape}, the first {rows[0].shape}")
    return np.stack(rows)


def _no_feature(what: str, name: str, values: np.ndarray) -> str:
    """Why a column is no feature, "" if it is one."""
    if values.dtype.kind in "Mm":
        return "times"
    if values.dtype.kind not in "U":
        alone = values.ndim == 1 and values.dtype.kind in "iu" and name.lower() in ID_NAMES
        return "numbers of the rows" if alone and len(np.unique(values)) == len(values) else ""
    filled = values[values != ""]
    numbers = np.array([_is_number(text) for text in filled])
    if numbers.mean() >= 0.5:
        row = int(np.flatnonzero(np.isin(values, filled[~numbers]))[0])
        raise ValueError(
            f"{what}: row {row} (from 0) is {short(values[row])!r}, where most cells are numbers; write a number, or "
            "leave the row or the column out"
        )
    return "text"


def _label_column(where: str, columns: Mapping[str, np.ndarray], wanted: str) -> str:
    if wanted and wanted not in columns:
        raise ValueError(f"{where}: label_column is {wanted!r}, the columns are {_all(columns)}")
    found = [name for name in columns if name.strip().lower() in LABEL_NAMES]
    if wanted or len(found) == 1:
        return wanted or found[0]
    if columns and all(_is_number(name) for name in columns):
        raise ValueError(f"{where}: the first line must hold the names of the columns, got {_all(columns)}")
    several = f"{' and '.join(map(repr, found))} could hold the labels" if found else "no column is called label"
    raise ValueError(f"{where}: {several}; say which one by label_column, the columns are {_all(columns)}")


def _all(columns: Mapping[str, np.ndarray]) -> str:
    names = list(columns)
    return ", ".join(map(short, names[:20])) + f" and {len(names) - 20} more" * (len(names) > 20)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _is_empty(cell: Any) -> bool:
    return cell is None or type(cell).__name__ in ("NAType", "NaTType") or (isinstance(cell, float) and cell != cell)
