"""The batch by linear programming: its bound against HiGHS, its batch against brute force, degenerate pools."""

import functools
import itertools
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alfamous_jax.core.contract import Selection
from alfamous_jax.selection import balance, balance_lp
from alfamous_jax.selection.balance_lp import _batch
from experiments.bench.others.instances import Instance, generate, highs_lp, highs_milp

pytestmark = pytest.mark.slow

EPS = np.finfo(np.float32).eps
TOLERANCE = 1e-6  # the default of select_batch

# Rows, classes, budget: a window that is the whole pool, windows of 2,048 rows, rows above the window.
TINY, PLAIN, LARGE = (1000, 5, 20), (5000, 10, 100), (20000, 10, 2500)
SHAPES = [TINY, PLAIN, (2000, 30, 40), (5000, 50, 50), LARGE]
LAMS = [0.05, 0.1, 0.5, 2.0]
CASES = list(itertools.product("AB", SHAPES, LAMS))
# A second window that is cut off, of more classes, compiles for 12 seconds.
MARKS = {(5000, 50, 50): [pytest.mark.exhaustive]}


def case_id(value):
    return "{}x{}_b{}".format(*value) if isinstance(value, tuple) else f"lam_{value}" if value in LAMS else str(value)


every_case = pytest.mark.parametrize(
    ("family", "shape", "lam"), [pytest.param(*case, marks=MARKS.get(case[1], [])) for case in CASES], ids=case_id
)


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


class TestCertificate:
    """Generated pools against HiGHS."""

    @every_case
    def test_bound_is_below_the_lp_and_close(self, family, shape, lam):
        s = solved(family, shape, lam)
        assert s.selection.bound <= s.lp + 1e-9 * abs(s.lp)
        assert s.selection.bound >= s.lp - 1e-5 * abs(s.lp) - s.slack

    @every_case
    def test_batch_and_its_objective(self, family, shape, lam):
        s = solved(family, shape, lam)
        assert_a_batch(s.selection, np.ones(shape[0], bool), shape[-1])
        assert s.selection.num_invalid == 0
        allowed = rounding(s.selection.indices, s.instance, lam)
        np.testing.assert_allclose(s.selection.objective, s.value, rtol=0, atol=allowed)
        assert s.value >= s.selection.bound

    @every_case
    def test_gap(self, family, shape, lam):
        """A tenth of one label a class, and a ten-thousandth where a large family A leaves nothing to round."""
        s = solved(family, shape, lam)
        gap, small = s.selection.objective - s.selection.bound, 1e-4 * abs(s.selection.bound)
        assert gap <= (small if family == "A" and shape == LARGE and lam <= 0.5 else max(small, 0.1 * lam * shape[1]))

    def test_median_gap(self):
        gaps = []
        for family, shape, lam in (case for case in CASES if case[1] not in MARKS):
            selection = solved(family, shape, lam).selection
            gaps.append((selection.objective - selection.bound) / (lam * shape[1]))
        assert np.median(gaps) <= 0.02

    @pytest.mark.parametrize("rival", ["greedy", "top_utility", "rounded_lp"])
    @every_case
    def test_never_worse_than_simpler_ways(self, family, shape, lam, rival):
        """The search stops within the tolerance of the bound; beyond that only rounding is allowed."""
        s, (rows, _, budget) = solved(family, shape, lam), shape
        if rival == "greedy":
            indices = select_greedy(*s.instance, lam, everything(rows), budget=budget).indices
        else:
            indices = np.argsort(-(s.z if rival == "rounded_lp" else s.instance.utility), kind="stable")[:budget]
        allowed = s.slack + TOLERANCE * abs(s.selection.bound) + rounding(indices, s.instance, lam)
        assert s.value <= value_of(indices, s.instance, lam) + allowed

    @pytest.mark.exhaustive
    def test_a_rising_lambda_lowers_the_l1_term_and_the_utility(self):
        """Up to the gaps g: f1(z1) <= f1(z2) + g1 and f2(z2) <= f2(z1) + g2, added up and with L1 or U eliminated."""
        for family, shape in itertools.product("AB", SHAPES):
            for low, high in itertools.combinations(LAMS, 2):
                ends = [solved(family, shape, lam) for lam in (low, high)]
                gaps = [s.value - s.selection.bound for s in ends]
                utility = [s.instance.utility.astype(float)[s.selection.indices].sum() for s in ends]
                l1 = [(s.value + u) / lam for s, u, lam in zip(ends, utility, (low, high), strict=True)]
                assert l1[1] - l1[0] <= sum(gaps) / (high - low) + 1e-9
                assert utility[1] - utility[0] <= (high * gaps[0] + low * gaps[1]) / (high - low) + 1e-9


