"""The balance objective, the exact single pick and the greedy batch."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from alfamous_jax.selection import _greedy, balance
from experiments.bench.others.instances import generate

pytestmark = pytest.mark.slow

# Six rows, three classes, one label wanted of each: the best batch of three does not contain the best single row.
UTILITY = np.array([0.7, 0.7, 0.7, 0.3, 0.6, 0.6])
PROBS = np.array([[0.8, 0.1, 0.1], [0, 0.9, 0.1], [0.3, 0.4, 0.3], [0.1, 0.8, 0.1], [0.5, 0.3, 0.2], [0.1, 0.1, 0.8]])
DEMAND = np.ones(3)


def instance(seed, rows=12, classes=3, most_wanted=3.0):
    rng = np.random.default_rng(seed)
    utility, probs = rng.uniform(0, 1, rows), rng.dirichlet(np.full(classes, 0.5), rows)
    demand = np.maximum(rng.uniform(-0.5, most_wanted, classes), 0)
    return tuple(x.astype(np.float32) for x in (utility, probs, demand))


def everything(rows):
    return jnp.ones(rows, bool)


@pytest.mark.parametrize(
    ("indices", "expected"),
    [((0, 1, 5), -1.9), ((2, 4, 5), -1.6), ((0, 1, 2), -1.6), ((-1, 5, -1, 0, 1), -1.9), ((-1, -1), 1.5)],
    ids=["optimum", "greedy", "top_utility", "padded", "empty"],
)
def test_objective_by_hand(indices, expected):
    value = balance.objective(jnp.array(indices), jnp.array(UTILITY), jnp.array(PROBS), jnp.array(DEMAND), 0.5)
    np.testing.assert_allclose(value, expected, atol=1e-6)


def test_objective_ignores_rows_that_are_not_picked():
    utility, probs = UTILITY.copy(), PROBS.copy()
    utility[3], probs[4] = np.nan, np.inf
    value = balance.objective(jnp.array([0, 1, 5]), jnp.array(utility), jnp.array(probs), jnp.array(DEMAND), 0.5)
    np.testing.assert_allclose(value, -1.9, atol=1e-6)


@settings(max_examples=30, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.sampled_from([0.0, 0.1, 0.5, 2.0]))
def test_overshoot_identity(seed, size, lam):
    """Rows of P sum to one, so the L1 term is sum(demand) - b plus twice the overshoot."""
    utility, probs, demand = instance(seed)
    picked = np.random.default_rng(seed).choice(12, size, replace=False)
    overshoot = np.maximum(probs[picked].sum(0) - demand, 0).sum()
    expected = -utility[picked].sum() + lam * (demand.sum() - size + 2 * overshoot)
    value = balance.objective(jnp.asarray(picked), utility, probs, demand, lam)
    np.testing.assert_allclose(value, expected, atol=2e-5)


class TestSelectOne:
    """The exact minimiser over single rows."""

    @pytest.mark.parametrize("lam", [0.0, 0.1, 0.5, 10.0], ids="lam_{}".format)
    @pytest.mark.parametrize("seed", range(5))
    def test_equals_enumeration(self, seed, lam):
        utility, probs, demand = instance(seed, rows=50, classes=5, most_wanted=0.8)
        picked = balance.select_one(utility, probs, demand, lam, everything(50))
        assert picked.shape == () and picked.dtype == jnp.int32
        best, _ = oracles.best_subset(*(x.astype(float) for x in (utility, probs, demand)), lam, 1)
        assert {int(picked)} == best

    @pytest.mark.parametrize("seed", range(4))
    def test_large_demand_does_not_blur_the_utilities(self, seed):
        """An L1 norm of 1000 is rounded by 6e-5 in float32, and the utilities differ by less."""
        rng = np.random.default_rng(seed)
        utility = (0.5 + 1e-4 * rng.uniform(0, 1, 500)).astype(np.float32)
        probs = rng.dirichlet(np.ones(6), 500).astype(np.float32)
        demand = np.array([250.3, 248.1, 251.7, 254.4, 255.9, 0.0], np.float32)
        probs[:, 5] = 0
        probs /= probs.sum(1, keepdims=True)
        picked = int(balance.select_one(utility, probs, demand, 0.5, everything(500)))
        arrays = tuple(x.astype(float) for x in (utility, probs, demand))
        _, best = oracles.best_subset(*arrays, 0.5, 1)
        assert oracles.objective([picked], *arrays, 0.5) <= best + 3e-7
        blurred = int(np.argmax(utility - np.float32(0.5) * np.abs(demand - probs).sum(1)))
        assert oracles.objective([blurred], *arrays, 0.5) > best + 3e-6

    def test_demand_above_one_is_a_bonus_of_twice_lambda(self):
        utility, probs, _ = instance(7, rows=40)
        demand = np.array([3.0, 0.0, 17.0], np.float32)
        bonus = utility + 2 * 0.3 * (probs[:, 0] + probs[:, 2])
        assert int(balance.select_one(utility, probs, demand, 0.3, everything(40))) == np.argmax(bonus)

    def test_without_demand_the_utility_decides(self):
        utility, probs, _ = instance(8, rows=40)
        assert int(balance.select_one(utility, probs, jnp.zeros(3), 5.0, everything(40))) == np.argmax(utility)

    def test_unavailable_rows(self):
        utility, probs, demand = instance(9)
        available = np.zeros(12, bool)
        assert int(balance.select_one(utility, probs, demand, 0.5, available)) == -1
        available[4] = True
        assert int(balance.select_one(utility, probs, demand, 0.5, available)) == 4

    def test_tie_goes_to_the_lowest_index(self):
        utility, probs = jnp.array([0.25, 0.5, 0.5, 0.5]), jnp.full((4, 2), 0.5)
        available = jnp.array([True, False, True, True])
        assert int(balance.select_one(utility, probs, jnp.ones(2), 0.5, available)) == 2

    @pytest.mark.parametrize("lam", [0.0, 0.5], ids="lam_{}".format)
    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf], ids=str)
    def test_rows_that_are_not_finite(self, bad, lam):
        utility, probs, demand = instance(10)
        utility[0], probs[1, 2] = bad, bad
        best = oracles.best_subset(utility[2:], probs[2:], demand, lam, 1)[0]
        assert {int(balance.select_one(utility, probs, demand, lam, everything(12))) - 2} == best
        assert int(balance.select_one(utility, probs, demand, lam, jnp.arange(12) < 2)) == -1


class TestSelectGreedy:
    """One row at a time, in fixed shape."""

    def select(self, utility, probs, demand, lam, budget, available=None):
        available = everything(len(utility)) if available is None else jnp.asarray(available)
        arrays = (jnp.asarray(x, jnp.float32) for x in (utility, probs, demand))
        return balance.select_greedy(*arrays, lam, available, budget=budget)

    def test_is_not_optimal(self):
        """Rows 2 and 4 lead by a hundredth, which keeps rounding out of it."""
        utility = UTILITY + np.array([0, 0, 0.01, 0, 0.01, 0])
        selection = self.select(utility, PROBS, DEMAND, 0.5, 3)
        np.testing.assert_array_equal(selection.indices, [2, 4, 5])
        np.testing.assert_allclose(selection.objective, -1.62, atol=1e-6)
        subset, value = oracles.best_subset(utility, PROBS, DEMAND, 0.5, 3)
        assert subset == {0, 1, 5} and value == pytest.approx(-1.9)

    @pytest.mark.parametrize("lam", [0.05, 0.5, 2.0], ids="lam_{}".format)
    @pytest.mark.parametrize("seed", range(4))
    def test_equals_greedy_in_float64(self, seed, lam):
        utility, probs, demand = (x.astype(float) for x in instance(seed, rows=30))
        expected = oracles.greedy_batch(utility, probs, demand, lam, 6)
        selection = self.select(utility, probs, demand, lam, 6)
        np.testing.assert_array_equal(selection.indices, expected)
        value = oracles.objective(expected, utility, probs, demand, lam)
        np.testing.assert_allclose(selection.objective, value, atol=1e-5)
        assert selection.bound == -np.inf and selection.num_selected == 6 and selection.num_invalid == 0

    @pytest.mark.parametrize("seed", range(3))
    def test_without_balance_it_is_the_top_of_the_utility(self, seed):
        utility, probs, demand = instance(seed, rows=40)
        selection = self.select(utility, probs, demand, 0.0, 7)
        np.testing.assert_array_equal(selection.indices, np.argsort(-utility, kind="stable")[:7])

    def test_first_pick_is_the_exact_single_pick(self):
        for seed in range(5):
            arrays = instance(seed, most_wanted=0.7)
            single = balance.select_one(*arrays, 0.5, everything(12))
            assert int(self.select(*arrays, 0.5, 3).indices[0]) == int(single)

    def test_permuting_the_pool_permutes_the_batch(self):
        utility, probs, demand = instance(11, rows=30)
        order = np.random.default_rng(0).permutation(30)
        plain = self.select(utility, probs, demand, 0.5, 8)
        permuted = self.select(utility[order], probs[order], demand, 0.5, 8)
        np.testing.assert_array_equal(order[permuted.indices], plain.indices)

    def test_ties_go_to_the_lowest_index(self):
        selection = self.select(np.full(6, 0.5), np.full((6, 2), 0.5), np.ones(2), 0.5, 4)
        np.testing.assert_array_equal(selection.indices, [0, 1, 2, 3])

    def test_fewer_available_rows_than_the_budget(self):
        available = np.isin(np.arange(6), [1, 3])
        selection = self.select(UTILITY, PROBS, DEMAND, 0.5, 4, available)
        assert selection.indices.dtype == jnp.int32
        np.testing.assert_array_equal(selection.indices, [1, 3, -1, -1])
        assert selection.num_selected == 2 and selection.num_invalid == 0
        value = oracles.objective([1, 3], UTILITY, PROBS, DEMAND, 0.5)
        np.testing.assert_allclose(selection.objective, value, atol=1e-6)

    def test_nothing_available(self):
        selection = self.select(UTILITY, PROBS, DEMAND, 0.5, 2, np.zeros(6, bool))
        np.testing.assert_array_equal(selection.indices, [-1, -1])
        np.testing.assert_allclose(selection.objective, 1.5, atol=1e-6)

    @pytest.mark.parametrize("lam", [0.0, 0.5], ids="lam_{}".format)
    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf], ids=str)
    def test_rows_that_are_not_finite_are_counted_and_never_selected(self, bad, lam):
        utility, probs, demand = instance(12)
        clean = np.arange(3, 12)
        utility[0], probs[1, 0], probs[2] = bad, bad, bad
        available = np.arange(12) != 2
        selection = self.select(utility, probs, demand, lam, 11, available)
        expected = oracles.greedy_batch(*(x.astype(float) for x in (utility[3:], probs[3:], demand)), lam, 9)
        np.testing.assert_array_equal(selection.indices, [*clean[expected], -1, -1])
        assert selection.num_selected == 9 and selection.num_invalid == 2
        assert np.isfinite(selection.objective)

    def test_jit_with_traced_lambda_and_vmap_over_it(self):
        utility, probs, demand = instance(13, rows=20)
        lams = jnp.array([0.0, 0.1, 0.5, 2.0])
        swept = jax.jit(
            jax.vmap(lambda lam: balance.select_greedy(utility, probs, demand, lam, everything(20), budget=5))
        )(lams)
        for i, lam in enumerate(lams):
            np.testing.assert_array_equal(swept.indices[i], self.select(utility, probs, demand, lam, 5).indices)
        assert len(np.unique(swept.indices, axis=0)) > 1

    @pytest.mark.parametrize("family", ["A", "B"])
    def test_equals_the_naive_order(self, family):
        """Every gain is evaluated at every pick, in the same float32 arithmetic."""
        utility, probs, demand = (jnp.asarray(x) for x in generate(family, 5000, 10, 100))

        @jax.jit
        def naive(lam):
            score, update = lambda r: balance.marginal(utility, probs, r, lam), lambda r, n: r - probs[n]
            return _greedy.greedy(demand, score, update, everything(5000), 100)[1]

        for lam in (0.1, 0.5, 2.0):
            np.testing.assert_array_equal(self.select(utility, probs, demand, lam, 100).indices, naive(lam))

    @pytest.mark.parametrize("lam", [-0.1, -np.inf], ids="lam_{}".format)
    def test_negative_lambda_is_an_error(self, lam):
        with pytest.raises(ValueError, match=f"lam.*{lam}"):
            self.select(*instance(14), lam, 3)

    def test_negative_probability_is_an_error_outside_a_trace_and_counted_inside(self):
        utility, probs, demand = instance(15)
        probs[7, 1] = -0.25
        with pytest.raises(ValueError, match="row 7 has -0.25"):
            self.select(utility, probs, demand, 0.5, 11)
        traced = jax.jit(partial(self.select, budget=12))(utility, probs, demand, 0.5)
        assert traced.num_invalid == 1 and traced.num_selected == 11
        np.testing.assert_array_equal(np.sort(traced.indices), [-1, *range(7), *range(8, 12)])

    def test_negative_probability_of_a_row_that_is_not_available(self):
        utility, probs, demand = instance(15)
        probs[7, 1] = -0.25
        utility[2] = np.nan
        selection = self.select(utility, probs, demand, 0.5, 11, np.arange(12) != 7)
        assert selection.num_invalid == 1 and selection.num_selected == 10

    @pytest.mark.parametrize("budget", [0, -1])
    def test_budget_below_one_is_an_error(self, budget):
        with pytest.raises(ValueError, match=f"budget.*{budget}"):
            self.select(*instance(16), 0.5, budget)
