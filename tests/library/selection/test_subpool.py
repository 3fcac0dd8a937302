"""Sub-pools against sorted lists in float64: exact neighbours, every class with its rows."""

import itertools

import jax
import numpy as np
import pytest

from alfamous_jax import subpool

N, K, SIZE, NEAR, ANCHORS = 120, 4, 20, 3, 4
KEY = jax.random.key(0)
SETTINGS = {"size": SIZE, "num_classes": K, "num_anchors": ANCHORS, "num_neighbours": NEAR}


@pytest.fixture(scope="module")
def pool():
    """The third class has two labels, the last one none; a row of each kind is spoilt."""
    rng = np.random.default_rng(0)
    labels = rng.choice(3, N, p=[0.6, 0.35, 0.05])
    features = (2 * rng.normal(size=(3, 5))[labels] + rng.normal(size=(N, 5))).astype(np.float32)
    labelled = np.zeros(N, bool)
    for k, number in enumerate((9, 4, 2)):
        labelled[np.flatnonzero(labels == k)[:number]] = True
    available = ~labelled & (np.arange(N) % 11 > 0)
    features[np.flatnonzero(labelled)[0]] = np.nan
    features[np.flatnonzero(available)[0], 2] = np.inf
    return features, labels, labelled, available


@pytest.fixture(scope="module")
def cosines(pool):
    features = np.where(np.isfinite(pool[0]).all(axis=1)[:, None], pool[0], 0).astype(float)
    rows = features / np.maximum(np.linalg.norm(features, axis=1, keepdims=True), 1e-30)
    return rows @ rows.T


def nearest(row, cosines, left):
    """The rows left that are nearest to one, by sorting."""
    return sorted(np.flatnonzero(left), key=lambda other: -cosines[row, other])[:NEAR]


def listed(scores, size):
    """Rows by falling score, cut or padded."""
    rows = sorted(scores, key=lambda row: -scores[row])[:size]
    return rows + [-1] * (size - len(rows))


def test_seals_are_the_neighbours_of_what_is_labelled(pool, cosines):
    features, _, labelled, available = pool
    finite = np.isfinite(features).all(axis=1)
    scores = {}
    for row in np.flatnonzero(labelled & finite):
        for other in nearest(row, cosines, available & finite):
            scores[other] = max(scores.get(other, -1), cosines[row, other])
    found = subpool.seals(features, labelled, available, size=N + 5, num_neighbours=NEAR)  # a list beyond the pool
    assert found.tolist() == listed(scores, N + 5) and len(scores) > NEAR


def test_anchors_bring_the_rows_that_are_like_them(pool, cosines):
    """Every set of anchors that may be drawn is tried: one of them explains the list."""
    features, labels, labelled, available = pool
    finite = np.isfinite(features).all(axis=1)
    found = subpool.anchoral(KEY, features, labels, labelled, available, **SETTINGS).tolist()

    def expected(anchors):
        hits = {}
        for row in anchors:
            for other in nearest(row, cosines, available & finite):
                hits.setdefault(other, []).append(cosines[row, other])
        return listed({other: np.mean(values) for other, values in hits.items()}, SIZE)

    of = [np.flatnonzero(labelled & finite & (labels == k)).tolist() for k in range(3)]
    assert [len(rows) for rows in of] in ([8, 4, 2], [9, 3, 2], [9, 4, 1])
    many, few = of[0], of[1] + of[2]  # of the last two classes all labels are anchors
    assert any(found == expected([*some, *few]) for some in itertools.combinations(many, ANCHORS))


def test_the_names_of_the_classes_do_not_matter(pool):
    """With as many anchors as labels nothing is drawn."""
    features, labels, labelled, available = pool
    settings = SETTINGS | {"num_anchors": 9}
    first = subpool.anchoral(KEY, features, labels, labelled, available, **settings)
    other = subpool.anchoral(KEY, features, (labels + 2) % K, labelled, available, **settings)
    assert set(first.tolist()) == set(other.tolist())
    hidden = subpool.anchoral(KEY, features, np.where(labelled, labels, -1), labelled, available, **settings)
    np.testing.assert_array_equal(first, hidden)


def test_nothing_is_like_no_label(pool):
    features, labels, _, available = pool
    nothing = subpool.anchoral(KEY, features, labels, np.zeros(N, bool), available, **SETTINGS)
    assert (nothing == -1).all()


def test_impossible_numbers_are_refused(pool):
    features, labels, labelled, available = pool
    for name in SETTINGS:
        with pytest.raises(ValueError, match=f"{name} must be at least 1, got 0"):
            subpool.anchoral(KEY, features, labels, labelled, available, **SETTINGS | {name: 0})