class TestSolveDual:
    """The multipliers and what follows from them."""

    @every_case
    def test_bound_holds_in_float64(self, family, shape, lam):
        s = solved(family, shape, lam)
        nu = s.dual.multipliers.astype(float)
        assert (np.abs(nu) <= np.float32(lam)).all() and 0 <= s.dual.num_iterations <= 20
        value = oracles.dual_value(nu, *float64(s.instance), shape[-1])
        assert s.dual.bound <= value <= s.dual.bound + 2 * s.slack

    @pytest.mark.parametrize("lam", [0.1, 2.0], ids="lam_{}".format)
    @pytest.mark.parametrize("shape", [TINY, (2000, 30, 40)], ids=case_id)
    def test_bound_holds_for_other_pools(self, shape, lam):
        for seed, family in itertools.product(range(1, 6), "AB"):
            instance = generate(family, *shape, seed)
            dual = solve_dual(*instance, lam, everything(shape[0]), budget=shape[-1])
            nu = dual.multipliers.astype(float)
            value = oracles.dual_value(nu, *float64(instance), shape[-1])
            assert dual.bound <= value <= dual.bound + 2 * slack(instance, nu, shape[-1])

    @pytest.mark.parametrize(
        ("family", "shape", "lam"),
        [
            *itertools.product("AB", [TINY], [0.1, 0.5]),
            *itertools.product("A", [(2000, 30, 40)], LAMS),
            *itertools.product("A", [(5000, 50, 50)], [0.1, 0.5]),
        ],
        ids=case_id,
    )
    def test_reduced_costs_and_a_milp_prove_the_optimum(self, family, shape, lam):
        """A row whose score is further from the threshold than the gap is in every better batch, or in none.

        Of family B's second case the optimum is four swaps from what 6,000 swaps a chain find with nine draws of ten;
        50,000 found it with each of five.
        """
        s, budget = solved(family, shape, lam), shape[-1]
        found = s.value
        if family == "B":
            more = select_batch(*s.instance, lam, everything(shape[0]), budget=budget, num_swaps=50_000)
            found = value_of(more.indices, s.instance, lam)
        nu = s.dual.multipliers.astype(float)
        utility, probs, _ = float64(s.instance)
        scores = utility + probs @ nu
        last, first_out = np.sort(scores)[::-1][budget - 1 : budget + 1]
        gap = s.value - s.dual.bound + 1e-6
        fixed = np.where(scores - first_out > gap, 1.0, np.where(last - scores > gap, 0.0, np.nan))
        assert np.isnan(fixed).sum() < 200
        optimum = highs_milp(s.instance, lam, budget, fixed)
        assert s.selection.bound <= optimum + 1e-9 * abs(optimum)
        assert found <= optimum + 2e-4 * abs(optimum)

    def test_as_many_rows_as_the_budget_leave_nothing_to_bound(self):
        rows, _, budget = TINY
        dual = solve_dual(*generate("A", *TINY), 0.5, jnp.arange(rows) < budget, budget=budget)
        assert dual.bound == -np.inf and np.isfinite(dual.multipliers).all()


