"""The session itself: an answer is checked, then written to the journal, then taken in."""

import copy
import datetime
import math
import pathlib
from collections.abc import Iterable
from typing import Any

import jax
import numpy as np

from alfamous_jax import _saved
from alfamous_jax.estimate import Estimate
from alfamous_jax.session import _checks, _fits, _keep, _model, _rows, _settings, _views
from alfamous_jax.session._fits import Kept
from alfamous_jax.session._journal import VERSION, Journal
from alfamous_jax.session._ledger import Answer, Ledger, can_fit, is_due
from alfamous_jax.session._model import Model, Setup
from alfamous_jax.session._settings import Settings
from alfamous_jax.session._views import Progress


class Session:
    """Somebody labels a pool row by row: what to ask, what was answered, what the head makes of it.

    A host-side object round the pure functions: all that it knows follows from the rows, the settings and the list of
    answers, so that every answer can be taken back. An answer is taken in by one pass over the pool. A fit, every
    `retrain_every` labels, chooses map and ridge anew and takes longer.

    Where nobody may wait for it, `fits_later` lets questions go on with the head as it is, and a thread fits a copy:
    `as_of` makes one, asking it for its `head` fits it, `catch_up` takes the result in.
    """

    fits_later: bool = False

    _about: Settings
    _path: str  # of the pool, if it is a file
    _setup: Setup
    _fixed: int  # answers that were there from the start
    _ledger: Ledger
    _asked: dict[int, float]  # rows asked for, with their probability
    _kept: Kept  # models
    _journal: Journal | None

    def __init__(
        self,
        features: Any,
        classes: Any = None,
        strategy: str = "margin-alfamous",
        labels: Any = None,
        seed: int = 0,
        *,
        lam: float | None = None,
        retrain_every: int = 25,
        audit: float = 0.0,
        journal: str | pathlib.Path | None = None,
    ) -> None:
        """Begins a session, or goes on with that of the journal.

        Until two classes have a label a strategy has nothing to rank by, and the row farthest from all those seen is
        asked for.

        Args:
          features: the pool, rows of numbers [N, H] of any library, or the path of an `.npy` file, which stays where it
            is. phi, [N, D] in float32 with D = max(H + 1, 512), is held in memory.
          classes: names, also of classes without a label; or their number; None takes those of the labels.
          strategy: a name as in the experiments; of those that rank by a last layer, all.
          labels: known from the start: {row: label}, or one for each row, None, NaN or "" where there is none.
          seed: of all that is drawn.
          lam: how much the balance of the classes counts; None is 0.1, and 0.5 for those that
            go by distances.
          retrain_every: labels after which the head is fitted anew, 0 for never by itself.
          audit: share of the rows without a label that is set aside to estimate how good the head is (`ask_audit`).
          journal: a file that every answer is in before `tell` returns; one that is there is gone through first.

        Raises:
          FileNotFoundError, ValueError: one line that names what is wrong, before anything is written.
        """
        rows = _rows.take_rows(features)
        about = _settings.check(rows, classes, labels, strategy, seed, lam, retrain_every, audit)
        self._begin(rows, about, _rows.path_of(features))
        if journal is not None:
            self._journal = Journal(pathlib.Path(journal))
            said = self._journal.read(about._asdict())
            self._ledger = _keep.replay(str(journal), said, self._ledger, self._setup, self._fixed)
            self._fit_if_due()

    # What comes next

    def ask(self, n: int = 1) -> np.ndarray:
        """The next rows to label, the most wanted first; the same ones until something is answered.

        Args:
          n: how many; another number compiles anew.

        Returns:
          row numbers, fewer than n where the pool runs out.
        """
        setup, ledger = self._setup, self._ledger
        num = min(_checks.number("n", n), len(setup.rows))
        key = jax.random.fold_in(jax.random.key(setup.seed), len(ledger.labels) + len(ledger.skipped))
        found = _model.pick(setup, self._current(), key, ledger.labels, ledger.skipped, num)
        self._asked |= dict(zip(found.tolist(), _keep.chances(setup, ledger, len(found)), strict=True))
        return found

    def ask_audit(self, n: int = 1) -> np.ndarray:
        """Rows of the part set aside, drawn with known probability, more often where the head is unsure.

        No fit sees their labels. A draw is kept in the history: rows drawn before and not answered yet come first.

        Args:
          n: how many.

        Raises:
          ValueError: nothing is set aside.
        """
        num = _checks.number("n", n)
        if not self._setup.held.any():
            raise ValueError("ask_audit: no rows are set aside, begin the session with audit=0.1 or the like")
        answered = self._ledger.labels.keys() | self._ledger.skipped
        waiting = [row for row in self._ledger.drawn if row not in answered]
        if len(waiting) < num:
            rows, chances = _views.draw(self._setup, self._current(), self._ledger, num - len(waiting))
            if rows:
                self._add("audit", rows, chances=chances)
            waiting += rows
        return np.array(waiting[:num], np.int64)

    def foresee(self, row: int) -> None:
        """Takes the pass over the pool that an answer to a row needs whatever it is, while somebody still thinks.

        The model after the answer is the same to the bit; without this `ask` takes the pass.

        Raises:
          ValueError: a row that is not there.
        """
        (number,) = _rows.check_rows([row], len(self._setup.rows))
        self._kept = self._kept._replace(model=_model.foresee(self._setup, self._current(), number))

    # What was answered

    def tell(self, rows: Any, labels: Any, who: str = "") -> None:
        """Takes in labels; the head is fitted anew where that is due.

        Args:
          rows: one, or some; they need not have been asked for. A row that was skipped may be labelled after all.
          labels: a class each. The same label again changes nothing.
          who: gave them.

        Raises:
          ValueError: a row that is not there, a class that is not (`add_class`), or a row with another label
            (`relabel`); nothing is then taken in.
        """
        fresh = _checks.to_tell(self._setup, self._ledger, rows, labels)
        if fresh:
            self._add("label", fresh, fresh.values(), map(self._chance, fresh), who)
            self._fit_if_due()

    def skip(self, rows: Any, who: str = "") -> None:
        """Says that rows cannot be labelled: they are not asked for again.

        Raises:
          ValueError: a row that is not there, or that has a label.
        """
        fresh = _checks.to_skip(self._setup, self._ledger, rows)
        if fresh:
            self._add("skip", fresh, chances=map(self._chance, fresh), who=who)

    def relabel(self, rows: Any, labels: Any, who: str = "") -> None:
        """Changes labels given before; the head is fitted anew, as no update takes a label back.

        Raises:
          ValueError: a row without a label, or a class that is not there.
        """
        changed = _checks.to_relabel(self._setup, self._ledger, rows, labels)
        if changed:
            self._add("relabel", changed, changed.values(), [math.nan] * len(changed), who)

    def add_class(self, name: Any, who: str = "") -> None:
        """A class that nobody had thought of; everything is compiled anew for K + 1 classes.

        Raises:
          ValueError: it is there already, or no name.
        """
        self._add("class", labels=[_checks.to_add(self._ledger, name)], who=who)

    def undo(self, steps: int = 1) -> None:
        """Takes back the last calls of tell, skip, relabel and add_class that changed something.

        The next question is then what it was before them. Rows drawn for the audit stay drawn.

        Raises:
          ValueError: there were fewer.
        """
        left, cut = self._ledger.without(_checks.number("steps", steps), self._fixed)
        if self._journal:
            self._journal.add({"undo": int(steps)})
        self._ledger = _keep.ledger_of(self._ledger.first, left, self._fixed)
        self._kept = _fits.cut(self._kept, cut)

    def retrain(self) -> None:
        """Fits the head anew to all labels: map, ridge and exact weights, chosen by the labels alone.

        Raises:
          ValueError: not two classes have a label.
        """
        if not can_fit(self._ledger.training()[1]):
            raise ValueError("retrain: needs labels of two classes")
        self._add("retrain")

    # What it makes of it

    def as_of(self, num_answers: int) -> "Session":
        """This session as it was after the first entries of its history, without a journal.

        Args:
          num_answers: entries of the history; the labels that were there from the start are always in.

        Raises:
          ValueError: the history has fewer.
        """
        if not self._fixed <= num_answers <= len(self._ledger.answers):
            fewest, most = self._fixed, len(self._ledger.answers)
            raise ValueError(f"num_answers must be a whole number from {fewest} to {most}, got {num_answers!r}")
        past = copy.copy(self)
        past._ledger = _keep.ledger_of(self._ledger.first, self._ledger.answers[:num_answers], self._fixed)
        past._asked, past._journal, past.fits_later = {}, None, False
        past._kept = _fits.to_fit(self._kept, num_answers, self._waiting())
        return past

    @property
    def is_behind(self) -> bool:
        """Whether a fit was put off that is not caught up with yet."""
        return self._waiting() is not None

    def catch_up(self, past: "Session | None" = None) -> None:
        """Fits what was put off.

        Args:
          past: a copy of `as_of`, made since the fit was put off, that has been asked for its head; None fits here and
            now. What was answered since it was made is taken in on top of its head. If answers that it has were taken
            back since, nothing happens.
        """
        past = past or self.as_of(len(self._ledger.answers))
        if _fits.fits_on(self._waiting(), past._ledger.answers, self._ledger.answers):
            self._kept = Kept(past._current(), base=past._kept.base)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names, in the order of the columns of `predict_proba`."""
        return tuple(self._ledger.classes)

    @property
    def labels(self) -> dict[int, str]:
        """All labels as they now are, in the order in which the rows came."""
        return _checks.names_of(self._ledger)

    @property
    def counts(self) -> dict[str, int]:
        """Labels of each class, those of the audit among them."""
        found = np.bincount(np.array(list(self._ledger.labels.values()), np.int64), minlength=len(self.classes))
        return dict(zip(self.classes, map(int, found), strict=True))

    @property
    def history(self) -> tuple[Answer, ...]:
        """All answers in order: what, rows, labels, the probability with which each row was asked, who, when."""
        return tuple(self._ledger.answers)

    @property
    def head(self) -> tuple[str, float]:
        """Map and ridge of the head as last fitted, "" for the map before the first fit."""
        model = self._current()
        return _views.map_name(model), float(model.ridge)

    def predict_proba(self, rows: Any = None, *, features: Any = None) -> np.ndarray:
        """Class probabilities [n, K] of rows of the pool (None: all), or of other rows given as features [n, H]."""
        return _views.predict_proba(self._setup, self._current(), rows, features)

    def predict(self, rows: Any = None, *, features: Any = None) -> np.ndarray:
        """Names of the most probable classes [n], of the rows that `predict_proba` takes."""
        best = np.argmax(self.predict_proba(rows, features=features), axis=1)
        return np.array([self.classes[place] for place in best])

    def progress(self) -> Progress:
        """How much the last labels still changed; `stopping` says what the numbers are."""
        num_labels = len(self._ledger.training()[0])
        return _views.progress(self._current(), num_labels, self._ledger.classes)

    def estimate(self) -> Estimate:
        """Accuracy, recall of each class and macro F1 on the part set aside, from the rows drawn of it.

        Raises:
          ValueError: no row drawn by `ask_audit` has been answered.
        """
        return _views.estimated(self._setup, self._current(), self._ledger)

    def save(self, path: str | pathlib.Path) -> None:
        """Writes the session to one `.npz` file, without the rows of the pool; whole or not at all."""
        if self.is_behind:
            self.catch_up()
        arrays = _keep.arrays_of(self._current())
        answers = [answer.to_json() for answer in self._ledger.answers]
        about = {"settings": self._about._asdict(), "features": self._path, "answers": answers}
        _saved.write(path, VERSION, about, arrays)

    @classmethod
    def load(
        cls, path: str | pathlib.Path, features: Any = None, *, journal: str | pathlib.Path | None = None
    ) -> "Session":
        """The session that `save` wrote, every number as it was.

        Args:
          path: of the file.
          features: the pool; None takes the `.npy` file that the session was begun with.
          journal: a file for the answers from here on; a new one, which begins with those that are saved.

        Raises:
          FileNotFoundError, ValueError: no such file, a damaged one, or other rows than those of the session.
        """
        about, answers, arrays, place = _keep.read(pathlib.Path(path))
        rows = _keep.rows_of(str(path), about, place if features is None else features)
        session = cls.__new__(cls)
        session._begin(rows, about, place if features is None else _rows.path_of(features))
        session._ledger = _keep.ledger_of(about.classes, answers, session._fixed)
        session._kept = Kept(_keep.model_of(str(path), session._setup, arrays, len(answers)))
        if journal is not None:
            session._journal = _keep.copied(pathlib.Path(journal), about, answers[session._fixed :])
        return session

    # Inside

    def _begin(self, rows: np.ndarray, about: Settings, path: str) -> None:
        """As if nothing had been answered yet."""
        self._about, self._path = about, path
        self._setup = _keep.setup_of(rows, about)
        given = [(int(row), str(name)) for row, name in about.labels]
        rows_of, names_of = tuple(row for row, _ in given), tuple(name for _, name in given)
        first = [Answer("label", rows_of, names_of, (math.nan,) * len(given))] if given else []
        self._fixed = len(first)
        self._ledger = _keep.ledger_of(about.classes, first, self._fixed)
        self._asked, self._journal = {}, None
        self._kept = Kept()

    def _waiting(self) -> int | None:
        """The place of the first fit that waits."""
        return _fits.waiting(self._kept, self._setup, self._ledger, self.fits_later)

    def _current(self) -> Model:
        """The model of all answers so far, but for a fit that waits."""
        self._kept = _fits.follow(self._kept, self._setup, self._ledger, self._fixed, self.fits_later)
        assert self._kept.model is not None
        return self._kept.model

    def _add(
        self,
        what: str,
        rows: Iterable[int] = (),
        labels: Iterable[str] = (),
        chances: Iterable[float] = (),
        who: str = "",
    ) -> None:
        """Into the journal first: what is there was answered, whatever happens next."""
        when = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        answer = Answer(what, tuple(rows), tuple(labels), tuple(chances), str(who), when)
        if self._journal:
            self._journal.add(answer.to_json())
        self._ledger.add(answer)

    def _fit_if_due(self) -> None:
        if is_due(self._ledger, self._about.retrain_every, self._setup.strategy.updates):
            self._add("retrain")

    def _chance(self, row: int) -> float:
        """With what probability a row was asked for."""
        return self._ledger.drawn.get(row, self._asked.get(row, math.nan))
