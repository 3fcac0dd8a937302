"""The command itself: a process that is killed and started again, and what it refuses."""

import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request

import pytest
from labelling import NAMES, in_file, name, write

from experiments.label import __main__ as command

ROOT = pathlib.Path(__file__).parents[3]


# Whoever starts the tests in the background has interrupts ignored, and children inherit that.
HEEDS = """import runpy, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
sys.argv[0] = "-m"  # as Python has it while it imports a command
runpy.run_module("experiments.label", run_name="__main__", alter_sys=True)"""


class Served:
    """A running page."""

    def __init__(self, arguments):
        env = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
        line = [sys.executable, "-c", HEEDS, *arguments]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        self.process = subprocess.Popen(line, cwd=ROOT, env=env, **pipes)
        self.said = []
        for text in self.process.stdout:
            self.said.append(text)
            if found := re.search(r"(http://127\.0\.0\.1:(\d+)/[\w-]{32}/)", text):
                self.url, self.port = found[1], int(found[2])
                return
        raise AssertionError(self.process.stderr.read())

    def get(self, path="", data=None):
        body = urllib.parse.urlencode(data).encode() if data is not None else None
        with urllib.request.urlopen(self.url + path, body, timeout=600) as reply:
            return reply.read().decode()

    def row(self):
        return int(re.search(r'data-row="(\d+)"', self.get())[1])

    def answer(self):
        row = self.row()
        self.get("answer", {"row": row, "name": name(row)})
        return row

    def end(self, number):
        self.process.send_signal(number)
        _, said = self.process.communicate(timeout=60)
        return self.process.returncode, said


@pytest.mark.slow
def test_a_kill_after_any_answer_loses_nothing(tmp_path):
    arguments, rows = write(tmp_path), []
    served = Served([*arguments, "--audit", "0"])
    assert "Not shown (labels): label.\n" in served.said
    tokens = {served.url}
    rows += [served.answer() for _ in range(3)]
    served.end(signal.SIGKILL)
    assert list(in_file(tmp_path)) == rows
    served = Served(arguments)
    tokens.add(served.url)
    assert served.row() not in rows  # it may be another than before the kill: a fit that was put off is made first
    rows.append(served.answer())
    with pytest.raises(urllib.error.HTTPError, match="404"):
        urllib.request.urlopen(f"http://127.0.0.1:{served.port}/")
    with pytest.raises(OSError), socket.create_connection((_other_address(), served.port), timeout=2):
        pass
    code, said = served.end(signal.SIGINT)
    assert (code, said.splitlines()[-1:]) == (
        130,
        [f"stopped; the same command goes on with {tmp_path / 'labels.csv'}"],
    )
    assert list(in_file(tmp_path)) == rows and len(tokens) == 2
    assert {path.name for path in tmp_path.iterdir()} == {"pool.npz", "texts.csv", "labels.csv", "labels.csv.journal"}


def _other_address():
    """Another of this machine than the one that is listened on."""
    return "127.0.0.2"


@pytest.fixture
def files(tmp_path):
    return write(tmp_path)


@pytest.mark.parametrize(
    "more, said",
    [
        (["--audit", "1.5"], "audit must be a share of the rows"),
        (["--strategy", "vaal"], "strategy must be one of"),
        (["--seed", "-1"], "seed must be a whole number"),
        (["--classes", "ant"], "classes must be two or more"),
        (["--classes", "ant,bee\nwasp"], "must be one line of printable text"),
        (["--labels", "/nowhere/labels.csv"], "--labels must be a file in a folder that is there"),
        (["--images", "/nowhere"], "--images must be a folder that is there"),
        (["--show", "/nowhere.csv"], "no file /nowhere.csv"),
        (["--port", "70000"], "--port must be 0 to 65535, got 70000"),
    ],
)
def test_what_is_wrong_is_one_line_and_nothing_is_written(files, tmp_path, more, said):
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(SystemExit) as caught:
        command.main([*files, *more])
    assert str(caught.value).startswith("error: ") and said in str(caught.value) and "\n" not in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == before


def test_labels_of_another_kind_stay(files, tmp_path):
    (tmp_path / "labels.csv").write_text("row,label,who\n1,ant,me\n")
    with pytest.raises(SystemExit, match="must have the columns row and label and no others"):
        command.main(files)
    assert (tmp_path / "labels.csv").read_text() == "row,label,who\n1,ant,me\n"
    assert not (tmp_path / "labels.csv.journal").exists()


def test_other_settings_than_those_of_the_journal_are_refused(files):
    from labelling import begun

    folder = pathlib.Path(files[-1]).parent
    begun(folder, "--strategy", "us", "--seed", "3")
    assert begun(folder).session.classes == NAMES  # what is not said is as it was
    with pytest.raises(SystemExit, match="strategy was us, is margin; name another file"):
        command.main([*files, "--strategy", "margin"])


def test_classes_have_to_be_known(tmp_path):
    (tmp_path / "pool.csv").write_text("a,b\n1,2\n3,4\n")
    with pytest.raises(SystemExit, match="--classes: name the classes"):
        command.main([str(tmp_path / "pool.csv"), "--labels", str(tmp_path / "labels.csv")])
