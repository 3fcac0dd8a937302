"""A session in one file without the rows of its pool: written, and made again from it."""

import pathlib
from collections.abc import Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from alfamous_jax import _saved, last_layer
from alfamous_jax.cycle import PoolState
from alfamous_jax.laplace import Posterior
from alfamous_jax.session import _replay, _rows
from alfamous_jax.session._fits import Kept
from alfamous_jax.session._journal import VERSION, Journal
from alfamous_jax.session._ledger import Answer
from alfamous_jax.session._model import Model, Setup
from alfamous_jax.session._record import Record
from alfamous_jax.session._settings import Settings

ARRAYS = ("place", "ridge", "mean", "cov", *PoolState._fields[1:], "predicted", "before", "change")


def write(path: str | pathlib.Path, record: Record) -> None:
    """Writes a record in which no fit waits; whole or not at all."""
    arrays, answers = _arrays_of(record.current()), [answer.to_json() for answer in record.ledger.answers]
    about = {"settings": record.about._asdict(), "features": record.path, "answers": answers}
    _saved.write(path, VERSION, about, arrays)


def load(path: pathlib.Path, features: Any, journal: pathlib.Path | None) -> Record:
    """The record that `write` wrote.

    Args:
      path: of the file.
      features: the pool; None takes the file that the session was begun with.
      journal: a new file for the answers from here on.

    Raises:
      FileNotFoundError, ValueError: no such file, a damaged one, or other rows than those of the session.
    """
    about, answers, arrays, place = _read(path)
    record = Record(
        _rows_of(str(path), about, place if features is None else features),
        about,
        place if features is None else _rows.path_of(features),
    )
    record.ledger = _replay.ledger_of(about.classes, answers, record.fixed)
    record.kept = Kept(_model_of(str(path), record.setup, arrays, len(answers)))
    if journal is not None:
        record.journal = _copied(journal, about, answers[record.fixed :])
    return record


def _arrays_of(model: Model) -> dict[str, np.ndarray]:
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


def _read(path: pathlib.Path) -> tuple[Settings, list[Answer], dict[str, np.ndarray], str]:
    """What a saved session holds: settings, answers, arrays, and where its pool lay if that was a file.

    Raises:
      FileNotFoundError, ValueError: there is no such file, or it is none of a session.
    """
    about, arrays = _saved.read(path, "session", VERSION)
    try:
        settings = Settings(**about["settings"])
        return settings, [_replay.from_json(value) for value in about["answers"]], arrays, str(about["features"])
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path}: not a saved session ({error})") from error


def _rows_of(where: str, about: Settings, features: Any) -> np.ndarray:
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


def _copied(path: pathlib.Path, about: Settings, answers: Sequence[Answer]) -> Journal:
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


def _model_of(where: str, setup: Setup, arrays: Mapping[str, np.ndarray], num_answers: int) -> Model:
    """The model that `_arrays_of` took apart.

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
