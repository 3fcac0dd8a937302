"""BASE against moves of the features in float64, and against a loop over classes."""

import jax
import numpy as np
import pytest

from alfamous_jax import boundary

N, K, D, BUDGET = 40, 4, 5, 14


@pytest.fixture(scope="module")
def pool():
    """A row with a NaN is available, another is not."""
    rng = np.random.default_rng(0)
    phi, weights = rng.normal(size=(N, D)), rng.normal(size=(K, D))
    phi[[3, 5]] = np.nan
    available = rng.random(N) < 0.8
    available[[3, 5]] = True, False
    return phi.astype(np.float32), weights.astype(np.float32), np.array([7, 2, 2, 9]), available


def found(phi, weights, counts, available, budget=BUDGET, bias=0.0):
    return boundary.base(phi @ weights.T + bias, weights, counts, available, budget=budget)


def distance(phi, weights, k):
    """How far a row has to move to be taken for class k, or for another if it is now; by a move that does it."""
    logits = weights @ phi
    own = logits.argmax()
    moves = []
    for other in [k] if k != own else [c for c in range(K) if c != own]:
        normal = weights[other] - weights[own]
        length = (logits[own] - logits[other]) / np.linalg.norm(normal)
        there = weights @ (phi + length * normal / np.linalg.norm(normal))
        assert there[own] == pytest.approx(there[other], abs=1e-9)  # level, and by the shortest way
        moves.append(length)
    return min(moves)


def by_loop(phi, weights, counts, left, budget):
    """A row for each class in turn, the fewest labels first."""
    phi, weights, left = phi.astype(float), weights.astype(float), set(left)
    turns, picks = sorted(range(K), key=lambda k: (counts[k], k)), []
    for turn in range(min(budget, len(left))):
        k = turns[turn % K]
        picks.append(min(left, key=lambda row: (distance(phi[row], weights, k), row)))
        left.remove(picks[-1])
    return picks


def test_every_class_asks_for_the_row_nearest_to_its_border(pool):
    phi, weights, counts, available = pool
    left = np.flatnonzero(available & np.isfinite(phi).all(axis=1))
    batch = found(*pool)
    assert batch.indices.tolist() == by_loop(phi, weights, counts, left, BUDGET)
    assert batch.num_selected == BUDGET and batch.num_invalid == 1 and np.isnan(batch.objective)
    every = found(*pool, budget=N).indices.tolist()
    assert every == by_loop(phi, weights, counts, left, N) + [-1] * (N - len(left))


def test_scale_and_order_change_nothing(pool):
    phi, weights, counts, available = pool
    picks = np.asarray(found(*pool).indices)
    np.testing.assert_array_equal(found(phi, 8 * weights, counts, available).indices, picks)
    np.testing.assert_array_equal(found(phi, weights + weights[0], counts, available).indices, picks)
    order = np.random.default_rng(1).permutation(N)
    np.testing.assert_array_equal(
        order[np.asarray(found(phi[order], weights, counts, available[order]).indices)], picks
    )
    vmapped = jax.vmap(lambda counts: boundary.base(phi @ weights.T, weights, counts, available, budget=BUDGET))
    np.testing.assert_array_equal(vmapped(np.array([counts, counts[::-1]])).indices[0], picks)


def test_classes_without_a_border_between_them():
    """Two classes whose weights are the same, then all of them, then one class alone."""
    weights = np.float32([[1, 0], [0, 1], [0, 1]])
    phi = np.float32([[0, 5], [1.0, 1.2], [2, 0.5], [3, 0]])
    three, every = np.array([9, 9, 0]), np.ones(4, bool)
    first = boundary.base(phi @ weights.T, weights, three, every, budget=2).indices
    assert first.tolist() == [2, 1]  # the third class, by its border with the first; then the first class
    nothing = boundary.base(np.zeros((4, 3)), np.zeros((3, 2)), three, every, budget=3).indices
    assert nothing.tolist() == [0, 1, 2]
    assert boundary.base(phi[:, :1], weights[:1], three[:1], every, budget=2).indices.tolist() == [0, 1]


def test_impossible_arguments_are_refused(pool):
    with pytest.raises(ValueError, match="budget must be at least 1, got 0"):
        found(*pool, budget=0)
    with pytest.raises(ValueError, match="the pool has no rows, N = 0"):
        found(pool[0][:0], pool[1], pool[2], pool[3][:0])
