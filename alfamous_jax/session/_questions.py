"""What is asked: the next rows, rows of the audit, and with what probability each."""

import math

import jax
import jax.numpy as jnp
import numpy as np

from alfamous_jax import _strategies, estimate
from alfamous_jax.session import _model
from alfamous_jax.session._ledger import Ledger
from alfamous_jax.session._model import Model, Setup
from alfamous_jax.session._record import Record
from alfamous_jax.session._views import probabilities


def following(record: Record, num: int) -> np.ndarray:
    """The next rows to label, noted as asked for; fewer where the pool runs out."""
    setup, ledger = record.setup, record.ledger
    key = jax.random.fold_in(jax.random.key(setup.seed), len(ledger.labels) + len(ledger.skipped))
    wanted = min(num, len(setup.rows))
    found = _model.pick(setup, record.current(), key, ledger.labels, ledger.skipped, wanted)
    record.asked |= dict(zip(found.tolist(), _chances(setup, ledger, len(found)), strict=True))
    return found


def of_audit(record: Record, num: int) -> np.ndarray:
    """Rows of the audit: those drawn before and not answered yet, then new ones, noted as drawn.

    Raises:
      ValueError: there is no audit.
    """
    ledger = record.ledger
    if not record.setup.held.any():
        raise ValueError("ask_audit: no rows are set aside, begin the session with audit=0.1 or the like")
    answered = ledger.labels.keys() | ledger.skipped
    waiting = [row for row in ledger.drawn if row not in answered]
    if len(waiting) < num:
        rows, chances = _draw(record.setup, record.current(), ledger, num - len(waiting))
        if rows:
            record.add("audit", rows, chances=chances)
        waiting += rows
    return np.array(waiting[:num], np.int64)


def _chances(setup: Setup, ledger: Ledger, num: int) -> list[float]:
    """With what probability the next rows are asked for, each given those before it: NaN where nobody can say."""
    if setup.strategy.name == "random":
        taken = ledger.labels.keys() | ledger.skipped
        left = int((~setup.held).sum()) - sum(not setup.held[row] for row in taken)
        return [1.0 / (left - place) for place in range(num)]
    cold = _strategies.is_cold(setup.strategy, len(set(ledger.labels.values())))
    return [math.nan if setup.strategy.draws and not cold else 1.0] * num


def _draw(setup: Setup, model: Model, ledger: Ledger, num: int) -> tuple[tuple[int, ...], tuple[float, ...]]:
    """Further rows of the audit, and with what probability each was drawn."""
    left = setup.held.copy()
    left[list(ledger.drawn)] = False
    score = 1.0 - jnp.max(probabilities(model.state), axis=1)
    key = jax.random.fold_in(jax.random.key(setup.seed + 1), len(ledger.drawn))
    rows, log_prob = (np.asarray(x) for x in estimate.draw(key, score, left, num=num))
    return tuple(rows[rows >= 0].tolist()), tuple(np.exp(log_prob[rows >= 0].astype(np.float64)).tolist())
