"""How good the model is while somebody labels: a learning curve, and whether labels still change anything.

Both are measured between two answers and are gone when the process ends; then they are measured again, from the
session as it was at some of its answers.
"""

import math
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np

from alfamous_jax import metrics
from alfamous_jax.session import Session

STEP = 5  # labels between two points
MOST_AGAIN = 8  # points measured again when a session goes on
FITS = ("retrain", "relabel", "class")  # of a history, after which predictions are compared
NEAR, IN_A_ROW = 0.95, 3  # agreement of every class that counts as settled, and at how many fits


class HeldOut(NamedTuple):
    """Rows with known labels that nobody is asked about."""

    rows: np.ndarray  # [n, H]
    labels: np.ndarray  # [n], names


class Point(NamedTuple):
    """Of a learning curve."""

    num_labels: int  # that the model has learnt from
    accuracy: float
    macro_f1: float
    low: float  # of macro F1, 95 %; NaN where it was not estimated
    high: float


class Fit(NamedTuple):
    """What `progress` said right after the head was fitted anew."""

    least: float  # agreement with the fit before, of the class that changed most
    name: str  # of that class, "" before the second fit
    missing: int  # classes that neither fit predicts for any row


def point(session: Session, held_out: HeldOut | None) -> Point | None:
    """The model's score now: on the held-out rows, else from the audit; None where neither says anything."""
    if not session.head[0]:
        return None
    num_labels = session.progress().num_labels
    if held_out is None:
        try:
            found = session.estimate()
        except ValueError:  # no row of the audit has an answer yet
            return None
        f1 = found.macro_f1
        return Point(num_labels, *(float(x) for x in (found.accuracy.value, f1.value, f1.low, f1.high)))
    classes = list(dict.fromkeys([*session.classes, *held_out.labels.tolist()]))
    places = {name: place for place, name in enumerate(classes)}
    predicted = np.argmax(session.predict_proba(features=held_out.rows), axis=1).astype(np.int32)
    truth = np.array([places[name] for name in held_out.labels.tolist()], np.int32)
    macro_f1 = float(metrics.macro_f1(jnp.asarray(truth), jnp.asarray(predicted), len(classes)))
    return Point(num_labels, float(np.mean(predicted == truth)), macro_f1, math.nan, math.nan)


def fit(session: Session) -> Fit:
    """How far the predictions of the last two fits agree."""
    progress = session.progress()
    known = {name: share for name, share in progress.agreement.items() if not math.isnan(share)}
    name = min(known, key=lambda name: known[name]) if known else ""
    return Fit(progress.least, name, len(progress.agreement) - len(known))


def num_fits(session: Session) -> int:
    """Times that the head was fitted so far."""
    return sum(answer.what in FITS for answer in session.history)


class Scores:
    """The points of a session so far, and what was seen at its fits."""

    def __init__(self, held_out: HeldOut | None) -> None:
        """Nothing is known yet."""
        self.held_out = held_out
        self._points: dict[int, Point] = {}  # by number of labels
        self._fits: dict[int, Fit] = {}  # by number of fits

    @property
    def points(self) -> list[Point]:
        """In the order of their labels."""
        return [self._points[num] for num in sorted(self._points)]

    @property
    def fits(self) -> list[Fit]:
        """In their order."""
        return [self._fits[num] for num in sorted(self._fits)]

    def measure(self, session: Session) -> bool:
        """Adds what is due after the last answer, and drops what an undo has taken back.

        Returns:
          whether anything has changed.
        """
        before = dict(self._points), dict(self._fits)
        fits, num_labels = num_fits(session), session.progress().num_labels
        if fits and fits not in self._fits:
            self._fits = {**self._fits, fits: fit(session)}
        if num_labels // STEP > max((num for num in self._points if num <= num_labels), default=0) // STEP or (
            self.held_out is None and num_labels in self._points
        ):
            self._add(point(session, self.held_out))
        self._points = {num: found for num, found in self._points.items() if num <= num_labels}
        self._fits = {num: found for num, found in self._fits.items() if num <= fits}
        return before != (self._points, self._fits)

    def look_back(self, past: Session) -> None:
        """Adds a point, and what is seen at a fit, of a session as it was right after an answer or a fit."""
        self._add(point(past, self.held_out))
        if past.history[-1].what in FITS:
            self._fits = {**self._fits, num_fits(past): fit(past)}

    def _add(self, found: Point | None) -> None:
        if found is not None and not math.isnan(found.macro_f1):
            self._points = {**self._points, found.num_labels: found}


def marks(session: Session) -> list[int]:
    """Where a session that goes on is measured again: some places of its history, those after the last fits among them.

    Returns:
      lengths of the history's beginning, rising.
    """
    history = session.history
    learnt, places, drawn = 0, [], {row for answer in history if answer.what == "audit" for row in answer.rows}
    for place, answer in enumerate(history, start=1):
        before = learnt
        learnt += sum(row not in drawn for row in answer.rows) if answer.what == "label" else 0
        if learnt // STEP > before // STEP and answer.when:
            places.append(place + (history[place : place + 1] != () and history[place].what == "retrain"))
    last = [place for place, answer in enumerate(history, start=1) if answer.what in FITS][-IN_A_ROW:]
    some = (
        [places[int(i)] for i in np.unique(np.linspace(0, len(places) - 1, MOST_AGAIN).astype(int))] if places else []
    )
    return sorted({*some, *last})


def advice(scores: Scores, counts: dict[str, int]) -> str:
    """What the stopping rule says: stop once the predictions of every class have settled, fit after fit."""
    fits, without = [found for found in scores.fits if found.name], sum(not num for num in counts.values())
    if without:
        return f"Go on: {without} of {len(counts)} classes have no label yet."
    if not fits:
        return "Go on: nothing can be said before the head was fitted twice, every 25 labels."
    last, recent = fits[-1], fits[-IN_A_ROW:]
    if last.missing:
        return f"Go on: {last.missing} of {len(counts)} classes are predicted for no row yet."
    if len(recent) < IN_A_ROW or min(found.least for found in recent) < NEAR:
        settled = len(_settled(fits))
        said = f"Predictions of “{last.name}” still changed most: the last two fits agree to {last.least:.0%}."
        return f"Go on. {said} Enough is {NEAR:.0%} at {IN_A_ROW} fits in a row; so far {settled}."
    return f"You can stop: at the last {IN_A_ROW} fits the predictions of every class agreed to {NEAR:.0%} or more."


def _settled(fits: list[Fit]) -> list[Fit]:
    """The fits at the end that changed little."""
    found: list[Fit] = []
    for one in reversed(fits):
        if one.least < NEAR:
            break
        found.append(one)
    return found
