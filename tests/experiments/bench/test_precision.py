"""Products say their precision, and a pool in bfloat16 is the pool of its rounded features."""

from functools import partial

import jax
import jax.extend
import jax.numpy as jnp
import numpy as np
import pytest
from pools import K, N
from pools import problem as make_problem

from alfamous_jax import cycle, laplace, updates
from alfamous_jax.selection import balance_lp, batch_bald, diversity
from experiments.bench import precision

pytestmark = pytest.mark.slow

HIGHEST = jax.lax.Precision.HIGHEST
BUDGET = 4


@pytest.fixture(scope="module")
def problem():
    return jax.tree.map(jnp.asarray, make_problem())


def products(jaxpr):
    """The precision of every product of a program, those of its loops and branches included."""
    for equation in jaxpr.eqns:
        if equation.primitive.name in ("dot_general", "conv_general_dilated"):
            yield equation.params["precision"]
        for inner in jax.extend.core.jaxprs_in_params(equation.params):
            yield from products(getattr(inner, "jaxpr", inner))


def programs():
    """Everything that lies on the way from features to picks."""
    probs, none, size = jnp.full((N, K), 1 / K), jnp.zeros(N, bool), {"budget": BUDGET}
    arrays = probs[:, 0], probs, jnp.ones(K), 0.3
    for utility in ("least_confidence", "margin", "entropy", "bald"):
        for update in (True, False):
            run = partial(cycle.run, lam=0.3, budget=BUDGET, utility=utility, update=update)
            yield f"cycle {utility} {update}", lambda p, run=run: run(jax.random.key(0), *p), 3
    yield "minibatch", lambda p: cycle.run(jax.random.key(0), *p, lam=0.3, budget=BUDGET, minibatch=2), 3
    yield "fit", lambda p: laplace.fit(p.posterior.mean, p.phi, p.available), 2
    yield "predict", lambda p: laplace.predict(p.posterior, p.phi), 2
    yield "sample_weights", lambda p: laplace.sample_weights(jax.random.key(0), p.posterior, 5), 1
    yield "update_many", lambda p: updates.update_many(p.posterior, p.phi[:2], p.labels[:2]), 2
    yield "select_batch", lambda p: balance_lp.select_batch(*arrays, p.available, **size), 3
    yield "k_center", lambda p: diversity.k_center(p.phi, none, p.available, **size), 1
    yield "badge", lambda p: diversity.badge(jax.random.key(0), probs, p.phi, p.available, **size), 2
    draws = jnp.full((5, N, K), 1 / K)
    yield "batch_bald", lambda p: batch_bald.select(jax.random.key(0), draws, p.available, **size), 1


@pytest.mark.parametrize(("name", "program", "least"), list(programs()), ids=lambda x: x if isinstance(x, str) else "")
def test_every_product_is_at_the_highest(problem, name, program, least):
    """Of float32 a GPU takes the first 11 bits otherwise, a TPU the first 8."""
    found = list(products(jax.make_jaxpr(program)(problem).jaxpr))
    assert len(found) >= least
    # The Newton matrix of the selector's dual may be rough: it decides how fast, not where to.
    assert found.count(None) == (name in ("minibatch", "select_batch"))
    assert {precision for precision in found if precision} == {(HIGHEST, HIGHEST)}


def test_a_product_below_it_would_be_seen(problem):
    found = list(products(jax.make_jaxpr(jax.jit(lambda p: p.phi @ p.posterior.cov))(problem).jaxpr))
    assert found == [None]


class TestPoolInBfloat16:
    def rounded(self, problem):
        half = problem.phi.astype(jnp.bfloat16)
        return problem._replace(phi=half), problem._replace(phi=half.astype(jnp.float32))

    @pytest.mark.parametrize("utility", ["least_confidence", "bald"])
    @pytest.mark.parametrize(
        "settings", [{}, pytest.param({"minibatch": 2, "lam": 0.0}, marks=pytest.mark.exhaustive)], ids=str
    )
    def test_it_is_the_pool_of_its_rounded_features(self, problem, utility, settings):
        run = partial(cycle.run, jax.random.key(0), utility=utility, budget=8, **{"lam": 0.3, **settings})
        (state, info), (expected, picked) = (run(*pool) for pool in self.rounded(problem))
        np.testing.assert_array_equal(info.indices, picked.indices)
        for ours, theirs in zip(jax.tree.leaves(state), jax.tree.leaves(expected), strict=True):
            assert ours.dtype == theirs.dtype
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-5)

    def test_step_by_step(self, problem):
        pool, expected = self.rounded(problem)
        states = [cycle.init(p.posterior, p.phi, p.available, p.counts) for p in (pool, expected)]
        states = [
            cycle.update(s, p.phi, jnp.array([5, -1, 7]), jnp.array([1, -1, 0]))
            for s, p in zip(states, (pool, expected), strict=True)
        ]
        for ours, theirs in zip(*map(jax.tree.leaves, states), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)

    def test_the_product_is_exact_to_float32(self):
        rng = np.random.default_rng(0)
        phi = jnp.asarray(rng.normal(size=(50, 300)), jnp.bfloat16)
        columns = rng.normal(size=(300, 4)).astype(np.float32)
        exact = np.asarray(phi, np.float64) @ columns.astype(np.float64)
        found = laplace.pool_dot(phi, jnp.asarray(columns))
        scale = np.abs(np.asarray(phi, np.float64)) @ np.abs(columns)
        assert np.max(np.abs(found - exact) / scale) < 3e-7
        single = phi @ jnp.asarray(columns, jnp.bfloat16)
        assert np.max(np.abs(np.asarray(single, float) - exact) / scale) > 1e-4

    def test_it_is_not_copied_in_float32(self):
        phi, columns = jnp.zeros((16384, 256), jnp.bfloat16), jnp.zeros((256, 2))
        compiled = jax.jit(laplace.pool_dot).lower(phi, columns).compile()
        assert compiled.memory_analysis().temp_size_in_bytes < phi.nbytes / 8

    @pytest.mark.parametrize("dtype", ["float16", "int32"])
    def test_other_dtypes_are_refused(self, problem, dtype):
        with pytest.raises(
            ValueError, match=f"phi must be float32 or, under a float32 posterior, bfloat16, got {dtype}"
        ):
            cycle.run(jax.random.key(0), *problem._replace(phi=problem.phi.astype(dtype)), budget=2)


class TestComparison:
    """`experiments.precision` on numbers by hand."""

    def test_rounded_products_keep_the_bits_they_say(self):
        one, odd = jnp.ones(1), jnp.array([1.0 + 2.0**-9])
        with precision.rounded_products(7):
            assert jnp.dot(odd, one) == 1.0
        with precision.rounded_products(10):
            assert jnp.dot(odd, one) == odd[0]
        with precision.rounded_products(None):
            assert jnp.dot(odd, one) == odd[0]

    def test_same_rows_first_other_pick_and_errors(self):
        exact = [(np.array([3, 1, 2, 0]), np.array([1.0, 2.0]), 0.5)] * 2
        other = [(np.array([3, 2, 1, 7]), np.array([1.0, 2.5]), 0.75), exact[0]]
        found = precision.compare(exact, other)
        assert found == {"same_rows": 0.875, "first_other_pick": 1, "variance_error": 0.25, "l1_change": 0.125}
