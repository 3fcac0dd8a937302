"""What a session asks: by every strategy, and of the audit."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sessions import NAMES, POOL, ROWS, TRUTH, answer, begin, name, seen

from alfamous_jax import _strategies, balance, cycle, last_layer

pytestmark = pytest.mark.fits


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


def test_balance_counts_as_far_as_the_labels_are_uneven():
    """Without a lam of one's own: the question is that of 0.1 times the shrinkage, none of it among even labels."""
    rows = {k: np.flatnonzero(TRUTH == k) for k in range(len(NAMES))}
    for sizes in ((4, 4, 4), (9, 2, 1)):
        known = {int(row): NAMES[k] for k, size in enumerate(sizes) for row in rows[k][:size]}
        lam = 0.1 * float(balance.shrinkage(jnp.array(sizes)))
        asked, wanted, plain = (
            begin(labels=known, retrain_every=0, strategy=strategy, lam=weight).ask(25).tolist()
            for strategy, weight in (("random-cb", None), ("random-cb", lam), ("random", None))
        )
        assert asked == wanted and (asked == plain) == (sizes == (4, 4, 4))


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


def test_the_audit_is_never_asked_for_nor_learnt():
    session = answer(begin(audit=0.5), 12)
    held = np.flatnonzero(session._record.setup.held)
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
    held, predicted = np.flatnonzero(session._record.setup.held), session.predict()
    found = session.estimate()
    right = predicted[held] == np.array(NAMES)[TRUTH[held]]
    np.testing.assert_allclose(found.accuracy, [right.mean()] * 3, atol=1e-5)
    np.testing.assert_allclose(np.sum(found.confusion, axis=1) * 30, np.bincount(TRUTH[held], minlength=3), atol=1e-4)
