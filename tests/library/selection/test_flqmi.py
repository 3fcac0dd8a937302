"""FLQMI against gradients that are formed, against all subsets of small pools, and by hand."""

import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from alfamous_jax import flqmi

K, H = 3, 4


def pool(seed, num):
    """Probabilities, features, labels, targets, available rows."""
    rng = np.random.default_rng(seed)
    probs, state = rng.dirichlet(np.ones(K), num), rng.choice(3, num, p=[0.3, 0.6, 0.1])
    targets = np.where(state == 0, rng.choice([0.0, 0.5, 1.0], num), 0.0)
    targets[0], state[0] = 1.0, 0
    arrays = probs, rng.normal(size=(num, H)), targets
    probs, features, targets = (x.astype(np.float32) for x in arrays)
    return probs, features, rng.integers(0, K, num), targets, state == 1


def similarity(probs, features, labels, targets):
    """(1 + cos) / 2 of the gradients of all rows and of the targets, which are matrices."""
    eye = np.eye(K)

    def gradients(of):
        errors = probs.astype(float) - eye[of]
        whole = np.einsum("nk,nh->nkh", errors, features.astype(float)).reshape(len(probs), -1)
        return whole / np.linalg.norm(whole, axis=1, keepdims=True)

    chosen = np.flatnonzero(targets)
    return 0.5 + 0.5 * gradients(probs.argmax(axis=1)) @ gradients(labels)[chosen].T, targets[chosen].astype(float)


def value(rows, alike, weights, eta):
    picked = alike[list(rows)]
    return weights @ picked.max(axis=0) + eta * picked.max(axis=1).sum()


@pytest.mark.parametrize("eta", [1.0, 0.1])
def test_picks_are_those_of_greedy_on_whole_gradients(eta):
    """More rows than the lazy search keeps at hand."""
    arrays = pool(0, 900)
    found = flqmi.select(*arrays, budget=12, eta=eta, most_targets=900)
    alike, weights = similarity(*arrays[:4])
    covered, left = np.zeros(len(weights)), arrays[4].copy()
    for row in np.asarray(found.indices):
        gains = np.maximum(alike - covered, 0) @ weights + eta * alike.max(axis=1)
        assert left[row] and gains[row] >= (1 - 1e-5) * gains[left].max()
        covered, left[row] = np.maximum(covered, alike[row]), False
    assert float(found.objective) == pytest.approx(-value(found.indices.tolist(), alike, weights, eta), rel=1e-5)
    assert found.num_selected == 12 and found.num_invalid == 0 and found.bound <= found.objective


@pytest.mark.parametrize("seed", range(4))
def test_no_batch_beats_the_bound_and_greedy_is_near_the_best(seed):
    arrays = pool(seed, 14)
    found = flqmi.select(*arrays, budget=3, eta=0.2)
    alike, weights = similarity(*arrays[:4])
    best = max(value(rows, alike, weights, 0.2) for rows in itertools.combinations(np.flatnonzero(arrays[4]), 3))
    assert float(found.bound) <= -best <= float(found.objective) + 1e-5
    assert -float(found.objective) >= (1 - 1 / np.e) * best


def test_order_of_the_pool_jit_and_vmap():
    arrays, order = pool(1, 60), np.random.default_rng(0).permutation(60)
    picks = np.asarray(flqmi.select(*arrays, budget=6).indices)
    moved = flqmi.select(*(x[order] for x in arrays), budget=6).indices
    np.testing.assert_array_equal(order[np.asarray(moved)], picks)
    many = jax.vmap(lambda targets: flqmi.select(*arrays[:3], targets, arrays[4], budget=6))
    np.testing.assert_array_equal(many(jnp.stack([arrays[3], arrays[3] > 2])).indices[0], picks)


def test_labels_of_rows_that_are_no_targets_do_not_matter_and_bad_rows_are_passed_over():
    probs, features, labels, targets, available = pool(2, 50)
    settings = {"budget": 50, "most_targets": 50}
    bad = [np.flatnonzero(available)[0], np.flatnonzero(available)[4], np.flatnonzero(targets)[0]]
    spoilt_probs, spoilt = probs.copy(), features.copy()
    spoilt_probs[bad[0]], spoilt[bad[1:]] = np.nan, np.inf
    found = flqmi.select(
        spoilt_probs, spoilt, np.where(targets > 0, labels, -1), targets, available, **settings
    )  # fmt: skip
    there = ~np.isin(np.arange(50), bad)
    same = flqmi.select(probs, features, labels, targets * there, available & there, **settings)
    np.testing.assert_array_equal(found.indices, same.indices)
    number = (available & there).sum()
    assert found.num_invalid == 2 and found.num_selected == number and (found.indices[number:] == -1).all()
    assert found.bound == found.objective  # there is no other batch


def test_targets_that_count_most_are_kept_and_none_leave_the_order_of_the_rows():
    probs, features, labels, targets, available = pool(3, 50)
    few = flqmi.select(probs, features, labels, targets, available, budget=4, most_targets=1)
    first = np.arange(50) == np.flatnonzero(targets == targets.max())[0]
    alone = flqmi.select(probs, features, labels, targets * first, available, budget=4, most_targets=1)
    np.testing.assert_array_equal(few.indices, alone.indices)
    none = flqmi.select(probs, features, labels, np.zeros(50), available, budget=4)
    assert none.indices.tolist() == np.flatnonzero(available)[:4].tolist() and none.objective == 0
    for name in ("budget", "most_targets"):
        with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
            flqmi.select(probs, features, labels, targets, available, **{"budget": 4} | {name: 0})
