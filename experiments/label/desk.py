"""Between a page and its session: one question at a time, answers taken in once, whichever tab they come from."""

import contextlib
import secrets
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np

from alfamous_jax.session import Answer, Session
from experiments.label import fits, scores
from experiments.label.scores import HeldOut, Point, Scores
from experiments.label.show import Content, Show
from experiments.label.table import Table

AUDIT_EVERY = 5  # one question of so many is of the audit
KEYS = 9  # answers with a key of their own
RECENT = 5  # answers that are shown again
AFTER_S = 0.05  # for the browser, which draws the question before anything else is computed
LONGEST = 100  # letters of the name of a class
UNDONE = ("label", "skip", "relabel", "class")


class Guess(NamedTuple):
    """An answer that has a key."""

    name: str
    chance: float | None  # None where the model is not asked, or knows nothing yet


class Count(NamedTuple):
    """Labels of a class."""

    name: str
    num: int
    is_short: bool  # has less than half of its fair share


class View(NamedTuple):
    """All that the page shows."""

    version: str
    row: int | None  # None once every row is answered
    is_audit: bool
    content: Content
    guesses: tuple[Guess, ...]
    counts: tuple[Count, ...]
    num_labels: int
    num_skipped: int
    num_rows: int
    points: list[Point]
    on_held_out: bool  # the points, or estimated from the audit; with neither there are none
    has_audit: bool
    advice: str
    recent: tuple[str, ...]
    can_undo: bool

    @property
    def fair_share(self) -> float:
        """Labels of a class if all had as many."""
        return self.num_labels / len(self.counts)


class Known(NamedTuple):
    """What follows from a session's history, gone through once."""

    labels: dict[int, str]
    steps: list[Answer]  # that undo takes back; labels that were there from the start have no time
    skipped: set[int]
    drawn: set[int]  # for the audit


