"""Strategies that cheat: equal shares as far as classes reach; the row after which a loop finds the lowest loss."""

import runpy
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest

from alfamous_jax import updates
from experiments.conformance.trial import pool

pytestmark = pytest.mark.slow

UPPER = runpy.run_path(str(Path(__file__).parents[2] / "examples" / "upper.py"))


def picked(name, view, budget, seed=0):
    pick = jax.jit(UPPER[name], static_argnames="budget")
    return np.asarray(pick(jax.random.key(seed), jax.tree.map(jnp.asarray, view), 0.0, budget=budget))


@pytest.mark.parametrize("name", ["balanced_random", "look_ahead"])
@pytest.mark.parametrize("seed", range(4))
def test_rows_of_the_pool_once_each(name, seed):
    view = pool(seed)
    left = int(view.available.sum())
    rows = picked(name, view, left + 3, seed)
    assert sorted(rows[:left]) == np.flatnonzero(view.available).tolist() and (rows[left:] == -1).all()


@pytest.mark.parametrize("seed", range(6))
def test_shares_are_as_equal_as_the_classes_allow(seed):
    """Row by row, the class with the fewest labels of those that have a row left."""
    view = pool(seed)
    rows = picked("balanced_random", view, 12, seed)
    counts, left = view.counts.copy(), np.bincount(view.labels[view.available], minlength=3)
    for _ in range(12):
        least = min(counts[left > 0])
        scarce = np.flatnonzero((left > 0) & (counts == least))[0]
        counts[scarce], left[scarce] = counts[scarce] + 1, left[scarce] - 1
    found = view.counts + np.bincount(view.labels[rows], minlength=3)
    np.testing.assert_array_equal(np.sort(found), np.sort(counts))
    assert np.abs(found - counts).max() <= 1, "ties apart, the same classes"


def test_draws_are_at_random():
    view = pool(1)
    assert len({tuple(sorted(picked("balanced_random", view, 5, seed))) for seed in range(5)}) > 3


@pytest.mark.parametrize("seed", range(3))
def test_the_first_row_is_the_best_of_all(seed):
    """With so few rows that all are tried: a posterior for each, its loss by class in float64."""
    view = pool(seed)
    few = np.flatnonzero(view.available)[:10]
    view = view._replace(available=np.isin(np.arange(len(view.phi)), few))
    phi = np.asarray(view.phi, float)
    usable = view.available | view.labelled
    losses = {}
    for row in few:
        posterior = jax.tree.map(jnp.asarray, view.posterior)
        after, _ = updates.rank_one(posterior, jnp.asarray(view.phi[row]), int(view.labels[row]), implicit=True)
        mean, cov = (np.asarray(x, float) for x in after)
        right = oracles.mean_field(*oracles.predict(mean, cov, phi))[np.arange(len(phi)), view.labels]
        of_classes = [-np.log(right[usable & (view.labels == k)]).mean() for k in np.unique(view.labels[usable])]
        losses[row] = sum(of_classes)
    assert picked("look_ahead", view, 1, seed)[0] == min(losses, key=losses.get)
