"""Centroid balancing against loops in float64."""

import jax.numpy as jnp
import numpy as np
import pytest
from centroid_loops import K, loops

from alfamous_jax.selection import centroids


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
        indices, num_invalid = centroids.select(*arrays, given, num_classes=K, budget=budget, order=order)
        assert indices.tolist() == expected + [-1] * (budget - len(expected)) and num_invalid == 0


def test_by_hand():
    """On a line: many about 0, one at 10. 7 and 6 lie on its side; then the classes are level, and class 0 is asked."""
    features = np.array([-1, 0, 1, 10, 4, 7, 6, -3], np.float32)[:, None]
    labels = np.array([0, 0, 0, 1, 0, 1, 1, 0])
    labelled = np.arange(8) < 4
    indices, _ = centroids.select(features, labels, labelled, ~labelled, num_classes=2, budget=3)
    assert indices.tolist() == [5, 6, 7]


@pytest.mark.parametrize("order", centroids.ORDERS)
def test_rows_that_are_not_finite(order):
    """They are counted and passed over; labelled ones move no centroid."""
    features, labels, labelled, available, utility = pool(1)
    spoilt = features.copy()
    bad = [np.flatnonzero(available)[3], np.flatnonzero(labelled)[2]]
    spoilt[bad, 1] = np.nan
    given = utility if order == "ranked" else None
    settings = {"num_classes": K, "budget": 6, "order": order}
    indices, num_invalid = centroids.select(spoilt, labels, labelled, available, given, **settings)
    fewer = ~np.isin(np.arange(50), bad)
    expected, _ = centroids.select(features, labels, labelled & fewer, available & fewer, given, **settings)
    assert num_invalid == 1 and indices.tolist() == expected.tolist()


@pytest.mark.parametrize("order", ["centroid", "core"])
def test_nothing_labelled(order):
    features, labels, _, _, _ = pool(2)
    nothing = np.zeros(50, bool)
    indices, _ = centroids.select(features, labels, nothing, ~nothing, num_classes=K, budget=5, order=order)
    assert indices[0] == np.argmax(np.linalg.norm(features - features.mean(axis=0), axis=1))
    assert len(set(indices.tolist())) == 5


def test_bad_settings_are_named():
    *arrays, utility = pool(0)
    for given, order in ((None, "nearest"), (None, "ranked"), (jnp.asarray(utility), "core")):
        with pytest.raises(ValueError, match=f"order must be one of centroid, core, ranked.*got '{order}'"):
            centroids.select(*arrays, given, num_classes=K, budget=2, order=order)
