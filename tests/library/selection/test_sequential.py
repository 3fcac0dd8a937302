"""The greedy scan that the sequential methods share, its lazy form and the top of a vector."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from alfamous_jax.selection import _greedy, balance

pytestmark = pytest.mark.slow

SCORES = jnp.array([0.3, 0.9, 0.1, 0.9, 0.5])


def score(carry):
    return carry["scores"]


def count(carry, index):
    """Remembers the picks in order: weight 10 ** step."""
    return {**carry, "steps": carry["steps"] + 1, "code": carry["code"] * 10 + index}


def start(scores=SCORES):
    return {"scores": scores, "steps": jnp.int32(0), "code": jnp.int32(0)}


def run(available, budget, update=count, carry=None):
    return _greedy.greedy(carry or start(), score, update, jnp.asarray(available, bool), budget)


def test_takes_the_highest_score_first_and_ties_in_order():
    carry, indices = run([1, 1, 1, 1, 1], 4)
    np.testing.assert_array_equal(indices, [1, 3, 4, 0])
    assert indices.dtype == jnp.int32
    assert carry["steps"] == 4 and carry["code"] == 1340


@pytest.mark.parametrize(
    ("available", "expected"),
    [([1, 0, 1, 0, 1], [4, 0, 2, -1]), ([0, 0, 0, 1, 0], [3, -1, -1, -1]), ([0] * 5, [-1] * 4)],
    ids=["three_rows", "one_row", "none"],
)
def test_pads_when_the_rows_run_out_and_leaves_the_carry_alone(available, expected):
    carry, indices = run(available, 4)
    np.testing.assert_array_equal(indices, expected)
    picked = [i for i in expected if i >= 0]
    assert carry["steps"] == len(picked)
    assert carry["code"] == sum(i * 10**place for place, i in enumerate(reversed(picked)))


def test_padding_survives_an_update_that_would_spoil_the_carry():
    def update(carry, index):
        return {**carry, "scores": jnp.where(carry["steps"] > 0, jnp.nan, carry["scores"]), "steps": carry["steps"] + 1}

    carry, indices = run([1, 0, 0, 0, 0], 3, update)
    np.testing.assert_array_equal(indices, [0, -1, -1])
    np.testing.assert_array_equal(carry["scores"], SCORES)


def test_update_steers_the_next_pick():
    """Facility spacing: after a pick the scores are distances to what was picked."""
    points = jnp.array([0.0, 1.0, 5.0, 9.0, 10.0])

    def update(distance, index):
        return jnp.minimum(distance, jnp.abs(points - points[index]))

    distance, indices = _greedy.greedy(jnp.abs(points), lambda d: d, update, jnp.arange(5) > 0, 3)
    np.testing.assert_array_equal(indices, [4, 2, 1])
    assert distance.max() == 1.0


def test_negative_scores_are_picked():
    _, indices = run([1, 1, 1, 1, 1], 5, carry=start(SCORES - 10))
    np.testing.assert_array_equal(indices, [1, 3, 4, 0, 2])


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf], ids=str)
def test_rows_with_a_score_that_is_not_finite_are_passed_over(bad):
    carry, indices = run([1, 1, 1, 1, 0], 4, carry=start(SCORES.at[1].set(bad)))
    np.testing.assert_array_equal(indices, [3, 0, 2, -1])
    assert carry["steps"] == 3


def test_equals_a_loop():
    rng = np.random.default_rng(0)
    gram = rng.normal(size=(20, 20)).astype(np.float32)
    scores = rng.normal(size=20).astype(np.float32)
    available = rng.random(20) < 0.7

    def update(scores, index):
        return scores - jnp.asarray(gram)[index]

    _, indices = _greedy.greedy(jnp.asarray(scores), lambda s: s, update, available, 8)
    expected, left = [], available.copy()
    for _ in range(8):
        expected.append(int(np.argmax(np.where(left, scores, -np.inf))))
        left[expected[-1]] = False
        scores = scores - gram[expected[-1]]
    np.testing.assert_array_equal(indices, expected)


def test_jit_and_vmap_equal_a_loop():
    batch = jnp.asarray(np.random.default_rng(1).normal(size=(4, 5)).astype(np.float32))
    available = jnp.array([True, True, False, True, True])

    def pick(scores):
        return _greedy.greedy(start(scores), score, count, available, 3)

    carry, indices = jax.jit(jax.vmap(pick))(batch)
    for i, scores in enumerate(batch):
        single, expected = pick(scores)
        np.testing.assert_array_equal(indices[i], expected)
        assert carry["code"][i] == single["code"]


@pytest.mark.parametrize(
    ("scores", "count", "expected"),
    [
        ((0.3, 0.9, 0.1, 0.5), 2, [1, 3]),
        ((0.3, 0.9, 0.1, 0.5), 4, [1, 3, 0, 2]),
        ((1.0, 2.0, 1.0, 2.0, 1.0), 4, [1, 3, 0, 2]),
        ((-np.inf, 0.0, -np.inf, -1.0), 4, [1, 3, 0, 2]),
    ],
    ids=["largest", "all", "ties_in_order", "minus_infinity_last"],
)
def test_top(scores, count, expected):
    values, indices = jax.jit(_greedy.top, static_argnums=1)(jnp.array(scores), count)
    np.testing.assert_array_equal(indices, expected)
    np.testing.assert_array_equal(values, np.array(scores, np.float32)[expected])


@pytest.mark.parametrize("levels", [3, 10_000], ids=["heavy_ties", "few_ties"])
def test_top_equals_a_stable_sort(levels):
    scores = np.random.default_rng(0).integers(0, levels, 5000).astype(np.float32)
    values, indices = _greedy.top(jnp.asarray(scores), 700)
    expected = np.argsort(-scores, kind="stable")[:700]
    np.testing.assert_array_equal(indices, expected)
    np.testing.assert_array_equal(values, scores[expected])


@partial(jax.jit, static_argnames=("budget", "block"))
def balanced(utility, probs, demand, lam, available, budget, block=None):
    """Both scans of the balance marginal: naive without a block, else lazy."""
    if block is None:
        score, update = lambda r: balance.marginal(utility, probs, r, lam), lambda r, n: r - probs[n]
        return _greedy.greedy(demand, score, update, available, budget)
    score, update = lambda r, rows: balance.marginal(*rows, r, lam), lambda r, row: r - row[1]
    return _greedy.lazy_greedy(demand, score, update, (utility, probs), available, budget, block)


def pool(seed, rows=60, classes=4):
    rng = np.random.default_rng(seed)
    utility, probs = rng.uniform(0, 1, rows), rng.dirichlet(np.full(classes, 0.3), rows)
    demand = np.maximum(rng.uniform(-2, 6, classes), 0)
    return *(x.astype(np.float32) for x in (utility, probs, demand)), rng.random(rows) < 0.8


def assert_lazy_equals_naive(utility, probs, demand, available, block, lam=0.7, budget=20):
    naive, expected = balanced(utility, probs, demand, lam, available, budget)
    lazy, indices = balanced(utility, probs, demand, lam, available, budget, block)
    np.testing.assert_array_equal(indices, expected)
    np.testing.assert_array_equal(lazy, naive)
    return indices


class TestLazyGreedy:
    """The picks and the carry of the naive scan."""

    blocks = pytest.mark.parametrize("block", [1, 2, 7, 60, 100], ids="block_{}".format)

    @blocks
    def test_random_pools(self, block):
        for seed in range(20):
            assert_lazy_equals_naive(*pool(seed), block)

    @blocks
    def test_heavy_ties(self, block):
        """Twelve copies of five rows, three levels of utility."""
        for seed in range(10):
            utility, probs, demand, available = pool(seed)
            utility, probs = np.round(2 * np.tile(utility[:5], 12)) / 2, np.tile(probs[:5], (12, 1))
            assert_lazy_equals_naive(utility, probs, demand, available, block)

    @pytest.mark.parametrize("block", [1, 2, 7], ids="block_{}".format)
    def test_ties_of_scores_that_fall_at_different_rates(self, block):
        """Integers, so that a row inside the block may fall to the score of a lower row outside."""

        @jax.jit
        def both(heights, slopes):
            everything, update = jnp.ones(40, bool), lambda level, _: level + 1
            naive = _greedy.greedy(0, lambda level: heights - slopes * level, update, everything, 15)
            lazy = _greedy.lazy_greedy(
                0, lambda level, rows: rows[0] - rows[1] * level, update, (heights, slopes), everything, 15, block
            )
            return naive[1], lazy[1]

        rng = np.random.default_rng(5)
        for _ in range(20):
            naive, lazy = both(*(rng.integers(0, high, 40).astype(np.float32) for high in (8, 3)))
            np.testing.assert_array_equal(lazy, naive)

    @blocks
    def test_constant_scores_are_picked_in_order(self, block):
        _, probs, demand, available = pool(0)
        indices = assert_lazy_equals_naive(np.full(60, 0.5, np.float32), 0 * probs, demand, available, block)
        np.testing.assert_array_equal(indices, np.flatnonzero(available)[:20])

    @blocks
    @pytest.mark.parametrize("left", [0, 1, 13])
    def test_fewer_rows_than_the_budget(self, left, block):
        utility, probs, demand, _ = pool(1)
        available = np.random.default_rng(left).permutation(np.arange(60) < left)
        indices = assert_lazy_equals_naive(utility, probs, demand, available, block)
        assert set(indices[:left].tolist()) == set(np.flatnonzero(available).tolist())
        np.testing.assert_array_equal(indices[left:], -1)

    @blocks
    @pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf], ids=str)
    def test_rows_with_a_score_that_is_not_finite_are_passed_over(self, bad, block):
        utility, probs, demand, available = pool(2)
        utility[::3] = bad
        indices = assert_lazy_equals_naive(utility, probs, demand, available, block)
        assert (indices >= 0).all() and (indices % 3 != 0).all()

    @pytest.mark.parametrize("block", [1, 3, 30], ids="block_{}".format)
    def test_scores_that_turn_nan_on_the_way(self, block):
        """A row drops out once the level has passed it."""
        heights = jnp.asarray(np.random.default_rng(3).uniform(0, 1, 30), jnp.float32)
        everything = jnp.ones(30, bool)
        naive = _greedy.greedy(0.0, lambda c: jnp.sqrt(heights - c), lambda c, _: c + 0.07, everything, 20)
        lazy = _greedy.lazy_greedy(
            0.0, lambda c, x: jnp.sqrt(x - c), lambda c, _: c + 0.07, heights, everything, 20, block
        )
        np.testing.assert_array_equal(lazy[1], naive[1])
        assert lazy[0] == naive[0] and 5 < np.sum(lazy[1] >= 0) < 20

    def test_scores_all_rows_only_when_the_block_is_used_up(self):
        passes = []

        def score(level, rows):
            jax.debug.callback(lambda _: passes.append(rows.size), level)
            return rows - level

        rows = jnp.asarray(np.random.default_rng(4).uniform(0, 1, 500), jnp.float32)
        _, indices = _greedy.lazy_greedy(0.0, score, lambda level, _: level, rows, jnp.ones(500, bool), 100, block=64)
        jax.effects_barrier()
        np.testing.assert_array_equal(indices, np.argsort(-np.asarray(rows), kind="stable")[:100])
        assert passes.count(500) == 2 and passes.count(64) == len(passes) - 2 >= 100