class Desk:
    """A session, the file of its labels, and what is shown; every call may come from another thread."""

    def __init__(
        self, session: Session, table: Table, show: Show, held_out: HeldOut | None, size: tuple[int, float], who: str
    ) -> None:
        """Takes a session with a journal; `view` asks its first question.

        Args:
          session: as begun, or as it goes on.
          table: the file of its labels.
          show: how its rows are shown.
          held_out: rows that the learning curve is measured on; None leaves it to the audit.
          size: rows of the pool, and the share of them that is set aside for the audit.
          who: gives the answers, "" if nobody says.
        """
        self.images, self._show = show.images, show
        self._session, self._table, self._who = session, table, who
        self._num_rows, self._audit = size
        self._scores = Scores(held_out)
        self._lock, self._due = threading.RLock(), threading.Event()
        self._disk = ThreadPoolExecutor(1)  # waits for the disk
        self._start, self._changes = secrets.token_hex(4), 0
        self._view: View | None = None
        self._open: tuple[int | None, bool] | None = None  # the question, which stays until it is answered
        session.fits_later = True

    # What is seen

    def view(self) -> View:
        """The question that is open, and where the session stands."""
        with self._lock:
            self._view = self._view or self._look()
            return self._view

    def version(self) -> str:
        """Another one after every change."""
        return f"{self._start}-{self._changes}"

    # What is done

    def answer(self, row: int, name: str) -> str:
        """Gives a row its label.

        Returns:
          what was done, in words.

        Raises:
          ValueError, OSError: it cannot be; nothing was taken in, or the journal has it and the file could not follow.
        """
        with self._changing():
            before = self._session.labels.get(row)
            self._session.tell(row, name, who=self._who)
        return f"Row {row} was labelled “{name}” already." if before == name else f"Row {row}: {name}."

    def new_class(self, row: int, name: str) -> str:
        """A class that nobody had thought of, and the row as its first example."""
        name = " ".join(name.split())
        if not 0 < len(name) <= LONGEST or not name.isprintable():
            raise ValueError(f"A new class needs a name of up to {LONGEST} letters.")
        with self._changing():
            self._session.add_class(name, who=self._who)
            self._session.tell(row, name, who=self._who)
        return f"New class “{name}”, with row {row}."

    def skip(self, row: int) -> str:
        """Says that a row cannot be labelled."""
        with self._changing():
            self._session.skip(row, who=self._who)
        return f"Row {row} was skipped."

    def undo(self) -> str:
        """Takes the last answer back, of whatever kind; a new class together with its first row."""
        with self._changing():
            steps = _steps(self._session)
            if not steps:
                raise ValueError("There is nothing to take back.")
            with_class = [step.what for step in steps[-2:]] == ["class", "label"] and steps[-2].labels == steps[
                -1
            ].labels
            self._session.undo(2 if with_class else 1)
        return f"Taken back: {_told(steps[-1])}{' and the new class' if with_class else ''}."

    # Between two answers

    def work(self) -> None:
        """Fits and measures what is due, aside from the questions; in a thread of its own."""
        with self._lock:
            whole = self._session.as_of(len(self._session.history))
        for mark in scores.marks(whole):
            self.catch_up()
            self._scores.look_back(whole.as_of(mark))
            self._show_again()
        while True:
            self._foresee()
            self.catch_up()
            with self._lock:
                now = self._session.as_of(len(self._session.history))
            if self._scores.measure(now):
                self._show_again()
            self._due.wait()
            self._due.clear()
            time.sleep(AFTER_S)

    def catch_up(self) -> None:
        """Makes the fits that were put off, without keeping anybody waiting."""
        fits.catch_up(self._session, self._lock, self._with_another_head)

    def _with_another_head(self) -> None:
        self._foresee()
        self._show_again()

    def _foresee(self) -> None:
        """What can be known of the next model before the question that is open is answered."""
        with self._lock:
            row, is_audit = self._open or (None, True)
            if row is not None and not is_audit:
                self._session.foresee(row)

    def _show_again(self) -> None:
        """What is shown is another, but for the question that is open."""
        with self._lock:
            self._changes += 1
            self._view = None

    @contextlib.contextmanager
    def _changing(self) -> Iterator[None]:
        """One change at a time; the journal has it before the file, and the next question is found meanwhile."""
        with self._lock:
            self._table.check()
            try:
                yield
            finally:
                self._open = None
                self._show_again()
            written = self._disk.submit(self._table.write, self._session.labels)
            try:
                self.view()
            finally:
                written.result()
            self._due.set()

    def _look(self) -> View:
        known, counts = _known(self._session), self._session.counts
        self._open = self._open or self._question(known)
        row, is_audit = self._open
        fair = len(known.labels) / len(counts)
        return View(
            self.version(),
            row,
            is_audit,
            Content() if row is None else self._show.content(row),
            () if row is None else self._guesses(row, is_audit),
            tuple(Count(name, num, num < fair / 2) for name, num in counts.items()),
            len(known.labels),
            len(known.skipped),
            self._num_rows,
            self._scores.points,
            self._scores.held_out is not None,
            self._audit > 0,
            scores.advice(self._scores, counts),
            tuple(_told(step) for step in known.steps[: -RECENT - 1 : -1]),
            bool(known.steps),
        )

    def _question(self, known: Known) -> tuple[int | None, bool]:
        """The row that is open and whether it is of the audit, which follows from the answers alone."""
        answered = sum(len(step.rows) for step in known.steps if step.what in ("label", "skip"))
        judged = len(known.drawn & (known.labels.keys() | known.skipped))
        rows, is_audit = np.zeros(0, np.int64), False
        if self._audit and judged < answered // AUDIT_EVERY:
            rows, is_audit = self._session.ask_audit(), True
        if not len(rows):
            rows, is_audit = self._session.ask(), False
        if self._audit and not len(rows):
            rows, is_audit = self._session.ask_audit(), True
        return (int(rows[0]), is_audit) if len(rows) else (None, False)

    def _guesses(self, row: int, is_audit: bool) -> tuple[Guess, ...]:
        """Answers for the keys: few classes in their order, of many the most probable, the first one first.

        In an audit the person is to judge alone: no probabilities, and candidates in the order of the classes.
        """
        classes = self._session.classes
        chances = self._session.predict_proba([row])[0] if self._session.head[0] else None
        places = np.arange(len(classes))
        if chances is not None and len(classes) > KEYS:
            places = np.argsort(-chances, kind="stable")
        places = np.sort(places[:KEYS]) if is_audit else places[:KEYS]
        told = chances is not None and not is_audit
        return tuple(Guess(classes[i], float(chances[i]) if told and chances is not None else None) for i in places)


def _known(session: Session) -> Known:
    history, labels = session.history, session.labels
    skipped = {row for answer in history if answer.what == "skip" for row in answer.rows}
    drawn = {row for answer in history if answer.what == "audit" for row in answer.rows}
    return Known(labels, _steps(session), skipped - labels.keys(), drawn)


def _steps(session: Session) -> list[Answer]:
    return [answer for answer in session.history if answer.what in UNDONE and answer.when]


def _told(answer: Answer) -> str:
    if answer.what == "class":
        return f"new class “{answer.labels[0]}”"
    rows = ", ".join(map(str, answer.rows))
    return f"row {rows} skipped" if answer.what == "skip" else f"row {rows} {answer.labels[0]}"
