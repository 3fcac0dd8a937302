"""Answers taken back, and a session as it was, to the bit."""

import pytest
from sessions import answer, begin, name, seen

pytestmark = pytest.mark.fits


@pytest.mark.parametrize("steps", [1, 3, 9, 13, 14])
def test_undo_gives_back_what_was_there_to_the_bit(course, steps):
    _, views = course
    session = answer(begin(), 14)
    session.undo(steps)
    assert seen(session) == views[14 - steps]
    session.undo(1) if steps < 14 else answer(session, 1)
    assert seen(session) == views[13 - steps if steps < 14 else 1]


@pytest.mark.parametrize("num", [0, 4, 9, 14])
def test_a_session_is_had_as_it_was(course, num):
    session, views = course[0], [*course[1], seen(course[0])]
    places = [0] + [place for place, answer in enumerate(session.history, start=1) if answer.what == "label"]
    past = session.as_of(places[num])
    assert seen(past) == views[num] and len(past.labels) == num
    past.tell(past.ask(), "ant")
    assert len(session.labels) == 14 and seen(session) == views[14]


def test_a_past_beyond_the_history_is_refused():
    session = answer(begin(labels={0: name(0)}), 2)
    with pytest.raises(ValueError, match=r"num_answers must be a whole number from 1 to \d, got 0"):
        session.as_of(0)
    with pytest.raises(ValueError, match="got 99"):
        session.as_of(99)


def test_undo_step_by_step_is_undo_of_all(course):
    session = answer(begin(), 14)
    for num in range(13, 6, -1):
        session.undo()
        assert seen(session) == course[1][num]


def test_undo_takes_back_every_kind():
    session = answer(begin(), 6)
    before = seen(session), session.counts, session.labels
    row = next(iter(session.labels))
    session.skip(session.ask())
    session.relabel(row, "cow" if name(row) != "cow" else "ant")
    assert session.labels[row] != name(row)
    session.undo(2)
    assert (seen(session), session.counts, session.labels) == before
    with pytest.raises(ValueError, match="steps must be at most 6, as many answers as there are, got 7"):
        session.undo(7)
