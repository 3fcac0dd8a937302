"""A real Label Studio: ALFAMOUS_LABEL_STUDIO names its executable, of an environment of its own."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

import pytest
from labelling import in_file, name, write

from experiments.label.studio import backend as backend_module
from experiments.label.studio import project

ROOT = pathlib.Path(__file__).parents[3]
TOKEN = "0123456789abcdef0123456789abcdef01234567"
STUDIO = os.environ.get("ALFAMOUS_LABEL_STUDIO", "")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.exhaustive,
    pytest.mark.skipif(not STUDIO, reason="ALFAMOUS_LABEL_STUDIO does not name a label-studio"),
]


class Server:
    """Label Studio in a folder, and its API."""

    def __init__(self, folder, port=8765):
        said = {"LABEL_STUDIO_BASE_DATA_DIR": str(folder), "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true"}
        said |= {"LABEL_STUDIO_USERNAME": "a@example.com", "LABEL_STUDIO_PASSWORD": "a-password-1"}
        said |= {"LABEL_STUDIO_USER_TOKEN": TOKEN, "SSRF_PROTECTION_ENABLED": "false", "ML_BLOCK_LOCAL_IP": "false"}
        line = [STUDIO, "start", "--no-browser", "--port", str(port)]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(line, env={**os.environ, **said}, start_new_session=True, **quiet)
        self.address, end = f"http://localhost:{port}", time.monotonic() + 180
        while time.monotonic() < end:
            try:
                urllib.request.urlopen(f"{self.address}/health", timeout=5).close()
                self.personal = self.call("POST", "token/")["token"]
                return
            except OSError:
                time.sleep(1)
        raise TimeoutError("Label Studio did not start")

    def call(self, method, path, body=None):
        headers = {"Authorization": f"Token {TOKEN}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        asked = urllib.request.Request(f"{self.address}/api/{path}", data, headers, method=method)
        with urllib.request.urlopen(asked, timeout=60) as answer:
            text = answer.read()
        return json.loads(text) if text.strip() else None

    def queue(self, number):
        found = [x for x in self.call("GET", f"predictions/?project={number}") if x["model_version"] == project.VERSION]
        return [x["task"] for x in sorted(found, key=lambda one: one["score"])]

    def answer(self, number):
        """Annotates what the project shows next; the task and its row."""
        task = self.call("GET", f"projects/{number}/next")
        row = task["data"]["row"]
        result = project.Controls("class", "text", ()).result(name(row), None)
        self.call("POST", f"tasks/{task['id']}/annotations/", {"result": result})
        return task["id"], row


@pytest.fixture
def server(tmp_path):
    running = Server(tmp_path / "studio")
    yield running
    os.killpg(running.process.pid, signal.SIGKILL)
    running.process.wait()


def listen(server, pool, labels, number):
    line = [sys.executable, "-u", "-m", "experiments.label.studio", pool, "--labels", labels, "--project", str(number)]
    env = {**os.environ, "LABEL_STUDIO_API_KEY": server.personal}
    backend = subprocess.Popen([*line, "--url", server.address], cwd=ROOT, env=env, stdout=subprocess.PIPE, text=True)
    said = []
    for text in backend.stdout:
        said.append(text)
        if "Ctrl-C" in text:
            return backend, "".join(said)
    raise AssertionError("".join(said))


def end_of(backend):
    backend.kill()
    backend.wait()
    backend.stdout.close()


def test_the_order_follows_the_answers_and_a_kill_loses_none(server, tmp_path):
    pool, _, texts, _, labels = write(tmp_path)
    line = [
        sys.executable,
        "-m",
        "experiments.label.studio",
        pool,
        "--show",
        texts,
        "--tasks",
        str(tmp_path / "t.json"),
    ]
    said = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    made = server.call("POST", "projects/", {"title": "ants", "label_config": said[said.index("<View>") :]})
    number, rows, moved = made["id"], [], 0
    server.call("POST", f"projects/{number}/import", json.loads((tmp_path / "t.json").read_text()))
    backend, _ = listen(server, pool, labels, number)
    try:
        for step in range(12):
            if step == 6:
                end_of(backend)
                rows += [server.answer(number)[1] for _ in range(2)]
                backend, said = listen(server, pool, labels, number)
                assert "2 answers were given while nobody listened" in said
            before = server.queue(number)
            task, row = server.answer(number)
            rows.append(row)
            assert task == before[0]
            end = time.monotonic() + 60
            while task in (now := server.queue(number)) or len(now) != len(before):
                assert time.monotonic() < end, "the queue did not move"
                time.sleep(0.2)
            moved += now[:2] != before[1:]
        assert in_file(tmp_path) == {row: name(row) for row in rows} and len(set(rows)) == 14
        now = server.queue(number)
        chosen = {"selectedItems": {"all": True, "excluded": []}}
        server.call("POST", f"dm/actions?id=retrieve_tasks_predictions&project={number}", chosen)
        given = [one["model_version"] for one in server.call("GET", f"predictions/?project={number}")]
        assert given.count(backend_module.GUESSES) == 60 and server.answer(number)[0] == now[0]
        assert moved, "the order never changed by an answer"
    finally:
        end_of(backend)
