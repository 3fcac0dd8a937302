"""The record of a session: rows, settings, answers, the journal that has them, and the model that follows from them.

What is added here was checked before, and is in the journal first: what is there was given, whatever happens next.
"""

import copy
import datetime
import math
import pathlib
from collections.abc import Iterable

import numpy as np

from alfamous_jax.session import _fits, _model, _replay
from alfamous_jax.session._fits import Kept
from alfamous_jax.session._journal import Journal
from alfamous_jax.session._ledger import Answer, Ledger, is_due
from alfamous_jax.session._model import Model
from alfamous_jax.session._settings import Settings


class Record:
    """A session's memory; the questions are asked elsewhere."""

    def __init__(self, rows: np.ndarray, about: Settings, path: str) -> None:
        """As if nothing had been answered yet, but for the labels known from the start.

        Args:
          rows: of the pool.
          about: settings that were checked.
          path: of the pool, if it is a file, else "".
        """
        self.about, self.path = about, path
        self.setup = _replay.setup_of(rows, about)
        given = [(int(row), str(name)) for row, name in about.labels]
        rows_of, names_of = tuple(row for row, _ in given), tuple(name for _, name in given)
        first = [Answer("label", rows_of, names_of, (math.nan,) * len(given))] if given else []
        self.fixed = len(first)  # answers that were there from the start
        self.ledger: Ledger = _replay.ledger_of(about.classes, first, self.fixed)
        self.asked: dict[int, float] = {}  # rows asked for, with their probability
        self.journal: Journal | None = None
        self.kept = Kept()
        self.later = False  # whether fits may wait

    def go_on(self, journal: pathlib.Path) -> None:
        """Takes in what a journal has, and writes to it from here on.

        Raises:
          ValueError: it is the journal of something else.
        """
        self.journal = Journal(journal)
        said = self.journal.read(self.about._asdict())
        self.ledger = _replay.replay(str(journal), said, self.ledger, self.setup, self.fixed)
        self.fit_if_due()

    def add(
        self,
        what: str,
        rows: Iterable[int] = (),
        labels: Iterable[str] = (),
        chances: Iterable[float] | None = None,
        who: str = "",
    ) -> None:
        """One more entry; without chances, those with which the rows were asked for."""
        rows = tuple(rows)
        odds = (
            [self.ledger.drawn.get(row, self.asked.get(row, math.nan)) for row in rows] if chances is None else chances
        )
        when = datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
        answer = Answer(what, rows, tuple(labels), tuple(odds), str(who), when)
        if self.journal:
            self.journal.add(answer.to_json())
        self.ledger.add(answer)

    def fit_if_due(self) -> None:
        """Notes a fit where so many labels have come."""
        if is_due(self.ledger, self.about.retrain_every, self.setup.strategy.updates):
            self.add("retrain")

    def take_back(self, steps: int) -> None:
        """The last answers; ValueError if there were fewer."""
        left, cut = self.ledger.without(steps, self.fixed)
        if self.journal:
            self.journal.add({"undo": steps})
        self.ledger = _replay.ledger_of(self.ledger.first, left, self.fixed)
        self.kept = _fits.cut(self.kept, cut)

    def current(self) -> Model:
        """The model of all answers so far, but for a fit that waits."""
        self.kept = _fits.follow(self.kept, self.setup, self.ledger, self.fixed, self.later)
        assert self.kept.model is not None
        return self.kept.model

    def foresee(self, row: int) -> None:
        """The pass over the pool that a label of a row costs."""
        model = _model.foresee(self.setup, self.current(), row)
        self.kept = self.kept._replace(model=model)  # of what is kept now, a fit that waits among it

    def waiting(self) -> int | None:
        """The place of the first fit that waits."""
        return _fits.waiting(self.kept, self.setup, self.ledger, self.later)

    def as_of(self, num_answers: int) -> "Record":
        """What was known after the first entries, without a journal; ValueError if there were fewer."""
        if not self.fixed <= num_answers <= len(self.ledger.answers):
            fewest, most = self.fixed, len(self.ledger.answers)
            raise ValueError(f"num_answers must be a whole number from {fewest} to {most}, got {num_answers!r}")
        past = copy.copy(self)
        past.ledger = _replay.ledger_of(self.ledger.first, self.ledger.answers[:num_answers], self.fixed)
        past.asked, past.journal, past.later = {}, None, False
        past.kept = _fits.to_fit(self.kept, num_answers, self.waiting())
        return past

    def catch_up(self, past: "Record") -> None:
        """Takes in the fits of a copy, unless answers that it has were taken back since."""
        if _fits.fits_on(self.waiting(), past.ledger.answers, self.ledger.answers):
            self.kept = Kept(past.current(), base=past.kept.base)
