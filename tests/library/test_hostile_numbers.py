"""Every selector under numbers that are none, and rows that may not be picked: what must not move and what is counted.

All cases of a selector run in one compiled program, one pool after the other.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from alfamous_jax import (
    balance,
    balance_lp,
    batch_bald,
    boundary,
    centroids,
    coverage,
    cycle,
    diversity,
    dropquery,
    falcun,
    flqmi,
    laplace,
    minority,
    single_stage,
    typicality,
)

pytestmark = pytest.mark.fits

N, K, H, BUDGET = 12, 3, 4, 3
KEY = jax.random.key(0)
OUT, ROW = N - 1, 7  # a row that is neither labelled nor available, and an available one
STAGED = ("single_stage", "single_stage_core")
DRAWN = (*STAGED, "badge", "batch_bald", "minority", "galaxy", "direct")
DRAWN += ("prob_cover", "dropquery", "falcun", "typicality")
WEIGHED = ("select_one", "query", "greedy", "pseudo_label", "lp", "k_center_balanced")


class Pool(NamedTuple):
    utility: jax.Array
    probs: jax.Array
    features: jax.Array
    samples: jax.Array
    demand: jax.Array
    lam: jax.Array
    labels: jax.Array
    labelled: jax.Array
    available: jax.Array
    counts: jax.Array


def pool(num_rows=N, num_classes=K):
    rng, rows = np.random.default_rng(1), np.arange(num_rows)
    arrays = (
        rng.random(num_rows),
        rng.dirichlet(np.ones(num_classes), num_rows),
        rng.normal(size=(num_rows, H)),
        rng.dirichlet(np.ones(num_classes), (5, num_rows)),
        np.linspace(0.5, 2.0, num_classes),
        0.3,
    )
    labelled = rows < num_rows // 4
    available = ~labelled & (rows != OUT)
    masks = labelled, available, np.arange(num_classes) + 1
    return Pool(*(np.asarray(x, np.float32) for x in arrays), rng.integers(0, num_classes, num_rows), *masks)


def one(index):
    return index[None], jnp.sum(index >= 0)


def query(p):
    cov = jnp.eye(H)
    state = cycle.PoolState(
        laplace.Posterior(jnp.zeros((p.probs.shape[1], H)), cov), jnp.log(p.probs), p.utility, p.available, p.counts
    )
    indices, info = cycle.query(state, KEY, lam=p.lam)
    return indices, info.num_selected, info.num_invalid


def weighed(p):
    return p.utility, p.probs, p.demand, p.lam, p.available


def spread(p):
    return p.features, p.labelled, p.available


def weights(p):
    """What is to be covered: rows that are neither labelled nor available count nothing."""
    return jnp.where(p.labelled | p.available, p.utility, 0.0)


def minorities(within, auxiliary):
    return lambda p: minority.select(
        KEY, p.probs, p.counts, p.features, p.labels, p.labelled, p.available,
        budget=BUDGET, within=within, auxiliary=auxiliary,
    )  # fmt: skip


def staged(ranking, balancing):
    return lambda p: single_stage.select(
        KEY, p.probs, p.features, p.labels, p.available,
        budget=BUDGET, num_classes=p.probs.shape[1], ranking=ranking, balance_from=0.5, balancing=balancing,
    )  # fmt: skip


def central(order):
    return lambda p: centroids.select(
        p.features, p.labels, p.labelled, p.available,
        budget=BUDGET, num_classes=p.probs.shape[1], order=order, utility=p.utility if order == "ranked" else None,
    )  # fmt: skip


SELECTORS = {
    "select_one": lambda p: one(balance.select_one(*weighed(p))),
    "query": query,
    "greedy": lambda p: balance.select_greedy(*weighed(p), budget=BUDGET),
    "pseudo_label": lambda p: balance.select_pseudo_label(
        p.utility, jnp.argmax(p.probs, axis=1), p.demand, p.lam, p.available, budget=BUDGET
    ),
    "lp": lambda p: balance_lp.select_batch(*weighed(p), budget=BUDGET),
    "k_center": lambda p: diversity.k_center(*spread(p), budget=BUDGET),
    "k_center_balanced": lambda p: diversity.k_center_balanced(p.probs, p.demand, p.lam, *spread(p), budget=BUDGET),
    "badge": lambda p: diversity.badge(KEY, p.probs, p.features, p.available, budget=BUDGET),
    "diversify": lambda p: diversity.diversify(p.utility, p.labels, p.available, budget=BUDGET),
    "batch_bald": lambda p: batch_bald.select(KEY, p.samples, p.available, budget=BUDGET, num_configurations=16),
    "centroids": central("centroid"),
    "ranked": central("ranked"),
    "minority": minorities("diverse", "random"),
    "minority_margin": minorities("certain", "margin"),
    "single_stage": staged("entropy", "candidates"),
    "single_stage_core": staged("core", "centroid"),
    "galaxy": lambda p: boundary.galaxy(KEY, p.probs, p.labels, p.labelled, p.available, budget=BUDGET),
    "direct": lambda p: boundary.direct(KEY, p.probs, p.labels, p.labelled, p.available, budget=BUDGET),
    "coverage": lambda p: coverage.select(weights(p), *spread(p), budget=BUDGET),
    "prob_cover": lambda p: coverage.prob_cover(
        KEY, weights(p), *spread(p), budget=BUDGET, num_classes=p.probs.shape[1]
    ),
    "base": lambda p: boundary.base(p.probs, jnp.eye(p.probs.shape[1]), p.counts, p.available, budget=BUDGET),
    "dropquery": lambda p: dropquery.select(KEY, p.utility, p.features, p.available, budget=BUDGET, candidates=2),
    "flqmi": lambda p: flqmi.select(
        p.probs, p.features, p.labels, jnp.where(p.labelled, 1.0, 0.0), p.available, budget=BUDGET
    ),
    "falcun": lambda p: falcun.select(KEY, p.probs, p.available, budget=BUDGET),
    "typicality": lambda p: typicality.select(KEY, *spread(p), budget=BUDGET),
}


def spoilt(p, field, row, value):
    """A pool with one number replaced, in every entry of a row."""
    x = np.array(getattr(p, field))
    x[(slice(None), row) if field == "samples" else row] = value
    return p._replace(**{field: x})


COMPILED = {name: jax.jit(select) for name, select in SELECTORS.items()}
every_selector = pytest.mark.parametrize("name", SELECTORS)


@every_selector
def test_a_row_that_is_not_available_changes_nothing(name):
    select = COMPILED[name]
    expected = select(pool())
    for field in ("utility", "probs", "features", "samples"):
        for value in (np.nan, np.inf, -np.inf, -1.0, 1e30):
            got = select(spoilt(pool(), field, OUT, value))
            jax.tree.map(np.testing.assert_array_equal, got, expected)


@every_selector
def test_a_row_with_a_number_that_is_none_is_passed_over_and_counted(name):
    select = COMPILED[name]
    expected = select(pool())
    for field in ("utility", "probs", "features", "samples"):
        for value in (np.nan, np.inf):
            got = select(spoilt(pool(), field, ROW, value))
            ignored = all(np.array_equal(a, b, equal_nan=True) for a, b in zip(got, expected, strict=True))
            if not ignored:
                assert ROW not in got[0]
                assert name == "select_one" or got[2] == 1


@pytest.mark.parametrize("name", WEIGHED)
def test_a_weight_or_a_demand_that_is_none_picks_nothing_and_counts_all(name):
    select, p = COMPILED[name], pool()
    pools = [p._replace(lam=np.float32(value)) for value in (np.nan, -0.5, np.inf, -np.inf)]
    if name != "query":  # which takes the demand from the counts
        pools += [p._replace(demand=np.float32([0.5, value, 1.0])) for value in (np.nan, np.inf, -np.inf)]
    for hostile in pools:
        got = select(hostile)
        np.testing.assert_array_equal(got[0], -1)
        assert got[1] == 0
        assert name == "select_one" or got[2] == p.available.sum()


@every_selector
def test_fewer_rows_than_asked_for(name):
    select = COMPILED[name]
    some = pool()._replace(labelled=np.isin(np.arange(N), [1, 2, 3]))
    for rows in ([], [5], [5, 9], [0, 5]):
        got = select(some._replace(available=np.isin(np.arange(N), rows)))
        count = min(len(rows), len(got[0]))
        assert got[1] == count
        assert set(np.asarray(got[0][:count])) <= set(rows) and len(set(np.asarray(got[0][:count]))) == count
        np.testing.assert_array_equal(got[0][count:], -1)


@every_selector
def test_a_pool_without_rows_is_refused(name):
    with pytest.raises(ValueError, match="the pool has no rows, N = 0"):
        SELECTORS[name](pool(0))


@pytest.mark.slow
@every_selector
def test_one_row_of_one_class(name):
    got = SELECTORS[name](pool(1, 1))
    assert got[1] == 1
    np.testing.assert_array_equal(got[0], [0, -1, -1][: len(got[0])])


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [jnp.bfloat16, np.int32], ids=["bfloat16", "int32"])
@pytest.mark.parametrize("name", ["greedy", "badge", "single_stage"])
def test_narrow_floats_and_whole_demands(name, dtype):
    p = pool()
    if dtype == np.int32:
        p = p._replace(demand=np.array([1, 2, 0]), features=np.round(3 * p.features).astype(np.int32))
    else:
        p = p._replace(**{field: jnp.asarray(getattr(p, field), dtype) for field in ("utility", "probs", "features")})
    got = SELECTORS[name](p)
    same = SELECTORS[name](p._replace(**{field: np.asarray(getattr(p, field), np.float32) for field in p._fields[:5]}))
    np.testing.assert_array_equal(got.indices, same.indices)


@pytest.mark.slow
@every_selector
def test_a_pool_in_float64(name):
    """The rows that float32 picks; where chance decides, which draws other numbers under x64, rows as good as those."""
    expected = COMPILED[name](pool())
    with jax.enable_x64(True):
        got = SELECTORS[name](Pool(*(x.astype(float) if x.dtype == np.float32 else x for x in pool())))
        indices, num_selected = np.asarray(got[0]), int(got[1])
    assert num_selected == expected[1]
    if name in DRAWN:
        assert len(set(indices)) == num_selected and pool().available[indices].all()
    else:
        np.testing.assert_array_equal(indices, expected[0])
