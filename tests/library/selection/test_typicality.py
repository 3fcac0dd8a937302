"""TypiClust against a loop over clusters in float64, and by hand."""

import jax
import numpy as np
import pytest

from alfamous_jax import clusters, typicality

N, BUDGET = 80, 9
KEY = jax.random.key(0)
SETTINGS = {"budget": BUDGET, "most_clusters": 500, "neighbours": 20}


@pytest.fixture(scope="module")
def pool():
    rng = np.random.default_rng(3)
    sizes = np.repeat(np.arange(8), [24, 16, 12, 9, 8, 6, 3, 2])
    features = (2.5 * rng.normal(size=(8, 5))[sizes] + 0.5 * rng.normal(size=(N, 5))).astype(np.float32)
    state = rng.choice(3, N, p=[0.05, 0.85, 0.1])
    return features, state == 0, state == 1


def clusters_of(pool, number, most):
    """The clusters that the key gives."""
    features, labelled, available = pool
    means_key, order_key = jax.random.split(KEY)
    order = np.asarray(jax.random.permutation(order_key, N))
    labels = clusters.k_means(means_key, features[order], (labelled | available)[order], number, most=most).labels
    return np.asarray(labels)[np.argsort(order)]


def follow(picks, labels, features, labelled, available, neighbours):
    """The rule in words: the clusters in their order, gone round; in each, a row whose neighbours are nearest."""
    rows = features.astype(float) / np.linalg.norm(features.astype(float), axis=1, keepdims=True)
    known, left, picks = labelled | available, available.copy(), list(picks)
    of = {k: np.flatnonzero((labels == k) & known) for k in set(labels[known].tolist())}
    order = sorted(of, key=lambda k: (labelled[of[k]].sum(), -len(of[k]), k))
    for turn in ([k for k in order if len(of[k]) > 5], [k for k in order if len(of[k]) <= 5]):
        while any(left[of[k]].any() for k in turn):
            for k in turn:
                members = of[k][left[of[k]]]
                if not len(members):
                    continue
                if not picks:
                    return
                row, used = picks.pop(0), max(1, min(neighbours, len(members) // 2))
                assert row in members
                distances = np.linalg.norm(rows[members][:, None] - rows[members], axis=2)
                means = np.sort(distances, axis=1)[:, 1 : used + 1].sum(axis=1) / used
                assert means[members == row] <= means.min() + 1e-5  # a pair is equally near to each other
                left[row] = False
    assert set(picks) <= {-1}


@pytest.mark.parametrize(("budget", "most", "neighbours"), [(BUDGET, 500, 20), (N, 6, 3)])
def test_picks_are_those_of_the_rule(pool, budget, most, neighbours):
    """With a cluster for each label and each pick, and to the last row with 6 clusters in many rounds."""
    _, labelled, available = pool
    found = typicality.select(KEY, *pool, budget=budget, most_clusters=most, neighbours=neighbours)
    most = min(most, N)
    number = min(labelled.sum() + budget, most)
    follow(found.indices.tolist(), clusters_of(pool, number, most), *pool, neighbours)
    picked = min(budget, available.sum())
    assert found.num_selected == picked == len(set(found.indices[:picked].tolist())) and found.num_invalid == 0


def test_rows_that_are_not_finite_are_as_if_not_there(pool):
    features, labelled, available = pool
    spoilt = features.copy()
    bad = np.array([np.flatnonzero(available)[5], np.flatnonzero(labelled)[0]])
    spoilt[bad, 0] = np.nan, np.inf
    found = typicality.select(KEY, spoilt, labelled, available, **SETTINGS)
    there = ~np.isin(np.arange(N), bad)
    same = typicality.select(KEY, features, labelled & there, available & there, **SETTINGS)
    np.testing.assert_array_equal(found.indices, same.indices)
    assert found.num_invalid == 1


def test_impossible_settings_are_refused(pool):
    for changes, message in (
        ({"budget": 0}, "budget must be at least 1, got 0"),
        ({"neighbours": 0}, "most_clusters and neighbours must be at least 1, got 500 and 0"),
    ):
        with pytest.raises(ValueError, match=message):
            typicality.select(KEY, *pool, **{"budget": 2} | changes)
