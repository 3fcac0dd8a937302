"""From settings, answers and arrays to the parts of a session, and back: begun, replayed, saved, loaded."""

import math
import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from alfamous_jax import _saved, _strategies, last_layer
from alfamous_jax.cycle import PoolState
from alfamous_jax.laplace import Posterior
from alfamous_jax.session import _rows
from alfamous_jax.session._journal import VERSION, Journal
from alfamous_jax.session._ledger import ANSWERS, KINDS, Answer, Ledger
from alfamous_jax.session._model import Model, Setup
from alfamous_jax.session._settings import Settings

ARRAYS = ("place", "ridge", "mean", "cov", *PoolState._fields[1:], "predicted", "before", "change")


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


def chances(setup: Setup, ledger: Ledger, num: int) -> list[float]:
    """With what probability the next rows are asked for, each given those before it: NaN where nobody can say."""
    if setup.strategy.name == "random":
        taken = ledger.labels.keys() | ledger.skipped
        left = int((~setup.held).sum()) - sum(not setup.held[row] for row in taken)
        return [1.0 / (left - place) for place in range(num)]
    cold = _strategies.is_cold(setup.strategy, len(set(ledger.labels.values())))
    return [math.nan if setup.strategy.draws and not cold else 1.0] * num


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


def arrays_of(model: Model) -> dict[str, np.ndarray]:
    """A model as arrays, but for phi, which follows from rows and map."""
    state, nothing = model.state, np.zeros(0, np.int32)
    parts = {
        "place": model.place, "ridge": model.ridge, "mean": state.posterior.mean, "cov": state.posterior.cov,
        "logits": state.logits, "variance": state.variance, "available": state.available, "counts": state.counts,
        "predicted": nothing if model.predicted is None else model.predicted,
        "before": nothing if model.before is None else model.before,
        "change": np.concatenate([np.zeros(0, np.float32), *map(np.asarray, model.change)]),
    }  # fmt: skip
    return {name: np.asarray(array) for name, array in parts.items()}


def read(path: pathlib.Path) -> tuple[Settings, list[Answer], dict[str, np.ndarray], str]:
    """What a saved session holds: settings, answers, arrays, and where its pool lay if that was a file.

    Raises:
      FileNotFoundError, ValueError: there is no such file, or it is none of a session.
    """
    about, arrays = _saved.read(path, "session", VERSION)
    try:
        settings = Settings(**about["settings"])
        return settings, [from_json(value) for value in about["answers"]], arrays, str(about["features"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: not a saved session ({error})") from error


def rows_of(where: str, about: Settings, features: Any) -> np.ndarray:
    """The pool that a saved session was over.

    Args:
      where: the session lies, for messages.
      about: the session.
      features: its rows, or the path of their file; "" if neither is known.

    Raises:
      FileNotFoundError, ValueError: they are not known, cannot be had, or are others.
    """
    if isinstance(features, str) and not features:
        raise ValueError(f"{where}: does not hold the pool; give its rows as features")
    rows = _rows.take_rows(features)
    if [list(rows.shape), _rows.digest(rows)] != [about.shape, about.digest]:
        raise ValueError(f"{where}: is a session over other rows of shape {about.shape}, got {list(rows.shape)}")
    return rows


def copied(path: pathlib.Path, about: Settings, answers: Sequence[Answer]) -> Journal:
    """A new journal that begins with the answers of a saved session.

    Raises:
      ValueError: there is one already that has answers.
    """
    journal = Journal(path)
    if journal.read(about._asdict()):
        raise ValueError(f"journal {path}: has answers already; name a new file, or begin a session with it")
    for answer in answers:
        journal.add(answer.to_json())
    return journal


def model_of(where: str, setup: Setup, arrays: Mapping[str, np.ndarray], num_answers: int) -> Model:
    """The model that `arrays_of` took apart.

    Raises:
      ValueError: an array is not there.
    """
    if missing := [name for name in ARRAYS if name not in arrays]:
        raise ValueError(f"{where}: not a saved session, it lacks {', '.join(missing)}")
    found = {name: jnp.asarray(arrays[name]) for name in ARRAYS}
    state = PoolState(Posterior(found["mean"], found["cov"]), *(found[name] for name in PoolState._fields[1:]))
    phi = last_layer.phi_of(setup.maps, found["place"], setup.rows)
    predicted, before = (found[name] if len(found[name]) else None for name in ("predicted", "before"))
    return Model(num_answers, found["place"], found["ridge"], phi, state, predicted, before, (found["change"],))
