"""What a session refuses: one line, before anything is changed or written."""

import numpy as np
import pytest

from alfamous_jax.session import Session

NAMES = ("a", "b", "c")
POOL = np.random.default_rng(5).normal(size=(40, 3)).astype(np.float32)
SETTINGS = {"classes": NAMES, "retrain_every": 4}


def seen(session):
    return session.ask().tolist(), session.predict_proba().tobytes(), [entry.to_json() for entry in session.history]


BEGIN = [
    ({"features": POOL[0]}, r"features must be rows of numbers \[N, H\], got an array of shape \(3,\)"),
    ({"features": np.where(np.arange(120).reshape(40, 3) == 7, np.nan, POOL)}, "row 2, column 1 .from 0. is nan"),
    ({"features": np.full((3, 2), "x")}, "features must hold numbers"),
    ({"features": "nowhere.npy"}, "no file nowhere.npy"),
    ({"classes": ("a", "a")}, "classes must be different names, 'a' is twice"),
    ({"classes": None}, "classes must be two or more"),
    ({"classes": "ab"}, "classes must be names or a number, got 'ab'"),
    ({"strategy": "vaal"}, "strategy must be one of .*, got 'vaal'"),
    ({"labels": {40: "a"}}, "rows must be whole numbers from 0 to 39, got 40"),
    ({"labels": {0: "x"}}, "labels: row 0 is 'x', none of the classes"),
    ({"labels": ["a"]}, "labels must be one for each of the 40 rows"),
    ({"lam": -1.0}, "lam must be a number of at least 0, or None, got -1.0"),
    ({"lam": float("nan")}, "lam must be"),
    ({"seed": 1.5}, "seed must be a whole number"),
    ({"retrain_every": -1}, "retrain_every must be a whole number, 0 or more, got -1"),
    ({"audit": 1.0}, "audit must be a share"),
]


@pytest.mark.parametrize("change, said", BEGIN, ids=lambda x: next(iter(x)) if isinstance(x, dict) else "")
def test_a_bad_beginning_is_one_line_and_writes_nothing(tmp_path, change, said):
    with pytest.raises((ValueError, FileNotFoundError), match=said) as caught:
        Session(**{"features": POOL, **SETTINGS, "journal": tmp_path / "j.jsonl", **change})
    assert "\n" not in str(caught.value) and list(tmp_path.iterdir()) == []


CALLS = [
    (lambda s: s.tell(40, "a"), "rows must be whole numbers from 0 to 39, got 40"),
    (lambda s: s.tell(-1, "a"), "got -1"),
    (lambda s: s.tell(1.0, "a"), "got float64"),
    (lambda s: s.tell([1, 1], ["a", "a"]), "rows must be different, 1 is there twice"),
    (lambda s: s.tell([1, 2], ["a"]), "rows and labels must be as many, got 2 and 1"),
    (lambda s: s.tell([1, 2], ["a", "x"]), "row 2: 'x' is none of the classes 'a', 'b', 'c'; add_class adds one"),
    (lambda s: s.tell([1, 0], ["a", "b"]), "row 0 is labelled 'a', got 'b'; relabel changes a label"),
    (lambda s: s.tell(1, None), "a label must be the name of a class"),
    (lambda s: s.skip([5, 0]), "row 0 is labelled 'a' and cannot be skipped"),
    (lambda s: s.relabel([0, 5], ["b", "b"]), "row 5 has no label to change"),
    (lambda s: s.add_class("a"), "'a' is a class already"),
    (lambda s: s.add_class(""), "a label must be the name"),
    (lambda s: s.undo(0), "steps must be a whole number of at least 1, got 0"),
    (lambda s: s.undo(2), "steps must be at most 1"),
    (lambda s: s.ask(0), "n must be a whole number of at least 1, got 0"),
    (lambda s: s.foresee(40), "rows must be whole numbers from 0 to 39, got 40"),
    (lambda s: s.retrain(), "needs labels of two classes"),
    (lambda s: s.ask_audit(), "no rows are set aside"),
    (lambda s: s.predict([40]), "got 40"),
    (lambda s: s.predict(features=POOL[:, :2]), "features must have 3 columns, as the pool has, got 2"),
]


@pytest.fixture(scope="module")
def one_label(tmp_path_factory):
    path = tmp_path_factory.mktemp("refused") / "j.jsonl"
    session = Session(POOL, **SETTINGS, strategy="random", journal=path)
    session.tell(0, "a")
    return session, path


@pytest.mark.parametrize("call, said", CALLS, ids=[said[:20] for _, said in CALLS])
def test_a_bad_call_is_one_line_and_changes_nothing(one_label, call, said):
    session, path = one_label
    before = path.read_bytes(), seen(session)
    with pytest.raises(ValueError, match=said) as caught:
        call(session)
    assert "\n" not in str(caught.value) and (path.read_bytes(), seen(session)) == before


def test_the_same_answer_again_changes_nothing(one_label):
    session, path = one_label
    before = path.read_bytes()
    session.tell(0, "a")
    session.skip([])
    assert path.read_bytes() == before


def test_a_file_that_cannot_be_written_is_named(one_label, tmp_path):
    with pytest.raises(FileNotFoundError, match="saved.npz: there is no folder"):
        one_label[0].save(tmp_path / "nowhere" / "saved.npz")
    with pytest.raises(ValueError, match="journal .*j.jsonl: No such file"):
        Session(POOL, **SETTINGS, journal=tmp_path / "nowhere" / "j.jsonl")


def test_labels_of_any_kind_are_names():
    session = Session(POOL, 3)
    session.tell([0, 1, 2, 3], np.array([0, 1, 2, 2], np.uint8))
    session.tell(4, 1.0)
    session.tell(5, "2")
    assert session.classes == ("0", "1", "2") and session.counts == {"0": 1, "1": 2, "2": 3}
