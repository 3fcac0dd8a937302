"""What a session keeps: a journal that survives a kill, a file that gives it back to the bit."""

import json

import numpy as np
import pytest
from sessions import POOL, SETTINGS, answer, name, view

from alfamous_jax.session import Session

pytestmark = pytest.mark.fits


@pytest.fixture(scope="module")
def journal(narrow, tmp_path_factory):
    """A journal with every kind of entry, and what was seen after each line of it."""
    path = tmp_path_factory.mktemp("kept") / "answers.jsonl"
    session = Session(POOL, **SETTINGS, audit=0.2, journal=path)
    views = {len(path.read_bytes()): view(session)}

    def note():
        views[len(path.read_bytes())] = view(session)

    for _ in range(6):
        answer(session, 1)
        note()
    session.skip(session.ask())
    note()
    rows = session.ask_audit(2)
    note()
    session.tell(rows, [name(row) for row in rows])
    note()
    session.relabel(next(iter(session.labels)), "cow")
    note()
    session.undo(2)
    note()
    return path, views


def test_a_saved_session_is_the_same_to_the_bit(tmp_path):
    session = answer(Session(POOL, **SETTINGS), 7)
    session.save(tmp_path / "saved.npz")
    again = Session.load(tmp_path / "saved.npz", POOL)
    assert view(again) == view(session) and again.progress() == session.progress()
    for step in (lambda one: answer(one, 3), lambda one: one.undo(5)):
        step(session)
        step(again)
        assert view(again)[:2] == view(session)[:2] and again.labels == session.labels
    assert [path.name for path in tmp_path.iterdir()] == ["saved.npz"]


def test_a_pool_in_a_file_is_found_again(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    np.save("pool.npy", POOL)
    session = answer(Session("pool.npy", **SETTINGS), 3)
    session.save("saved.npz")
    monkeypatch.chdir("/")
    assert view(Session.load(tmp_path / "saved.npz")) == view(session)


def test_a_journal_goes_on_where_it_ended_whenever_that_was(journal, tmp_path):
    """Cut at the end of every call, and within the line after it: that call never returned."""
    path, views = journal
    text, ends = path.read_bytes(), sorted(views)
    for end in ends:
        for extra in (0, 1, 17):
            cut = tmp_path / "cut.jsonl"
            cut.write_bytes(text[: end + extra])
            found = view(Session(POOL, **SETTINGS, audit=0.2, journal=cut))
            line = text.find(b"\n", end) - end  # a fit that was due is a line of its own
            if extra < line or end == ends[-1]:
                assert [entry["rows"] for entry in found[2]] == [entry["rows"] for entry in views[end][2]]
                assert found[:2] == views[end][:2]
                assert cut.read_bytes() == text[:end]
            cut.unlink()


def test_an_answer_is_in_the_journal_once_tell_returns(tmp_path):
    path = tmp_path / "answers.jsonl"
    session = Session(POOL, **SETTINGS, journal=path)
    session.tell(3, "ant", who="ann")
    entry = json.loads(path.read_text().splitlines()[-1])
    assert entry["what"] == "label" and entry["rows"] == [3] and entry["labels"] == ["ant"] and entry["who"] == "ann"


def test_a_journal_goes_on_from_a_saved_session(tmp_path):
    session = answer(Session(POOL, **SETTINGS), 6)
    session.save(tmp_path / "saved.npz")
    again = Session.load(tmp_path / "saved.npz", POOL, journal=tmp_path / "new.jsonl")
    answer(again, 1)
    assert view(Session(POOL, **SETTINGS, journal=tmp_path / "new.jsonl")) == view(again)
    with pytest.raises(ValueError, match="has answers already"):
        Session.load(tmp_path / "saved.npz", POOL, journal=tmp_path / "new.jsonl")


def test_two_sessions_do_not_write_one_journal(tmp_path):
    first = Session(POOL, **SETTINGS, journal=tmp_path / "one.jsonl")
    second = Session(POOL, **SETTINGS, journal=tmp_path / "one.jsonl")
    first.tell(0, "ant")
    with pytest.raises(ValueError, match="another session writes to it"):
        second.tell(1, "bee")
    assert second.labels == {}


@pytest.mark.parametrize(
    "change, said",
    [
        ({"seed": 1}, "seed was 7, is 1"),
        ({"classes": ("ant", "bee")}, "classes was"),
        ({"features": POOL[:, ::-1]}, "digest was"),
        ({"strategy": "us"}, "strategy was margin-alfamous, is us"),
    ],
)
def test_the_journal_of_another_session_is_refused(journal, change, said):
    path, _ = journal
    before = path.read_bytes()
    with pytest.raises(ValueError, match=said):
        Session(**{"features": POOL, **SETTINGS, "audit": 0.2, "journal": path, **change})
    assert path.read_bytes() == before


@pytest.mark.parametrize(
    "line, said",
    [
        (b"nonsense\n", "line 13: not JSON"),
        (b'{"what": "label"}\n', "line 13: not an answer"),
        (b'{"undo": 99}\n', "line 13: undo: steps must be at most"),
        (b'{"what": "skip", "rows": [60], "labels": [], "probabilities": [], "who": "", "when": ""}\n', "row 60 of a"),
        (
            b'{"what": "label", "rows": [0], "labels": ["x"], "probabilities": [1], "who": "", "when": ""}\n',
            "class 'x'",
        ),
    ],
)
def test_a_damaged_journal_is_refused_by_its_line(journal, tmp_path, line, said):
    text = journal[0].read_bytes()
    start = b"".join(text.splitlines(keepends=True)[:12])
    (tmp_path / "bad.jsonl").write_bytes(start + line)
    with pytest.raises(ValueError, match=said):
        Session(POOL, **SETTINGS, audit=0.2, journal=tmp_path / "bad.jsonl")
    assert (tmp_path / "bad.jsonl").read_bytes() == start + line


def test_what_is_no_saved_session_is_refused(tmp_path):
    np.savez(tmp_path / "other.npz", x=POOL)
    for file, said in (("other.npz", "not a saved session, it holds x"), ("none.npz", "no file")):
        with pytest.raises((ValueError, FileNotFoundError), match=said):
            Session.load(tmp_path / file, POOL)
    session = Session(POOL, **SETTINGS)
    session.save(tmp_path / "saved.npz")
    for pool, said in ((POOL[::-1], "over other rows"), (None, "does not hold the pool")):
        with pytest.raises(ValueError, match=said):
            Session.load(tmp_path / "saved.npz", pool)
    text = (tmp_path / "saved.npz").read_bytes()
    (tmp_path / "cut.npz").write_bytes(text[: len(text) // 2])
    with pytest.raises(ValueError, match="cut.npz"):
        Session.load(tmp_path / "cut.npz", POOL)
