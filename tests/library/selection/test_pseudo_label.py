"""The exact class-balanced batch where every row is of one class, against brute force."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest

from alfamous_jax.selection import balance

pytestmark = pytest.mark.slow


def one_hot(labels, classes):
    return np.eye(classes)[labels]


class TestSelectPseudoLabel:
    """The exact batch for one-hot P."""

    def select(self, utility, labels, demand, lam, budget, available=None):
        available = jnp.ones(len(utility), bool) if available is None else jnp.asarray(available)
        utility, demand = jnp.asarray(utility, jnp.float32), jnp.asarray(demand, jnp.float32)
        return balance.select_pseudo_label(utility, jnp.asarray(labels), demand, lam, available, budget=budget)

    def pools(self, seed, count, most_wanted=4.0):
        rng = np.random.default_rng(seed)
        utility, labels = rng.uniform(0, 1, (count, 12)), rng.integers(0, 3, (count, 12))
        demand = np.maximum(rng.uniform(-1, most_wanted, (count, 3)), 0)
        return utility.astype(np.float32), labels, demand.astype(np.float32), rng.choice([0.05, 0.3, 2.0], count)

    @pytest.mark.parametrize("budget", range(1, 6))
    def test_equals_brute_force(self, budget):
        pools = self.pools(budget, 100)
        got = jax.vmap(partial(self.select, budget=budget))(*pools)
        for i, (utility, labels, demand, lam) in enumerate(zip(*pools, strict=True)):
            arrays = utility.astype(float), one_hot(labels, 3), demand.astype(float), lam
            _, optimum = oracles.best_subset(*arrays, budget)
            assert len(set(got.indices[i].tolist())) == budget and got.num_selected[i] == budget
            assert oracles.objective(got.indices[i], *arrays) <= optimum + 1e-6
            np.testing.assert_allclose(got.objective[i], optimum, atol=1e-5)
            assert got.bound[i] <= got.objective[i] and float(got.bound[i]) <= optimum
            np.testing.assert_allclose(got.bound[i], optimum, atol=2e-5)

    def test_by_hand(self):
        """One row of class 0 is wanted, none of class 1: the third best row comes second, for .5 + 2 lam."""
        selection = self.select([0.9, 0.8, 0.5], [1, 1, 0], [1, 0], 0.5, 3)
        np.testing.assert_array_equal(selection.indices, [2, 0, 1])
        np.testing.assert_allclose(selection.objective, -2.2 + 0.5 * 2, atol=1e-6)

    def test_ties_go_to_the_lowest_index(self):
        selection = self.select(np.full(8, 0.5), [0, 1] * 4, [2, 2], 0.5, 5)
        np.testing.assert_array_equal(selection.indices, [0, 1, 2, 3, 4])

    def test_without_balance_it_is_the_top_of_the_utility(self):
        (utility, *_), (labels, *_), (demand, *_), _ = self.pools(0, 1)
        selection = self.select(np.round(utility, 1), labels, demand, 0.0, 5)
        np.testing.assert_array_equal(selection.indices, np.argsort(-np.round(utility, 1), kind="stable")[:5])

    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf], ids=str)
    def test_invalid_rows_are_counted_and_never_selected(self, bad):
        (utility, *_), (labels, *_), (demand, *_), _ = self.pools(1, 1)
        expected = self.select(utility[4:], labels[4:], demand, 0.3, 5)
        utility[0], labels[1], labels[2], utility[3] = bad, -1, 3, bad
        selection = self.select(utility, labels, demand, 0.3, 5, np.arange(12) != 3)
        np.testing.assert_array_equal(selection.indices, expected.indices + 4)
        assert selection.num_invalid == 3 and selection.num_selected == 5
        assert selection.objective == expected.objective and selection.bound == expected.bound

    @pytest.mark.parametrize("left", [0, 1, 3])
    def test_fewer_available_rows_than_the_budget(self, left):
        (utility, *_), (labels, *_), (demand, *_), _ = self.pools(2, 1)
        available = np.isin(np.arange(12), [2, 5, 11][:left])
        selection = self.select(utility, labels, demand, 0.3, 5, available)
        assert set(selection.indices[:left].tolist()) == set(np.flatnonzero(available).tolist())
        np.testing.assert_array_equal(selection.indices[left:], -1)
        arrays = utility.astype(float), one_hot(labels, 3), demand.astype(float), 0.3
        value = oracles.objective(np.flatnonzero(available), *arrays)
        np.testing.assert_allclose(selection.objective, value, atol=1e-5)
        assert selection.num_selected == left and selection.num_invalid == 0 and float(selection.bound) <= value

    def test_budget_above_the_number_of_rows(self):
        selection = self.select([0.1, 0.9, 0.4], [0, 0, 1], [1, 1], 0.0, 7)
        np.testing.assert_array_equal(selection.indices, [1, 2, 0, -1, -1, -1, -1])
        assert selection.num_selected == 3

    @pytest.mark.parametrize("lam", [0.3, 2.0], ids="lam_{}".format)
    def test_large_demand_does_not_blur_the_utilities(self, lam):
        """Utilities that differ by 1e-6, which a norm of 750 in float32 would swallow."""
        rng = np.random.default_rng(3)
        utility = (0.5 + 1e-6 * rng.permutation(12)).astype(np.float32)
        labels, demand = rng.integers(0, 3, 12), np.array([250.3, 248.1, 251.7], np.float32)
        selection = self.select(utility, labels, demand, lam, 4)
        arrays = utility.astype(float), one_hot(labels, 3), demand.astype(float), lam
        subset, optimum = oracles.best_subset(*arrays, 4)
        assert set(selection.indices.tolist()) == subset
        assert float(selection.bound) <= optimum

    @pytest.mark.parametrize("lam", [0.5, 2.0], ids="lam_{}".format)
    def test_large_class_is_filled_up_to_its_demand(self, lam):
        """300 rows a class; the gain of a class drops at its 251st row, in float64 as in float32."""
        rng = np.random.default_rng(4)
        labels = np.repeat([0, 1], 300)
        utility, demand = rng.uniform(0, 1e-3, 600).astype(np.float32), np.array([250.3, 250.3], np.float32)
        gains = np.concatenate([np.sort(utility[labels == k])[::-1].astype(float) for k in (0, 1)])
        places = np.tile(np.arange(300), 2)
        gains += lam * (np.abs(demand[0].astype(float) - places) - np.abs(demand[0].astype(float) - places - 1))
        best = -np.sort(gains)[::-1][:501].sum() + lam * demand.astype(float).sum()
        selection = self.select(utility, labels, demand, lam, 501)
        value = oracles.objective(selection.indices, utility.astype(float), one_hot(labels, 2), demand, lam)
        assert value <= best + 1e-6 and float(selection.bound) <= best
        assert sorted(np.bincount(labels[selection.indices])) == [250, 251]

    def test_impossible_arguments_are_errors(self):
        arrays = np.ones(4), np.zeros(4, int), np.ones(2)
        with pytest.raises(ValueError, match="lam.*-0.1"):
            self.select(*arrays, -0.1, 3)
        with pytest.raises(ValueError, match="budget.*0"):
            self.select(*arrays, 0.1, 0)
