"""The command that says what to label next: what it reads, writes and refuses."""

import csv
import os
import pathlib
import subprocess
import sys

import numpy as np
import pytest
from narrow_heads import narrow  # noqa: F401  a fixture

from alfamous_jax import __main__ as command
from alfamous_jax.session import Session

pytestmark = pytest.mark.fits

TRUTH = np.random.default_rng(0).choice(3, 50, p=(0.7, 0.2, 0.1))
POOL = (3 * np.eye(3)[TRUTH] + np.random.default_rng(1).normal(size=(50, 3))).astype(np.float32)
NAMES = ("ant", "bee", "cow")
KNOWN = {row: NAMES[TRUTH[row]] for row in range(20)}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("pool.npy", POOL)
    write("labels.csv", ["row", "label"], KNOWN.items())
    return tmp_path


def write(name, header, rows):
    with open(name, "w", newline="") as file:
        csv.writer(file).writerows([header, *rows])


def chosen(*arguments):
    """The lines that the command writes; it must end well."""
    assert command.main([*arguments, "--out", "next.csv"]) == 0
    with open("next.csv", newline="") as file:
        return list(csv.DictReader(file))


@pytest.mark.slow
def test_it_writes_what_a_session_asks_for(folder, capsys):
    lines = chosen("pool.npy", "labels.csv", "--budget", "1")
    session = Session(POOL, labels=KNOWN)
    (row,), (odds,) = session.ask().tolist(), session.predict_proba(session.ask())
    name = NAMES[odds.argmax()]
    share = list(KNOWN.values()).count(name)
    wanted = ["1", str(row), name, f"{odds.max():.4f}", str(share), f"{share / 20:.4f}"]
    assert [list(line.values()) for line in lines] == [wanted]
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "pool.npy: 50 rows of 3 features, 20 with a label."
    assert said[1].startswith("Classes: ant ") and said[-1] == "next.csv: 1 rows to label, by margin-alfamous."
    assert sorted(path.name for path in folder.iterdir()) == ["labels.csv", "next.csv", "pool.npy"]


def test_every_file_of_the_same_rows_is_the_same_pool(folder, capsys):
    one = chosen("pool.npy", "labels.csv", "--budget", "1")
    np.savez("pool.npz", x=POOL, y=TRUTH, names=np.array(NAMES))
    table = [[number, *(repr(float(x)) for x in row), "some text", TRUTH[number]] for number, row in enumerate(POOL)]
    write("pool.csv", ["id", "a", "b", "c", "note", "label"], table)
    for name in ("pool.npz", "pool.csv"):
        assert chosen(name, "labels.csv", "--budget", "1") == one
    said = capsys.readouterr().out
    assert "Left out of the features (labels): 'label'." in said and "Left out of the features (text): 'note'." in said


def test_labels_of_any_type_and_rows_without_one(folder):
    numbers = [(row, TRUTH[row]) for row in KNOWN]
    write("numbers.csv", ["label", "row"], [(label, row) for row, label in numbers] + [("", 30)])
    lines = chosen("pool.npy", "numbers.csv", "--budget", "1")
    assert lines[0]["row"] == chosen("pool.npy", "labels.csv", "--budget", "1")[0]["row"]
    assert lines[0]["predicted"] in "012" and command.read_labels(folder / "numbers.csv") == dict(numbers)


def test_without_labels_the_pool_is_covered(folder, capsys):
    lines = chosen("pool.npy", "--budget", "3", "--classes", "ant,bee")
    assert len({line["row"] for line in lines}) == 3 and {line["share_of_labels"] for line in lines} == {"0.0000"}
    assert "Nothing to rank by yet" in capsys.readouterr().out


WRONG = [
    (["none.npy", "labels.csv"], "no file none.npy"),
    (["pool.npy", "none.csv"], "no file none.csv"),
    (["pool.npy"], "classes must be two or more, got []; name them"),
    (["pool.npy", "labels.csv", "--classes", "ant,bee"], "'cow', none of the classes 'ant', 'bee'"),
    (["pool.npy", "labels.csv", "--budget", "0"], "--budget must be at least 1, got 0"),
    (["pool.npy", "labels.csv", "--strategy", "vaal"], "strategy must be one of"),
    (["pool.npy", "labels.csv", "--lam", "-1"], "lam must be a number of at least 0, or None, got -1.0"),
    (["pool.txt", "labels.csv"], "pool.txt: expected a file ending in"),
    (["several.npz", "labels.csv"], "one array must be called features or x [N, H]; of two axes it has a, b"),
    (["objects.npz", "labels.csv"], "objects.npz: not a readable .npz"),
    (["pool.npy", "beyond.csv"], "rows must be whole numbers from 0 to 49, got 50"),
    (["pool.npy", "half.csv"], "half.csv, line 3: row must be a whole number from 0 on, got 1.5"),
    (["pool.npy", "twice.csv"], "twice.csv, line 4: row 1 is labelled 'a' and 'b'"),
    (["pool.npy", "columns.csv"], "columns.csv: needs the columns row and label, lacks label; it has row, class"),
    (["nan.csv", "labels.csv"], "nan.csv: column 'a' has 1 cells without a number, the first in row 1"),
]


@pytest.mark.parametrize("arguments, said", WRONG, ids=[said[:24] for _, said in WRONG])
def test_what_is_wrong_is_one_line_and_nothing_is_written(folder, capsys, arguments, said):
    np.savez("several.npz", a=POOL, b=POOL)
    np.savez("objects.npz", x=np.array([[None]], object))
    write("beyond.csv", ["row", "label"], [(50, "ant"), (1, "bee")])
    write("half.csv", ["row", "label"], [(1, "ant"), (1.5, "bee")])
    write("twice.csv", ["row", "label"], [(1, "a"), (2, "b"), (1, "b")])
    write("columns.csv", ["row", "class"], [(1, "a")])
    write("nan.csv", ["a", "b"], [(1, 2), ("", 3)])
    before = sorted(folder.iterdir())
    assert command.main([*arguments, "--out", "next.csv"]) == 2
    output = capsys.readouterr()
    assert said in output.err and len(output.err.splitlines()) == 1 and sorted(folder.iterdir()) == before
    assert output.out == ""


def test_a_folder_that_is_not_there_is_refused(folder, capsys):
    assert command.main(["pool.npy", "labels.csv", "--out", "nowhere/next.csv"]) == 2
    assert "--out must be a file in a folder that is there, got nowhere/next.csv" in capsys.readouterr().err


@pytest.mark.slow
def test_a_batch_from_the_command_line(folder):
    command_line = [sys.executable, "-m", "alfamous_jax", "pool.npy", "labels.csv", "--budget=8", "--out=next.csv"]
    env = {**os.environ, "PYTHONPATH": str(pathlib.Path(command.__file__).parents[1])}
    done = subprocess.run(command_line, capture_output=True, text=True, env=env)
    assert done.returncode == 0 and done.stderr == "", done.stderr
    rows = [line.split(",")[1] for line in (folder / "next.csv").read_text().splitlines()[1:]]
    assert len(set(rows)) == 8 and not set(map(int, rows)) & set(KNOWN)
