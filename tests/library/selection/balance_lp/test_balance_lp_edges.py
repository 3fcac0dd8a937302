"""The batch by linear programming on pools that are too small, degenerate or hostile."""

import jax.numpy as jnp
import numpy as np
import pytest
from batches_by_lp import (
    LAMS,
    PLAIN,
    TINY,
    TOLERANCE,
    assert_a_batch,
    assert_same,
    case_id,
    everything,
    plain,
    rounding,
    select,
    select_batch,
    select_greedy,
    slack,
    small,
    small_lp,
    solve_dual,
    traced,
    value_of,
)

from alfamous_jax.selection import balance, balance_lp
from experiments.bench.others.instances import Instance, generate, highs_lp

pytestmark = pytest.mark.slow


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
