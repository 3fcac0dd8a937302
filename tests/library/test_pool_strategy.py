"""The strategies inside scikit-activeml's loop; skipped where that package is not installed."""

import numpy as np
import pytest

pytest.importorskip("skactiveml")

from skactiveml.exceptions import MappingError  # noqa: E402
from skactiveml.utils import MISSING_LABEL, unlabeled_indices  # noqa: E402
from sklearn.base import clone  # noqa: E402

from alfamous_jax.estimator import PoolStrategy  # noqa: E402

TRUTH = np.random.default_rng(0).integers(0, 3, 30)
POOL = 3 * np.eye(3)[TRUTH] + np.random.default_rng(1).normal(size=(30, 3))
KNOWN = np.where(np.arange(30) < 9, TRUTH, np.nan)


@pytest.mark.parametrize("strategy", ["margin-alfamous", "random", "kcenter-cb", "badge", "us-fbu"])
def test_a_query_is_what_their_contract_says(strategy):
    query = PoolStrategy(strategy, random_state=1).query
    rows, utilities = query(POOL, KNOWN, batch_size=4, return_utilities=True)
    assert rows.shape == (4,) and len(set(rows)) == 4 and rows.min() >= 9
    assert utilities.shape == (4, 30) and np.isnan(utilities[0]).sum() == 9
    np.testing.assert_array_equal(np.nanargmax(utilities, axis=1), rows)
    again = PoolStrategy(strategy, random_state=1).query(POOL, KNOWN, batch_size=4)
    np.testing.assert_array_equal(again, rows)
    some = query(POOL, KNOWN, candidates=[12, 20, 25], batch_size=2)
    assert set(some) <= {12, 20, 25} and len(set(some)) == 2
    with pytest.warns(UserWarning, match="is larger than number of candidates"):
        assert sorted(query(POOL, KNOWN, candidates=[12, 20], batch_size=5)) == [12, 20]


def test_their_loop_learns():
    strategy, y = clone(PoolStrategy(random_state=0, classes=[0, 1, 2])), np.full(30, MISSING_LABEL)
    for _ in range(6):
        y[strategy.query(POOL, y)] = TRUTH[strategy.query(POOL, y)]
    assert len(unlabeled_indices(y)) == 24 and set(y[~np.isnan(y)]) == {0, 1, 2}


@pytest.mark.parametrize("missing, names", [(None, ["A", "B"]), ("", ["A", "B"]), (0, [1, 2]), (np.nan, [1.0, 2.0])])
def test_labels_of_every_kind(missing, names):
    y = np.full(30, missing, dtype=object if missing is None else type(missing) if missing != "" else "U1")
    y[0], y[1] = names
    assert PoolStrategy(missing_label=missing, random_state=0).query(POOL, y)[0] > 1


@pytest.mark.parametrize(
    "settings, more, error, said",
    [
        ({"strategy": "vaal"}, {}, ValueError, "strategy must be one of"),
        ({"lam": -1}, {}, ValueError, "lam must be a number of at least 0"),
        ({"classes": [0, 1]}, {}, ValueError, "none of the classes"),
        ({"random_state": "x"}, {}, ValueError, ""),
        ({}, {"batch_size": 0}, ValueError, ""),
        ({}, {"batch_size": 1.5}, TypeError, ""),
        ({}, {"candidates": POOL[:2]}, MappingError, ""),
        ({}, {"return_utilities": "yes"}, TypeError, ""),
    ],
)
def test_what_is_wrong_is_refused(settings, more, error, said):
    with pytest.raises(error, match=said or None):
        PoolStrategy(**settings).query(POOL, KNOWN, **more)
