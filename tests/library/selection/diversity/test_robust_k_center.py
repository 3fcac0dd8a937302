"""Core-set by integer programming against all batches tried one by one."""

import itertools

import numpy as np
import pytest

from alfamous_jax import diversity

pytestmark = pytest.mark.slow


def least_radius(rows, labelled, available, budget, spare):
    """The radius of the best of all batches, and the batches that have it."""
    best, found = np.inf, []
    free = np.flatnonzero(available)
    apart = np.linalg.norm(rows[:, None] - rows[None], axis=2)
    for batch in itertools.combinations(free, budget):
        centres = [*np.flatnonzero(labelled), *batch]
        away = np.sort(apart[free][:, centres].min(axis=1))[::-1]
        radius = away[spare] if spare < len(away) else 0.0
        if radius < best - 1e-12:
            best, found = radius, []
        if radius <= best + 1e-12:
            found.append(set(batch))
    return best, found


@pytest.mark.parametrize("spare", [0, 1, 3])
@pytest.mark.parametrize("seed", range(4))
def test_the_best_of_all_batches(seed, spare):
    rng = np.random.default_rng(seed)
    rows = np.concatenate([rng.normal(size=(15, 2)), rng.normal(size=(1, 2)) + 9])  # the last one is far off
    labelled = np.arange(16) < seed  # from none on
    available = ~labelled & (np.arange(16) != 7)
    radius, batches = least_radius(rows, labelled, available, 3, spare)
    num = int(available.sum() + labelled.sum())
    batch = diversity.k_center_robust(rows, labelled, available, budget=3, outliers=(spare + 0.5) / num)
    assert batch.objective == pytest.approx(radius, rel=1e-5) and batch.bound == pytest.approx(radius, rel=1e-5)
    assert set(batch.indices.tolist()) in batches and batch.num_selected == 3
    greedy = diversity.k_center(rows.astype(np.float32), labelled, available, budget=3)
    assert batch.objective <= greedy.objective + 1e-5
    if spare == 0:
        assert greedy.bound <= batch.objective + 1e-5, "no batch is better than the bound of the greedy one"


def test_an_outlier_is_left_alone():
    """Greedy spends a pick on the row at 100; with an outlier allowed, it is left out."""
    rows = np.array([[0.0], [1.0], [2.0], [3.0], [4.0], [100.0]])
    labelled = np.arange(6) == 0
    assert 5 in diversity.k_center(rows, labelled, ~labelled, budget=1).indices.tolist()
    assert diversity.k_center_robust(rows, labelled, ~labelled, budget=1).indices.tolist() == [5]
    batch = diversity.k_center_robust(rows, labelled, ~labelled, budget=1, outliers=0.2)
    assert batch.indices.tolist() in ([3], [2]) and batch.objective == 1.0


def test_rows_that_repeat_run_out_or_are_not_finite():
    rows = np.zeros((5, 2))
    batch = diversity.k_center_robust(rows, np.zeros(5, bool), np.ones(5, bool), budget=2)
    assert len(set(batch.indices.tolist())) == 2 and batch.objective == 0 == batch.bound
    rows[1] = np.nan
    batch = diversity.k_center_robust(rows, np.arange(5) == 0, np.arange(5) > 0, budget=4)
    assert batch.indices.tolist() == [2, 3, 4, -1] and (batch.num_selected, batch.num_invalid) == (3, 1)


def test_refused():
    with pytest.raises(ValueError, match="budget must be"):
        diversity.k_center_robust(np.zeros((3, 1)), np.zeros(3, bool), np.ones(3, bool), budget=0)
    with pytest.raises(ValueError, match="available: 9,000 rows have too many distances, at most 8,192 are taken"):
        diversity.k_center_robust(np.zeros((9000, 1)), np.zeros(9000, bool), np.ones(9000, bool), budget=1)
