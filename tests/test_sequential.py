"""The greedy scan that the sequential methods share."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from alfamous_jax import sequential

SCORES = jnp.array([0.3, 0.9, 0.1, 0.9, 0.5])


def score(carry):
    return carry["scores"]


def count(carry, index):
    """Remembers the picks in order: weight 10 ** step."""
    return {**carry, "steps": carry["steps"] + 1, "code": carry["code"] * 10 + index}


def start(scores=SCORES):
    return {"scores": scores, "steps": jnp.int32(0), "code": jnp.int32(0)}


def run(available, budget, update=count, carry=None):
    return sequential.greedy(carry or start(), score, update, jnp.asarray(available, bool), budget)


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

    distance, indices = sequential.greedy(jnp.abs(points), lambda d: d, update, jnp.arange(5) > 0, 3)
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

    _, indices = sequential.greedy(jnp.asarray(scores), lambda s: s, update, available, 8)
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
        return sequential.greedy(start(scores), score, count, available, 3)

    carry, indices = jax.jit(jax.vmap(pick))(batch)
    for i, scores in enumerate(batch):
        single, expected = pick(scores)
        np.testing.assert_array_equal(indices[i], expected)
        assert carry["code"][i] == single["code"]
