"""Answers looked at before anything is changed: what of them is new, or one line that says what is wrong."""

from typing import Any

import numpy as np

from alfamous_jax.session import _rows
from alfamous_jax.session._ledger import Ledger, can_fit
from alfamous_jax.session._model import Setup
from alfamous_jax.session._settings import listed


def to_tell(setup: Setup, ledger: Ledger, rows: Any, labels: Any) -> dict[int, str]:
    """Rows that get a label, those left out that have it already."""
    pairs, known = _pairs(setup, ledger, rows, labels), names_of(ledger)
    for row, name in pairs.items():
        if known.get(row, name) != name:
            raise ValueError(f"row {row} is labelled {known[row]!r}, got {name!r}; relabel changes a label")
        if setup.held[row] and row not in ledger.drawn:
            raise ValueError(f"row {row} is set aside for the audit; only ask_audit asks for it")
    return {row: name for row, name in pairs.items() if row not in known}


def to_skip(setup: Setup, ledger: Ledger, rows: Any) -> tuple[int, ...]:
    """Rows that are skipped and were not before."""
    numbers = _rows.check_rows(rows, len(setup.rows))
    for row in numbers:
        if row in ledger.labels:
            raise ValueError(f"row {row} is labelled {names_of(ledger)[row]!r} and cannot be skipped")
    return tuple(row for row in numbers if row not in ledger.skipped)


def to_relabel(setup: Setup, ledger: Ledger, rows: Any, labels: Any) -> dict[int, str]:
    """Rows whose label changes."""
    pairs, known = _pairs(setup, ledger, rows, labels), names_of(ledger)
    for row in pairs:
        if row not in known:
            raise ValueError(f"row {row} has no label to change; tell gives it one")
    return {row: name for row, name in pairs.items() if known[row] != name}


def to_add(ledger: Ledger, name: Any) -> str:
    """A name that no class has yet."""
    text = _rows.name_of(name)
    if text in ledger.classes:
        raise ValueError(f"add_class: {text!r} is a class already")
    return text


def to_fit(ledger: Ledger) -> None:
    """Whether a head can be fitted."""
    if not can_fit(ledger.training()[1]):
        raise ValueError("retrain: needs labels of two classes")


def number(name: str, value: Any) -> int:
    """A whole number of at least 1."""
    if not isinstance(value, (int, np.integer)) or isinstance(value, bool) or value < 1:
        raise ValueError(f"{name} must be a whole number of at least 1, got {value!r}")
    return int(value)


def names_of(ledger: Ledger) -> dict[int, str]:
    """All labels by the names of their classes."""
    return {row: ledger.classes[label] for row, label in ledger.labels.items()}


def _pairs(setup: Setup, ledger: Ledger, rows: Any, labels: Any) -> dict[int, str]:
    numbers = _rows.check_rows(rows, len(setup.rows))
    one = isinstance(labels, str) or np.ndim(labels) == 0
    names = [_rows.name_of(label) for label in ([labels] if one else labels)]
    if len(names) != len(numbers):
        raise ValueError(f"rows and labels must be as many, got {len(numbers)} and {len(names)}")
    for row, name in zip(numbers, names, strict=True):
        if name not in ledger.classes:
            raise ValueError(f"row {row}: {name!r} is none of the classes {listed(ledger.classes)}; add_class adds one")
    return dict(zip(numbers, names, strict=True))
