"""The model behind a session, as functions: from labels to a fitted head, and one answer further."""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from alfamous_jax import _strategies, cycle, laplace, last_layer, stopping, updates
from alfamous_jax._strategies import Labelled, Strategy
from alfamous_jax.core.numerics import dot
from alfamous_jax.cycle import PoolState
from alfamous_jax.last_layer import Maps
from alfamous_jax.session._ledger import FITS, Ledger, can_fit

BLOCK = 16  # rows of several told together that are taken in at a time


class Setup(NamedTuple):
    """What does not change in a session."""

    rows: np.ndarray  # [N, H]
    maps: Maps
    held: np.ndarray  # [N], set aside for the audit
    strategy: Strategy
    lam: float | None
    seed: int


class Model(NamedTuple):
    """What the next question depends on."""

    at: int  # answers taken in
    place: jax.Array  # [], of the map
    ridge: jax.Array  # []
    phi: jax.Array  # [N, D]
    state: PoolState
    predicted: jax.Array | None  # [N], by the head as fitted, None before the first fit
    before: jax.Array | None  # [N], by the one fitted before it
    change: tuple[jax.Array, ...]  # KL of the labels since the fit, nats, [n] for those told together
    ahead: tuple[int, jax.Array] | None = None  # a row that may be answered next, and the pool along its column [N, 1]


def follow(
    setup: Setup, ledger: Ledger, model: Model | None, fixed: int, later: bool = False
) -> tuple[Model, Model | None]:
    """The model of all answers, from one of the first of them.

    Args:
      setup: of the session.
      ledger: its answers.
      model: of the first `model.at` answers, or None to begin with none.
      fixed: answers that were there from the start; the head is fitted to them at once.
      later: whether a fit that is due by the number of labels is passed over.

    Returns:
      the model, and the one right after the last fit if that was now.
    """
    answers, base = ledger.answers, None
    done = model.at if model else -1
    fits = [i for i, answer in enumerate(answers) if answer.what in FITS and i >= done]
    points = [fixed] * (not model) + [i + 1 for i in fits if not (later and answers[i].what == "retrain")]
    for point in points[-2:]:  # the last, and the one before it for what it predicted
        model = base = _fitted(setup, Ledger(ledger.first, answers[:point]), model)
    assert model is not None
    for answer in answers[model.at :]:
        if answer.what == "label":
            numbers = [ledger.classes.index(name) for name in answer.labels]
            taken = [(row, k) for row, k in zip(answer.rows, numbers, strict=True) if not setup.held[row]]
            model = learn(setup, model, [row for row, _ in taken], [k for _, k in taken])
        elif answer.what == "skip":
            model = _pass_over(model, answer.rows)
        model = model._replace(at=model.at + 1)
    return model, base


def _fitted(setup: Setup, ledger: Ledger, last: Model | None) -> Model:
    """The model of some answers, its head fitted to all labels if they are of two classes, else learnt one by one.

    The model before lends its phi, where the map stays, and what it predicted.
    """
    (rows, labels), num_classes = ledger.training(), len(ledger.classes)
    fits, available = can_fit(labels), ~setup.held
    available[list(ledger.skipped)] = False
    if fits:
        available[rows] = False
        key = jax.random.key(setup.seed)
        head = last_layer.fit(setup.maps, key, np.asarray(setup.rows[rows], np.float32), labels, num_classes)
    else:
        head = last_layer.first(setup.maps, num_classes)
    same = last is not None and int(last.place) == int(head.place)
    phi = last.phi if last is not None and same else last_layer.phi_of(setup.maps, head.place, setup.rows)
    counts = jnp.asarray(np.bincount(labels if fits else [], minlength=num_classes), jnp.int32)
    state = cycle.init(head.posterior, phi, jnp.asarray(available), counts)
    before = last.predicted if last is not None else None
    predicted = jnp.argmax(state.logits, axis=1) if fits else None
    model = Model(len(ledger.answers), head.place, head.ridge, phi, state, predicted, before, ())
    return model if fits else learn(setup, model, rows.tolist(), labels.tolist())


