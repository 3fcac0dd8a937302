"""The backend of Label Studio, against a server that keeps tasks, annotations and predictions as Label Studio does."""

import json
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from labelling import NAMES, POOL, ROWS, in_file, name, write
from narrow_heads import narrow  # noqa: F401  a fixture

from alfamous_jax.session import Session
from experiments.label.studio import __main__ as command
from experiments.label.studio import backend, project

pytestmark = pytest.mark.slow

CONFIG = command._interface(["text"], NAMES)
TOKEN = "a-secret"


class Studio(BaseHTTPRequestHandler):
    """What the backend asks of Label Studio, with the paths and answers of version 1.23."""

    def do_GET(self):
        path, query, at = urlsplit(self.path).path, parse_qs(urlsplit(self.path).query), self.server
        if path == "/api/projects/7/":
            return self.say({"label_config": at.config})
        if path == "/api/tasks/":
            page, size = int(query["page"][0]), int(query["page_size"][0])
            every = [{**task, "annotations": at.annotations.get(task["id"], [])} for task in at.tasks]
            return self.say({"tasks": every[(page - 1) * size : page * size], "total": len(every)})
        kinds = {"/api/predictions/": at.predictions, "/api/webhooks/": at.hooks, "/api/ml": at.ml}
        return self.say(list(kinds[path].values())) if path in kinds else self.say({"detail": "none"}, 404)

    def do_POST(self):
        body, at = json.loads(self.rfile.read(int(self.headers["Content-Length"]))), self.server
        if self.path == "/api/token/refresh":
            at.bought += 1
            return self.say({"access": f"access{at.bought}"})
        kinds = {"/api/predictions/": at.predictions, "/api/webhooks/": at.hooks, "/api/ml": at.ml}
        at.number += 1
        kinds[self.path][at.number] = body | {"id": at.number}
        return self.say({"id": at.number}, 201)

    def do_PATCH(self):
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if body["model_version"] not in [one["model_version"] for one in self.server.predictions.values()]:
            return self.say({"model_version": ["Model version doesn't exist"]}, 400)
        self.server.settings |= body
        return self.say({})

    def do_DELETE(self):
        _, _, kind, number, *_ = self.path.split("/")
        kinds = {"predictions": self.server.predictions, "webhooks": self.server.hooks, "ml": self.server.ml}
        gone = kinds[kind].pop(int(number), None)
        if gone is None:
            return self.say({"detail": "Not found."}, 404)
        if kind == "ml" and gone["title"] == self.server.settings.get("model_version"):
            self.server.settings["model_version"] = ""  # as Label Studio does
        self.send_response(204)
        self.end_headers()

    def say(self, value, status=200):
        if self.server.allowed and self.headers.get("Authorization", "") != self.server.allowed():
            status, value = (401, {"detail": "no"}) if "refresh" not in self.path else (status, value)
        text = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, *args):
        pass


@pytest.fixture
def studio():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Studio)
    server.tasks = [{"id": 100 + row, "data": {"row": row, "text": f"number {row}"}} for row in range(ROWS)]
    server.annotations, server.predictions, server.hooks, server.ml, server.settings = {}, {}, {}, {}, {}
    server.config = CONFIG
    server.number, server.bought, server.allowed = 1000, 0, None
    Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


def address(studio):
    return f"http://127.0.0.1:{studio.server_address[1]}"


def connect(studio, folder, token="0123"):
    arguments = [*write(folder)[:1], "--labels", str(folder / "labels.csv"), "--project", "7"]
    found = project.Project(address(studio), token, 7)
    begun = command.begin_over(command._parser().parse_args(arguments), found.controls.choices)
    return backend.Backend(begun, found, "ann"), begun.session


def annotation(number, choice, **more):
    result = [{"from_name": "class", "to_name": "text", "type": "choices", "value": {"choices": [choice]}}]
    return {"id": number, "result": result if choice else [], **more}


def event(studio, row, choice, action="ANNOTATION_CREATED", **more):
    studio.number += 1
    given = annotation(studio.number, choice, **more)
    studio.annotations.setdefault(100 + row, []).append(given)
    return {"action": action, "task": studio.tasks[row], "annotation": given}


def queued(studio):
    waiting = [one for one in studio.predictions.values() if one["model_version"] == project.VERSION]
    return [one["task"] - 100 for one in sorted(waiting, key=lambda one: one["score"])]


