"""What the page says of the progress: the curve, the points that a worker measures, the rule for stopping."""

import threading

import numpy as np
import pytest
from labelling import NAMES, POOL, again, answer, desk, in_file, name, wait_for
from narrow_heads import narrow  # noqa: F401  a fixture
from sklearn.metrics import accuracy_score, f1_score

from alfamous_jax.session import Session
from experiments.label import curve, scores
from experiments.label.scores import Fit, HeldOut, Point, Scores

pytestmark = pytest.mark.slow


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
