"""A project of Label Studio by its HTTP API: which task is which row, what is labelled, and what it shows next.

Its queue goes by "uncertainty sampling": the task whose prediction, of the version that the project names, has the
lowest score. So the rows to ask for get predictions whose scores are their places, and nothing else has that version.
"""

import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple
from xml.etree import ElementTree

VERSION = "alfamous"  # of the predictions that the queue goes by
ACTIONS = ("ANNOTATION_CREATED", "ANNOTATION_UPDATED")
MARK = {"X-Sent-To": VERSION}  # of webhooks, to know them by
PAGE = 500  # tasks of one request
TIMEOUT_S = 60.0


class Controls(NamedTuple):
    """The question that every task is: one of some choices."""

    name: str
    to_name: str
    choices: tuple[str, ...]

    def result(self, choice: str, chance: float | None) -> list[dict[str, Any]]:
        """An answer as Label Studio writes it."""
        about = {} if chance is None else {"score": round(chance, 4)}
        value = {"choices": [choice]}
        return [{"from_name": self.name, "to_name": self.to_name, "type": "choices", "value": value, **about}]

    def choice(self, annotation: Mapping[str, Any]) -> str | None:
        """What an annotation says; None where it was skipped, or says nothing of this question."""
        for part in () if annotation.get("was_cancelled") else annotation.get("result") or ():
            if part.get("from_name") == self.name and part.get("value", {}).get("choices"):
                return str(part["value"]["choices"][0])
        return None


class Guess(NamedTuple):
    """What the model says of a row."""

    row: int
    choice: str
    chance: float | None


