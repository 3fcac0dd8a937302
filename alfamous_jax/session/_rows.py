"""What a session is given: rows of a pool, names of classes, labels; refused here where it is wrong."""

import hashlib
import os
import pathlib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from alfamous_jax.core import convert
from alfamous_jax.datasets import npz

CHUNK = 16_384  # rows looked at together
SAMPLED = 1024  # rows that the digest of a pool reads
LARGEST = float(np.finfo(np.float32).max) / 1e4  # squares of rows are summed in float32


def take_rows(features: Any, name: str = "features", width: int = 0) -> np.ndarray:
    """Rows of numbers [N, H] as NumPy has them; a file stays a file.

    Args:
      features: an array or a frame of any library, or the path of an `.npy` file.
      name: for messages.
      width: H that is wanted, 0 for any.

    Raises:
      FileNotFoundError: there is no such file.
      ValueError: it holds no numbers, no rows, or rows that are not finite; names the first such number.
    """
    if isinstance(features, (str, pathlib.Path)):
        rows: Any = npz.read_array(features, mapped=True)
    else:
        rows = convert.as_array(features, name)
        rows = np.asarray(rows) if isinstance(rows, (jax.Array, list, tuple)) else rows
    if not isinstance(rows, np.ndarray) or rows.dtype.kind not in convert.KINDS:
        raise ValueError(f"{name} must be rows of numbers [N, H], got {getattr(rows, 'dtype', type(rows).__name__)}")
    if rows.ndim != 2 or not rows.size:
        raise ValueError(f"{name} must be rows of numbers [N, H], got an array of shape {rows.shape}")
    if width and rows.shape[1] != width:
        raise ValueError(f"{name} must have {width} columns, as the pool has, got {rows.shape[1]}")
    for start in range(0, len(rows), CHUNK):
        part = np.asarray(rows[start : start + CHUNK], np.float64 if rows.dtype.itemsize > 4 else np.float32)
        bad = ~(np.abs(part) <= LARGEST)
        if bad.any():
            row, column = np.argwhere(bad)[0].tolist()
            raise ValueError(
                f"{name} must be finite and below {LARGEST:.0e}: row {start + row}, column {column} (from 0) is "
                f"{part[row, column]}"
            )
    return rows


def digest(rows: np.ndarray) -> str:
    """A fingerprint of a pool: its shape, and up to 1,024 rows of it as float32."""
    some = np.unique(np.linspace(0, len(rows) - 1, SAMPLED).astype(np.int64))
    content = np.ascontiguousarray(np.asarray(rows[some], np.float32))
    return hashlib.sha256(repr(rows.shape).encode() + content.tobytes()).hexdigest()


def name_of(label: Any) -> str:
    """The name of a class: text as it is, whole numbers and booleans as Python writes them.

    Raises:
      ValueError: it is something else.
    """
    if isinstance(label, (np.generic, jax.Array)) and np.ndim(label) == 0:
        label = np.asarray(label).item()
    if isinstance(label, float) and label.is_integer():
        label = int(label)
    if not isinstance(label, (str, int)) or label == "":
        raise ValueError(f"a label must be the name of a class, text or a whole number, got {label!r}")
    return str(label)


def take_classes(classes: Any, labels: Mapping[int, str]) -> tuple[str, ...]:
    """Names of the classes, or those that the labels have.

    Args:
      classes: names, or how many; None for those of the labels.
      labels: of rows.

    Raises:
      ValueError: fewer than two, or two that are the same.
    """
    if isinstance(classes, (int, np.integer)) and not isinstance(classes, bool):
        names = [str(number) for number in range(int(classes))]
    elif classes is None:
        found = set(labels.values())
        whole = all(name.lstrip("-").isdecimal() for name in found)
        names = sorted(found, key=int) if whole else sorted(found)
    elif isinstance(classes, str) or not isinstance(classes, Iterable):
        raise ValueError(f"classes must be names or a number, got {classes!r}")
    else:
        names = [name_of(name) for name in classes]
    if len(set(names)) < len(names):
        raise ValueError(f"classes must be different names, {next(n for n in names if names.count(n) > 1)!r} is twice")
    if len(names) < 2:
        raise ValueError(f"classes must be two or more, got {names}; name them, also those without a label yet")
    return tuple(names)


def take_labels(labels: Any, num_rows: int) -> dict[int, str]:
    """Labels that are known from the start.

    Args:
      labels: row -> label; or a label for each of the N rows, None, NaN or "" where there is none; or None.
      num_rows: N.

    Raises:
      ValueError: rows that are not there, labels that are none.
    """
    if labels is None:
        return {}
    if not isinstance(labels, Mapping):
        labels = labels.tolist() if hasattr(labels, "tolist") else list(labels)
        if len(labels) != num_rows:
            raise ValueError(
                f"labels must be one for each of the {num_rows} rows, or {{row: label}}, got {len(labels)}"
            )
        labels = {row: label for row, label in enumerate(labels) if not _lacks(label)}
    rows = check_rows(list(labels), num_rows)
    return {row: name_of(label) for row, label in zip(rows, labels.values(), strict=True)}


def check_rows(rows: Any, num_rows: int) -> list[int]:
    """Numbers of rows, as Python has them.

    Raises:
      ValueError: one that is not there, or that is there twice.
    """
    listed = np.atleast_1d(np.asarray(rows)) if not isinstance(rows, Sequence) else np.asarray(rows)
    if listed.size == 0:
        return []
    if listed.dtype.kind not in "iu" or listed.ndim != 1:
        raise ValueError(f"rows must be whole numbers from 0 to {num_rows - 1}, got {listed.dtype} {listed.shape}")
    numbers = [int(row) for row in listed]
    for row in numbers:
        if not 0 <= row < num_rows:
            raise ValueError(f"rows must be whole numbers from 0 to {num_rows - 1}, got {row}")
    if len(set(numbers)) < len(numbers):
        raise ValueError(f"rows must be different, {next(n for n in numbers if numbers.count(n) > 1)} is there twice")
    return numbers


def path_of(features: Any) -> str:
    """Where a pool lies, if a file was named, else ""."""
    return os.path.abspath(features) if isinstance(features, (str, pathlib.Path)) else ""


def _lacks(label: Any) -> bool:
    return label is None or label == "" or label != label or type(label).__name__ in ("NAType", "NaTType")
