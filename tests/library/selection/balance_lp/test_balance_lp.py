"""The batch by linear programming: its bound against HiGHS, its batch against brute force."""

import itertools
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest
from batches_by_lp import (
    LAMS,
    LARGE,
    SHAPES,
    TINY,
    TOLERANCE,
    assert_a_batch,
    case_id,
    everything,
    float64,
    plain,
    rounding,
    select_batch,
    select_greedy,
    slack,
    solve_dual,
    solved,
    value_of,
)

from alfamous_jax.selection import balance, balance_lp
from experiments.bench.others.instances import Instance, generate, highs_milp

pytestmark = pytest.mark.slow

CASES = list(itertools.product("AB", SHAPES, LAMS))
FAST = {"xla_backend_optimization_level": 1}  # where a program runs longer than it compiles
# A second window that is cut off, of more classes, compiles for 12 seconds.
MARKS = {(5000, 50, 50): [pytest.mark.exhaustive]}


every_case = pytest.mark.parametrize(
    ("family", "shape", "lam"), [pytest.param(*case, marks=MARKS.get(case[1], [])) for case in CASES], ids=case_id
)


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

        Of family B's second case the optimum is four swaps from what 6,000 swaps a chain find with 18 draws of 20;
        50,000 find it with 9 of them and 200,000 with 19, so that rounding decides with fewer.
        """
        s, budget = solved(family, shape, lam), shape[-1]
        found = s.value
        if (family, lam) == ("B", 0.5):
            more = select_batch(*s.instance, lam, everything(shape[0]), budget=budget, num_swaps=300_000)
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
        plain(
            jax.jit(jax.vmap(partial(method, available=everything(14), budget=4)), compiler_options=FAST)(*stack, lams)
        )
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