@pytest.fixture(scope="module")
def brute_force():
    """180 pools of 14 rows, their lam, both selectors' batches of 4, solved in one call each, and the optima."""
    instances, lams = [], np.tile(np.float32([0.05, 0.5, 2.0]), 60)
    for seed in range(180):
        rng = np.random.default_rng(seed)
        demand = np.maximum(rng.uniform(-0.5, 3, 3), 0)
        arrays = rng.uniform(0, 1, 14), rng.dirichlet(np.full(3, 0.5), 14), demand
        instances.append(Instance(*(x.astype(np.float32) for x in arrays)))
    stack = [jnp.stack(x) for x in zip(*instances, strict=True)]
    batches = [
        plain(jax.vmap(partial(method, available=everything(14), budget=4))(*stack, lams))
        for method in (balance_lp.select_batch, balance.select_greedy)
    ]
    optima = [oracles.best_subset(*float64(x), float(lam), 4)[1] for x, lam in zip(instances, lams, strict=True)]
    return instances, lams, *batches, np.array(optima)


class TestBruteForce:
    """Pools small enough to try every batch."""

    def values(self, brute_force, selection):
        cases = zip(selection.indices, *brute_force[:2], strict=True)
        return np.array([value_of(indices, instance, float(lam)) for indices, instance, lam in cases])

    def test_optimal_in_95_percent(self, brute_force):
        selection, _, optima = brute_force[2:]
        values = self.values(brute_force, selection)
        assert (values >= optima - 1e-9).all()
        assert np.mean(values <= optima + 1e-6) >= 0.95

    def test_bound_is_never_above_the_optimum(self, brute_force):
        selection, _, optima = brute_force[2:]
        assert (selection.bound <= optima).all()

    def test_never_worse_than_greedy(self, brute_force):
        selection, greedy, _ = brute_force[2:]
        assert (self.values(brute_force, selection) <= self.values(brute_force, greedy) + 1e-6).all()

    def test_vmap_equals_a_loop(self, brute_force):
        instances, lams, batches, *_ = brute_force
        for i in range(0, 180, 9):
            single = select_batch(*instances[i], lams[i], everything(14), budget=4)
            np.testing.assert_array_equal(batches.indices[i], single.indices)
            np.testing.assert_allclose(batches.objective[i], single.objective, atol=1e-6)
            np.testing.assert_allclose(batches.bound[i], single.bound, atol=1e-5)


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


class TestTooFewRows:
    """A budget that the available rows do not exceed: all of them, then -1."""

    def check(self, utility, probs, demand, lam, available, budget):
        selection = select_batch(utility, probs, demand, lam, jnp.asarray(available), budget=budget)
        assert_a_batch(selection, available, budget)
        instance = Instance(utility, probs, demand)
        value = value_of(selection.indices, instance, lam)
        allowed = rounding(selection.indices, instance, lam)
        np.testing.assert_allclose(selection.objective, value, rtol=0, atol=allowed)
        assert selection.bound <= value
        assert selection.bound >= value - allowed - slack(instance, np.full(probs.shape[1], lam), budget)
        return selection

    @pytest.mark.parametrize("lam", [0.0, 0.5, 2.0], ids="lam_{}".format)
    @pytest.mark.parametrize("left", [0, 1, 7, 8])
    def test_available_rows(self, left, lam):
        utility, probs, demand, _ = small(0)
        self.check(utility, probs, demand, lam, np.random.default_rng(left).permutation(np.arange(60) < left), 8)

    @pytest.mark.parametrize("scale", [1.0, 1e3], ids=["demand_of_labels", "demand_of_thousands"])
    def test_the_bound_allows_for_the_rounding_of_the_l1_term(self, scale):
        """Without any utility the objective is the L1 term alone."""
        for seed in range(20):
            _, probs, demand, _ = small(seed)
            available = np.random.default_rng(seed).permutation(np.arange(60) < 8)
            self.check(np.zeros(60, np.float32), probs, np.float32(scale) * demand, 2.0, available, 8)

    @pytest.mark.parametrize("budget", [9, 300])
    def test_fewer_rows_in_the_pool(self, budget):
        utility, probs, demand, _ = small(1)
        selection = self.check(utility[:6], probs[:6], demand, 0.5, np.ones(6, bool), budget)
        assert selection.num_invalid == 0

    def test_rows_left_over_by_invalid_ones(self):
        utility, probs, demand, available = small(2)
        utility[np.flatnonzero(available)[5:]] = np.nan
        selection = select(utility, probs, demand, 0.5, available)
        assert selection.num_invalid == 45
        assert_a_batch(selection, available & np.isfinite(utility), 8)


