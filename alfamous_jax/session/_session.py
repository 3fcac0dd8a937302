"""The session itself: what can be asked, said and seen; every answer is checked before anything is changed."""

import math
import pathlib
from typing import Any

import jax
import numpy as np

from alfamous_jax.estimate import Estimate
from alfamous_jax.session import _checks, _keep, _questions, _rows, _settings, _views
from alfamous_jax.session._ledger import Answer
from alfamous_jax.session._record import Record
from alfamous_jax.session._views import Progress


class Session:
    """Somebody labels a pool row by row: what to ask, what was answered, what the head makes of it.

    A host-side object round the pure functions: all that it knows follows from the rows, the settings and the list of
    answers, so that every answer can be taken back. An answer is taken in by one pass over the pool. A fit, every
    `retrain_every` labels, chooses map and ridge anew and takes longer.

    Where nobody may wait for it, `fits_later` lets questions go on with the head as it is, and a thread fits a copy:
    `as_of` makes one, asking it for its `head` fits it, `catch_up` takes the result in.
    """

    _record: Record

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
          lam: how much the balance of the classes counts; None is 0.1, and 0.5 for those that go by distances, times
            `balance.shrinkage` of the labels known, so that classes that are even are left alone.
          retrain_every: labels after which the head is fitted anew, 0 for never by itself.
          audit: share of the rows without a label that is set aside to estimate how good the head is (`ask_audit`).
          journal: a file that every answer is in before `tell` returns; one that is there is gone through first.

        Raises:
          FileNotFoundError, ValueError: one line that names what is wrong, before anything is written.
        """
        rows = _rows.take_rows(features)
        about = _settings.check(rows, classes, labels, strategy, seed, lam, retrain_every, audit)
        self._record = Record(rows, about, _rows.path_of(features))
        if journal is not None:
            self._record.go_on(pathlib.Path(journal))

    # What comes next

    def ask(self, n: int = 1) -> np.ndarray:
        """The next rows to label, the most wanted first; the same ones until something is answered.

        Args:
          n: how many; another number compiles anew.

        Returns:
          row numbers, fewer than n where the pool runs out.
        """
        return _questions.following(self._record, _checks.number("n", n))

    def ask_audit(self, n: int = 1) -> np.ndarray:
        """Rows of the part set aside, drawn with known probability, more often where the head is unsure.

        No fit sees their labels. A draw is kept in the history: rows drawn before and not answered yet come first.

        Args:
          n: how many.

        Raises:
          ValueError: nothing is set aside.
        """
        return _questions.of_audit(self._record, _checks.number("n", n))

    def foresee(self, row: int) -> None:
        """Takes the pass over the pool that an answer to a row needs whatever it is, while somebody still thinks.

        The model after the answer is the same to the bit; without this `ask` takes the pass.

        Raises:
          ValueError: a row that is not there.
        """
        (number,) = _rows.check_rows([row], len(self._record.setup.rows))
        self._record.foresee(number)

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
        fresh = _checks.to_tell(self._record.setup, self._record.ledger, rows, labels)
        if fresh:
            self._record.add("label", fresh, fresh.values(), who=who)
            self._record.fit_if_due()

    def skip(self, rows: Any, who: str = "") -> None:
        """Says that rows cannot be labelled: they are not asked for again.

        Raises:
          ValueError: a row that is not there, or that has a label.
        """
        fresh = _checks.to_skip(self._record.setup, self._record.ledger, rows)
        if fresh:
            self._record.add("skip", fresh, who=who)

    def relabel(self, rows: Any, labels: Any, who: str = "") -> None:
        """Changes labels given before; the head is fitted anew, as no update takes a label back.

        Raises:
          ValueError: a row without a label, or a class that is not there.
        """
        changed = _checks.to_relabel(self._record.setup, self._record.ledger, rows, labels)
        if changed:
            self._record.add("relabel", changed, changed.values(), [math.nan] * len(changed), who)

    def add_class(self, name: Any, who: str = "") -> None:
        """A class that nobody had thought of; everything is compiled anew for K + 1 classes.

        Raises:
          ValueError: it is there already, or no name.
        """
        self._record.add("class", labels=[_checks.to_add(self._record.ledger, name)], who=who)

    def undo(self, steps: int = 1) -> None:
        """Takes back the last calls of tell, skip, relabel and add_class that changed something.

        The next question is then what it was before them. Rows drawn for the audit stay drawn.

        Raises:
          ValueError: there were fewer.
        """
        self._record.take_back(_checks.number("steps", steps))

    def retrain(self) -> None:
        """Fits the head anew to all labels: map, ridge and exact weights, chosen by the labels alone.

        Raises:
          ValueError: not two classes have a label.
        """
        _checks.to_fit(self._record.ledger)
        self._record.add("retrain")

    # What it makes of it

    def as_of(self, num_answers: int) -> "Session":
        """This session as it was after the first entries of its history, without a journal.

        Args:
          num_answers: entries of the history; the labels that were there from the start are always in.

        Raises:
          ValueError: the history has fewer.
        """
        return self._over(self._record.as_of(num_answers))

    @property
    def fits_later(self) -> bool:
        """Whether a fit that is due by the number of labels is put off until `catch_up`."""
        return self._record.later

    @fits_later.setter
    def fits_later(self, later: bool) -> None:
        self._record.later = later

    @property
    def is_behind(self) -> bool:
        """Whether a fit was put off that is not caught up with yet."""
        return self._record.waiting() is not None

    def catch_up(self, past: "Session | None" = None) -> None:
        """Fits what was put off.

        Args:
          past: a copy of `as_of`, made since the fit was put off, that has been asked for its head; None fits here and
            now. What was answered since it was made is taken in on top of its head. If answers that it has were taken
            back since, nothing happens.
        """
        self._record.catch_up((past or self.as_of(len(self._record.ledger.answers)))._record)

    @property
    def classes(self) -> tuple[str, ...]:
        """Names, in the order of the columns of `predict_proba`."""
        return tuple(self._record.ledger.classes)

    @property
    def labels(self) -> dict[int, str]:
        """All labels as they now are, in the order in which the rows came."""
        return _checks.names_of(self._record.ledger)

    @property
    def counts(self) -> dict[str, int]:
        """Labels of each class, those of the audit among them."""
        return self._record.ledger.counts()

    @property
    def history(self) -> tuple[Answer, ...]:
        """All answers in order: what, rows, labels, the probability with which each row was asked, who, when."""
        return tuple(self._record.ledger.answers)

    @property
    def head(self) -> tuple[str, float]:
        """Map and ridge of the head as last fitted, "" for the map before the first fit; the pool is scored by it."""
        model = self._record.current()
        jax.block_until_ready((model.state, model.predicted))  # else whoever catches up with a copy waits for them
        return _views.map_name(model), float(model.ridge)

    def predict_proba(self, rows: Any = None, *, features: Any = None) -> np.ndarray:
        """Class probabilities [n, K] of rows of the pool (None: all), or of other rows given as features [n, H]."""
        return _views.predict_proba(self._record.setup, self._record.current(), rows, features)

    def predict(self, rows: Any = None, *, features: Any = None) -> np.ndarray:
        """Names of the most probable classes [n], of the rows that `predict_proba` takes."""
        best = np.argmax(self.predict_proba(rows, features=features), axis=1)
        return np.array([self.classes[place] for place in best])

    def progress(self) -> Progress:
        """How much the last labels still changed; `stopping` says what the numbers are."""
        return _views.progress(self._record.current(), self._record.ledger)

    def estimate(self) -> Estimate:
        """Accuracy, recall of each class and macro F1 on the part set aside, from the rows drawn of it.

        Raises:
          ValueError: no row drawn by `ask_audit` has been answered.
        """
        return _views.estimated(self._record.setup, self._record.current(), self._record.ledger)

    def save(self, path: str | pathlib.Path) -> None:
        """Writes the session to one `.npz` file, without the rows of the pool; whole or not at all."""
        if self.is_behind:
            self.catch_up()
        _keep.write(path, self._record)

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
        return cls._over(_keep.load(pathlib.Path(path), features, None if journal is None else pathlib.Path(journal)))

    @classmethod
    def _over(cls, record: Record) -> "Session":
        session = cls.__new__(cls)
        session._record = record
        return session
