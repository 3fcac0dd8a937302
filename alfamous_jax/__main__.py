"""What to label next, in one command: alfamous-select features.npy labels.csv --budget 100 --out next.csv

The same as `python -m alfamous_jax`. FEATURES are the rows of the pool, as .npy, .npz, .csv, .tsv or .parquet. LABELS
is a table with the columns row (counted from 0) and label; without it nothing is labelled yet, and --classes names the
classes. A last layer is fitted to the labels, its map and ridge chosen by them alone. The rows that the strategy wants
are written to --out, the most wanted first: the class that each is taken for, with what probability, how many labels
that class has, and their share of all labels.
"""

import argparse
import csv
import io
import pathlib
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from alfamous_jax.core.files import replacing
from alfamous_jax.datasets import columns, npz, tables
from alfamous_jax.session import Session

NAMES = ("features", "x", "embeddings", "x_train", "phi")  # of the array with the rows, where an .npz has several
HEADER = ("rank", "row", "predicted", "probability", "labels_of_class", "share_of_labels")
NO_LABEL = "\0"  # a column that no file has


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line; one line and 2 where something is wrong."""
    args = _parser().parse_args(arguments)
    try:
        select(args)
    except (ValueError, OSError) as error:
        print(f"alfamous-select: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    return 0


def select(args: argparse.Namespace) -> None:
    """Reads, says what was found, chooses, writes.

    Raises:
      ValueError, OSError: what is wrong, before anything is written.
    """
    if args.budget < 1:
        raise ValueError(f"--budget must be at least 1, got {args.budget}")
    if args.out.is_dir() or not args.out.absolute().parent.is_dir():
        raise ValueError(f"--out must be a file in a folder that is there, got {args.out}")
    features, notes = read_features(args.features)
    labels = read_labels(args.labels) if args.labels else {}
    classes = args.classes.split(",") if args.classes else None
    session = Session(features, classes, args.strategy, labels, args.seed, lam=args.lam)
    size, counts = features.shape, session.counts
    for line in (*notes, f"{args.features}: {size[0]:,} rows of {size[1]:,} features, {len(labels):,} with a label."):
        print(line)
    print(f"Classes: {', '.join(f'{name} {num}' for name, num in counts.items())}.", flush=True)
    rows = session.ask(args.budget)
    chosen, ridge = session.head
    print(f"Last layer: {chosen}, ridge {ridge:g}." if chosen else "Nothing to rank by yet: rows far from all others.")
    table = reasons(session, rows)
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([HEADER, *table])
    with replacing(args.out) as file:
        file.write(text.getvalue().encode())
    print(f"{args.out}: {len(rows)} rows to label, by {args.strategy}.")


def reasons(session: Session, rows: np.ndarray) -> list[tuple[Any, ...]]:
    """A line for each row: rank, row, predicted class, probability, labels of the class, their share of all labels."""
    probs, counts = session.predict_proba(rows), session.counts
    total = max(sum(counts.values()), 1)
    found = []
    for rank, (row, odds) in enumerate(zip(rows.tolist(), probs, strict=True), start=1):
        name = session.classes[int(odds.argmax())]
        found.append((rank, row, name, f"{odds.max():.4f}", counts[name], f"{counts[name] / total:.4f}"))
    return found


def read_features(path: pathlib.Path) -> tuple[np.ndarray, list[str]]:
    """The rows of a pool [N, H], and what was left out; those of an `.npy` file stay there.

    Raises:
      FileNotFoundError, ValueError: there is no such file, or no rows of numbers in it.
    """
    if path.suffix == ".npy":
        return npz.read_array(path, mapped=True), []
    if path.suffix == ".npz":
        arrays = {
            name: array for name, array in npz.read(path).items() if array.ndim == 2 and array.dtype.kind in "biuf"
        }
        name = next((name for name in NAMES if name in arrays), next(iter(arrays), None))
        if name is None or (len(arrays) > 1 and name not in NAMES):
            listed = ", ".join(arrays) or "none"
            raise ValueError(f"{path}: one array must be called features or x [N, H]; of two axes it has {listed}")
        return arrays[name], [f"The rows are the array {name!r}."]
    _check_table(path)
    found = dict(tables.read_columns(path))
    dropped = [name for name in found if name.strip().lower() in columns.LABEL_NAMES]
    kept = {name: cells for name, cells in found.items() if name not in dropped}
    rows = len(next(iter(found.values()), ()))
    taken = columns.table(str(path), {**kept, NO_LABEL: np.zeros(rows, int)}, NO_LABEL)
    notes = [f"Left out of the features (labels): {', '.join(map(repr, dropped))}."] if dropped else []
    return taken.arrays["x"], [*notes, *taken.notes[1:]]


def read_labels(path: pathlib.Path) -> dict[int, Any]:
    """Row -> label of a table with these two columns; a row with an empty label has none.

    Raises:
      FileNotFoundError, ValueError: there is no such file, or it has no such columns, or a row is twice there.
    """
    _check_table(path)
    found = {name.strip().lower(): cells for name, cells in tables.read_columns(path).items()}
    if missing := [name for name in ("row", "label") if name not in found]:
        raise ValueError(f"{path}: needs the columns row and label, lacks {missing[0]}; it has {', '.join(found)}")
    rows, labels = (columns.read_cells(f"{path}: column {name!r}", found[name]) for name in ("row", "label"))
    labelled: dict[int, Any] = {}
    for line, (row, label) in enumerate(zip(rows.tolist(), labels.tolist(), strict=True), start=2):
        if label == "" or label != label:
            continue
        if not isinstance(row, (int, float)) or row != int(row) or row < 0:
            raise ValueError(f"{path}, line {line}: row must be a whole number from 0 on, got {row!r}")
        if labelled.get(int(row), label) != label:
            raise ValueError(f"{path}, line {line}: row {int(row)} is labelled {labelled[int(row)]!r} and {label!r}")
        labelled[int(row)] = label
    return labelled


def _check_table(path: pathlib.Path) -> None:
    if path.suffix not in tables.SUFFIXES:
        raise ValueError(f"{path}: expected a file ending in .npy, .npz (features), {', '.join(tables.SUFFIXES)}")
    if not path.is_file():
        raise FileNotFoundError(f"no file {path}")


def _parser() -> argparse.ArgumentParser:
    formatter = argparse.RawDescriptionHelpFormatter
    parser = argparse.ArgumentParser(prog="alfamous-select", description=__doc__, formatter_class=formatter)
    parser.add_argument("features", type=pathlib.Path, help="the rows of the pool")
    parser.add_argument("labels", type=pathlib.Path, nargs="?", help="a table with the columns row and label")
    parser.add_argument("--budget", type=int, default=100, help="how many rows to choose (100)")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="the file to write, as CSV")
    parser.add_argument("--strategy", default="margin-alfamous", help="what is wanted (margin-alfamous)")
    parser.add_argument("--classes", default="", help="all classes by name, A,B,C, where some have no label yet")
    parser.add_argument("--lam", type=float, help="how much balance counts (0.1 or 0.5 as far as labels are uneven)")
    parser.add_argument("--seed", type=int, default=0, help="of all that is drawn")
    return parser


if __name__ == "__main__":
    sys.exit(main())
