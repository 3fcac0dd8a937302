"""The bounds of the batch selector hold to the last digit: never above the exact optimum, nor what is returned."""

import itertools
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from alfamous_jax.selection import balance, balance_lp
from experiments.bench.others.instances import generate

pytestmark = pytest.mark.slow

N, K, BUDGET = 11, 3, 4
BATCHES = np.array(list(itertools.combinations(range(N), BUDGET)))
EPS = np.finfo(np.float32).eps


def value_of(indices, utility, probs, demand, lam):
    """The objective in float64, of numbers as they are in float32."""
    picked = np.asarray(indices)[np.asarray(indices) >= 0]
    utility, probs, demand = (np.asarray(x, float) for x in (utility, probs, demand))
    return -utility[picked].sum() + float(lam) * np.abs(demand - probs[picked].sum(0)).sum()


def of_any_scale(seed, size):
    """Pools whose utilities, demands and lam span nine decades each; every other time P does too, with zeros in it."""
    rng = np.random.default_rng(seed)
    utility = rng.normal(size=(size, N)) * 10.0 ** rng.integers(-4, 5, (size, 1))
    probs = rng.random((size, N, K))
    probs /= probs.sum(-1, keepdims=True)
    if seed % 2:
        probs *= 10.0 ** rng.integers(-3, 3, (size, 1, 1))
        probs[rng.random(probs.shape) < 0.2] = 0
    demand = np.maximum(rng.normal(size=(size, K)) * 10.0 ** rng.integers(-2, 3, (size, 1)), 0)
    lam = 10.0 ** rng.uniform(-5, 4, size)
    lam[::7] = 0
    return [x.astype(np.float32) for x in (utility, probs, demand, lam)]


@pytest.mark.parametrize("size", [300, pytest.param(2000, marks=pytest.mark.exhaustive)])
@pytest.mark.parametrize("seed", range(2))
def test_never_above_the_best_of_all_batches(seed, size):
    """The window is the whole pool, so that gaps of several percent come from rounding the LP alone."""
    arrays = of_any_scale(seed, size)
    utility, probs, demand, lam = (x.astype(float) for x in arrays)
    l1 = np.abs(demand[:, None] - probs[:, BATCHES].sum(2)).sum(2)
    optimum = (-utility[:, BATCHES].sum(2) + lam[:, None] * l1).min(1)
    solve = jax.jit(jax.vmap(partial(balance_lp.solve_dual, available=jnp.ones(N, bool), budget=BUDGET)))
    assert (np.asarray(solve(*arrays).bound, float) <= optimum).all()


def test_never_above_its_own_batch():
    """Demands from a few labels to a million: sums of large numbers that all but cancel."""
    rows, classes, budget = 200, 10, 30
    select = jax.jit(partial(balance_lp.select_batch, available=jnp.ones(rows, bool), budget=budget))
    for seed, scale in itertools.product(range(20), 10.0 ** np.arange(6)):
        rng = np.random.default_rng(seed)
        probs = rng.dirichlet(np.full(classes, 0.5), rows)
        demand = scale * np.maximum(7.2 * rng.random(classes) - rng.random(classes), 0)
        arrays = [x.astype(np.float32) for x in (rng.random(rows), probs, demand, rng.choice([0.05, 0.3, 1.0]))]
        batch = select(*arrays)
        assert float(batch.bound) <= value_of(batch.indices, *arrays)
        assert batch.bound <= batch.objective


def test_after_20_000_labels():
    rows, classes, budget = 200, 10, 30
    select = jax.jit(partial(balance_lp.select_batch, available=jnp.ones(rows, bool), budget=budget))
    for seed in range(30):
        rng = np.random.default_rng(seed)
        counts = (rng.dirichlet(np.full(classes, 0.7)) * 20_000).astype(int)
        demand = np.asarray(balance.class_demand(jnp.asarray(counts), counts.sum() + budget))
        probs = rng.dirichlet(np.full(classes, 0.3), rows)
        arrays = [*(x.astype(np.float32) for x in (rng.random(rows), probs)), demand, np.float32(0.5)]
        batch = select(*arrays)
        value = value_of(batch.indices, *arrays)
        assert value - 1e-5 * abs(value) - 0.5 * classes <= float(batch.bound) <= value
        assert batch.bound <= batch.objective


def test_where_the_gap_is_closed_but_for_rounding():
    """Bound and batch meet to a unit in the last place; for lam as a Python number the bound holds as well."""
    instance = generate("A", 60, 4, 8)
    batch = balance_lp.select_batch(*instance, 0.05, jnp.ones(60, bool), budget=8)
    for lam in (0.05, np.float32(0.05)):
        value = value_of(batch.indices, *instance, lam)
        assert value - 3 * EPS * abs(value) <= float(batch.bound) <= value


@pytest.mark.parametrize("left", [0, 1, 2])
def test_where_there_is_nothing_to_choose(left):
    """At most b rows: the one batch there is, 200 classes to sum over."""
    rows, classes, budget = 12, 200, 3
    select = jax.jit(partial(balance_lp.select_batch, available=jnp.arange(rows) < left, budget=budget))
    for seed in range(30):
        rng = np.random.default_rng(seed)
        probs, demand = rng.dirichlet(np.full(classes, 0.5), rows), 2 * budget / classes * rng.random(classes)
        arrays = [x.astype(np.float32) for x in (rng.random(rows), probs, demand, rng.choice([0.05, 0.3, 3.0]))]
        batch = select(*arrays)
        value = value_of(batch.indices, *arrays)
        size_of_terms = value + 2 * arrays[0][:left].sum()
        assert value - 3 * EPS * size_of_terms <= float(batch.bound) <= value
        assert batch.bound <= batch.objective and batch.num_selected == left


def test_a_crowd_at_the_threshold_is_allowed_for():
    """More equal scores than are looked at again: any of them may be above its rounded score."""
    rows, classes, budget = 4000, 7, 50
    rng = np.random.default_rng(0)
    probs = np.tile(rng.dirichlet(np.ones(classes), 4), (rows // 4, 1)).astype(np.float32)
    utility = np.full(rows, 0.1, np.float32)
    demand = rng.random(classes).astype(np.float32)
    dual = balance_lp.solve_dual(utility, probs, demand, np.float32(0.3), jnp.ones(rows, bool), budget=budget)
    nu = np.asarray(dual.multipliers, float)
    scores = utility.astype(float) + probs.astype(float) @ nu
    value = nu @ demand.astype(float) - np.sort(scores)[-budget:].sum()
    scale = np.abs(nu * demand).sum() + budget * (0.1 + np.abs(nu).max())
    assert value - 2 * classes * EPS * scale <= float(dual.bound) <= value
