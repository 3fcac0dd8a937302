"""FALCUN: the law of its draws against the formula in float64, pick by pick."""

import jax
import numpy as np
import pytest

from alfamous_jax import falcun

N, K, BUDGET, DRAWS = 6, 3, 3, 20_000
KEY, SPOILT = jax.random.key(0), 4
AVAILABLE = np.arange(N) != 3


@pytest.fixture(scope="module")
def probs():
    probs = np.random.default_rng(1).dirichlet(np.full(K, 0.7), N)
    probs[SPOILT] = np.nan
    return probs.astype(np.float32)


def law(probs, left, picks, gamma):
    """Probability of each row left to be the next pick."""
    ordered = np.sort(probs, axis=1)
    doubt = 1 - (ordered[:, -1] - ordered[:, -2])
    far = np.min([doubt, *(np.abs(probs - probs[row]).sum(axis=1) for row in picks)], axis=0)
    low, high = far[left].min(), far[left].max()
    weight = np.where(left, (doubt + (far - low) / (high - low if high > low else 1)) ** gamma, 0)
    return weight / weight.sum()


@pytest.fixture(scope="module")
def drawn(probs):
    """Many batches at each gamma."""

    def draw(key, gamma):
        return falcun.select(key, probs, AVAILABLE, budget=BUDGET, gamma=gamma).indices

    many = jax.jit(jax.vmap(draw, in_axes=(0, None)))
    return {gamma: np.asarray(many(jax.random.split(KEY, DRAWS), gamma)) for gamma in (1.0, 3.0)}


@pytest.mark.parametrize("gamma", [1.0, 3.0])
def test_draws_follow_the_formula(probs, drawn, gamma):
    """The first pick, and the third after each pair that is not rare."""
    batches, known = drawn[gamma], np.nan_to_num(probs.astype(float))
    left = AVAILABLE & (np.arange(N) != SPOILT)
    shares = np.bincount(batches[:, 0], minlength=N) / DRAWS
    np.testing.assert_allclose(shares, law(known, left, [], gamma), atol=5 * np.sqrt(0.25 / DRAWS))
    pairs, counts = np.unique(batches[:, :2], axis=0, return_counts=True)
    assert (counts >= 500).sum() >= 2
    for pair, count in zip(pairs[counts >= 500], counts[counts >= 500], strict=True):
        third = batches[(batches[:, :2] == pair).all(axis=1), 2]
        expected = law(known, left & ~np.isin(np.arange(N), pair), pair, gamma)
        np.testing.assert_allclose(np.bincount(third, minlength=N) / count, expected, atol=5 * np.sqrt(0.25 / count))


def test_no_row_twice_none_that_is_spoilt_and_padding(probs):
    found = falcun.select(KEY, probs, np.arange(N) > 0, budget=N)
    assert sorted(found.indices[:4].tolist()) == [1, 2, 3, 5] and found.indices[4:].tolist() == [-1, -1]
    assert found.num_selected == 4 and found.num_invalid == 1 and np.isnan(found.objective)


def test_rows_that_are_alike_and_sure_are_drawn_all_the_same():
    """Where nothing is in doubt and nothing is far, chance decides."""
    sure = np.tile(np.float32([1.0, 0.0, 0.0]), (N, 1))
    first = {
        int(falcun.select(jax.random.key(seed), sure, np.ones(N, bool), budget=N).indices[0]) for seed in range(40)
    }
    assert first == set(range(N))


def test_a_batch_of_no_rows_is_refused(probs):
    with pytest.raises(ValueError, match="budget must be at least 1, got 0"):
        falcun.select(KEY, probs, np.ones(N, bool), budget=0)