class TestUtilityAlone:
    """Exactly the top of the utility, in order, ties to the lower index."""

    @pytest.mark.parametrize("shape", [(60, 4, 8), PLAIN], ids=case_id)
    @pytest.mark.parametrize("case", ["lam_0", "demand_0", "uniform_rows"])
    @pytest.mark.parametrize("ties", [False, True], ids=["distinct", "ties"])
    def test_nothing_to_balance(self, case, shape, ties):
        rows, classes, budget = shape
        utility, probs, demand = generate("A", *shape)
        utility = np.round(utility, 1) if ties else utility
        if case == "demand_0":
            demand = np.zeros_like(demand)
        if case == "uniform_rows":
            probs = np.full_like(probs, 1 / classes)
        lam = 0.0 if case == "lam_0" else 0.5
        selection = select_batch(utility, probs, demand, lam, everything(rows), budget=budget)
        expected = np.argsort(-utility, kind="stable")[:budget]
        np.testing.assert_array_equal(selection.indices, expected)
        instance = Instance(utility, probs, demand)
        value = value_of(expected, instance, lam)
        assert selection.bound <= value <= selection.bound + 1e-5 * abs(value)
        np.testing.assert_allclose(selection.objective, value, rtol=0, atol=rounding(expected, instance, lam))

    @pytest.mark.parametrize("lam", [0.5, 2.0], ids="lam_{}".format)
    def test_one_class(self, lam):
        utility, _, _, available = small(3)
        utility = np.round(utility, 1)
        selection = select(utility, np.ones((60, 1), np.float32), np.full(1, 5.5, np.float32), lam, available)
        expected = np.argsort(np.where(available, -utility, np.inf), kind="stable")[:8]
        np.testing.assert_array_equal(selection.indices, expected)
        np.testing.assert_allclose(selection.objective, -utility[expected].sum() + lam * 2.5, atol=1e-5)

    def test_rows_without_probability(self):
        utility, probs, demand, available = small(4)
        selection = select(utility, 0 * probs, demand, 0.5, available)
        expected = np.argsort(np.where(available, -utility, np.inf), kind="stable")[:8]
        np.testing.assert_array_equal(selection.indices, expected)
        assert selection.objective - selection.bound <= 1e-5


