"""A test set out of a file that has none."""

from collections.abc import Sequence

import numpy as np

from alfamous_jax.datasets.labels import listed

SHARE = 0.2  # of each class that is tested


def stratified(labels: np.ndarray, seed: int, names: Sequence[str] = ()) -> tuple[np.ndarray, tuple[str, ...]]:
    """Draws a fifth of each class for the test, at least one row where the class has two.

    Args:
      labels: [N], classes from 0.
      seed: of the draw.
      names: of the classes, for the sentences.

    Returns:
      whether a row is tested [N], and what was done in sentences.

    Raises:
      ValueError: no class has two rows.
    """
    rng, tested = np.random.default_rng(seed), np.zeros(len(labels), bool)
    alone = []
    for k in np.unique(labels):
        rows = np.flatnonzero(labels == k)
        if len(rows) == 1:
            alone.append(names[k] if names else str(k))
        else:
            tested[rng.permutation(rows)[: max(1, round(SHARE * len(rows)))]] = True
    if not tested.any():
        raise ValueError("no class has two rows, one to learn from and one to test")
    notes = [
        f"The file has no test rows: {SHARE:.0%} of each class, {tested.sum()} of {len(labels)} rows, were drawn for "
        f"the test (split_seed {seed})."
    ]
    if alone:
        notes.append(f"Classes with one row stay in training and are not tested: {listed(alone)}.")
    return tested, tuple(notes)


def validation(labels: np.ndarray, share: float, seed: int) -> np.ndarray:
    """Draws a share of each class to be scored in the place of the test rows (VaB-AL, section 4.4).

    Args:
      labels: of the training rows [N], classes from 0.
      share: of each class, rounded, between 0 and 1; at least one row stays and one goes where the class has two.
      seed: of the draw.

    Returns:
      whether a row is set aside [N]. ValueError where no class has two rows.
    """
    rng, aside = np.random.default_rng([seed, 1]), np.zeros(len(labels), bool)
    for k in np.unique(labels):
        rows = rng.permutation(np.flatnonzero(labels == k))
        aside[rows[: min(max(1, round(share * len(rows))), len(rows) - 1)]] = True
    if not aside.any():
        raise ValueError("no class has two rows, one to learn from and one to validate on")
    return aside


def by_rule(how: str, num_rows: int, test_rows: int) -> np.ndarray:
    """The rows [N] that are tested where `registry.Source.split` says how: every second one, some evenly, or the last.

    Args:
      how: "halves", "spread" or else "last".
      num_rows: N.
      test_rows: how many, but for "halves".

    Returns:
      booleans. ValueError unless both parts have a row.
    """
    tested = np.zeros(num_rows, bool)
    if how == "halves":
        tested[1::2] = True
        return tested
    if how == "spread" and 0 < test_rows < num_rows:
        tested[(2 * np.arange(test_rows) + 1) * num_rows // (2 * test_rows)] = True
        return tested
    return last(num_rows, test_rows)


def last(num_rows: int, test_rows: int) -> np.ndarray:
    """The last rows for the test [N]; ValueError unless both parts have one."""
    if not 0 < test_rows < num_rows:
        raise ValueError(f"test_rows must be between 1 and {num_rows - 1} for a file with x, y, got {test_rows}")
    return np.arange(num_rows) >= num_rows - test_rows
