"""`experiments.bench session`: how long a person waits between an answer and the next question."""

import argparse
import pathlib
import tempfile
import time
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from alfamous_jax.session import Session

LABELS = 30  # answered before anything is timed


def measure(args: argparse.Namespace, steady: Callable) -> dict:
    """Times a session over rows drawn round a centre for each class.

    Args:
      args: rows N, features D (as the last layer sees them: one less in the rows), classes K, repeats.
      steady: times a compiled function.

    Returns:
      rows of a table: an answer with its journal line and the next question; one step back; a fit; the ratio of each
      to one product of phi with a vector, which no answer can do without.
    """
    rows, labels = pool(args)
    phi = jnp.asarray(np.pad(rows, ((0, 0), (0, 1))))
    product = steady(jax.jit(lambda phi, v: phi @ v), phi, jnp.ones(args.features), repeats=30)["median_s"]
    del phi
    with tempfile.TemporaryDirectory() as folder:
        session = Session(rows, args.classes, retrain_every=0, journal=pathlib.Path(folder) / "answers.jsonl")
        for _ in range(LABELS):
            _answer(session, labels)
        session.retrain()
        _answer(session, labels)
        _answer(session, labels)
        times = {
            "answer to question": [_answer(session, labels) for _ in range(args.repeats)],
            "undo to question": [_asked_after(session, session.undo) for _ in range(3)],
            "fit to question": [_asked_after(session, session.retrain) for _ in range(3)],
        }
    table = {name: np.percentile(seconds, [50, 25, 75]) for name, seconds in times.items()}
    found = {name: {"median_s": row[0], "low_s": row[1], "high_s": row[2]} for name, row in table.items()}
    return {name: row | {"phi @ v_s": product, "ratio": row["median_s"] / product} for name, row in found.items()}


def pool(args: argparse.Namespace) -> tuple[np.ndarray, np.ndarray]:
    """Rows [N, D - 1], drawn round a centre for each class, and their labels [N]."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, args.classes, args.rows)
    centres = rng.normal(size=(args.classes, args.features - 1)).astype(np.float32)
    rows = centres[labels] + 2 * rng.normal(size=(args.rows, args.features - 1)).astype(np.float32)
    return rows, labels


def _answer(session: Session, labels: np.ndarray) -> float:
    """Seconds from the answer to the question that is open, to the next question."""
    (row,) = session.ask()
    return _asked_after(session, lambda: session.tell(row, labels[row]))


def _asked_after(session: Session, call: Callable) -> float:
    """Seconds of a call and of the question after it."""
    start = time.perf_counter()
    call()
    session.ask()
    return time.perf_counter() - start
