"""Swaps near the threshold: what they leave, what they count and what they may not touch."""

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest

from alfamous_jax.selection.balance_lp import _local_search

pytestmark = pytest.mark.slow

V, K, CHOSEN = 50, 4, 15
descend, anneal = jax.jit(_local_search.descend), jax.jit(_local_search.anneal)


class Problem:
    """A window with a random batch, in float32 and, as `exact`, in float64; even seeds ask for equal shares."""

    def __init__(self, seed, lam=0.5, usable_share=0.8, constant=0.0):
        rng = np.random.default_rng(seed)
        utility, probs = rng.uniform(0, 1, V), rng.dirichlet(np.full(K, 0.4), V)
        demand = rng.uniform(0, 8, K) if seed % 2 else np.full(K, CHOSEN / K)
        self.utility, self.probs, self.demand = (x.astype(np.float32) for x in (utility, probs, demand))
        self.exact = tuple(x.astype(float) for x in (self.utility, self.probs, self.demand))
        self.inside = rng.permutation(np.arange(V) < CHOSEN)
        self.usable = self.inside | (rng.random(V) < usable_share)
        self.lam, self.constant = np.float32(lam), constant

    def start(self):
        residual = self.demand - self.probs[self.inside].sum(0)
        value = np.float32(self.value(self.inside) + self.constant)
        return _local_search.Batch(jnp.asarray(self.inside), jnp.asarray(residual), jnp.asarray(value))

    def value(self, inside):
        return oracles.objective(np.flatnonzero(inside), *self.exact, float(self.lam))

    def descend(self, batch=None):
        return descend(batch or self.start(), self.utility, self.probs, self.usable, self.lam)

    def anneal(self, enough=-1e9, num_steps=500, batch=None):
        arrays = self.utility, self.probs, self.usable, self.lam
        return anneal(batch or self.start(), *arrays, np.float32(enough), num_steps)

    def check_books(self, batch):
        """As many rows as before, none that may not be used, and the numbers that follow from them."""
        inside = np.asarray(batch.inside)
        assert inside.sum() == CHOSEN and not (inside & ~self.usable).any()
        np.testing.assert_allclose(batch.objective, self.value(inside) + self.constant, atol=1e-5)
        np.testing.assert_allclose(batch.residual, self.exact[2] - self.exact[1][inside].sum(0), atol=1e-5)


lams = pytest.mark.parametrize("lam", [0.0, 0.05, 0.5, 2.0], ids="lam_{}".format)


def assert_same(got, expected):
    for a, b in zip(got, expected, strict=True):
        np.testing.assert_array_equal(a, b)


class TestDescend:
    """Best substitutes until none pays."""

    @lams
    def test_no_single_swap_improves_the_result(self, lam):
        """A swap must take more than 2e-7 off, relative to its terms; prices are rounded by as much."""
        for seed in range(10):
            p = Problem(seed, lam)
            inside = np.asarray(p.descend().inside)
            kept = p.usable | inside
            arrays = p.exact[0][kept], p.exact[1][kept], p.exact[2], lam
            best = oracles.swap_values(inside[kept], *arrays).min()
            assert best >= p.value(inside) - 1e-6 * (1 + lam)

    @lams
    @pytest.mark.parametrize("constant", [0.0, 7.5], ids=["", "with_a_constant"])
    def test_books(self, lam, constant):
        for seed in range(10):
            p = Problem(seed, lam, constant=constant)
            batch = p.descend()
            p.check_books(batch)
            assert p.value(np.asarray(batch.inside)) < p.value(p.inside) - 0.1

    def test_without_balance_it_ends_at_the_top_of_the_utility(self):
        p = Problem(0, lam=0.0, usable_share=1.0)
        top = np.argsort(-p.utility, kind="stable")[:CHOSEN]
        np.testing.assert_array_equal(np.flatnonzero(p.descend().inside), np.sort(top))

    def test_a_local_optimum_stays(self):
        p = Problem(1)
        once = p.descend()
        assert_same(p.descend(once), once)

    def test_equal_rows_are_not_swapped(self):
        p = Problem(2)
        p.utility, p.probs = np.full(V, 0.3, np.float32), np.full((V, K), 0.25, np.float32)
        assert_same(p.descend(), p.start())

    @pytest.mark.parametrize("share", [0.0, 0.1], ids=["no_substitute", "few_substitutes"])
    def test_rows_that_are_not_usable_never_enter(self, share):
        """Those outside look the best."""
        for seed in range(5):
            p = Problem(seed, usable_share=share)
            p.utility[~p.usable] = 100
            p.exact = (p.utility.astype(float), *p.exact[1:])
            p.check_books(p.descend())
            if share == 0:
                assert_same(p.descend(), p.start())

    @pytest.mark.parametrize("chosen", [0, V], ids=["none_inside", "all_inside"])
    def test_nothing_to_swap(self, chosen):
        p = Problem(3)
        p.inside = np.arange(V) < chosen
        p.usable = np.ones(V, bool)
        assert_same(p.descend(), p.start())


