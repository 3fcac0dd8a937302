"""Strategies of scikit-activeml behind the driver: asked as they are meant to be, told no label that is not known."""

import runpy
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest

from experiments.conformance.trial import pool

pytest.importorskip("skactiveml")
pytestmark = pytest.mark.slow

PEERS = runpy.run_path(str(Path(__file__).parents[2] / "examples" / "peers.py"))
BY_CLASSIFIER = ("least_confident", "margin", "badge", "drop_query", "falcun")
STRATEGIES = (*BY_CLASSIFIER, "core_set", "typi_clust", "prob_cover", "max_herding")
BUDGET = 6


def picked(name, view, budget=BUDGET):
    pick = jax.jit(PEERS[name], static_argnames="budget")
    return np.asarray(pick(jax.random.key(1), jax.tree.map(jnp.asarray, view), 0.0, budget=budget))


@pytest.mark.parametrize("name", STRATEGIES)
def test_a_batch(name):
    view = pool(0)
    rows = picked(name, view)
    assert len(set(rows.tolist())) == BUDGET and view.available[rows].all()
    np.testing.assert_array_equal(picked(name, view), rows)
    unknown = view._replace(labels=np.where(view.labelled, view.labels, (view.labels + 1) % 3))
    np.testing.assert_array_equal(picked(name, unknown), rows)


@pytest.mark.parametrize("name", [name for name in STRATEGIES if name != "typi_clust"])
def test_fewer_rows_than_the_budget(name):
    """TypiClust of scikit-activeml 1.0.1 names the first row twice there."""
    view = pool(0)
    few = np.flatnonzero(view.available)[:4]
    rows = picked(name, view._replace(available=np.isin(np.arange(len(view.phi)), few)))
    assert sorted(rows[:4]) == few.tolist() and (rows[4:] == -1).all()


def test_probabilities_are_those_of_the_head():
    view = pool(0)
    head = PEERS["LastLayer"](view.posterior.mean, view.posterior.cov, np.arange(3))
    mean, cov, phi = (np.asarray(x, float) for x in (*view.posterior, view.phi))
    expected = oracles.mean_field(*oracles.predict(mean, cov, phi))
    np.testing.assert_allclose(head.predict_proba(view.phi), expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(head.predict(view.phi), expected.argmax(axis=1))
    two = np.sort(expected, axis=1)[:, -2:]
    gaps = np.where(view.available, two[:, 1] - two[:, 0], np.inf)
    assert set(picked("margin", view)) == set(np.argsort(gaps)[:BUDGET])
