"""Properties of the AL-FaMoUS cycle: who may be picked, and what jit, vmap and keys may not change."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from pools import KEY, UTILITIES, N, assert_trees_close, problem

from alfamous_jax import cycle, laplace

pytestmark = pytest.mark.slow

DETERMINISTIC = ["least_confidence", "margin", "entropy", "bald"]


def with_nan_rows(p, rows):
    phi = p.phi.copy()
    phi[rows] = np.nan
    return p._replace(phi=phi)


class TestAvailability:
    """Who may be picked."""

    @pytest.mark.parametrize(
        ("utility", "minibatch"), [*((name, 1) for name in UTILITIES), ("least_confidence", 5)], ids=str
    )
    def test_available_rows_once_each(self, utility, minibatch):
        p = problem(8)
        state, info = cycle.run(KEY, *p, utility=utility, lam=0.2, budget=30, minibatch=minibatch)
        np.testing.assert_array_equal(np.sort(info.indices), np.flatnonzero(p.available))
        assert not state.available.any()

    @pytest.mark.parametrize("minibatch", [1, 4], ids="minibatch_{}".format)
    def test_fewer_rows_than_the_budget(self, minibatch):
        p = problem(9)
        p = p._replace(available=np.isin(np.arange(N), [3, 17, 31]))
        state, info = cycle.run(KEY, *p, lam=0.2, budget=12, minibatch=minibatch)
        assert info.num_selected == 3 and info.num_invalid == 0
        np.testing.assert_array_equal(np.sort(info.indices[:3]), [3, 17, 31])
        np.testing.assert_array_equal(info.indices[3:], -1)
        np.testing.assert_array_equal(info.labels[3:], -1)
        assert state.counts.sum() == p.counts.sum() + 3
        start = cycle.init(p.posterior, p.phi, p.available, p.counts)
        assert_trees_close(state, cycle.update(start, p.phi, info.indices, info.labels), atol=1e-6)

    @pytest.mark.parametrize("utility", DETERMINISTIC)
    def test_nan_rows_are_counted_and_passed_over(self, utility):
        p = problem(10)
        rows = np.flatnonzero(p.available)[[0, 7]]
        clean = p._replace(available=p.available & ~np.isin(np.arange(N), rows))
        spoilt = with_nan_rows(p, [*rows, np.flatnonzero(~p.available)[0]])
        state, info = cycle.run(KEY, *spoilt, utility=utility, lam=0.2, budget=30)
        _, expected = cycle.run(KEY, *clean, utility=utility, lam=0.2, budget=30)
        assert info.num_invalid == 2 and info.num_selected == 28
        np.testing.assert_array_equal(info.indices, expected.indices)
        np.testing.assert_array_equal(info.indices[28:], -1)
        assert all(np.isfinite(x).all() for x in jax.tree.leaves(state.posterior))
        start = cycle.init(spoilt.posterior, spoilt.phi, spoilt.available, spoilt.counts)
        _, queried = cycle.query(start, KEY, utility=utility, num=3)
        assert queried.num_invalid == 2 and queried.num_selected == 3

    @pytest.mark.parametrize("utility", DETERMINISTIC)
    def test_permuting_the_pool_permutes_the_picks(self, utility):
        p = problem(11)
        order = np.random.default_rng(0).permutation(N)
        permuted = p._replace(phi=p.phi[order], labels=p.labels[order], available=p.available[order])
        _, plain = cycle.run(KEY, *p, utility=utility, lam=0.3, budget=12)
        _, moved = cycle.run(KEY, *permuted, utility=utility, lam=0.3, budget=12)
        np.testing.assert_array_equal(order[moved.indices], plain.indices)


class TestTransformations:
    """jit, vmap, traces and keys."""

    def test_jit_equals_eager(self):
        p = jax.tree.map(jnp.asarray, problem(12))
        traced = cycle.run(KEY, *p, lam=0.3, budget=4)
        with jax.disable_jit():
            eager = cycle.run(KEY, *p, lam=0.3, budget=4)
        np.testing.assert_array_equal(traced[1].indices, eager[1].indices)
        assert_trees_close(traced, eager)

    def test_vmap_over_seeds_and_lambda_equals_a_loop(self):
        keys, lams = jax.random.split(KEY, 3), jnp.array([0.0, 0.1, 0.4])
        problems = [problem(seed) for seed in range(3)]
        stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *problems)

        def run(key, lam, p):
            return cycle.run(key, *p, utility="bald", lam=lam, budget=6)

        batched = jax.vmap(run)(keys, lams, stacked)
        for i, (key, lam, p) in enumerate(zip(keys, lams, problems, strict=True)):
            single = run(key, lam, p)
            np.testing.assert_array_equal(batched[1].indices[i], single[1].indices)
            assert_trees_close(jax.tree.map(lambda x, i=i: x[i], batched), single)

    def test_one_trace_serves_other_arrays_keys_and_lambdas(self):
        traces = []

        def utility(logits, variance, key):
            traces.append(logits.shape)
            return 1 - laplace.mean_field(logits, variance).max(-1)

        first = cycle.run(KEY, *problem(13), utility=utility, lam=0.1, budget=6)
        once = len(traces)
        second = cycle.run(jax.random.key(5), *problem(14), utility=utility, lam=0.4, budget=6)
        assert once >= 1 and len(traces) == once
        assert (first[1].indices != second[1].indices).any()

    @pytest.mark.parametrize("utility", ["random", "bald"])
    def test_keys_are_used_once(self, utility):
        p = problem(15)
        with jax.debug_key_reuse(True):
            _, info = cycle.run(jax.random.key(7), *p, utility=utility, budget=3)
        assert info.num_selected == 3

    @pytest.mark.parametrize("budget", [5, 7], ids="budget_{}".format)
    def test_budget_must_be_a_multiple_of_the_minibatch(self, budget):
        with pytest.raises(ValueError, match=f"{budget}.*3"):
            cycle.run(KEY, *problem(), budget=budget, minibatch=3)

    def test_unknown_utility_is_an_error(self):
        with pytest.raises(ValueError, match="coin"):
            cycle.run(KEY, *problem(), utility="coin", budget=2)
