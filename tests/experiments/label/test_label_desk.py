"""One question at a time: what answers do to session, journal and file, from one tab and from two."""

import json
import threading

import numpy as np
import pytest
from labelling import NAMES, POOL, again, answer, begun, desk, in_file, name, wait_for
from narrow_heads import narrow  # noqa: F401  a fixture

from alfamous_jax.session import Session

pytestmark = pytest.mark.slow


def test_each_answer_is_in_journal_and_file_before_the_next_question(tmp_path):
    at = desk(tmp_path, "--audit", "0")
    for done in range(1, 8):
        row = at.view().row
        assert at.answer(row, name(row)) == f"Row {row}: {name(row)}."
        assert len(in_file(tmp_path)) == done and in_file(tmp_path)[row] == name(row)
        last = [json.loads(line) for line in (tmp_path / "labels.csv.journal").read_text().splitlines()]
        assert [row] in [line.get("rows") for line in last[-2:]] and {line.get("who") for line in last[-2:]} & {"ann"}
    assert again(tmp_path).labels == in_file(tmp_path)


def test_questions_are_those_of_the_session(tmp_path):
    at, plain = desk(tmp_path, "--audit", "0"), Session(POOL, NAMES)
    plain.fits_later = True
    for _ in range(12):
        (row,) = plain.ask().tolist()
        assert at.view().row == row == at.view().row
        plain.tell(row, name(row))
        at.answer(row, name(row))


def test_the_view_counts_and_guesses(tmp_path):
    at = desk(tmp_path, "--audit", "0")
    answer(at, 12)
    at.catch_up()
    view, session = at.view(), again(tmp_path)
    assert {count.name: count.num for count in view.counts} == session.counts and view.fair_share == 4
    assert [count.is_short for count in view.counts] == [count.num < 2 for count in view.counts]
    chances = session.predict_proba([view.row])[0]
    assert [guess.name for guess in view.guesses] == list(NAMES)  # few classes keep their keys
    np.testing.assert_allclose([guess.chance for guess in view.guesses], chances, rtol=1e-3, atol=1e-5)
    assert view.num_labels == 12 and view.can_undo and len(view.recent) == 5


def test_of_many_classes_the_likely_ones_have_the_keys(tmp_path):
    at = desk(tmp_path, "--audit", "0", num_classes=15)
    assert [guess.chance for guess in at.view().guesses] == [None] * 9
    answer(at, 8)
    at.catch_up()
    guesses = at.view().guesses
    chances = [guess.chance for guess in guesses]
    assert len(guesses) == 9 and chances == sorted(chances, reverse=True)
    every = again(tmp_path).predict_proba([at.view().row])[0]
    np.testing.assert_allclose(chances, np.sort(every)[::-1][:9], rtol=1e-3, atol=1e-5)


def test_the_next_question_is_found_while_the_disk_is_waited_for(tmp_path, monkeypatch):
    at = desk(tmp_path, "--audit", "0")
    answer(at, 2)
    write, found = at._table.write, []

    def slowly(labels):
        wait_for(lambda: at._view is not None and at._view.num_labels == 3, 60)
        found.append(at._view.row)
        write(labels)

    monkeypatch.setattr(at._table, "write", slowly)
    row = at.view().row
    at.answer(row, name(row))
    assert found == [at.view().row] and len(in_file(tmp_path)) == 3


def test_undo_asks_again_and_takes_the_label_out_of_the_file(tmp_path):
    at = desk(tmp_path, "--audit", "0")
    rows = answer(at, 6)
    at.skip(skipped := at.view().row)
    assert at.view().num_skipped == 1
    assert at.undo() == f"Taken back: row {skipped} skipped." and at.view().row == skipped
    assert at.undo() == f"Taken back: row {rows[-1]} {name(rows[-1])}."
    assert at.view().row == rows[-1] and list(in_file(tmp_path)) == rows[:-1]
    for _ in range(5):
        at.undo()
    assert in_file(tmp_path) == {} and not at.view().can_undo
    with pytest.raises(ValueError, match="nothing to take back"):
        at.undo()


def test_undo_reaches_over_a_restart_but_not_to_labels_given_at_first(tmp_path):
    (tmp_path / "labels.csv").write_text(f"row,label\n0,{name(0)}\n")
    rows = answer(desk(tmp_path, "--audit", "0"), 2)
    at = desk(tmp_path)
    assert list(in_file(tmp_path)) == [0, *rows]
    at.undo()
    at.undo()
    with pytest.raises(ValueError, match="nothing to take back"):
        at.undo()
    assert in_file(tmp_path) == {0: name(0)}