class TestDegenerate:
    """Pools on which a selector may lose its way."""

    @pytest.mark.parametrize("family", ["A", "B"])
    def test_huge_lambda(self, family):
        """The gap in labels a class; the relative gap means nothing."""
        instance, lam = generate(family, *PLAIN), 1e4
        selection = select_batch(*instance, lam, everything(5000), budget=100)
        assert selection.bound <= highs_lp(instance, lam, 100)[0]
        assert 0 <= value_of(selection.indices, instance, lam) - selection.bound <= 0.1 * lam * 10

    @pytest.mark.parametrize("lam", [0.1, 2.0], ids="lam_{}".format)
    def test_duplicated_rows(self, lam):
        utility, probs, demand, available = small(5)
        utility, probs = np.tile(utility[:6], 10), np.tile(probs[:6], (10, 1))
        selection = select(utility, probs, demand, lam, available)
        assert_a_batch(selection, available, 8)
        assert_same(select(utility, probs, demand, lam, available), selection)
        assert selection.bound <= small_lp(utility, probs, demand, lam, available)

    @pytest.mark.parametrize("levels", [(0.0,), (0.7,), (0.0, 1.0)], ids=["zero", "constant", "two_levels"])
    def test_equal_utilities(self, levels):
        """The threshold runs through a crowd of equal scores."""
        instance = generate("B", *PLAIN)
        place = np.minimum(len(levels) * instance.utility, len(levels) - 1).astype(int)
        instance = instance._replace(utility=np.float32(levels)[place])
        arguments = *instance, 0.5, everything(5000)
        selection, greedy = select_batch(*arguments, budget=100), select_greedy(*arguments, budget=100)
        lp, _ = highs_lp(instance, 0.5, 100)
        assert np.isfinite(selection.bound) and selection.bound <= lp + 1e-9
        values = [value_of(x.indices, instance, 0.5) for x in (selection, greedy)]
        assert values[0] <= values[1] + rounding(greedy.indices, instance, 0.5)

    @pytest.mark.parametrize("lam", LAMS, ids="lam_{}".format)
    @pytest.mark.parametrize("family", ["A", "B"])
    def test_one_hot_rows(self, family, lam):
        """There the relaxation has integral vertices, and the closed form is exact."""
        instance = generate(family, *PLAIN)
        labels = instance.probs.argmax(1)
        instance = instance._replace(probs=np.eye(10, dtype=np.float32)[labels])
        selection = select_batch(*instance, lam, everything(5000), budget=100)
        utility, _, demand = map(jnp.asarray, instance)
        exact = plain(
            balance.select_pseudo_label(utility, jnp.asarray(labels), demand, lam, everything(5000), budget=100)
        )
        best = value_of(exact.indices, instance, lam)
        np.testing.assert_allclose(best, highs_lp(instance, lam, 100)[0], rtol=1e-9)
        assert selection.bound <= best and exact.bound <= best
        allowed = rounding(exact.indices, instance, lam)
        assert value_of(selection.indices, instance, lam) <= best + TOLERANCE * abs(best) + allowed

    def test_objective_0(self):
        _, probs, demand, available = small(6)
        selection = select(np.zeros(60, np.float32), probs, demand, 0.0, available)
        np.testing.assert_array_equal(selection.indices, np.flatnonzero(available)[:8])
        assert selection.objective == 0 and selection.bound == 0

    @pytest.mark.parametrize("lam", [0.1, 2.0], ids="lam_{}".format)
    @pytest.mark.parametrize("family", ["A", "B"])
    def test_rows_that_sum_to_three(self, family, lam):
        instance = generate(family, *TINY)
        instance = instance._replace(probs=3 * instance.probs)
        selection = select_batch(*instance, lam, everything(1000), budget=20)
        dual = solve_dual(*instance, lam, everything(1000), budget=20)
        lp, _ = highs_lp(instance, lam, 20)
        allowed = 1e-5 * abs(lp) + slack(instance, dual.multipliers.astype(float), 20)
        assert lp - allowed <= selection.bound <= lp + 1e-9 * abs(lp)
        value = value_of(selection.indices, instance, lam)
        allowed = rounding(selection.indices, instance, lam)
        np.testing.assert_allclose(selection.objective, value, rtol=0, atol=allowed)
        assert value - selection.bound <= max(1e-4 * abs(lp), 0.1 * lam * 3 * 5)

    def test_nothing_available(self):
        utility, probs, demand, _ = small(8)
        selection = select(utility, probs, demand, 0.5, np.zeros(60, bool))
        np.testing.assert_array_equal(selection.indices, -1)
        assert selection.num_selected == 0 and selection.num_invalid == 0
        np.testing.assert_allclose(selection.objective, 0.5 * demand.sum(), rtol=1e-6)


