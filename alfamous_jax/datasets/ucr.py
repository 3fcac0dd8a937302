"""The text files of the UCR archive: a label and a series in each line, every number as it stands there."""

import pathlib
from typing import NamedTuple

import numpy as np

from alfamous_jax.datasets import regular
from alfamous_jax.datasets.labels import listed, short

SUFFIXES = (".tsv", ".txt")


class Series(NamedTuple):
    """Both files of a data set."""

    arrays: dict[str, np.ndarray]  # x_train [rows, time], float64, y_train [rows], from 0, and those of the test
    notes: tuple[str, ...]


def read(folder: pathlib.Path, name: str) -> Series:
    """NAME_TRAIN and NAME_TEST of a folder; classes are the labels of the training file in rising order.

    Args:
      folder: where both files lie, ending in .tsv or .txt.
      name: of the data set.

    Returns:
      the arrays, and which classes have no test row.

    Raises:
      FileNotFoundError: a file is missing.
      ValueError: a file is no table of numbers, does not end with its last line, has lines of other lengths or labels
        that are no whole numbers; or a label of the test has no training row.
    """
    parts: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for kind in ("train", "test"):
        path = next((p for p in sorted(folder.glob(f"{name}_{kind.upper()}.*")) if p.suffix in SUFFIXES), None)
        if path is None:
            raise FileNotFoundError(f"dataset: no file {folder / name}_{kind.upper()}.tsv")
        parts[kind] = _read(path)
    classes, tested = (np.unique(parts[kind][0]) for kind in ("train", "test"))
    if (unknown := np.setdiff1d(tested, classes)).size:
        raise ValueError(
            f"{folder}: the labels of the test {listed(unknown)} have no training row, which has {listed(classes)}; "
            "number the classes of both files alike"
        )
    lacking = np.setdiff1d(classes, tested)
    notes = (f"Labels without a row in the test file: {listed(lacking)}.",) if lacking.size else ()
    arrays = {f"x_{kind}": series for kind, (_, series) in parts.items()}
    return Series(arrays | {f"y_{kind}": np.searchsorted(classes, y) for kind, (y, _) in parts.items()}, notes)


def _read(path: pathlib.Path) -> tuple[np.ndarray, np.ndarray]:
    """Labels [rows] and series [rows, time] of a file."""
    try:
        regular.check(path)
        text = path.read_text(encoding="utf-8")
        if text and not text.endswith("\n"):
            raise ValueError("its last line has no end: if it is not cut off, end it with a new line")
        lines = [line for line in text.split("\n") if line.strip()]
        table = np.loadtxt(lines, dtype=np.float64, comments=None, ndmin=2) if lines else np.zeros((0, 0))
        if table.shape[1] < 2:
            raise ValueError("it has no line of a label and a series")
        labels = [_label(line.split()[0], row) for row, line in enumerate(lines)]
    except FileNotFoundError:
        raise FileNotFoundError(f"dataset: no file {path}") from None
    except (ValueError, OverflowError, OSError) as error:
        raise ValueError(f"{path}: not a table of numbers ({short(' '.join(str(error).split()), 200)})") from error
    return np.array(labels, np.int64), table[:, 1:]


def _label(text: str, row: int) -> int:
    """A label as the whole number that it is, which no float may have rounded."""
    try:
        whole = int(text)
    except ValueError:
        number = float(text)
        if number != np.round(number) or abs(number) > 2**53:
            raise ValueError(f"the label of row {row} (from 0) is {text}, no whole number") from None
        whole = int(number)
    if abs(whole) >= 2**63:
        raise ValueError(f"the label of row {row} (from 0) is {text}, beyond 64 bits")
    return whole
