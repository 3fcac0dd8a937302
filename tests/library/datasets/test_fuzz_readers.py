"""The fuzzer of the readers, short and seeded; and that it sees what it looks for."""

import pathlib
import time
from collections import Counter

import numpy as np
import pytest

from tests.fuzz import damage, readers, watch

TRIES = 40


@pytest.mark.parametrize("kind", readers.KINDS)
def test_damaged_files_are_read_or_refused(kind):
    outcomes = {number: watch.one(readers.trial, kind, number) for number in range(TRIES)}
    assert {n: outcome for n, outcome in outcomes.items() if outcome not in watch.KEPT} == {}
    counts = Counter(outcomes.values())
    assert counts[watch.READ] >= 3 and counts[watch.REFUSED] >= 3


def test_the_same_number_is_the_same_try(tmp_path):
    files = []
    for place in (tmp_path / "a", tmp_path / "b"):
        place.mkdir()
        readers.trial("csv", np.random.default_rng(3), place)
        files.append({path.name: path.read_bytes() for path in place.iterdir()})
    assert files[0] == files[1] and files[0]


def test_damage_is_damage():
    content = bytes(range(256)) * 4
    broken = [damage.broken(content, np.random.default_rng(seed), 1) for seed in range(60)]
    assert sum(one != content for one in broken) > 55 and len({len(one) for one in broken}) > 12


def raised(error):
    def read():
        raise error

    return read


BROKEN = {
    "another kind of error": (raised(KeyError("x")), "traceback: KeyError"),
    "an end of the process": (raised(SystemExit(1)), "traceback: SystemExit"),
    "two lines": (raised(ValueError("mine.npz\nis bad")), "message: of 15 characters, 2 lines"),
    "a terminal's signs": (raised(ValueError("mine.npz \x1b[2J")), "message: of signs that cannot be printed"),
    "no name": (raised(ValueError("is bad")), "message: names no file"),
    "a file beside it": (lambda: pathlib.Path("more").write_text("x"), "wrote: ['more']"),
    "other bytes": (lambda: pathlib.Path("mine.npz").write_text("xy"), "wrote: a file was changed"),
}


@pytest.mark.parametrize("read, outcome", BROKEN.values(), ids=BROKEN)
def test_a_broken_promise_is_seen(tmp_path, monkeypatch, read, outcome):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine.npz").write_text("x")
    assert watch.judged(read, tmp_path / "mine.npz").startswith(outcome)
    assert watch.judged(raised(ValueError("mine.npz: is bad")), tmp_path / "mine.npz") == watch.REFUSED


def outside(kind, rng, folder):
    (folder.parent / "outside" / "kept").write_text("other")
    return watch.READ


def test_a_file_outside_is_seen():
    assert watch.one(outside, "", 0) == "wrote: outside of the target"


def trial(kind, rng, folder):
    """For the test below, in a process of its own."""
    if kind == "sleeps":
        time.sleep(60)
    if kind == "dies":
        raise SystemExit(3)
    return watch.READ


@pytest.mark.slow
def test_a_silent_and_a_dead_process_are_told_of(monkeypatch):
    monkeypatch.setattr(watch, "SECONDS", 1.0)
    found = list(watch.tries(__name__, ("fine", "sleeps", "dies"), range(3), 60))
    assert [tried.kind for tried in found] == ["fine", "sleeps", "dies"]
    assert [tried.outcome for tried in found] == [
        "read",
        "silent: nothing came for 1 seconds",
        "died: exit code 3",
    ]