class TestInvalid:
    """What is refused, and what is counted and passed over."""

    @pytest.mark.parametrize("where", ["utility", "probs", "all_probs"])
    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf], ids=str)
    def test_rows_that_are_not_finite(self, bad, where):
        """They count as invalid, and for the rest they are as good as not available."""
        utility, probs, demand, available = small(9)
        rows = np.flatnonzero(available)[[0, 17, 49]]
        expected = select(utility, probs, demand, 0.5, available & ~np.isin(np.arange(60), rows))
        if where == "utility":
            utility[rows] = bad
        else:
            probs[rows, 0 if where == "probs" else slice(None)] = bad
        selection = select(utility, probs, demand, 0.5, available)
        assert selection.num_invalid == 3
        assert_same(selection._replace(num_invalid=expected.num_invalid), expected)

    def test_negative_probability(self):
        utility, probs, demand, available = small(10)
        row = int(np.flatnonzero(available)[4])
        expected = select(utility, probs, demand, 0.5, available & (np.arange(60) != row))
        probs[row, 2] = -0.25
        with pytest.raises(ValueError, match=f"row {row} has -0.25"):
            select(utility, probs, demand, 0.5, available)
        inside = plain(traced(utility, probs, demand, 0.5, available))
        assert inside.num_invalid == 1
        assert_same(inside._replace(num_invalid=expected.num_invalid), expected)
        outside = select(utility, probs, demand, 0.5, available & (np.arange(60) != row))
        assert_same(outside, expected)

    def test_negative_lambda(self):
        utility, probs, demand, available = small(11)
        with pytest.raises(ValueError, match="lam.*-0.5"):
            select(utility, probs, demand, -0.5, available)

    @pytest.mark.parametrize("budget", [0, -3])
    @pytest.mark.parametrize("function", [balance_lp.select_batch, balance_lp.solve_dual], ids=["batch", "dual"])
    def test_budget_below_one(self, function, budget):
        utility, probs, demand, available = small(11)
        with pytest.raises(ValueError, match=f"budget.*{budget}"):
            function(utility, probs, demand, 0.5, jnp.asarray(available), budget=budget)

    @pytest.mark.parametrize("wrong", range(4), ids=["utility", "probs", "demand", "available"])
    def test_arrays_that_do_not_fit(self, wrong):
        arrays = list(small(11))
        arrays[wrong] = arrays[wrong][:-1]
        utility, probs, demand, available = arrays
        with pytest.raises(AssertionError):
            select(utility, probs, demand, 0.5, available)


seeds, lams = st.integers(0, 2**32 - 1), st.sampled_from([0.05, 0.5, 2.0])
examples = partial(settings, deadline=None, derandomize=True)