def test_a_new_class_comes_with_its_first_row(tmp_path):
    at = desk(tmp_path, "--audit", "0")
    answer(at, 4)
    row = at.view().row
    assert at.new_class(row, "  dung \t beetle ") == f"New class “dung beetle”, with row {row}."
    assert in_file(tmp_path)[row] == "dung beetle" and at.view().counts[-1].num == 1
    for wrong, said in (
        ("dung beetle", "is a class already"),
        (" ", "needs a name"),
        ("x" * 101, "100"),
        ("a\x00", "name"),
    ):
        with pytest.raises(ValueError, match=said):
            at.new_class(at.view().row, wrong)
    assert at.undo() == f"Taken back: row {row} dung beetle and the new class."
    assert at.view().row == row and [count.name for count in at.view().counts] == list(NAMES)
    assert len(in_file(tmp_path)) == 4


def test_two_tabs_answer_a_row_once(tmp_path):
    at = desk(tmp_path, "--audit", "0")
    row = at.view().row
    at.answer(row, "ant")
    lines = (tmp_path / "labels.csv.journal").read_bytes()
    assert at.answer(row, "ant") == f"Row {row} was labelled “ant” already."
    with pytest.raises(ValueError, match=f"row {row} is labelled 'ant', got 'cow'"):
        at.answer(row, "cow")
    with pytest.raises(ValueError, match="cannot be skipped"):
        at.skip(row)
    assert (tmp_path / "labels.csv.journal").read_bytes() == lines and in_file(tmp_path) == {row: "ant"}


def test_many_threads_lose_nothing(tmp_path):
    at = desk(tmp_path, "--audit", "0")
    at.view()

    def label(start):
        for row in range(start, 40, 4):
            at.answer(row, name(row))
            at.view()

    threads = [threading.Thread(target=label, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert in_file(tmp_path) == {row: name(row) for row in range(40)} == again(tmp_path).labels


def test_a_file_changed_meanwhile_stops_answers_and_is_kept(tmp_path):
    at = desk(tmp_path, "--audit", "0")
    answer(at, 2)
    journal = (tmp_path / "labels.csv.journal").read_bytes()
    (tmp_path / "labels.csv").write_text("row,label\n5,cow\n")
    with pytest.raises(ValueError, match="changed by another program"):
        at.answer(at.view().row, "ant")
    assert in_file(tmp_path) == {5: "cow"} and (tmp_path / "labels.csv.journal").read_bytes() == journal
    with pytest.raises(ValueError, match="was changed by hand: row 5 is 'cow'"):
        begun(tmp_path)


@pytest.mark.parametrize("what, done", [("undo", 4), *(("label", done) for done in range(5))])
def test_a_kill_between_journal_and_file_loses_nothing(tmp_path, what, done, monkeypatch):
    """Some labels are followed by the line of a fit, the fifth by that of a draw for the audit."""
    at = desk(tmp_path, "--audit", "0.3")
    answer(at, done)
    monkeypatch.setattr(at._table, "write", lambda labels: (_ for _ in ()).throw(OSError("killed here")))
    with pytest.raises(OSError, match="killed here"):
        at.undo() if what == "undo" else answer(at, 1)
    session = again(tmp_path)
    assert len(session.labels) == (done - 1 if what == "undo" else done + 1) and session.labels == in_file(tmp_path)


def test_half_a_line_in_the_journal_was_no_answer(tmp_path):
    answer(desk(tmp_path, "--audit", "0"), 3)
    with (tmp_path / "labels.csv.journal").open("ab") as file:
        file.write(b'{"what": "label", "rows": [1')
    assert again(tmp_path).labels == in_file(tmp_path) and len(in_file(tmp_path)) == 3


def test_the_pool_runs_out(tmp_path):
    at = desk(tmp_path, "--audit", "0.2", "--strategy", "random")
    while (view := at.view()).row is not None:
        at.answer(view.row, name(view.row))
    assert in_file(tmp_path) == {row: name(row) for row in range(60)} and view.guesses == ()


def test_one_question_of_five_is_of_the_audit_and_keeps_the_guess_to_itself(tmp_path):
    at, audits = desk(tmp_path, "--audit", "0.3", num_classes=12), []
    for _ in range(20):
        view = at.view()
        audits.append(view.is_audit)
        if view.is_audit:
            names = [guess.name for guess in view.guesses]
            every = [count.name for count in view.counts]
            assert {guess.chance for guess in view.guesses} == {None} and names == sorted(names, key=every.index)
        at.answer(view.row, name(view.row))
    assert audits == [False] * 5 + ([True] + [False] * 4) * 3
    session = again(tmp_path)
    assert sum(len(x.rows) for x in session.history if x.what == "audit") == 4 and len(session.labels) == 20
    assert at.view().is_audit  # the fourth, drawn as soon as the answer before it was there
