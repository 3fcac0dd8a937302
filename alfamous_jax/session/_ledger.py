"""What was answered, in order, and what follows from it: labels, rows skipped, classes, rows drawn for the audit.

Everything that a session knows follows from its rows, its settings and this list.
"""

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

KINDS = ("label", "skip", "relabel", "class", "audit", "retrain")
ANSWERS = ("label", "skip", "relabel", "class")  # what `undo` takes back
FITS = ("retrain", "relabel", "class")  # after which the head is fitted anew


class Answer(NamedTuple):
    """One entry of a session's history."""

    what: str  # "label", "skip", "relabel", "class" (a new one), "audit" (rows drawn) or "retrain"
    rows: tuple[int, ...] = ()
    labels: tuple[str, ...] = ()  # names of classes
    probabilities: tuple[float, ...] = ()  # with which each row was asked for; NaN where nobody can say
    who: str = ""
    when: str = ""  # UTC, to the second

    def to_json(self) -> dict[str, Any]:
        """As plain values; NaN as null, which JSON has."""
        odds = [None if math.isnan(p) else p for p in self.probabilities]
        plain = {name: list(x) if isinstance(x, tuple) else x for name, x in self._asdict().items()}
        return plain | {"probabilities": odds}


class Ledger:
    """What follows from a list of answers, kept up as it grows."""

    def __init__(self, classes: Sequence[str], answers: Iterable[Answer] = ()) -> None:
        """From nothing.

        Args:
          classes: known from the start.
          answers: to go through at once.
        """
        self.first = tuple(classes)
        self.classes = list(classes)
        self.answers: list[Answer] = []
        self.labels: dict[int, int] = {}  # of rows, in the order in which they came
        self.skipped: set[int] = set()
        self.drawn: dict[int, float] = {}  # rows of the audit in the order drawn, with their probability
        self.since = 0  # labels to learn from since the last fit
        self.fitted = False  # whether two classes had a label then
        for answer in answers:
            self.add(answer)

    def add(self, answer: Answer) -> None:
        """Takes one more answer in, which was checked before."""
        self.answers.append(answer)
        if answer.what in ("label", "relabel"):
            for row, name in zip(answer.rows, answer.labels, strict=True):
                self.since += row not in self.drawn and row not in self.labels
                self.labels[row] = self.classes.index(name)
                self.skipped.discard(row)
        elif answer.what == "skip":
            self.skipped.update(answer.rows)
        elif answer.what == "class":
            self.classes += answer.labels
        elif answer.what == "audit":
            self.drawn |= dict(zip(answer.rows, answer.probabilities, strict=True))
        if answer.what in FITS:
            self.note_fit()

    def note_fit(self) -> None:
        """Counts from here."""
        self.since, self.fitted = 0, can_fit(self.training()[1])

    def without(self, steps: int, fixed: int) -> tuple[list[Answer], int]:
        """The answers but for the last `steps`; fits after them go too, draws of the audit stay.

        Args:
          steps: how many to take back.
          fixed: so many at the beginning stay in any case.

        Returns:
          what stays, and up to where it is as it was. ValueError if there are fewer.
        """
        places = [i for i, answer in enumerate(self.answers) if answer.what in ANSWERS and i >= fixed]
        if steps > len(places):
            raise ValueError(f"undo: steps must be at most {len(places)}, as many answers as there are, got {steps}")
        cut = places[-steps]
        return self.answers[:cut] + [answer for answer in self.answers[cut:] if answer.what == "audit"], cut

    def counts(self) -> dict[str, int]:
        """Labels of each class, those of the audit among them."""
        labels = np.array(list(self.labels.values()), np.int64)
        return dict(zip(self.classes, np.bincount(labels, minlength=len(self.classes)).tolist(), strict=True))

    def training(self) -> tuple[np.ndarray, np.ndarray]:
        """Rows and classes that the head may learn from [M] each: all labels but those of the audit."""
        pairs = [(row, label) for row, label in self.labels.items() if row not in self.drawn]
        found = np.array(pairs, np.int64).reshape(-1, 2)
        return found[:, 0], found[:, 1].astype(np.int32)


def can_fit(labels: np.ndarray) -> bool:
    """Whether two classes have a label."""
    return len(labels) > 0 and bool((labels != labels[0]).any())


def is_due(ledger: Ledger, retrain_every: int, updates: bool) -> bool:
    """Whether the head is to be fitted anew: after so many labels, and first as soon as it can be.

    Args:
      ledger: as it is.
      retrain_every: labels, or 0 for never; then a strategy without updates still needs a first fit.
      updates: whether labels move the posterior.
    """
    if not ledger.since or not (ledger.fitted or can_fit(ledger.training()[1])):
        return False
    if not ledger.fitted:
        return retrain_every > 0 or not updates
    return 0 < retrain_every <= ledger.since
