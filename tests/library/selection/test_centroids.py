"""Centroid balancing against loops in float64."""

import jax.numpy as jnp
import numpy as np
import pytest
from centroid_loops import K, loops

from alfamous_jax.selection import centroids

pytestmark = pytest.mark.slow


def pool(seed, num=50):
    rng = np.random.default_rng(seed)
    labels = rng.choice(K, num, p=[0.6, 0.25, 0.1, 0.05])
    features = (2.0 * rng.normal(size=(K, 5))[labels] + rng.normal(size=(num, 5))).astype(np.float32)
    order = rng.permutation(num)
    return features, labels, order < 15, order >= 18, rng.random(num).astype(np.float32)


@pytest.mark.parametrize("order", centroids.ORDERS)
@pytest.mark.parametrize("seed", range(4))
def test_against_loops(order, seed):
    *arrays, utility = pool(seed)
    given = utility if order == "ranked" else None
    for budget in (8, 40):
        expected = loops(*arrays, utility, budget, order)
        batch = centroids.select(*arrays, budget=budget, num_classes=K, order=order, utility=given)
        assert batch.indices.tolist() == expected + [-1] * (budget - len(expected)) and batch.num_invalid == 0
        assert batch.num_selected == len(expected)


def test_by_hand():
    """On a line: many about 0, one at 10. 7 and 6 lie on its side; then the classes are level, and class 0 is asked."""
    features = np.array([-1, 0, 1, 10, 4, 7, 6, -3], np.float32)[:, None]
    labels = np.array([0, 0, 0, 1, 0, 1, 1, 0])
    labelled = np.arange(8) < 4
    indices = centroids.select(features, labels, labelled, ~labelled, budget=3, num_classes=2).indices
    assert indices.tolist() == [5, 6, 7]


@pytest.mark.parametrize("order", centroids.ORDERS)
def test_rows_that_are_not_finite(order):
    """They are counted and passed over; labelled ones move no centroid."""
    features, labels, labelled, available, utility = pool(1)
    spoilt = features.copy()
    bad = [np.flatnonzero(available)[3], np.flatnonzero(labelled)[2]]
    spoilt[bad, 1] = np.nan
    given = utility if order == "ranked" else None
    settings = {"budget": 6, "num_classes": K, "order": order, "utility": given}
    batch = centroids.select(spoilt, labels, labelled, available, **settings)
    fewer = ~np.isin(np.arange(50), bad)
    expected = centroids.select(features, labels, labelled & fewer, available & fewer, **settings).indices
    assert batch.num_invalid == 1 and batch.indices.tolist() == expected.tolist()


@pytest.mark.parametrize("order", ["centroid", "core"])
def test_nothing_labelled(order):
    features, labels, _, _, _ = pool(2)
    nothing = np.zeros(50, bool)
    indices = centroids.select(features, labels, nothing, ~nothing, budget=5, num_classes=K, order=order).indices
    assert indices[0] == np.argmax(np.linalg.norm(features - features.mean(axis=0), axis=1))
    assert len(set(indices.tolist())) == 5


def test_bad_settings_are_named():
    *arrays, utility = pool(0)
    for given, order in ((None, "nearest"), (None, "ranked"), (jnp.asarray(utility), "core")):
        with pytest.raises(ValueError, match=f"order must be one of centroid, core, ranked.*got '{order}'"):
            centroids.select(*arrays, budget=2, num_classes=K, order=order, utility=given)
    with pytest.raises(ValueError, match="budget must be at least 1, got 0"):
        centroids.select(*arrays, budget=0, num_classes=K)