def test_the_queue_is_what_a_session_asks(studio, tmp_path):
    at, _ = connect(studio, tmp_path)
    assert at.catch_up() == 0
    at.queue()
    plain = Session(POOL, NAMES)
    plain.fits_later = True
    for _ in range(8):
        assert queued(studio) == plain.ask(backend.AHEAD).tolist()
        row = queued(studio)[0]
        assert at.take(event(studio, row, name(row)))
        plain.tell(row, name(row))
        at.queue()
    assert in_file(tmp_path) == plain.labels and len(studio.predictions) == backend.AHEAD
    shown = next(iter(studio.predictions.values()))["result"][0]
    assert (shown["from_name"], shown["to_name"], shown["type"]) == ("class", "text", "choices")
    assert shown["value"]["choices"][0] in NAMES


def test_what_was_answered_while_nobody_listened_is_taken_in_once(studio, tmp_path):
    at, session = connect(studio, tmp_path)
    at.catch_up()
    at.take(event(studio, 0, name(0)))
    event(studio, 1, name(1))
    event(studio, 2, NAMES[0])
    event(studio, 2, NAMES[1], action="ANNOTATION_UPDATED")
    event(studio, 3, "", was_cancelled=True)
    event(studio, 0, NAMES[2])
    again, session = connect(studio, tmp_path)
    assert again.catch_up() == 4  # rows 0, changed, 1, 2 and 3
    assert session.labels == {0: NAMES[2], 1: name(1), 2: NAMES[1]} == in_file(tmp_path)
    assert 3 not in session.ask(ROWS).tolist()
    third, _ = connect(studio, tmp_path)
    assert third.catch_up() == 0


def test_a_queue_that_was_taken_away_or_half_handed_over_leaves_nothing_behind(studio, tmp_path):
    at, _ = connect(studio, tmp_path)
    at.catch_up()
    assert at.queue() == backend.AHEAD
    before = queued(studio)
    studio.predictions.clear()  # by somebody else
    at.queue()
    assert queued(studio) == before
    task = at._project.tasks.pop(before[-1])  # so that the last one cannot be handed over
    with pytest.raises(KeyError):
        at.queue()
    at._project.tasks[before[-1]] = task
    at.queue()
    assert queued(studio) == before


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (range(ROWS - 1), f"must have a task for each of the {ROWS} rows, got {ROWS - 1}; row {ROWS - 1} has no task"),
        (range(ROWS + 1), f"got {ROWS + 1}; row {ROWS} is not in the pool: import the tasks"),
    ],
)
def test_a_project_over_other_rows_is_refused_before_an_answer_is_taken(studio, tmp_path, rows, message):
    studio.tasks = [{"id": 100 + row, "data": {"row": row}} for row in rows]
    event(studio, 0, name(0))
    at, session = connect(studio, tmp_path)
    with pytest.raises(ValueError, match=re.escape(message)):
        at.catch_up()
    assert session.labels == {}


def test_events(studio, tmp_path):
    at, session = connect(studio, tmp_path)
    at.catch_up()
    assert not at.take({"action": "TASKS_CREATED"})
    assert at.take(event(studio, 5, "a new one")) and session.classes == (*NAMES, "a new one")
    assert not at.take(event(studio, 5, "a new one"))
    assert at.take(event(studio, 5, NAMES[0], action="ANNOTATION_UPDATED")) and session.labels[5] == NAMES[0]
    assert at.take(event(studio, 6, "", was_cancelled=True)) and not at.take(event(studio, 5, "", was_cancelled=True))
    with pytest.raises(ValueError, match='task 9: its data has no "row"; import the tasks that --tasks writes'):
        at.take({"action": "ANNOTATION_CREATED", "task": {"id": 9, "data": {}}, "annotation": annotation(1, "x")})
    assert session.labels == {5: NAMES[0]} == in_file(tmp_path)
    again, session = connect(studio, tmp_path)  # though the interface has other choices than it began with
    assert session.classes == (*NAMES, "a new one") and again.catch_up() == 0


def test_a_choice_with_a_comma_is_one_class(studio, tmp_path):
    studio.config = command._interface(["text"], ["now, or later", "never"])
    _, session = connect(studio, tmp_path)
    assert session.classes == ("now, or later", "never")