class TestAnneal:
    """Random swaps in chains."""

    @lams
    def test_books_and_never_worse_than_its_start(self, lam):
        for seed in range(10):
            p = Problem(seed, lam, constant=7.5)
            batch = p.anneal()
            p.check_books(batch)
            assert p.value(np.asarray(batch.inside)) <= p.value(p.inside) + 1e-6
            refined = p.anneal(batch=p.descend())
            p.check_books(refined)
            assert refined.objective <= p.descend().objective

    @pytest.mark.parametrize("seed", [4, 12, 16, 24])
    def test_leaves_a_batch_that_no_single_swap_improves(self, seed):
        p = Problem(seed, lam=2.0)
        start = p.descend()
        assert p.anneal(batch=start, num_steps=2000).objective < start.objective - 0.1

    def test_finds_the_optimum_of_a_small_window(self):
        rng = np.random.default_rng(0)
        for _ in range(10):
            utility, probs = rng.uniform(0, 1, 12).astype(np.float32), rng.dirichlet(np.ones(3), 12).astype(np.float32)
            demand, inside = np.full(3, 4 / 3, np.float32), np.arange(12) < 4
            exact = *(x.astype(float) for x in (utility, probs, demand)), 0.5
            value = np.float32(oracles.objective(range(4), *exact))
            batch = _local_search.Batch(jnp.asarray(inside), demand - probs[:4].sum(0), value)
            batch = anneal(batch, utility, probs, np.ones(12, bool), np.float32(0.5), np.float32(-1e9), 500)
            subset, optimum = oracles.best_subset(*exact, 4)
            assert set(np.flatnonzero(batch.inside).tolist()) == subset
            np.testing.assert_allclose(batch.objective, optimum, atol=1e-5)

    def test_is_deterministic(self):
        p = Problem(4)
        assert_same(p.anneal(), p.anneal())

    def test_rows_that_are_not_usable_never_enter(self):
        for seed in range(5):
            p = Problem(seed, usable_share=0.1)
            p.utility[~p.usable] = 100
            p.exact = (p.utility.astype(float), *p.exact[1:])
            p.check_books(p.anneal())

    @pytest.mark.parametrize(
        ("chosen", "usable"), [(V, 1.0), (0, 1.0), (CHOSEN, 0.0)], ids=["all_inside", "none_inside", "none_usable"]
    )
    def test_nothing_to_swap(self, chosen, usable):
        p = Problem(5)
        p.inside = np.arange(V) < chosen
        p.usable = p.inside | (np.arange(V) < usable * V)
        assert_same(p.anneal(), p.start())

    def test_a_start_that_is_good_enough_is_returned(self):
        p = Problem(6)
        start = p.start()
        assert_same(p.anneal(enough=start.objective), start)
        assert p.anneal(enough=np.nextafter(start.objective, -np.inf, dtype=np.float32)).objective < start.objective

    def test_no_steps_return_the_start(self):
        p = Problem(7)
        assert_same(p.anneal(num_steps=0), p.start())
