"""small-text's class balancer behind the driver: a batch of its own kind, told no label that is not known."""

import runpy
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest

from experiments.conformance.trial import pool

pytest.importorskip("small_text")
pytestmark = pytest.mark.slow

PEERS = runpy.run_path(str(Path(__file__).parents[2] / "examples" / "peers_by_class.py"))
BALANCED = ("breaking_ties_balanced", "least_confidence_balanced", "entropy_balanced")
BUDGET = 6


def picked(name, view, budget=BUDGET):
    pick = jax.jit(PEERS[name], static_argnames="budget")
    return np.asarray(pick(jax.random.key(1), jax.tree.map(jnp.asarray, view), 0.0, budget=budget))


def probabilities(view):
    mean, cov, phi = (np.asarray(x, float) for x in (*view.posterior, view.phi))
    return oracles.mean_field(*oracles.predict(mean, cov, phi))


@pytest.mark.parametrize("name", ["breaking_ties", *BALANCED])
def test_a_batch(name):
    view, state = pool(0), np.random.get_state()[1].copy()  # noqa: NPY002
    rows = picked(name, view)
    assert len(set(rows.tolist())) == BUDGET and view.available[rows].all()
    np.testing.assert_array_equal(picked(name, view), rows)
    unknown = view._replace(labels=np.where(view.labelled, view.labels, (view.labels + 1) % 3))
    np.testing.assert_array_equal(picked(name, unknown), rows)
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002


def test_breaking_ties_takes_the_smallest_margins():
    view = pool(0)
    two = np.sort(probabilities(view), axis=1)[:, -2:]
    gaps = np.where(view.available, two[:, 1] - two[:, 0], np.inf)
    assert set(picked("breaking_ties", view)) == set(np.argsort(gaps)[:BUDGET])


def test_a_balanced_batch_goes_to_the_class_that_lacks_most_as_far_as_it_is_predicted():
    view = pool(0)
    predicted = probabilities(view).argmax(axis=1)
    rare = 2
    few = view._replace(
        labels=np.where(view.labelled & (view.labels == rare), 0, view.labels)
    )  # no label of it is known
    rows = picked("breaking_ties_balanced", few, budget=2)
    assert (predicted[rows] == rare).all()


@pytest.mark.parametrize("name", BALANCED)
def test_fewer_rows_than_the_budget(name):
    view = pool(0)
    few = np.flatnonzero(view.available)[:4]
    rows = picked(name, view._replace(available=np.isin(np.arange(len(view.phi)), few)))
    assert sorted(rows[:4]) == few.tolist() and (rows[4:] == -1).all()
