"""What Label Studio talks to: it tells every answer, and asks for predictions; the session decides what comes next."""

import hmac
import threading
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from flask import Flask, abort, request

from experiments.label import fits
from experiments.label.begin import Begun
from experiments.label.studio.project import ACTIONS, VERSION, Guess, Project, row_of

AHEAD = 3  # rows that wait in Label Studio's queue, for whoever is faster than the model
GUESSES = f"{VERSION}-guess"  # version of predictions that are asked for, which the queue does not look at
LARGEST = 1 << 24  # bytes of a request
WRONG = (ValueError, KeyError, TypeError, AttributeError)  # what a request that is none of Label Studio's ends in


class Backend:
    """A session whose questions are shown by Label Studio; every call may come from another thread."""

    def __init__(self, begun: Begun, project: Project, who: str = "") -> None:
        """Takes a session with a journal; `catch_up` comes first."""
        self._session, self._table, self._num_rows = begun.session, begun.table, begun.size[0]
        self._project, self._who = project, who
        self._lock, self._due = threading.RLock(), threading.Event()
        self._session.fits_later = True

    def catch_up(self) -> int:
        """Takes in what was answered in Label Studio while nobody was listening; how many answers that was.

        Raises:
          ValueError: the project's tasks are not the rows of the pool.
        """
        found = [(row, self._project.controls.choice(one)) for row, one in self._project.annotations()]
        self._project.check_rows(self._num_rows)
        return sum(self._take(row, choice) for row, choice in dict(found).items())

    def take(self, event: Mapping[str, Any]) -> bool:
        """Takes in an event of Label Studio; it is in the journal when this returns.

        Returns:
          whether it changed anything.

        Raises:
          ValueError, OSError: it cannot be; nothing was taken in, or the journal has it and the file could not follow.
        """
        if event.get("action") not in ACTIONS:
            return False
        row, choice = row_of(event["task"]), self._project.controls.choice(event["annotation"])
        changed = self._take(row, choice)
        if changed:
            self._due.set()
        return changed

    def _take(self, row: int, choice: str | None) -> bool:
        """A choice, or None for a row that was skipped."""
        with self._lock:
            session, known = self._session, self._session.labels.get(row)
            before = len(session.history)
            if choice is None:
                if known is None:
                    session.skip(row, who=self._who)
            elif choice != known:
                self._table.check()
                if choice not in session.classes:
                    session.add_class(choice, who=self._who)
                (session.tell if known is None else session.relabel)(row, choice, who=self._who)
                self._table.write(session.labels)
            return len(session.history) > before

    def predict(self, tasks: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """What the model says of some tasks, in the form that Label Studio asks for."""
        controls = self._project.controls
        with self._lock:
            guesses = self._guesses([row_of(task) for task in tasks])
        return [
            {"result": controls.result(one.choice, one.chance), "score": one.chance, "model_version": GUESSES}
            for one in guesses
        ]

    def queue(self) -> int:
        """Hands the next rows over, as the session has them now; how many there are."""
        with self._lock:
            guesses = self._guesses(self._session.ask(AHEAD).tolist())
        self._project.queue(guesses)
        return len(guesses)

    def work(self) -> None:
        """Keeps the queue and the head up to date; in a thread of its own, so that no answer waits for them."""
        while True:
            self._due.wait()
            self._due.clear()
            try:
                self.queue()
                fits.catch_up(self._session, self._lock, self.queue)
            except ValueError as error:
                print(f"the queue could not be handed over: {error}", flush=True)

    def _guesses(self, rows: list[int]) -> list[Guess]:
        if not rows:
            return []
        probs = self._session.predict_proba(rows)
        best = np.argmax(probs, axis=1)
        knows = bool(self._session.head[0])
        return [
            Guess(row, self._session.classes[place], float(chances[place]) if knows else None)
            for row, place, chances in zip(rows, best, probs, strict=True)
        ]


def app(backend: Backend, token: str) -> Flask:
    """The application that Label Studio knows as a machine-learning backend and as a webhook.

    Args:
      backend: that it stands for.
      token: the first part of every path; whoever does not know it gets a 404.
    """
    made = Flask(__name__, static_folder=None)
    made.config.update(MAX_CONTENT_LENGTH=LARGEST)

    @made.before_request
    def know_the_token() -> None:
        given = str((request.view_args or {}).pop("given", ""))
        if not hmac.compare_digest(given.encode(), token.encode()):
            abort(404)

    @made.get("/<given>/health")
    def health() -> dict[str, str]:
        return {"status": "UP", "model_class": VERSION}

    @made.post("/<given>/setup")
    def setup() -> dict[str, str]:
        return {"model_version": GUESSES}

    @made.get("/<given>/versions")
    def versions() -> dict[str, list[str]]:
        return {"versions": [GUESSES]}

    @made.post("/<given>/predict")
    def predict() -> Any:
        try:
            return {"results": backend.predict(request.get_json()["tasks"])}
        except WRONG as error:
            return {"error": repr(error)}, 400

    @made.post("/<given>/webhook")
    def webhook() -> Any:
        try:
            return {"changed": backend.take(request.get_json())}
        except (*WRONG, OSError) as error:
            print(f"an answer could not be taken in: {error!r}", flush=True)
            return {"error": repr(error)}, 400

    return made
