"""From files to a session: what a person gives is looked at as a whole before anything is written."""

import argparse
import pathlib
from typing import Any, NamedTuple

import numpy as np

from alfamous_jax.__main__ import read_features
from alfamous_jax.datasets import npz
from alfamous_jax.session import Session
from experiments.label import show
from experiments.label.scores import HeldOut
from experiments.label.table import Table, told

NAMES = ("class_names", "classes")  # of the classes, in an .npz
TEST = ("x_test", "y_test")
AUDIT = 0.1  # share that is set aside where no rows are held out


class Begun(NamedTuple):
    """What a desk is made of."""

    session: Session
    table: Table
    show: show.Show
    held_out: HeldOut | None
    size: tuple[int, float]  # rows of the pool, share of the audit
    notes: tuple[str, ...]


def begin(args: argparse.Namespace) -> Begun:
    """A new session, or the one that its journal holds.

    Raises:
      ValueError, OSError: one line that says what is wrong; nothing has been written.
    """
    rows, notes = read_features(args.pool)
    names, held_out = _beside(args.pool)
    shown = show.of(rows, args.show, args.images)
    table, journal = Table(args.labels), journal_of(args.labels)
    if not args.labels.absolute().parent.is_dir() or args.labels.is_dir():
        raise ValueError(f"--labels must be a file in a folder that is there, got {args.labels}")
    labels = table.read()
    head, now, before = told(journal)
    if head and labels not in (now, before):
        raise ValueError(_difference(args.labels, journal, labels, now))
    classes = args.classes or head.get("classes") or names or None
    first = {row: name for row, name in head["labels"]} if head else labels
    if classes is None and len(set(first.values())) < 2:
        raise ValueError("--classes: name the classes, A,B,C; neither the pool nor labels say what they are")
    _check_names([*(classes or ()), *first.values()])
    audit = _either(args.audit, head.get("audit"), 0.0 if held_out else AUDIT)
    session = Session(
        rows,
        classes,
        _either(args.strategy, head.get("strategy"), "margin-alfamous"),
        first,
        _either(args.seed, head.get("seed"), 0),
        lam=_either(args.lam, head.get("lam"), None),
        retrain_every=head.get("retrain_every", 25),
        audit=audit,
        journal=journal,
    )
    if labels != session.labels:
        table.write(session.labels)
    notes += [*shown.notes, f"{len(rows):,} rows, {len(session.classes)} classes, {len(session.labels):,} labels."]
    if held_out is not None:
        notes.append(f"The learning curve is measured on {len(held_out.rows):,} held-out rows, {' and '.join(TEST)}.")
    elif audit:
        notes.append(f"{audit:.0%} of the rows are set aside: one question in five measures how good the model is.")
    notes.append(f"Labels go to {args.labels}, every answer first to {journal}.")
    return Begun(session, table, shown, held_out, (len(rows), audit), tuple(notes))


def classes_of(pool: pathlib.Path) -> list[str]:
    """Names of the classes that a pool has beside its rows, if any."""
    return _beside(pool)[0]


def journal_of(labels: pathlib.Path) -> pathlib.Path:
    """Where the session of a file of labels is kept."""
    return labels.with_name(f"{labels.name}.journal")


def _beside(pool: pathlib.Path) -> tuple[list[str], HeldOut | None]:
    """Names of the classes, and rows held out with their labels, where the pool is an archive that has them."""
    if pool.suffix != ".npz":
        return [], None
    arrays = npz.read(pool)
    found = next((arrays[name] for name in NAMES if name in arrays and arrays[name].ndim == 1), np.zeros(0, str))
    names = [str(name) for name in found.tolist()]
    if not set(TEST) <= arrays.keys():
        return names, None
    rows, labels = (arrays[name] for name in TEST)
    if rows.ndim != 2 or labels.shape != rows.shape[:1]:
        raise ValueError(
            f"{pool}: x_test and y_test must be rows [n, H] and labels [n], got {rows.shape}, {labels.shape}"
        )
    if names and labels.dtype.kind in "iu":
        if labels.min(initial=0) < 0 or labels.max(initial=0) >= len(names):
            raise ValueError(
                f"{pool}: y_test must be in 0..{len(names) - 1}, as there are {len(names)} names of classes"
            )
        labels = np.array(names)[labels]
    return names, HeldOut(rows, labels.astype(str))


def _check_names(names: list[str]) -> None:
    """A name is one line, so that a line of the file is an answer."""
    for name in names:
        if not name.isprintable():
            raise ValueError(f"the name of a class must be one line of printable text, got {name!r}")


def _difference(path: pathlib.Path, journal: pathlib.Path, labels: dict[int, str], now: dict[int, str]) -> str:
    row = next(row for row in [*labels, *now] if labels.get(row) != now.get(row))
    there, known = labels.get(row, "not there"), now.get(row, "not there")
    return (
        f"{path} was changed by hand: row {row} is {there!r}, in {journal} it is {known!r}. To begin anew with the "
        f"file, move the journal away; to go on with the journal, move the file away"
    )


def _either(given: Any, before: Any, otherwise: Any) -> Any:
    """What was given, else what the journal says, else what it is without either."""
    return given if given is not None else before if before is not None else otherwise