def learn(setup: Setup, model: Model, rows: list[int], labels: list[int]) -> Model:
    """The model after some more labels; an update each where the strategy has them."""
    state, change = model.state, list(model.change)
    size = 1 if len(rows) == 1 else BLOCK
    for start in range(0, len(rows), size):
        part = rows[start : start + size]
        padded = np.full(size, -1, np.int32)
        answers = np.full(size, -1, np.int32)
        padded[: len(part)], answers[: len(part)] = part, labels[start : start + size]
        along = foresee(setup, model, part[0]).ahead if size == 1 else None
        state, gained = _take_in(state, model.phi, padded, answers, along and along[1], setup.strategy.updates)
        change.append(gained[: len(part)])
    return model._replace(state=state, change=tuple(change), ahead=None)


def foresee(setup: Setup, model: Model, row: int) -> Model:
    """The model with what a label of a row needs of the whole pool, whatever the label is: phi cov phi_row."""
    if not setup.strategy.updates or (model.ahead is not None and model.ahead[0] == row):
        return model
    return model._replace(ahead=(row, _along(model.state.posterior.cov, model.phi, row)))


def _pass_over(model: Model, rows: tuple[int, ...]) -> Model:
    """The model once rows are not to be asked for any more."""
    return model._replace(state=model.state._replace(available=model.state.available.at[np.array(rows)].set(False)))


def pick(setup: Setup, model: Model, key: jax.Array, labels: dict[int, int], skipped: set[int], num: int) -> np.ndarray:
    """The next rows to ask for, those that lack a number left out.

    Before two classes have a label the pool is covered: the row farthest from all seen is asked for.
    """
    cold = _strategies.is_cold(setup.strategy, len(set(labels.values())))
    strategy = _strategies.parse("kcenter") if cold else setup.strategy
    known = Labelled(model.phi, *_no_labels(model.phi)) if strategy.utility else _known(model, labels, skipped, cold)
    indices, _ = _strategies.pick(strategy, model.state, key, setup.lam, known, num)
    found = np.asarray(indices)
    return found[found >= 0]


def _known(model: Model, labels: dict[int, int], skipped: set[int], cold: bool) -> Labelled:
    classes = np.full(len(model.phi), -1, np.int32)
    classes[list(labels)] = list(labels.values())
    seen = classes >= 0
    if cold:
        seen[list(skipped)] = True
    return Labelled(model.phi, jnp.asarray(classes), jnp.asarray(seen))


def _no_labels(phi: jax.Array) -> tuple[jax.Array, jax.Array]:
    """In the place of labels that nobody looks at."""
    return jnp.full(1, -1, jnp.int32), jnp.zeros(1, bool)


@jax.jit
def _along(cov: jax.Array, phi: jax.Array, row: jax.Array) -> jax.Array:
    """The pool along the column of a row, phi cov phi_row [N, 1]: the one pass over phi that a label costs."""
    return laplace.pool_dot(phi, dot(cov, phi[row])[:, None])


@partial(jax.jit, static_argnames="updating")
def _take_in(
    state: PoolState, phi: jax.Array, rows: jax.Array, labels: jax.Array, along: jax.Array | None, updating: bool
) -> tuple[PoolState, jax.Array]:
    """The state after some labels [n], -1 for padding, and the KL of each; a row passed over before is taken in too.

    Of a single row, the pool along its column is known.
    """
    available = state.available.at[jnp.where(rows >= 0, rows, len(phi))].set(True, mode="drop")
    state = state._replace(available=available)
    if not updating:
        return cycle.count(state, rows, labels), jnp.zeros(len(rows))
    given = jnp.where((rows >= 0)[:, None], phi[rows], 0.0)
    posterior, gains = updates.update_many(state.posterior, given, jnp.where(rows >= 0, labels, 0), implicit=True)
    change = jax.vmap(stopping.gain_kl)(gains, given)[0]
    if along is None:
        return cycle.update(state, phi, rows, labels, implicit=True), change
    logits, variance = updates.refresh_along(state.logits, state.variance, along, gains)
    counted = cycle.count(state, rows, labels)
    return counted._replace(posterior=posterior, logits=logits, variance=variance), change
