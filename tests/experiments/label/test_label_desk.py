"""One question at a time: what answers do to session, journal and file, from one tab and from two."""

import json
import threading
import time

import numpy as np
import pytest
from labelling import NAMES, POOL, again, begun, desk, in_file, name
from narrow_heads import narrow  # noqa: F401  a fixture
from sklearn.metrics import accuracy_score, f1_score

from alfamous_jax.session import Session
from experiments.label import curve, scores
from experiments.label.scores import Fit, HeldOut, Point, Scores

pytestmark = pytest.mark.slow


def answer(at, num):
    rows = []
    for _ in range(num):
        rows.append(at.view().row)
        at.answer(rows[-1], name(rows[-1]))
    return rows


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


def wait_for(condition, seconds=500):
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def test_the_worker_fits_and_measures_while_questions_go_on(tmp_path):
    at = desk(tmp_path, "--audit", "0", held_out=True)
    threading.Thread(target=at.work, daemon=True).start()
    answer(at, 30)
    row = at.view().row
    wait_for(lambda: at.view().points and at.view().points[-1].num_labels == 30 and not at._session.is_behind)
    assert at.view().row == row  # the question that is open stays
    expected = scores.point(again(tmp_path), HeldOut(POOL[:20], np.array([name(row) for row in range(20)])))
    assert tuple(at.view().points[-1]) == pytest.approx(tuple(expected), nan_ok=True)
    at.undo()
    wait_for(lambda: all(point.num_labels < 30 for point in at.view().points))


def test_a_session_that_goes_on_is_measured_again(tmp_path):
    first = desk(tmp_path, "--audit", "0", held_out=True)
    threading.Thread(target=first.work, daemon=True).start()
    for _ in range(5):
        answer(first, 5)
        wait_for(lambda: first.view().points and first.view().points[-1].num_labels == len(in_file(tmp_path)))
    wait_for(lambda: not first._session.is_behind)
    at = desk(tmp_path, held_out=True)
    threading.Thread(target=at.work, daemon=True).start()
    known = {point.num_labels: tuple(point) for point in first.view().points}
    wait_for(lambda: known.keys() <= {point.num_labels for point in at.view().points})
    found = {point.num_labels: tuple(point) for point in at.view().points}
    assert list(known) == [5, 10, 15, 20, 25]
    for num, point in known.items():
        assert found[num] == pytest.approx(point, nan_ok=True)


def test_a_point_on_held_out_rows_is_that_of_scikit_learn():
    session = Session(POOL, NAMES, labels={row: name(row) for row in range(20)})
    held_out = HeldOut(POOL[20:], np.array([name(row) for row in range(20, 60)]))
    found, predicted = scores.point(session, held_out), session.predict(features=POOL[20:])
    assert found.accuracy == pytest.approx(accuracy_score(held_out.labels, predicted))
    assert found.macro_f1 == pytest.approx(f1_score(held_out.labels, predicted, average="macro", labels=NAMES))
    assert found.num_labels == 20 and np.isnan(found.low)


def test_a_point_of_the_audit_is_the_session_s_estimate():
    session = Session(POOL, NAMES, labels={row: name(row) for row in range(0, 60, 4)}, audit=0.4)
    assert scores.point(session, None) is None
    rows = session.ask_audit(9)
    session.tell(rows, [name(row) for row in rows])
    found, expected = scores.point(session, None), session.estimate()
    assert found == Point(15, float(expected.accuracy.value), *(float(x) for x in expected.macro_f1))


def advice(*least, missing=0, counts=(3, 4)):
    found = Scores(None)
    found._fits = {place: Fit(x, "cow" if x == x else "", missing) for place, x in enumerate(least)}
    return scores.advice(found, {str(place): num for place, num in enumerate(counts)})


def test_the_rule_wants_every_class_settled_three_times():
    assert advice(counts=(3, 0)) == "Go on: 1 of 2 classes have no label yet."
    assert advice(float("nan")).startswith("Go on: nothing can be said before")
    assert "“cow” still changed most: the last two fits agree to 61%" in advice(float("nan"), 0.61)
    assert advice(0.96, 0.97).endswith("in a row; so far 2.")
    assert advice(0.96, 0.94, 0.97).endswith("so far 1.")
    assert advice(0.1, 0.95, 0.96, 0.97).startswith("You can stop")
    assert advice(0.96, 0.96, 0.97, missing=1) == "Go on: 1 of 2 classes are predicted for no row yet."


def test_a_curve_lies_where_its_points_are():
    points = [Point(10, 0.5, 0.25, 0.0, 0.5), Point(20, 1.0, 0.75, 0.5, 1.0)]
    found = curve.draw(points)
    middle = (curve.LEFT + curve.RIGHT) / 2
    heights = {share: curve.BOTTOM - (curve.BOTTOM - curve.TOP) * share for share in (0.0, 0.25, 0.5, 0.75, 1.0)}
    assert found.dots == ((middle, heights[0.25]), (curve.RIGHT, heights[0.75]))
    assert found.accuracy == f"{middle},{heights[0.5]} {float(curve.RIGHT)},{heights[1.0]}"
    assert len(found.band.split()) == 4 and found.said.startswith(
        "After 20 labels: macro F1 0.75, between 0.50 and 1.00"
    )
    assert [num for _, num in found.x_ticks] == [0, 5, 10, 15, 20] and curve.draw([]) is None
    for most in (1, 3, 7, 49, 510, 12_345):
        ticks = [num for _, num in curve.draw([Point(most, 0.5, 0.5, 0.4, 0.6)]).x_ticks]
        assert 2 <= len(ticks) <= 6 and ticks[0] == 0 and ticks[-1] <= most
