"""A session of labelling: what is asked, learnt and seen."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sessions import NAMES, POOL, ROWS, TRUTH, answer, begin, name, seen

from alfamous_jax import _strategies, cycle, last_layer
from alfamous_jax.session import _model

pytestmark = pytest.mark.fits


@pytest.mark.slow
def test_questions_are_new_rows_and_labels_are_learnt(course):
    session, views = course
    assert len({row for rows, _ in views for row in rows}) == 14
    assert sum(session.counts.values()) == 14 and min(session.counts.values()) > 0
    assert np.mean(session.predict() == np.array(NAMES)[TRUTH]) > 0.8
    assert session.predict(features=POOL[:9]).tolist() == session.predict(range(9)).tolist()
    np.testing.assert_allclose(session.predict_proba(features=POOL[:9]), session.predict_proba(range(9)), atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("other", [False, True])
def test_what_is_foreseen_of_a_row_changes_nothing(course, other):
    """Also where another row is answered, or the one foreseen is skipped first."""
    session, views = begin(), course[1]
    for place in range(14):
        (row,) = session.ask().tolist()
        session.foresee((row + 1) % ROWS if other else row)
        assert seen(session) == views[place]
        answer(session, 1)
    session.foresee(session.ask()[0])
    session.skip(session.ask())
    assert seen(session) != seen(course[0])
    session.undo()
    assert seen(session) == seen(course[0])


def test_an_answer_that_was_foreseen_takes_no_pass_over_the_pool(monkeypatch):
    session = answer(begin(retrain_every=0, labels={0: name(0), 1: name(1)}), 1)
    (row,) = session.ask().tolist()
    session.foresee(row)
    monkeypatch.setattr(_model, "_along", None)
    session.tell(row, name(row))
    session.ask()
    with pytest.raises(TypeError, match="not callable"):
        answer(session, 1).ask()


def test_before_two_classes_are_known_the_pool_is_covered():
    """The first row is the one farthest from the mean among rows of length 1, the second the farthest from that."""
    session, phi = begin(), np.asarray(POOL - POOL.mean(axis=0), np.float64)
    phi /= np.linalg.norm(phi, axis=1, keepdims=True)
    first = np.argmax(np.linalg.norm(phi - phi.mean(axis=0), axis=1))
    assert session.ask().tolist() == [first]
    session.skip(first)
    assert session.ask().tolist() == [np.argmax(np.linalg.norm(phi - phi[first], axis=1))]


def test_the_model_is_that_of_the_pure_functions():
    """A head fitted to the labels of the last fit, then `cycle.update` for each label since."""
    session = answer(begin(), 9)
    fits = [i for i, entry in enumerate(session.history) if entry.what == "retrain"]
    told = [entry.rows[0] for entry in session.history[: fits[-1]] if entry.what == "label"]
    since = [entry.rows[0] for entry in session.history[fits[-1] :] if entry.what == "label"]
    maps = last_layer.measure(POOL, 7)
    head = last_layer.fit(maps, jax.random.key(7), POOL[told], TRUTH[told].astype(np.int32), 3)
    phi = last_layer.phi_of(maps, head.place, POOL)
    counts = jnp.bincount(jnp.asarray(TRUTH[told]), length=3)
    state = cycle.init(head.posterior, phi, jnp.ones(ROWS, bool).at[jnp.array(told)].set(False), counts)
    for row in since:
        state = cycle.update(state, phi, jnp.array([row]), jnp.asarray(TRUTH[[row]]), implicit=True)
    assert len(told) + len(since) == 9 and since
    wanted = jax.nn.softmax(state.logits / jnp.sqrt(1 + jnp.pi / 8 * state.variance)[:, None])
    np.testing.assert_allclose(session.predict_proba(), wanted, atol=1e-5)
    (row,), _ = cycle.query(state, jax.random.key(0), utility="margin", lam=0.1)
    assert session.ask().tolist() == [row]


def test_a_changed_label_counts_as_if_it_had_been_given_so():
    wrong, right = begin(retrain_every=0), begin(retrain_every=0)
    rows = [int(np.flatnonzero(TRUTH == k)[0]) for k in (0, 1, 2)]
    wrong.tell(rows, ["ant", "cow", "cow"])
    wrong.relabel(rows[1], "bee")
    right.tell(rows, NAMES)
    right.retrain()
    assert seen(wrong) == seen(right) and wrong.counts == right.counts


@pytest.mark.slow
def test_a_class_that_comes_on_the_way():
    session = answer(begin(), 6)
    session.add_class("dog")
    row = int(session.ask()[0])
    session.tell(row, "dog")
    assert session.predict_proba().shape == (ROWS, 4) and session.counts["dog"] == 1
    session.undo(2)
    assert session.classes == NAMES and seen(session) == seen(answer(begin(), 6))


def test_labels_that_are_known_are_fitted_at_once_and_stay():
    given = {int(row): name(row) for row in range(10)}
    session = begin(labels=given)
    listed = [name(row) if row < 10 else None for row in range(ROWS)]
    assert seen(session) == seen(begin(labels=listed)) and session.labels == given
    assert not set(session.ask().tolist()) & set(given)
    with pytest.raises(ValueError, match="steps must be at most 0"):
        session.undo()


def test_pools_of_every_kind_are_the_same_pool(tmp_path):
    np.save(tmp_path / "pool.npy", POOL)
    wanted = seen(begin())
    for pool in (str(tmp_path / "pool.npy"), np.load(tmp_path / "pool.npy", mmap_mode="r"), jnp.asarray(POOL)):
        assert seen(begin(pool)) == wanted
    assert seen(begin(POOL.astype(np.float64).tolist())) == wanted


def test_one_compilation_serves_all_answers(course):
    session = answer(begin(), 8)
    programs = _model._take_in, _strategies._quick_pick, last_layer._fit, last_layer._apply, cycle.init
    before = [program._cache_size() for program in programs]
    answer(session, 7)
    assert [program._cache_size() for program in programs] == before
    assert sum(entry.what == "retrain" for entry in session.history) > 2


@pytest.mark.parametrize(("strategy", "slow"), [("margin", False), ("bald", True)])
def test_what_runs_for_long_is_compiled_for_speed(strategy, slow):
    """The integrals of BALD take three times as long in a program that was compiled quickly."""
    before = _strategies._pick._cache_size()
    answer(begin(strategy=strategy), 8).ask(3)
    assert (_strategies._pick._cache_size() > before) == slow


def test_history_has_who_when_and_with_what_probability():
    session = begin(strategy="random")
    session.tell(session.ask(), "ant", who="ann")
    rows = session.ask(2)
    session.skip(rows[1])
    session.tell(rows[0], "bee")
    session.tell(int(np.flatnonzero(TRUTH == 2)[0]), "cow")
    told = [entry for entry in session.history if entry.what != "retrain"]
    assert [entry.who for entry in told] == ["ann", "", "", ""] and told[0].when.endswith("+00:00")
    chances = [entry.probabilities[0] for entry in told]
    np.testing.assert_allclose(chances[:3], [1 / 60, 1 / 58, 1 / 59])
    assert math.isnan(chances[3]) or told[3].rows[0] in rows


def test_progress_is_that_of_the_last_fits(course):
    session, _ = course
    progress = session.progress()
    assert progress.num_labels == 14 and len(progress.kl) == 14 - 12 and min(progress.kl) > 0
    assert set(progress.agreement) == set(NAMES) and 0 <= progress.least <= 1
    assert math.isnan(begin().progress().least)