class TestProperties:
    """Small random pools."""

    @examples(max_examples=40)
    @given(seeds, lams)
    def test_certificate(self, seed, lam):
        *arrays, available = small(seed)
        selection = select(*arrays, lam, available)
        assert_a_batch(selection, available, 8)
        assert selection.bound <= small_lp(*arrays, lam, available) + 1e-9
        assert selection.bound <= value_of(selection.indices, arrays, lam)

    @examples(max_examples=40)
    @given(seeds, lams)
    def test_permuting_the_pool_permutes_the_batch(self, seed, lam):
        """The same rows where the gap is closed; elsewhere neither batch contradicts the other's bound."""
        utility, probs, demand, available = small(seed)
        order = np.random.default_rng(seed).permutation(60)
        plain = select(utility, probs, demand, lam, available)
        moved = select(utility[order], probs[order], demand, lam, available[order])
        if plain.objective - plain.bound <= 1e-5:
            assert set(order[moved.indices].tolist()) == set(plain.indices.tolist())
        values = [value_of(x, (utility, probs, demand), lam) for x in (plain.indices, order[moved.indices])]
        assert max(plain.bound, moved.bound) <= min(values)
        np.testing.assert_allclose(moved.bound, plain.bound, atol=1e-3 * lam)

    @examples(max_examples=20)
    @given(seeds, lams)
    def test_outer_jit_changes_nothing(self, seed, lam):
        utility, probs, demand, available = small(seed)
        assert_same(
            plain(traced(utility, probs, demand, lam, available)), select(utility, probs, demand, lam, available)
        )

    @examples(max_examples=20)
    @given(seeds, lams, st.sampled_from([np.nan, np.inf, -np.inf, -1.0, 1e30]))
    def test_unavailable_rows_do_not_matter(self, seed, lam, bad):
        utility, probs, demand, available = small(seed)
        expected = select(utility, probs, demand, lam, available)
        utility[~available], probs[~available, 1] = bad, bad
        assert_same(select(utility, probs, demand, lam, available), expected)

    @examples(max_examples=40)
    @given(
        seeds, lams, st.sampled_from([0.0, 1e-3, 0.1, 10.0]), st.sampled_from([0, 1, 20]), st.sampled_from([0, 2000])
    )
    def test_effort_never_spoils_the_certificate(self, seed, lam, tolerance, max_iterations, num_swaps):
        *arrays, available = small(seed)
        options = {"tolerance": tolerance, "max_iterations": max_iterations, "num_swaps": num_swaps}
        selection = select(*arrays, lam, available, **options)
        assert_a_batch(selection, available, 8)
        lp = small_lp(*arrays, lam, available)
        value = value_of(selection.indices, arrays, lam)
        assert selection.bound <= lp + 1e-9 and selection.bound <= value
        np.testing.assert_allclose(selection.objective, value, rtol=0, atol=rounding(selection.indices, arrays, lam))

    @examples(max_examples=20)
    @given(seeds, lams, st.sampled_from([0, 2000]))
    def test_no_single_swap_improves_the_batch(self, seed, lam, num_swaps):
        """Unless the search has stopped because the gap was closed."""
        utility, probs, demand, available = small(seed)
        selection = select(utility, probs, demand, lam, available, num_swaps=num_swaps)
        inside = np.isin(np.arange(60), selection.indices)[available]
        arrays = float64(Instance(utility[available], probs[available], demand))
        value = value_of(selection.indices, (utility, probs, demand), lam)
        best = oracles.swap_values(inside, *arrays, lam).min()
        assert best >= value - 1e-6 * (1 + lam) or value - selection.bound <= 1e-5

    def test_random_swaps_pay(self):
        """On the hard family, over pools of which descent alone solves some."""
        values = {0: [], 2000: []}
        for seed, (num_swaps, found) in itertools.product(range(10), values.items()):
            instance = generate("B", *TINY, seed)
            selection = select_batch(*instance, 2.0, everything(TINY[0]), budget=TINY[-1], num_swaps=num_swaps)
            found.append(value_of(selection.indices, instance, 2.0))
        assert np.mean(values[2000]) < np.mean(values[0]) - 0.05

    @pytest.mark.parametrize("max_iterations", [0, 1, 2])
    @pytest.mark.parametrize("shape", [PLAIN, LARGE], ids=case_id)
    def test_a_dual_that_is_cut_short(self, shape, max_iterations):
        """The sampled start and the first windows bound every batch as well, and more effort bounds it better."""
        for family in "AB":
            s, (rows, _, budget) = solved(family, shape, 0.5), shape
            arguments = *s.instance, 0.5, everything(rows)
            early = select_batch(*arguments, budget=budget, max_iterations=max_iterations)
            assert_a_batch(early, np.ones(rows, bool), budget)
            assert early.bound <= s.lp + 1e-9 * abs(s.lp)
            assert early.bound <= s.selection.bound + s.slack
            dual = solve_dual(*arguments, budget=budget, max_iterations=max_iterations)
            assert dual.num_iterations <= max_iterations


@pytest.mark.parametrize("family", ["A", "B"])
def test_float64(family):
    rows, _, budget = TINY
    with jax.enable_x64(True):
        instance = float64(generate(family, *TINY))
        selection = select_batch(*instance, 0.5, everything(rows), budget=budget, tolerance=1e-8)
    lp, _ = highs_lp(instance, 0.5, budget)
    assert lp - 1e-6 * abs(lp) <= selection.bound <= lp + 1e-9 * abs(lp)
    value = value_of(selection.indices, instance, 0.5)
    np.testing.assert_allclose(selection.objective, value, rtol=1e-13)
    assert value - selection.bound <= 0.1 * 0.5 * 5