def test_it_connects_itself_and_takes_its_earlier_connections_away(studio, tmp_path):
    found = project.Project(address(studio), "0123", 7)
    list(found.annotations())
    with pytest.raises(ValueError, match="PATCH projects/7/: 400 .*Model version"):
        found.follow("http://127.0.0.1:9090/none/")
    found.queue([project.Guess(3, NAMES[0], None)])
    studio.hooks[1], studio.ml[1] = {"id": 1, "url": "http://x", "headers": {}}, {"id": 1, "title": "another"}
    for port, token in ((9090, "one"), (9091, "two")):
        found.follow(f"http://127.0.0.1:{port}/{token}/")
    (_, hook), (_, model) = studio.hooks.values(), studio.ml.values()
    assert hook["url"] == "http://127.0.0.1:9091/two/webhook" and model["url"] == "http://127.0.0.1:9091/two"
    assert hook["send_payload"] and hook["actions"] == list(project.ACTIONS)
    assert studio.settings["sampling"] == "Uncertainty sampling" and studio.settings["model_version"] == project.VERSION


def test_the_protocol(studio, tmp_path):
    at, session = connect(studio, tmp_path)
    at.catch_up()
    client = backend.app(at, TOKEN).test_client()
    assert client.get("/other/health").status_code == 404 and client.post("/webhook").status_code == 404
    assert client.get(f"/{TOKEN}/health").json["status"] == "UP"
    assert client.post(f"/{TOKEN}/setup", json={"project": "7.1"}).json == {"model_version": backend.GUESSES}
    for row in range(12):
        told = client.post(f"/{TOKEN}/webhook", json=event(studio, row, name(row)))
        assert told.json == {"changed": True}
    session.retrain()
    results = client.post(f"/{TOKEN}/predict", json={"tasks": studio.tasks[20:23]}).json["results"]
    probs = session.predict_proba([20, 21, 22])
    for one, chances in zip(results, probs, strict=True):
        assert one["result"][0]["value"]["choices"] == [NAMES[np.argmax(chances)]]
        assert one["score"] == pytest.approx(chances.max()) and one["model_version"] != project.VERSION
    assert client.post(f"/{TOKEN}/predict", json={"tasks": [{"id": 1}]}).status_code == 400
    assert client.post(f"/{TOKEN}/webhook", json=[]).status_code == 400


def test_a_personal_token_buys_one_that_is_renewed(studio):
    studio.allowed = lambda: f"Bearer access{studio.bought}"
    found = project.Project(address(studio), "aaa.bbb.ccc", 7)
    assert len(list(found.annotations())) == 0 and studio.bought == 1
    studio.bought = 5  # what it has is no longer taken
    assert list(found.annotations()) == [] and studio.bought == 6
    with pytest.raises(ValueError, match=r"GET projects/7/: 401 .*no"):
        project.Project(address(studio), "0123", 7)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("<View><Text name='t' value='$text'/></View>", "must ask one question of the kind Choices"),
        ("<View><Choices name='a' toName='t' choice='multiple'/></View>", "with one answer; it has 0"),
        ("<View>", "labelling interface cannot be read"),
    ],
)
def test_a_project_that_asks_something_else_is_refused(config, message):
    with pytest.raises(ValueError, match=message):
        project._controls(config)


def test_tasks_have_rows_and_texts(tmp_path, capsys):
    pool, _, texts, *_ = write(tmp_path)
    command.main([pool, "--show", texts, "--tasks", str(tmp_path / "tasks.json")])
    said, tasks = capsys.readouterr().out, json.loads((tmp_path / "tasks.json").read_text())
    assert [task["data"]["row"] for task in tasks] == list(range(ROWS)) and "number 5" in tasks[5]["data"]["text"]
    controls = project._controls(said[said.index("<View>") :])
    assert controls == ("class", "text", NAMES)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "either --tasks, .* or --project"),
        (["--project=7"], "LABEL_STUDIO_API_KEY: set it"),
        (["--tasks=nowhere/tasks.json"], "nowhere/tasks.json: there is no folder nowhere"),
    ],
)
def test_refused(arguments, message, tmp_path, monkeypatch):
    monkeypatch.delenv(command.KEY, raising=False)
    with pytest.raises(SystemExit) as ended:
        command.main([write(tmp_path)[0], *arguments])
    assert re.search(message, str(ended.value))
