"""What a session is, checked and as plain values: the same settings over the same rows are the same session."""

import math
from typing import Any, NamedTuple

import numpy as np

from alfamous_jax import _strategies
from alfamous_jax.session import _rows


class Settings(NamedTuple):
    """As given to a session; written at the head of its journal and into what it saves."""

    shape: list[int]  # of the pool
    digest: str
    classes: list[str]  # from the start
    labels: list[list[Any]]  # from the start, [row, name] each
    strategy: str
    lam: float | None  # None leaves it to the strategy and the labels known
    seed: int
    retrain_every: int
    audit: float


def check(
    rows: np.ndarray, classes: Any, labels: Any, strategy: Any, seed: Any, lam: Any, retrain_every: Any, audit: Any
) -> Settings:
    """The settings of a session over rows that were taken in.

    Raises:
      ValueError: names the field, the value and what was expected.
    """
    given = _rows.take_labels(labels, len(rows))
    names = _rows.take_classes(classes, given)
    for row, name in given.items():
        if name not in names:
            raise ValueError(f"labels: row {row} is {name!r}, none of the classes {listed(names)}")
    _strategies.parse(strategy)
    for field, value, fits, wanted in (
        ("seed", seed, _is_whole(seed) and 0 <= seed < 2**32, "a whole number from 0 to 2^32 - 1"),
        ("lam", lam, lam is None or (_is_number(lam) and 0 <= lam < math.inf), "a number of at least 0, or None"),
        ("retrain_every", retrain_every, _is_whole(retrain_every) and retrain_every >= 0, "a whole number, 0 or more"),
        ("audit", audit, _is_number(audit) and 0 <= audit < 1, "a share of the rows, at least 0 and below 1"),
    ):
        if not fits:
            raise ValueError(f"{field} must be {wanted}, got {value!r}")
    pairs = [[row, name] for row, name in given.items()]
    shape, digest = list(rows.shape), _rows.digest(rows)
    numbers = None if lam is None else float(lam), int(seed), int(retrain_every), float(audit)
    return Settings(shape, digest, list(names), pairs, strategy, *numbers)


def listed(names: Any) -> str:
    """Some names, the first of many."""
    return ", ".join(map(repr, names[:10])) + f" and {len(names) - 10} more" * (len(names) > 10)


def _is_whole(value: Any) -> bool:
    return isinstance(value, (int, np.integer)) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool)
