"""From settings and answers to the parts of a session, and through the lines of a journal."""

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from alfamous_jax import _strategies, last_layer
from alfamous_jax.session._ledger import ANSWERS, KINDS, Answer, Ledger
from alfamous_jax.session._model import Setup
from alfamous_jax.session._settings import Settings


def setup_of(rows: np.ndarray, about: Settings) -> Setup:
    """What does not change, with the rows that are set aside for the audit."""
    held = np.zeros(len(rows), bool)
    free = np.setdiff1d(np.arange(len(rows)), np.array([row for row, _ in about.labels], np.int64))
    held[np.random.default_rng(about.seed).choice(free, round(about.audit * len(free)), replace=False)] = True
    maps = last_layer.measure(rows, about.seed)
    return Setup(rows, maps, held, _strategies.parse(about.strategy), about.lam, about.seed)


def ledger_of(classes: Sequence[str], answers: Sequence[Answer], fixed: int) -> Ledger:
    """A ledger of some answers; the head is fitted to the first `fixed` at once."""
    ledger = Ledger(classes, answers[:fixed])
    ledger.note_fit()
    for answer in answers[fixed:]:
        ledger.add(answer)
    return ledger


def replay(where: str, values: Sequence[Any], ledger: Ledger, setup: Setup, fixed: int) -> Ledger:
    """The ledger after the lines of a journal.

    Raises:
      ValueError: a line that no session over these rows has written; names it.
    """
    for number, value in enumerate(values, start=2):
        try:
            if isinstance(value, dict) and value.keys() == {"undo"} and isinstance(value["undo"], int):
                ledger = ledger_of(ledger.first, ledger.without(value["undo"], fixed)[0], fixed)
            else:
                ledger.add(_checked(from_json(value), ledger, len(setup.rows)))
        except ValueError as error:
            raise ValueError(f"journal {where}, line {number}: {error}") from None
    return ledger


def from_json(value: Any) -> Answer:
    """What `Answer.to_json` gave.

    Raises:
      ValueError: it is none.
    """
    try:
        odds = tuple(math.nan if p is None else float(p) for p in value["probabilities"])
        rows, names = tuple(map(int, value["rows"])), tuple(map(str, value["labels"]))
        answer = Answer(str(value["what"]), rows, names, odds, str(value["who"]), str(value["when"]))
    except (KeyError, TypeError, ValueError):
        answer = Answer("")
    pairs = len(answer.rows) == len(answer.labels) if answer.what in ("label", "relabel") else True
    if answer.what not in KINDS or not pairs or (answer.what == "audit" and len(answer.rows) != len(odds)):
        raise ValueError(f"not an answer: {str(value)[:80]}")
    return answer


def _checked(answer: Answer, ledger: Ledger, num_rows: int) -> Answer:
    wrong = [row for row in answer.rows if not 0 <= row < num_rows]
    if wrong:
        raise ValueError(f"row {wrong[0]} of a pool of {num_rows}")
    unknown = [name for name in answer.labels if (name in ledger.classes) == (answer.what == "class")]
    if answer.what in ANSWERS and unknown:
        raise ValueError(f"the class {unknown[0]!r} among {len(ledger.classes)} others")
    return answer
