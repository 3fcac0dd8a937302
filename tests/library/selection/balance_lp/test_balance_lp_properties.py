"""What holds for every batch by linear programming, and the choice of lambda."""

import itertools
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import oracles
import pytest
from batches_by_lp import (
    LARGE,
    PLAIN,
    TINY,
    assert_a_batch,
    assert_same,
    case_id,
    everything,
    float64,
    plain,
    rounding,
    select,
    select_batch,
    small,
    small_lp,
    solve_dual,
    solved,
    traced,
    value_of,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from alfamous_jax.selection import balance_lp
from alfamous_jax.selection.balance_lp import _batch
from experiments.bench.others.instances import Instance, generate, highs_lp

pytestmark = pytest.mark.slow
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
    @pytest.mark.parametrize("shape", [PLAIN, pytest.param(LARGE, marks=pytest.mark.exhaustive)], ids=case_id)
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
