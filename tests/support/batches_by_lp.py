"""Instances of the class-balanced batch, solved by us and by HiGHS, and what every batch must be."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import oracles

from alfamous_jax.core.contract import Selection
from alfamous_jax.selection import balance, balance_lp
from experiments.bench.others.instances import Instance, generate, highs_lp

EPS = np.finfo(np.float32).eps
TOLERANCE = 1e-6  # the default of select_batch
# Rows, classes, budget: a window that is the whole pool, windows of 2,048 rows, rows above the window.
TINY, PLAIN, LARGE = (1000, 5, 20), (5000, 10, 100), (20000, 10, 2500)
SHAPES = [TINY, PLAIN, (2000, 30, 40), (5000, 50, 50), LARGE]
LAMS = [0.05, 0.1, 0.5, 2.0]


def case_id(value):
    return "{}x{}_b{}".format(*value) if isinstance(value, tuple) else f"lam_{value}" if value in LAMS else str(value)


def everything(rows):
    return jnp.ones(rows, bool)


def plain(tree):
    """Scalars as floats, so that nothing is compared in float32, and arrays as NumPy's."""
    return jax.tree.map(lambda x: x.item() if x.ndim == 0 else np.asarray(x), tree)


def select_batch(*arguments, **options):
    return plain(balance_lp.select_batch(*arguments, **options))


def solve_dual(*arguments, **options):
    return plain(balance_lp.solve_dual(*arguments, **options))


def select_greedy(*arguments, **options):
    return plain(balance.select_greedy(*arguments, **options))


def float64(instance):
    return Instance(*(np.asarray(x, np.float64) for x in instance))


def value_of(indices, instance, lam):
    """The objective in float64."""
    return oracles.objective(np.asarray(indices)[np.asarray(indices) >= 0], *float64(instance), lam)


def slack(instance, nu, budget):
    """One unit in the last place of sum |nu demand| and of b scores."""
    utility, probs, demand = float64(instance)
    score = np.abs(utility).max() + np.abs(nu).max() * probs.sum(1).max()
    return EPS * (np.abs(nu * demand).sum() + budget * score)


def rounding(indices, instance, lam):
    """Four units in the last place of all terms of the objective."""
    utility, probs, demand = float64(instance)
    picked = np.asarray(indices)[np.asarray(indices) >= 0]
    return 4 * EPS * (np.abs(utility[picked]).sum() + lam * (demand.sum() + probs[picked].sum()))


def assert_a_batch(selection, available, budget):
    """Distinct rows that may be picked, as many as there are up to the budget, then -1."""
    indices, count = np.asarray(selection.indices), min(budget, int(np.sum(available)))
    assert indices.shape == (budget,) and indices.dtype == np.int32 and selection.num_selected == count
    assert (indices[:count] >= 0).all() and (indices[count:] == -1).all()
    assert len(set(indices[:count].tolist())) == count and np.asarray(available)[indices[:count]].all()


class Solved(NamedTuple):
    """One instance with our answer and that of HiGHS."""

    instance: Instance
    selection: Selection
    dual: balance_lp.Dual
    value: float  # of the batch, in float64
    slack: float
    lp: float
    z: np.ndarray


@functools.cache
def solved(family, shape, lam, seed=0):
    rows, _, budget = shape
    instance = generate(family, *shape, seed)
    selection = select_batch(*instance, lam, everything(rows), budget=budget)
    dual = solve_dual(*instance, lam, everything(rows), budget=budget)
    allowed = slack(instance, dual.multipliers.astype(float), budget)
    value = value_of(selection.indices, instance, lam)
    return Solved(instance, selection, dual, value, allowed, *highs_lp(instance, lam, budget))


def small(seed):
    """60 rows of 4 classes, 5 in 6 of them available, to choose 8 from; odd seeds ask for equal shares."""
    rng = np.random.default_rng(seed)
    utility, probs = rng.uniform(0, 1, 60), rng.dirichlet(np.full(4, 0.5), 60)
    demand = np.full(4, 2.0) if seed % 2 else np.maximum(rng.uniform(-1, 5, 4), 0)
    return *(x.astype(np.float32) for x in (utility, probs, demand)), rng.permutation(np.arange(60) < 50)


def eight(utility, probs, demand, lam, available, **options):
    return balance_lp.select_batch(utility, probs, demand, lam, jnp.asarray(available), budget=8, **options)


def select(*arguments, **options):
    """Eight rows of a small pool."""
    return plain(eight(*arguments, **options))


traced = jax.jit(eight)


def small_lp(utility, probs, demand, lam, available):
    return highs_lp(Instance(utility[available], probs[available], demand), lam, 8)[0]


def assert_same(got, expected):
    for a, b in zip(got, expected, strict=True):
        np.testing.assert_array_equal(a, b)