def test_one_compile_serves_other_arrays_types_and_settings():
    select(*small(0)[:3], 0.5, small(0)[3])
    size = _batch._select_batch._cache_size()
    for seed, lam in enumerate([0.1, 2.0, 0.0]):
        *arrays, available = small(seed)
        select(*arrays, lam, available, tolerance=10.0**-seed, max_iterations=seed, num_swaps=seed)
    utility, probs, demand, available = small(0)
    for lam in (1, np.float32(0.5), jnp.float32(0.5)):
        select(utility, probs.astype(np.float16), np.round(demand).astype(int), lam, available)
    assert _batch._select_batch._cache_size() == size


def test_each_loop_stands_in_the_program_once():
    """Windows, Newton steps, threshold, box; the two starts of the search, annealing (2), swaps; greedy (2)."""
    rows, classes, budget = PLAIN
    floats = [jax.ShapeDtypeStruct(shape, jnp.float32) for shape in ((rows,), (rows, classes), (classes,), ())]
    available = jax.ShapeDtypeStruct((rows,), bool)
    lowered = jax.jit(partial(balance_lp.select_batch, budget=budget)).lower(*floats, available)
    assert lowered.as_text().count("stablehlo.while") == 10


GRID = np.array([0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0], np.float32)


@pytest.fixture(scope="module", params=["A", "B"])
def chosen(request):
    """A pool, what was chosen on it with its curve, and the batches of a vmap over the same lam."""
    rows, _, budget = TINY
    instance = generate(request.param, *TINY)
    lam, curve = balance_lp.choose_lambda(*instance, everything(rows), budget=budget, grid=GRID)
    lams = jnp.asarray([0, *GRID])
    batches = jax.vmap(lambda x: balance_lp.select_batch(*instance, x, everything(rows), budget=budget))(lams)
    return instance, *plain((lam, curve, batches))


class TestChooseLambda:
    """The smallest lam at which the L1 term has fallen."""

    def test_curve(self, chosen):
        instance, _, curve, batches = chosen
        utility, probs, demand = float64(instance)
        np.testing.assert_array_equal(curve.lam, [0, *GRID])
        l1 = [np.abs(demand - probs[x].sum(0)).sum() for x in batches.indices]
        np.testing.assert_allclose(curve.l1, l1, atol=1e-4)
        np.testing.assert_allclose(curve.utility, [utility[x].sum() for x in batches.indices], rtol=1e-6)
        np.testing.assert_array_equal(curve.objective, batches.objective)
        np.testing.assert_array_equal(curve.bound, batches.bound)

    def test_rule(self, chosen):
        """Within 5 % of the way from the L1 term of the utility alone down to the lowest."""
        instance, lam, _, batches = chosen
        _, probs, demand = float64(instance)
        l1 = np.array([np.abs(demand - probs[x].sum(0)).sum() for x in batches.indices])
        converged = l1[1:] <= l1.min() + 0.05 * (l1[0] - l1.min())
        assert lam == GRID[converged.argmax()]
        assert lam > GRID[0]

    def test_vmap_over_lambda_equals_a_loop(self, chosen):
        """The same batch where the gap is closed; elsewhere neither result contradicts the other's bound."""
        instance, _, curve, batches = chosen
        for i, lam in enumerate(curve.lam.tolist()):
            single = select_batch(*instance, lam, everything(TINY[0]), budget=TINY[-1])
            values = [value_of(x, instance, lam) for x in (single.indices, batches.indices[i])]
            if single.objective - single.bound <= 1e-5 * abs(single.bound):
                assert set(batches.indices[i].tolist()) == set(single.indices.tolist())
            assert max(single.bound, curve.bound[i]) <= min(values)
            allowed = 1e-5 * abs(single.bound) + rounding(single.indices, instance, lam)
            np.testing.assert_allclose(curve.bound[i], single.bound, rtol=0, atol=allowed)

    def test_order_of_the_grid_does_not_matter(self, chosen):
        instance, lam, curve, _ = chosen
        shuffled = np.random.default_rng(0).permutation(GRID)
        again = plain(balance_lp.choose_lambda(*instance, everything(TINY[0]), budget=TINY[-1], grid=shuffled))
        assert again[0] == lam
        assert_same(again[1], curve)
