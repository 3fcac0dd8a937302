"""Fits that are put off: what waits, what is caught up with, what an undo takes back."""

import numpy as np
import pytest
from sessions import NAMES, POOL, ROWS, answer, begin, name, seen

from alfamous_jax.session import Session, _model, _views

pytestmark = pytest.mark.fits


def lagging(start=4):
    """A session that puts fits off after some answers, and one that does not, of the same 16 answers."""
    lags, waits = begin(), begin()
    answer(lags, start)
    lags.fits_later = True
    answer(lags, 16 - start)
    for row, label in lags.labels.items():
        waits.tell(row, label)
    return lags, waits


def test_a_fit_that_is_put_off_is_not_waited_for():
    lags, waits = lagging()
    assert lags.is_behind and not waits.is_behind
    assert [x.what for x in lags.history] == [x.what for x in waits.history]
    fitted = [place for place, x in enumerate(lags.history, start=1) if x.what == "retrain"]
    early = waits.as_of(fitted[0])
    state = _model.learn(
        early._record.setup, early._record.current(), list(lags.labels)[len(early.labels) :],
        [NAMES.index(label) for label in list(lags.labels.values())[len(early.labels) :]],
    ).state  # fmt: skip
    np.testing.assert_allclose(lags.predict_proba(), _views.probabilities(state), rtol=1e-4, atol=1e-6)
    assert np.abs(lags.predict_proba() - waits.predict_proba()).max() > 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("start", [0, 4])
def test_catching_up_gives_what_waiting_gives(start):
    lags, waits = lagging(start)
    copy = lags.as_of(len(lags.history))
    copy.head  # noqa: B018  fits it, while questions go on
    (row,) = lags.ask().tolist()
    lags.tell(row, name(row))
    waits.tell(row, name(row))
    lags.catch_up(copy)
    lags.fits_later = False  # for the fit that this answer may have made due
    assert not lags.is_behind and seen(lags) == seen(waits) and lags.progress() == waits.progress()
    lags.undo(3)
    waits.undo(3)
    assert seen(lags) == seen(waits)


def test_a_fit_is_put_off_before_any_question_meets_it():
    session = answer(begin(), 6)
    session.fits_later = True
    rows = [row for row in range(ROWS) if row not in session.labels][:5]
    session.tell(rows, [name(row) for row in rows])
    assert session.is_behind
    session.catch_up()
    assert not session.is_behind and session.history[-1].what == "retrain"


def test_a_fit_that_is_put_off_waits_on_when_an_answer_is_foreseen():
    """Of a label that nobody has asked after yet, so that the model takes it in now."""
    lags, waits = answer(begin(), 6), answer(begin(), 6)
    lags.fits_later = True
    rows = [row for row in range(ROWS) if row not in lags.labels][:6]
    for session in (lags, waits):
        session.tell(rows[:5], [name(row) for row in rows[:5]])
    lags.foresee(rows[5])
    assert lags.is_behind
    lags.catch_up()
    assert not lags.is_behind and seen(lags) == seen(waits)


@pytest.mark.parametrize("steps", [1, 12])
def test_undo_takes_back_what_was_put_off_too(steps):
    lags, waits = lagging()
    copy = lags.as_of(len(lags.history))
    lags.undo(steps)
    waits.undo(steps)
    lags.catch_up(copy)  # of answers that are no more
    assert lags.is_behind == (steps == 1)
    lags.catch_up()
    assert not lags.is_behind and seen(lags) == seen(waits)


def test_what_was_put_off_is_in_what_is_saved(tmp_path):
    lags, waits = lagging()
    lags.save(tmp_path / "session.npz")
    assert seen(Session.load(tmp_path / "session.npz", POOL)) == seen(waits)
