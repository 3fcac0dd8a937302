"""Single-stage selection against loops over ranked lists."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from centroid_loops import K, loops

from alfamous_jax.selection import single_stage

pytestmark = pytest.mark.slow

N, SOURCE = 60, 7
KEY = jax.random.key(0)


def pool(seed=0):
    """Source probabilities, features, labels, and which rows are available."""
    rng = np.random.default_rng(seed)
    labels = rng.choice(K, N, p=[0.6, 0.25, 0.1, 0.05])
    features = (2.0 * rng.normal(size=(K, 5))[labels] + rng.normal(size=(N, 5))).astype(np.float32)
    probs = rng.dirichlet(np.full(SOURCE, 0.5), N).astype(np.float32)
    return probs, features, labels, rng.random(N) < 0.9


def passes(order, top):
    """Algorithm 1 of the paper: passes over the list, a row if its source class was not taken in the pass."""
    left, taken = list(order), []
    while left:
        seen = set()
        for row in list(left):
            if top[row] not in seen:
                seen.add(top[row])
                taken.append(row)
                left.remove(row)
    return taken


def ranked_list(arrays, ranking, diversified):
    """The whole list in float64."""
    probs, _, _, available = arrays
    p = probs.astype(np.float64)
    unsure = -(p * np.log(p)).sum(axis=1) if ranking == "entropy" else -p.max(axis=1)
    order = [i for i in np.argsort(unsure, kind="stable") if available[i]]
    return passes(order, p.argmax(axis=1)) if diversified else order


@pytest.mark.parametrize("diversified", [False, True], ids=["plain", "diversified"])
@pytest.mark.parametrize("ranking", ["entropy", "largest"])
def test_the_surest_rows_first(ranking, diversified):
    for seed in range(3):
        arrays = pool(seed)
        settings = {"num_classes": K, "ranking": ranking, "diversified": diversified}
        batch = single_stage.select(KEY, *arrays, budget=20, **settings)
        assert batch.indices.tolist() == ranked_list(arrays, ranking, diversified)[:20]
        assert batch.num_selected == 20 and batch.num_invalid == 0


def test_diversification_by_hand():
    """The list 0 to 6 with source classes 3, 3, 1, 3, 2, 1, 1: first one row of each class, then a second."""
    top, sure = np.array([3, 3, 1, 3, 2, 1, 1]), np.linspace(0.9, 0.6, 7)
    probs = np.full((7, 4), ((1 - sure) / 3)[:, None])
    probs[np.arange(7), top] = sure
    arrays = probs, np.zeros((7, 2)), np.zeros(7, int), np.ones(7, bool)
    batch = single_stage.select(KEY, *arrays, budget=5, num_classes=1, ranking="largest", diversified=True)
    assert batch.indices.tolist() == [0, 2, 4, 1, 5]


@pytest.mark.parametrize("balancing", single_stage.BALANCING)
def test_balancing_takes_over(balancing):
    _, features, labels, available = arrays = pool(4)
    order = ranked_list(arrays, "entropy", diversified=True)
    chosen = np.isin(np.arange(N), order[:8])
    utility = np.zeros(N)
    utility[order] = -np.arange(len(order))
    how = "centroid" if balancing == "centroid" else "ranked"
    expected = order[:8] + loops(features, labels, chosen, available & ~chosen, utility, 12, how)
    settings = {"ranking": "entropy", "diversified": True, "balance_from": 0.4, "balancing": balancing}
    assert single_stage.select(KEY, *arrays, budget=20, num_classes=K, **settings).indices.tolist() == expected


def test_core_starts_at_random_and_covers():
    _, features, labels, available = arrays = pool(5)
    for seed in range(4):
        picks = single_stage.select(jax.random.key(seed), *arrays, budget=20, num_classes=K, ranking="core")
        picks = picks.indices.tolist()
        x, expected = features.astype(np.float64), picks[:1]
        while len(expected) < 20:
            left = [i for i in np.flatnonzero(available) if i not in expected]
            expected.append(max(left, key=lambda i: min(np.linalg.norm(x[i] - x[j]) for j in expected)))
        assert picks == expected
    settings = {"budget": 20, "num_classes": K, "ranking": "core", "balance_from": 0.4}
    picks = single_stage.select(KEY, *arrays, **settings).indices.tolist()
    chosen = np.isin(np.arange(N), picks[:8])
    assert picks[8:] == loops(features, labels, chosen, available & ~chosen, np.zeros(N), 12, "core")


def test_keys_matter_where_something_is_drawn():
    arrays = pool(6)
    for ranking in single_stage.RANKINGS:
        settings = {"budget": 10, "num_classes": K, "ranking": ranking}
        batches = (single_stage.select(jax.random.key(seed), *arrays, **settings) for seed in (0, 0, 1, 2))
        picks = [batch.indices.tolist() for batch in batches]
        assert picks[0] == picks[1]
        assert (picks[0] != picks[2] or picks[0] != picks[3]) == (ranking in ("random", "core"))


@pytest.mark.parametrize("balance_from", [1.0, 0.4], ids=["ranked", "balanced"])
@pytest.mark.parametrize("ranking", single_stage.RANKINGS)
def test_rows_that_cannot_be_used(ranking, balance_from):
    """NaN is passed over and counted; a small pool ends in -1; nothing is picked twice."""
    probs, features, labels, available = pool(7)
    rows = np.flatnonzero(available)
    features[rows[0]], probs[rows[1]] = np.nan, np.inf
    available[rows[12:]] = False
    settings = {"budget": 15, "num_classes": K, "ranking": ranking, "balance_from": balance_from}
    batch = single_stage.select(KEY, probs, features, labels, available, **settings)
    picked = batch.indices[batch.indices >= 0].tolist()
    assert sorted(picked) == rows[2:12].tolist()
    assert batch.num_selected == 10 and batch.num_invalid == 2


def test_jit_equals_eager():
    arrays = jax.tree.map(jnp.asarray, pool(8))
    settings = {"budget": 8, "num_classes": K, "ranking": "largest", "diversified": True, "balance_from": 0.4}
    with jax.disable_jit():
        eager = single_stage.select(KEY, *arrays, **settings).indices
    np.testing.assert_array_equal(eager, single_stage.select(KEY, *arrays, **settings).indices)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"ranking": "margin"}, "ranking must be one of random"),
        ({"ranking": "core", "diversified": True}, "'core' without diversified"),
        ({"ranking": "random", "balance_from": 0.0}, "balance_from in"),
        ({"ranking": "random", "budget": 0}, "budget must be at least 1"),
        ({"ranking": "random", "balancing": "both"}, "balancing one of candidates"),
    ],
    ids=["ranking", "core", "share", "budget", "balancing"],
)
def test_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        single_stage.select(KEY, *pool(), **({"num_classes": K, "budget": 5} | settings))
