"""A session of labelling: what is asked, taken back and kept; all of one shape, so that it is compiled once."""

import json
import math
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from alfamous_jax import _strategies, cycle, last_layer
from alfamous_jax.session import Session, _model, _views

ROWS, WIDTH, NAMES = 60, 4, ("ant", "bee", "cow")
RNG = np.random.default_rng(3)
TRUTH = RNG.choice(3, ROWS, p=(0.7, 0.2, 0.1))
POOL = (4 * np.eye(3, WIDTH)[TRUTH] + RNG.normal(size=(ROWS, WIDTH))).astype(np.float32)
SETTINGS = {"classes": NAMES, "retrain_every": 5, "seed": 7}


@pytest.fixture(scope="module", autouse=True)
def narrow():
    """Few random features and a short buffer: a fit in milliseconds."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(last_layer, "NUM_FEATURES", 16)
        patch.setattr(last_layer, "SMALLEST", 16)
        yield


def name(row):
    return NAMES[TRUTH[row]]


def begin(features=POOL, **settings):
    return Session(features, **SETTINGS | settings)


def answer(session, num):
    """Answers so many questions truly."""
    for _ in range(num):
        (row,) = session.ask().tolist()
        session.tell(row, name(row))
    return session


def seen(session):
    """All that the next question and the predictions depend on."""
    return session.ask().tolist(), session.predict_proba().tobytes()


@pytest.fixture(scope="module")
def course():
    """What was seen before each of 14 answers, and the session after them."""
    session, views = begin(), []
    for _ in range(14):
        views.append(seen(session))
        answer(session, 1)
    return session, views


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
        state = cycle.update(state, phi, jnp.array([row]), jnp.asarray(TRUTH[[row]]))
    assert len(told) + len(since) == 9 and since
    wanted = jax.nn.softmax(state.logits / jnp.sqrt(1 + jnp.pi / 8 * state.variance)[:, None])
    np.testing.assert_allclose(session.predict_proba(), wanted, atol=1e-5)
    (row,), _ = cycle.query(state, jax.random.key(0), utility="margin", lam=0.1)
    assert session.ask().tolist() == [row]


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
        early._setup, early._current(), list(lags.labels)[len(early.labels) :],
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
    programs = _model._take_in, _strategies.pick, last_layer._fit, last_layer._apply, cycle.init
    before = [program._cache_size() for program in programs]
    answer(session, 7)
    assert [program._cache_size() for program in programs] == before
    assert sum(entry.what == "retrain" for entry in session.history) > 2


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


# The audit


def test_the_audit_is_never_asked_for_nor_learnt():
    session = answer(begin(audit=0.5), 12)
    held = np.flatnonzero(session._setup.held)
    assert len(held) == 30 and not set(session.labels) & set(held.tolist())
    before = seen(session)
    rows = session.ask_audit(3)
    assert session.ask_audit(3).tolist() == rows.tolist() and set(rows.tolist()) <= set(held.tolist())
    session.tell(rows[1], name(rows[1]))
    with pytest.raises(ValueError, match="no row of the audit has been answered"):
        session.estimate()
    session.tell(rows[[0, 2]], [name(row) for row in rows[[0, 2]]])
    assert seen(session)[1] == before[1]
    assert 0 <= float(session.estimate().accuracy.low) <= float(session.estimate().accuracy.high) <= 1


def test_an_estimate_from_all_rows_is_the_truth():
    session = answer(begin(audit=0.5), 12)
    for _ in range(2):  # what is drawn first may be answered last
        rows = session.ask_audit(15)
        session.tell(rows[::-1], [name(row) for row in rows[::-1]])
    held, predicted = np.flatnonzero(session._setup.held), session.predict()
    found = session.estimate()
    right = predicted[held] == np.array(NAMES)[TRUTH[held]]
    np.testing.assert_allclose(found.accuracy, [right.mean()] * 3, atol=1e-5)
    np.testing.assert_allclose(np.sum(found.confusion, axis=1) * 30, np.bincount(TRUTH[held], minlength=3), atol=1e-4)


# Strategies


def test_the_names_are_those_of_the_experiments():
    from experiments.learning import methods

    trained = {"bald-mc", "bald-mc-cb", "vaal", "vaal-cb", "vabal", "vabal-cb"}
    believes = {"cds-bal-pred"}  # as cds-bal does here, where nobody knows the labels of a batch
    assert set(_strategies.NAMES) == set(methods.names()) - trained - believes


TRACED = ("random", "us", "margin-cb", "entropy-fbu", "bald", *_strategies.OTHERS)  # the others share their code


@pytest.mark.parametrize("strategy", TRACED)
def test_every_strategy_answers_with_rows(strategy):
    """Traced for shapes; what the selectors choose is tested where they lie."""
    posterior = last_layer.first(last_layer.measure(POOL, 0), 3).posterior
    arrays = jnp.ones((ROWS, 16)), jnp.ones(ROWS, bool), jnp.zeros(3, int)
    state = jax.eval_shape(lambda: cycle.init(posterior, *arrays))
    known = _strategies.Labelled(jnp.ones((ROWS, 16)), jnp.zeros(ROWS, jnp.int32), jnp.zeros(ROWS, bool))
    parsed = _strategies.parse(strategy)
    for num in (1, 4):
        traced = jax.eval_shape(partial(_strategies.pick, parsed, num=num), state, jax.random.key(0), 0.1, known)
        indices, num_invalid = traced
        assert indices.shape == (num,) and indices.dtype == jnp.int32 and num_invalid.shape == ()


@pytest.mark.slow
@pytest.mark.parametrize(
    "strategy", ["us", "bald-fbu", "kcenter-cb", "badge", "cds-bal", "dmcs-rand", "entropy-pseudo"]
)
def test_a_strategy_labels_a_pool(strategy):
    session = answer(begin(strategy=strategy), 8)
    assert len(session.labels) == 8
    rows = session.ask(4)
    assert len(set(rows.tolist()) - set(session.labels)) == 4


def test_the_pool_runs_out():
    few = begin(retrain_every=0, strategy="random")
    few.skip(list(range(56)))
    assert set(few.ask(2).tolist()) < {56, 57, 58, 59}
    few.tell([57, 58, 59], ["ant", "ant", "bee"])
    few.skip(56)
    assert few.ask(2).tolist() == []


# What is kept


def view(session):
    """All that is asked, predicted and remembered."""
    return *seen(session), [entry.to_json() for entry in session.history]


@pytest.fixture(scope="module")
def journal(tmp_path_factory):
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