class Project:
    """One project; its tasks are told apart by the number of the row in their data."""

    def __init__(self, address: str, token: str, number: int) -> None:
        """Reads the project's question.

        Raises:
          ValueError: the server or the project cannot be had, or it asks for something other than choices.
        """
        self._address, self._token, self._number = address.rstrip("/"), token, number
        self._access = ""
        self.tasks: dict[int, int] = {}  # row -> task
        self.controls = _controls(str(self._call("GET", f"projects/{number}/")["label_config"]))
        left = self._call("GET", f"predictions/?project={number}")
        self._queued = [one["id"] for one in left if one["model_version"] == VERSION]

    def annotations(self) -> Iterator[tuple[int, Mapping[str, Any]]]:
        """Row and annotation of all tasks, the earliest first of each; takes down which task is which row.

        Raises:
          ValueError: a task without a row, or a row that is there twice.
        """
        page, seen, total = 0, 0, 1
        while seen < total:
            page += 1
            found = self._call("GET", f"tasks/?project={self._number}&fields=all&page={page}&page_size={PAGE}")
            total = int(found["total"])
            seen += len(found["tasks"]) or total
            for task in found["tasks"]:
                row = row_of(task)
                if self.tasks.setdefault(row, task["id"]) != task["id"]:
                    raise ValueError(f"row {row} is task {self.tasks[row]} and task {task['id']} of the project")
                for annotation in sorted(task.get("annotations") or (), key=lambda one: one["id"]):
                    yield row, annotation

    def check_rows(self, num_rows: int) -> None:
        """Refuses a project whose tasks, as `annotations` has found them, are not the rows of a pool.

        Raises:
          ValueError: a row without a task, which could never be answered, or a task without a row.
        """
        missing, strange = set(range(num_rows)) - self.tasks.keys(), self.tasks.keys() - set(range(num_rows))
        if missing or strange:
            which = f"row {min(missing)} has no task" if missing else f"row {min(strange)} is not in the pool"
            raise ValueError(
                f"project {self._number} must have a task for each of the {num_rows:,} rows, got {len(self.tasks):,}; "
                f"{which}: import the tasks that --tasks writes"
            )

    def follow(self, backend: str) -> None:
        """Asks Label Studio to go by this queue, which must not be empty, and to tell a backend of every answer.

        Args:
          backend: address of `backend.app`; what earlier starts left in the project is taken away.
        """
        for one in self._call("GET", f"webhooks/?project={self._number}"):
            if MARK.items() <= (one.get("headers") or {}).items():
                self._call("DELETE", f"webhooks/{one['id']}/")
        for one in self._call("GET", f"ml?project={self._number}"):
            if one["title"] == VERSION:
                self._call("DELETE", f"ml/{one['id']}")
        hook = {"project": self._number, "url": f"{backend}webhook", "send_payload": True, "actions": list(ACTIONS)}
        self._call("POST", "webhooks/", {**hook, "send_for_all_actions": False, "is_active": True, "headers": MARK})
        self._call("POST", "ml", {"project": self._number, "url": backend.rstrip("/"), "title": VERSION})
        # Last, as a backend of this title that is taken away takes the version with it.
        settings = {"sampling": "Uncertainty sampling", "model_version": VERSION, "show_collab_predictions": True}
        self._call("PATCH", f"projects/{self._number}/", settings)

    def queue(self, guesses: Sequence[Guess]) -> None:
        """Makes some rows the next tasks, the first one first; the queue before goes once the new one is there."""
        before = tuple(self._queued)
        for place, guess in enumerate(guesses):
            given = {"task": self.tasks[guess.row], "score": float(place), "model_version": VERSION}
            result = self.controls.result(guess.choice, guess.chance)
            self._queued.append(self._call("POST", "predictions/", {**given, "result": result})["id"])
        for number in before:
            self._queued.remove(number)
            self._call("DELETE", f"predictions/{number}/")

    def _call(self, method: str, path: str, body: Any = None) -> Any:
        for last in (False, True):
            try:
                return self._once(method, path, body)
            except urllib.error.HTTPError as error:
                if error.code == 401 and self._access and not last:
                    self._access = ""  # it has run out
                    continue
                if error.code == 404 and method == "DELETE":
                    return None  # somebody has taken it away
                said = " ".join(error.read(2000).decode(errors="replace").split())[:300]
                raise ValueError(f"{self._address}: {method} {path.partition('?')[0]}: {error.code} {said}") from None
            except (OSError, ValueError) as error:
                raise ValueError(f"{self._address}: {method} {path.partition('?')[0]}: {error}") from None
        return None

    def _once(self, method: str, path: str, body: Any) -> Any:
        if self._token.count(".") == 2 and not self._access:  # a personal token, which buys one for some minutes
            self._access = str(
                _send(f"{self._address}/api/token/refresh", "POST", {"refresh": self._token}, "")["access"]
            )
        header = f"Bearer {self._access}" if self._access else f"Token {self._token}"
        return _send(f"{self._address}/api/{path}", method, body, header)


def row_of(task: Mapping[str, Any]) -> int:
    """The row that a task is.

    Raises:
      ValueError: its data has none.
    """
    row = (task.get("data") or {}).get("row")
    if type(row) is not int or row < 0:
        raise ValueError(f'task {task.get("id")}: its data has no "row"; import the tasks that --tasks writes')
    return row


def _send(url: str, method: str, body: Any, authorization: str) -> Any:
    data = None if body is None else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"} | ({"Authorization": authorization} if authorization else {})
    request = urllib.request.Request(url, data, headers, method=method)
    with urllib.request.urlopen(request, timeout=TIMEOUT_S) as answer:
        text = answer.read()
    return json.loads(text) if text.strip() else None


def _controls(config: str) -> Controls:
    try:
        tree = ElementTree.fromstring(config)
    except ElementTree.ParseError as error:
        raise ValueError(f"the project's labelling interface cannot be read ({error})") from None
    found = [one for one in tree.iter("Choices") if one.get("choice", "single").startswith("single")]
    if len(found) != 1:
        raise ValueError(f"the project must ask one question of the kind Choices, with one answer; it has {len(found)}")
    choices = tuple(str(one.get("value")) for one in found[0].iter("Choice"))
    return Controls(str(found[0].get("name")), str(found[0].get("toName")), choices)
